"""Documents that refuse unknown keys, with errors that name what is wrong and what is allowed."""

from collections.abc import Hashable
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

OPTION = "one of: "  # begins the tag of a section that may be of several kinds; the kind's name follows


class Strict(BaseModel):
    """A frozen part of a document; unknown keys, NaN and infinity are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)


DEEPEST = 50  # lists and keys in each other; the deepest of our own documents, a rendered manifest, has 14


class _Loader(yaml.SafeLoader):
    """SafeLoader that refuses aliases, deep nesting and duplicate keys, each before anything is made of it."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """A few aliases of aliases stand for gigabytes; PyYAML would also keep the last of two equal keys silently."""
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _refused("anchors (&) and aliases (*) are not allowed; write the value where it is needed", event)
        if self.depth >= DEEPEST:
            raise _refused(f"lists and keys are nested more than {DEEPEST} deep", event)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if twice := {str(key) for key in keys if keys.count(key) > 1}:
            raise _refused(f"the key {', '.join(sorted(twice))} appears twice", node)
        return super().construct_mapping(node, deep)


def _refused(sentence: str, where: Any) -> yaml.MarkedYAMLError:
    """An error that names the line of an event or a node."""
    return yaml.MarkedYAMLError(problem=sentence, problem_mark=where.start_mark)


def parsed(text: str | bytes) -> Any:
    """The document in YAML or JSON text; raises YAMLError, ValueError or RecursionError."""
    return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader


def every(text: str | bytes) -> list[Any]:
    """All documents in YAML text; raises what `parsed` raises."""
    return list(yaml.load_all(text, _Loader))


def problems(error: ValidationError, kind: type[BaseModel]) -> str:
    """All problems of a document of this kind, separated by semicolons."""
    return "; ".join(_problem(problem, kind) for problem in error.errors())


def placed(error: ValidationError, kind: type[BaseModel], content: str | bytes) -> list[tuple[str, int]]:
    """Each problem of a YAML document of this kind, with its line."""
    return [(_problem(problem, kind), line(content, problem["loc"])) for problem in error.errors()]


def line(content: str | bytes, location: tuple[str | int, ...]) -> int:
    """The line of a key in a valid YAML document, or of the nearest section around it."""
    node, found = yaml.compose(content, _Loader), 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            inside = {key.value: (key, value) for key, value in node.value}
        elif isinstance(node, yaml.SequenceNode):
            inside = {index: (value, value) for index, value in enumerate(node.value)}
        else:
            break
        if part in inside:  # others are of our own making, such as the kind of a gate
            found, node = inside[part][0].start_mark.line + 1, inside[part][1]
    return found


def _problem(problem: Any, kind: type[BaseModel]) -> str:
    key = ".".join(part for part in map(str, problem["loc"]) if not part.startswith(OPTION)) or "the file"
    if problem["type"] == "extra_forbidden":
        return f"{key} is not a known key; allowed are {_allowed(problem['loc'], kind)}"
    if problem["type"] == "missing":
        return f"{key} is missing; add it"
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Input ").replace("'", "")
    return f"{key}: {message} (found {str(problem['input'])[:60]!r})" if problem["loc"] else message


def _allowed(location: tuple[str | int, ...], kind: type[BaseModel]) -> str:
    """The keys allowed in the section around a location, from the kind's JSON schema."""
    schema = kind.model_json_schema(by_alias=True)
    node: dict[str, Any] = schema
    for part in location[:-1]:
        node = _resolved(node, schema)
        if isinstance(part, int):
            node = node["items"]
        elif part.startswith(OPTION):
            node = {"$ref": part.removeprefix(OPTION)}
        elif "discriminator" in node:
            node = {"$ref": node["discriminator"]["mapping"][part]}
        elif part in node.get("properties", {}):
            node = node["properties"][part]
        else:
            node = node["additionalProperties"]
    return ", ".join(_resolved(node, schema)["properties"])


def _resolved(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The definition that a node refers to, directly or as its non-null option."""
    if "anyOf" in node:
        node = next(option for option in node["anyOf"] if "$ref" in option)
    if "$ref" in node:
        resolved: dict[str, Any] = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
        return resolved
    return node
