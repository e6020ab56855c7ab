"""`docs/configuration.md` lists what `config.yaml` allows, generated from the models that read it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from tiny import ROOT

from lifecycle.config import Config
from lifecycle.tasks import FAIRNESS, METRICS, MONITORED

PAGE = ROOT / "docs/configuration.md"
HEAD = """# Configuration

`config.yaml` holds every setting that a person may change. Verbs refuse keys that are not listed here and values that
are not allowed; the error names the key and what is allowed.

This page is generated from `lifecycle/config.py` and `lifecycle/policy.py`.
"""
Node = dict[str, Any]
TITLES = {"Split": "periods", "Draw": "a draw"}  # of a section that may be of two kinds
LIMITS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "minItems": "at least {} of them",
    "minProperties": "at least {} of them",
    "pattern": "like `{}`",
}
TYPES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "null": "null"}


def kind(node: Node) -> str:
    """The allowed type, in words."""
    if "$ref" in node:
        return "keys, see below"
    if options := node.get("anyOf", node.get("oneOf")):
        return " or ".join(dict.fromkeys(map(kind, options)))
    if values := node.get("enum", [node["const"]] if "const" in node else []):
        return " or ".join(f"`{value}`" for value in values)
    if "prefixItems" in node:
        return "two days"
    if node.get("type") == "array":
        return f"list: {kind(node['items'])}"
    if node.get("type") == "object":
        return f"by name: {kind(node['additionalProperties'])}"
    return "day" if node.get("format") == "date" else TYPES.get(node.get("type", ""), "keys, see below")


def limits(node: Node) -> str:
    """The limits of a value, including those of its alternatives."""
    parts = [node, *node.get("anyOf", [])]
    found = [words.format(part[name]) for part in parts for name, words in LIMITS.items() if name in part]
    return ", ".join(found) if "prefixItems" not in node else ""


def default(name: str, node: Node, model: Node) -> str:
    if name in model.get("required", []):
        return "required"
    value = node.get("default")
    return "none" if value in (None, "", [], ()) else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def references(node: Node, path: str) -> Iterator[tuple[str, str]]:
    """The models that a key refers to, each with the path of its keys."""
    if "$ref" in node:
        yield node["$ref"].rsplit("/", 1)[-1], path
    for option in [*node.get("anyOf", []), *node.get("oneOf", [])]:
        yield from references(option, path)
    if "items" in node:
        yield from references(node["items"], path)
    if isinstance(node.get("additionalProperties"), dict):
        yield from references(node["additionalProperties"], f"{path}.NAME")


def section(model: Node, path: str, schema: Node) -> Iterator[str]:
    """A model's sentence and table, then those of the models that its keys refer to."""
    depth = 2 if "." not in path and ":" not in path else 3
    if path:
        yield f"{'#' * depth} {path}\n"
    if said := model.get("description"):
        yield re.sub(r"(?<!\n)\n(?!\n)", " ", said) + "\n"
    rows = ["| key | holds | allowed | default |", "| --- | --- | --- | --- |"]
    for name, node in model["properties"].items():
        rows.append(f"| `{name}` | {kind(node)} | {limits(node)} | {default(name, node, model)} |")
    yield "\n".join(rows) + "\n"
    for name, node in model["properties"].items():
        if name == "gates":
            yield "## gates\n"
            yield "A list of gates; each has a `kind`. A gate with `severity: warn` warns instead of blocking.\n"
        for found, under in references(node, f"{path}.{name}".lstrip(".")):
            inner = schema["$defs"][found]
            kinds = inner["properties"].get("kind", {})
            title = ", ".join(kinds.get("enum", [kinds.get("const")])) if kinds else TITLES.get(found, "")
            yield from section(inner, f"{under}: {title}" if title else under, schema)


def metrics() -> Iterator[str]:
    yield "## Metrics\n"
    yield "Gates may name any metric of the task, `monitor.metrics` those that can be estimated without labels.\n"
    rows = ["| task | metrics | fairness | monitored |", "| --- | --- | --- | --- |"]
    for task, names in METRICS.items():
        cells = (", ".join(f"`{name}`" for name in found) for found in (names, FAIRNESS[task], MONITORED[task]))
        rows.append(f"| `{task}` | {' | '.join(cells)} |")
    yield "\n".join(rows) + "\n"


def page() -> str:
    schema = Config.model_json_schema(by_alias=True)
    return "\n".join([HEAD, *section(schema, "", schema), *metrics()])


def test_the_page_says_what_the_configuration_allows(request: pytest.FixtureRequest) -> None:
    """`make test TESTS=lifecycle/tests/test_configuration.py PYTEST=--refresh` writes the page again."""
    if request.config.getoption("--refresh"):
        PAGE.write_text(page())
    assert PAGE.read_text() == page()
