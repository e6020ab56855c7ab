"""Schemas of a cluster's objects, closed, to find fields that the API server would refuse or silently drop."""

from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import upstream
import yaml

VERSION = "1.35"  # the newest that kubernetes-validate, Argo CD 3.5 and Seldon's operator 1.19 all support
Object = dict[str, Any]


def fields(found: list[Object]) -> list[str]:
    """Where objects violate their kind's schema.

    Leaves out Argo CD's kinds, and SeldonDeployments where their schema cannot be had.
    """
    told = []
    for one in found:
        group = one["apiVersion"].rpartition("/")[0]
        name = f"{one['kind']} {one['metadata']['name']}"
        if one["kind"] in documented():
            told += [f"{name}: {fault}" for fault in faults(one["spec"], documented()[one["kind"]], "/spec")]
        elif one["kind"] == "SeldonDeployment":
            known = upstream.found("SeldonDeployment")
            told += [f"{name}: {fault}" for fault in (faults(one, custom(known)) if known else [])]
        elif group != "argoproj.io":
            told += native([one])
    return told


def native(found: list[Object]) -> list[str]:
    """Errors in objects of Kubernetes' own kinds; an unknown kind is an error too."""
    told = []
    for one in found:
        try:
            kubernetes_validate.validate(one, VERSION, strict=True)
        except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
            told.append(f"{one['kind']} {one['metadata']['name']}: {error}")
    return told


def custom(schema: Object) -> Object:
    """A custom resource's schema, with Kubernetes' own metadata."""
    return {
        **schema,
        "properties": {**schema["properties"], "metadata": {"x-kubernetes-preserve-unknown-fields": True}},
    }


def definition(kind: str) -> Object:
    """The schema of a custom resource of Argo CD's or Seldon's; skips the test where it cannot be had."""
    return custom(upstream.schema(kind))


def faults(value: Any, schema: Object, path: str = "") -> list[str]:
    """Where a value violates a closed schema."""
    if schema.get("x-kubernetes-preserve-unknown-fields") or (value is None and schema.get("nullable")):
        return []
    if schema.get("x-kubernetes-int-or-string"):
        return [] if isinstance(value, int | str) else [f"{path}: neither a number nor a string"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{path}: {value!r} is none of {schema['enum']}"]
    match schema.get("type"):
        case "object" if isinstance(value, dict):
            return _object(value, schema, path)
        case "array" if isinstance(value, list):
            return [one for index, item in enumerate(value) for one in faults(item, schema["items"], f"{path}/{index}")]
        case kind:
            kinds: dict[str | None, Any] = {"string": str, "boolean": bool, "integer": int, "number": int | float}
            fits = kind in kinds and isinstance(value, kinds[kind]) and isinstance(value, bool) == (kind == "boolean")
            return [] if fits else [f"{path}: not of type {kind}"]


def _object(value: Object, schema: Object, path: str) -> list[str]:
    known, others = schema.get("properties", {}), schema.get("additionalProperties")
    found = [f"{path}/{name}: missing" for name in schema.get("required", ()) if name not in value]
    for name, item in value.items():
        if name in known:
            found += faults(item, known[name], f"{path}/{name}")
        elif isinstance(others, dict):
            found += faults(item, others, f"{path}/{name}")
        elif not others:
            found.append(f"{path}/{name}: unknown")
    return found


@cache
def documented() -> dict[str, Object]:
    """The kinds in fields.yaml, each with the schema of its `spec`."""
    known = yaml.safe_load((Path(__file__).parent / "fields.yaml").read_text())
    return {kind: _schema(spec) for kind, spec in known.items()}


def _schema(known: Any) -> Object:
    """A description from fields.yaml, as a schema."""
    if isinstance(known, str):
        return {"type": {"text": "string", "number": "integer", "truth": "boolean"}[known]}
    if isinstance(known, list):
        return {"type": "array", "items": _schema(known[0])}
    if set(known) == {"in"}:
        return {"type": "string", "enum": known["in"]}
    if set(known) == {"*"}:
        return {"type": "object", "additionalProperties": _schema(known["*"])}
    return {
        "type": "object",
        "properties": {name.removesuffix("?"): _schema(inner) for name, inner in known.items()},
        "required": [name for name in known if not name.endswith("?")],
    }
