"""Describes the service to its callers: Seldon's metadata and an OpenAPI document."""

from typing import Any

from model.config import Serve
from model.directory import Column
from model.predictor import Predictor


def seldon(predictor: Predictor) -> dict[str, Any]:
    """Name, version, inputs and outputs, as Seldon's metadata has them."""
    model = predictor.model

    def message(name: str, datatype: str) -> dict[str, Any]:
        return {"name": name, "datatype": datatype, "shape": [-1]}

    return {
        "name": model.metadata["name"],
        "versions": [model.version],
        "platform": predictor.runtime,
        "inputs": [message(column.name, "BYTES" if column.type == "category" else "FP32") for column in model.columns],
        "outputs": [message(name, "FP64") for name in model.classes or ("prediction",)],
        "custom": {"task": model.task, "sha256": model.sha256},
    }


def _value(column: Column) -> dict[str, Any]:
    kind = "string" if column.type == "category" else "number"
    return {"type": [kind, "null"] if column.missing else kind}


def openapi(predictor: Predictor, limits: Serve) -> dict[str, Any]:
    """An OpenAPI 3.1 document of the routes that callers use, with this model's columns."""
    model = predictor.model
    columns = {column.name: _value(column) for column in model.columns}
    context = {name: {"type": ["string", "number", "null"]} for name in model.context}
    row = {
        "type": "object",
        "properties": columns | context,
        "required": [column.name for column in model.columns if not column.missing],
        "additionalProperties": False,
    }
    rows = {"type": "array", "items": {"$ref": "#/components/schemas/Row"}, "minItems": 1, "maxItems": limits.rows}
    if model.classes:
        names = {name: {"type": "number", "minimum": 0, "maximum": 1} for name in model.classes}
        properties: dict[str, Any] = {
            "prediction": {"enum": list(model.classes)},
            "probabilities": {"type": "object", "properties": names, "required": list(names)},
        }
    else:
        properties = {"prediction": {"type": "number"}}
    answer = {"type": "object", "properties": properties, "required": list(properties)}
    meta = {
        "type": "object",
        "properties": {
            "puid": {"type": "string", "description": "The request's identity, to send feedback under."},
            "requestPath": {"type": "object", "description": "Which image answered, by container."},
            "tags": {"type": "object", "properties": {"version": {"type": "string"}}},
        },
    }
    tensor = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "shape": {"type": "array", "items": {"type": "integer"}},
            "datatype": {"type": "string"},
            "data": {"type": "array"},
        },
        "required": ["name", "shape", "datatype"],
    }
    schemas = {
        "Row": row,
        "Rows": {"type": "object", "properties": {"jsonData": rows}, "required": ["jsonData"]},
        "Answers": {
            "type": "object",
            "properties": {"jsonData": {"type": "array", "items": answer}, "meta": meta},
            "required": ["jsonData", "meta"],
        },
        "Tensors": _object({"inputs": {"type": "array", "items": tensor}}),
        "Inferred": _object({"model_name": {"type": "string"}, "outputs": {"type": "array", "items": tensor}}),
        "Feedback": _object({"response": {"type": "object"}, "truth": {"type": "object"}}),
        "Acknowledged": {"type": "object"},
        "Refusal": _object({"status": {"type": "object", "properties": {"info": {"type": "string"}}}}),
        "Error": _object({"error": {"type": "string"}}),
    }
    name = model.metadata["name"]
    return {
        "openapi": "3.1.0",
        "info": {"title": name, "version": model.version, "description": f"A model of {model.task}."},
        "paths": {
            "/api/v1.0/predictions": _post("Predict rows (Seldon's protocol)", "Rows", "Answers", "Refusal"),
            "/api/v1.0/feedback": _post("Say what came true", "Feedback", "Acknowledged", "Refusal"),
            f"/v2/models/{name}/infer": _post("Predict (Open Inference Protocol)", "Tensors", "Inferred", "Error"),
        },
        "components": {"schemas": schemas},
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _post(summary: str, body: str, answer: str, refusal: str) -> dict[str, Any]:
    def content(schema: str) -> dict[str, Any]:
        return {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}}

    return {
        "post": {
            "summary": summary,
            "requestBody": {"required": True, **content(body)},
            "responses": {
                "200": {"description": "Answered", **content(answer)},
                "4XX": {"description": "Refused, with one sentence that says why", **content(refusal)},
                "503": {"description": "The prediction could not be logged", **content(refusal)},
            },
        }
    }
