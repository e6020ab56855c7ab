"""Reads a page's template, in which a name that nobody gave is an error and every value is text."""

from pathlib import Path
from typing import Any

import jinja2


def template(path: Path, **known: Any) -> jinja2.Template:
    """The template in a file; `known` are what it may use beside what it is rendered with."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(path.parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(known)
    return environment.get_template(path.name)
