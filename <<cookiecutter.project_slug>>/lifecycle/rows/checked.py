"""Turns what the team's code raises into a sentence that names its file and line."""

import importlib
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from lifecycle import InputError, imports

ABSENT = re.compile(
    "^KeyError|not columns of the dataframe|not in index|not found in axis|in the .columns|DataFrame. object has no"
)


def module(name: str) -> ModuleType | None:
    """An optional module of the team's code, or None if there is none; raises InputError if it cannot be imported."""
    if not (imports.team() / f"{name}.py").is_file():
        return None
    remedy = "correct it; add any package that it needs to model/pyproject.toml"
    with checked(f"model/{name}.py cannot be imported", remedy):
        return importlib.import_module(f"model.{name}")


@contextmanager
def checked(what: str, remedy: str, columns: str = "") -> Iterator[None]:
    """Turn any error of the team's code into an InputError; `columns` is the remedy for an unknown column."""
    try:
        yield
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300].rstrip('.;')}"
        own = [
            frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).parent.name == "model"
        ]
        place = f" in line {own[-1].lineno} of model/{Path(own[-1].filename).name}" if own else ""
        raise InputError(
            f"{what} ({reason}{place}); {columns if columns and ABSENT.search(reason) else remedy}."
        ) from error
