"""Compares calls and answers with GitHub's OpenAPI document: it is kept in .tools, and fetched by its hash."""

import hashlib
import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import ROOT

ADDRESS = "https://github.com/octokit/openapi/releases/download/v23.0.2/api.github.com.json"
# Of what it says, without the version that its makers write into it.
SHA256 = "9a509b5ecfe429623c9befb0331ce5d29fd20d163f26079aad5fc31c8fb1d7eb"
KEPT = ROOT / ".tools/openapi.json"
ANYWHERE = (401, 403, 404)  # what no operation lists in full
KINDS: dict[str, tuple[type, ...]] = {
    **{"string": (str,), "integer": (int,), "number": (int, float)},
    **{"boolean": (bool,), "array": (list,), "object": (dict,)},
}


def meaning(content: bytes) -> tuple[dict[str, Any], str]:
    """The document, and the hash of what it says."""
    document: dict[str, Any] = json.loads(content)
    about = {**document, "info": {**document["info"], "version": ""}}
    return document, hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def document() -> dict[str, Any]:
    """GitHub's document; without it and without a network the test is skipped, but not on GitHub."""
    if not KEPT.is_file():
        try:
            with urllib.request.urlopen(ADDRESS, timeout=60) as answer:
                content = answer.read()
        except (urllib.error.URLError, OSError):
            if os.environ.get("GITHUB_ACTIONS"):
                raise
            pytest.skip(f"{KEPT} is not there, and cannot be fetched")
        assert meaning(content)[1] == SHA256, f"{ADDRESS} says something else than it did"
        KEPT.write_bytes(content)
    found, said = meaning(KEPT.read_bytes())
    assert said == SHA256, f"{KEPT} is another one; delete it"
    return found


class Contract:
    """What GitHub's document allows."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document

    def operation(self, method: str, path: str) -> dict[str, Any]:
        """The operation of a call, by the path with the fewest variables; a variable has no slash, but a ref does."""
        fitting = [
            one
            for one in self.document["paths"]
            if method.lower() in self.document["paths"][one]
            and re.fullmatch(re.sub(r"\\\{ref\\\}", ".+", re.sub(r"\\\{(?!ref)\w+\\\}", "[^/]+", re.escape(one))), path)
        ]
        assert fitting, f"GitHub knows no {method} {path}"
        found: dict[str, Any] = self.document["paths"][min(fitting, key=lambda one: one.count("{"))][method.lower()]
        return found

    def problems(self, method: str, path: str, body: Any, status: int, answer: Any) -> list[str]:
        """How a call and its answer differ from the document; an answer may leave fields out."""
        operation = self.operation(method, path)
        asked = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        found = list(self.differences(asked, body, "asked", whole=True)) if asked and body is not None else []
        if body is not None and "requestBody" not in operation:
            found.append("asked: GitHub takes no body")
        answers = operation["responses"]
        if str(status) not in answers and status not in ANYWHERE:
            return [*found, f"{status} is none of {', '.join(answers)}"]
        told = self._resolved(answers.get(str(status), {})).get("content", {}).get("application/json", {}).get("schema")
        return found + (list(self.differences(told, answer, "answered")) if told and status < 400 else [])

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in schema:
            found: Any = self.document
            for part in schema["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            schema = found
        for part in map(self._resolved, schema.get("allOf", [])):  # as one, since each knows its own fields alone
            fields = {**schema.get("properties", {}), **part.get("properties", {})}
            schema = {**part, **schema, "properties": fields}
        return schema

    def differences(self, schema: dict[str, Any], value: Any, place: str, whole: bool = False) -> Iterator[str]:
        """Where a value is not of a schema; with `whole`, also what it lacks."""
        schema = self._resolved(schema)
        if value is None and schema.get("nullable"):
            return
        if options := schema.get("oneOf") or schema.get("anyOf"):
            tried = [list(self.differences(one, value, place, whole)) for one in options]
            if not any(one == [] for one in tried):
                yield from min(tried, key=len)
        kind = schema.get("type")
        if kind and not (isinstance(value, KINDS[kind]) and not (kind == "integer" and isinstance(value, bool))):
            yield f"{place} is {value!r:.60}, not of type {kind}"
            return
        if "enum" in schema and value not in schema["enum"]:
            yield f"{place} is {value!r:.60}, none of {schema['enum']}"
        if isinstance(value, str) and len(value) > schema.get("maxLength", len(value)):
            yield f"{place} is too long"
        if isinstance(value, list):
            for index, entry in enumerate(value):
                yield from self.differences(schema.get("items", {}), entry, f"{place}[{index}]", whole)
        if isinstance(value, dict):
            known = schema.get("properties", {})
            if len(value) > schema.get("maxProperties", len(value)):
                yield f"{place} has more than {schema['maxProperties']} fields"
            for name, entry in value.items():
                if name in known:
                    yield from self.differences(known[name], entry, f"{place}.{name}", whole)
                elif known and not schema.get("additionalProperties"):
                    yield f"{place}.{name} is no field of GitHub's"
            if whole:
                yield from (f"{place}.{name} is missing" for name in schema.get("required", []) if name not in value)
