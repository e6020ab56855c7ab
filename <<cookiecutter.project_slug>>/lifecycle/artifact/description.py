"""Describes the service to its callers: Seldon's metadata and an OpenAPI document."""

from typing import Any

from lifecycle.artifact.directory import Column, Model
from lifecycle.artifact.predictor import Predictor
from lifecycle.config import Serve


def seldon(predictor: Predictor) -> dict[str, Any]:
    """Name, version, inputs and outputs, in the format of Seldon's metadata."""
    model = predictor.model

    def message(name: str, datatype: str) -> dict[str, Any]:
        return {"name": name, "datatype": datatype, "shape": [-1]}

    return {
        "name": model.metadata["name"],
        "versions": [model.version],
        "platform": predictor.runtime,
        "inputs": [
            message(column.name, datatype(column, "FP64" if model.raw else "FP32")) for column in model.requests
        ],
        "outputs": [message(name, "FP64") for name in model.classes or ("prediction",)],
        "custom": {"task": model.task, "sha256": model.sha256},
    }


type Schema = dict[str, Any]


def datatype(column: Column, number: str = "FP32") -> str:
    """An input's type in the Open Inference Protocol; `number` is that of numbers."""
    return "BYTES" if column.type in ("category", "time") else "BOOL" if column.boolean else number


def _object(properties: Schema, needed: list[str] | None = None) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties) if needed is None else needed}


def _array(items: Schema, **limits: int) -> Schema:
    return {"type": "array", "items": items, **limits}


def _value(column: Column) -> Schema:
    kinds = ["number", *["boolean"] * column.boolean] if column.type == "number" else ["string"]
    kinds += ["null"] * column.missing
    found: Schema = {"type": kinds if len(kinds) > 1 else kinds[0]}
    return found | ({"format": "date-time"} if column.type == "time" else {})


def _data(columns: list[str], value: Schema, most: int) -> Schema:
    """Seldon's `data`: names with a table of rows, or with a tensor of shape (rows, columns)."""
    names = _array({"enum": columns}, uniqueItems=True)
    tensor = _object({"shape": _array({"type": "integer"}), "values": _array(value, minItems=1)})
    table = _array(_array(value), minItems=1, maxItems=most)
    return {"anyOf": [_object({"names": names, "ndarray": table}), _object({"names": names, "tensor": tensor})]}


def _requests(model: Model, most: int) -> dict[str, Schema]:
    """Requests in Seldon's protocol: rows, columns or `data`, of at most `most` rows."""
    value = {"type": ["string", "number", "null"]}
    columns = dict.fromkeys(model.context, value) | {column.name: _value(column) for column in model.requests}
    row = _object(columns, [column.name for column in model.requests if not column.missing])
    lists = {name: _array(kind, minItems=1, maxItems=most) for name, kind in columns.items()}
    rows = _array({"$ref": "#/components/schemas/Row"}, minItems=1, maxItems=most)
    properties = {
        "jsonData": {"anyOf": [rows, _object(lists, row["required"]) | {"additionalProperties": False}]},
        "data": _data(list(columns), value, most),
        "meta": _object({"puid": {"type": "string", "description": "The request's id, if it has one."}}, []),
    }
    either = [{"required": ["jsonData"]}, {"required": ["data"]}]
    return {"Row": row | {"additionalProperties": False}, "Rows": _object(properties, []) | {"anyOf": either}}


def _answers(model: Model, most: int) -> Schema:
    """Answers in Seldon's protocol, in the form of the request."""
    answer: Schema = {"prediction": {"enum": list(model.classes)} if model.classes else {"type": "number"}}
    if model.classes:
        answer["probabilities"] = _object({name: {"type": "number"} for name in model.classes})
    tags: Schema = {"version": {"type": "string"}}
    if model.classes:
        tags["predictions"] = _array({"enum": list(model.classes)})
    if len(model.classes) == 2:
        tags["positive"] = {"const": model.classes[1]}
    meta = {
        "puid": {"type": "string", "description": "The request's id; feedback refers to it."},
        "requestPath": {"type": "object", "description": "Which image answered, by container."},
        "tags": _object(tags, ["version"]),
    }
    rows = {"jsonData": _array(_object(answer)), "meta": _object(meta)}
    data = {"data": _data(list(model.classes) or ["prediction"], {"type": "number"}, most), "meta": _object(meta)}
    return {"anyOf": [_object(rows), _object(data)]}


def openapi(predictor: Predictor, limits: Serve, v2: bool = True) -> dict[str, Any]:
    """An OpenAPI 3.1 document of the routes that callers use, with this model's columns."""
    model = predictor.model
    name = model.metadata["name"]
    tensor = {"name": {"type": "string"}, "shape": _array({"type": "integer"}), "datatype": {"type": "string"}}
    tensors = _array(_object(tensor | {"data": {"type": "array"}}, list(tensor)))
    schemas = {
        **_requests(model, limits.rows),
        "Answers": _answers(model, limits.rows),
        "Feedback": _object({"response": {"type": "object"}, "truth": {"type": "object"}}),
        "Document": {"type": "object"},
        "Refusal": _object({"status": _object({"info": {"type": "string"}})}),
        "Tensors": _object({"inputs": tensors}),
        "Inferred": _object({"model_name": {"type": "string"}, "outputs": tensors}),
        "Error": _object({"error": {"type": "string"}}),
    }
    paths = {
        "/api/v1.0/predictions": {"post": _route("Predict rows (Seldon's protocol)", "Answers", "Refusal", "Rows")},
        "/api/v1.0/feedback": {"post": _route("Send the true outcomes", "Document", "Refusal", "Feedback")},
        "/health/status": {"get": _route("Ready: the golden rows are answered correctly", "Document", "Refusal")},
        "/metadata": {"get": _route("The model's name, version, inputs and outputs", "Document", "Refusal")},
    }
    if v2:
        infer = _route("Predict rows (Open Inference Protocol)", "Inferred", "Error", "Tensors")
        paths |= {
            f"/v2/models/{name}/infer": {"post": infer},
            f"/v2/models/{name}/ready": {
                "get": _route("Ready: the golden rows are answered correctly", "Document", "Error")
            },
            f"/v2/models/{name}": {"get": _route("The model's inputs and outputs", "Document", "Error")},
        }
    return {
        "openapi": "3.1.0",
        "info": {"title": name, "version": model.version, "description": f"A {model.task} model."},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _route(summary: str, answer: str, refusal: str, body: str | None = None) -> dict[str, Any]:
    def content(schema: str) -> dict[str, Any]:
        return {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}}

    found: dict[str, Any] = {
        "summary": summary,
        "responses": {
            "200": {"description": "Answered", **content(answer)},
            "4XX": {"description": "Refused, with the reason in one sentence", **content(refusal)},
            "503": {"description": "The model is not ready, or the log cannot be written", **content(refusal)},
        },
    }
    return found | ({"requestBody": {"required": True, **content(body)}} if body else {})
