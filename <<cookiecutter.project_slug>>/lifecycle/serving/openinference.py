"""Reads and writes message bodies of the Open Inference Protocol, binary tensors included, independent of the server.

Source: https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md and, for
binary tensors, https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from lifecycle.artifact import description
from lifecycle.artifact.predictor import Predictions, Predictor
from lifecycle.artifact.requests import Columns, RequestError, named, shown
from lifecycle.serving.messages import Fits, decode

DTYPES = {
    "BOOL": "?",
    "UINT8": "<u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "<i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}


@dataclass(frozen=True)
class Inference:
    """A request: one column per tensor, and the requested outputs by name, true for binary ones."""

    identity: str | None
    columns: Columns
    outputs: dict[str, bool]


def outputs(predictor: Predictor) -> dict[str, str]:
    """Names and data types of the answer's tensors, each of shape (n,)."""
    if not predictor.model.classes:
        return {"prediction": "FP64"}
    return {"prediction": "BYTES"} | {f"probability_{name}": "FP64" for name in predictor.model.classes}


def metadata(predictor: Predictor) -> dict[str, Any]:
    """The model's metadata in the protocol's form."""
    number = "FP64" if predictor.model.raw else "FP32"
    inputs = [(column.name, description.datatype(column, number)) for column in predictor.model.requests]

    def tensors(pairs: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
        return [{"name": name, "datatype": datatype, "shape": [-1]} for name, datatype in pairs]

    return {
        "name": predictor.model.metadata["name"],
        "versions": [predictor.model.version],
        "platform": predictor.runtime,
        "inputs": tensors(inputs),
        "outputs": tensors(list(outputs(predictor).items())),
    }


def read(content: bytes, header: bytes | None, predictor: Predictor, fits: Fits, most: int) -> Inference:
    """Parse a body: `header` bytes of JSON (None: all), then binary tensors; raises RequestError.

    `fits` judges the number of rows and the name of each tensor, `most` is the number of values in the JSON.
    """
    head = len(content)
    if header is not None:
        head = int(header) if header.isdigit() and len(header) < 12 else head + 1
    if head > len(content):
        raise RequestError(
            "json", "Inference-Header-Content-Length is not the number of the body's JSON bytes; correct it."
        )
    body, binary = decode(content[:head], most), memoryview(content)[head:]
    tensors = body.get("inputs")
    if not isinstance(tensors, list) or not tensors:
        raise RequestError("body", "The body has no inputs; send a list of tensors, one for each column.")
    found: dict[str, list[Any]] = {}
    for tensor in tensors:
        name = tensor.get("name") if isinstance(tensor, dict) else None
        if not isinstance(name, str) or name in found:
            raise RequestError(
                "body", "An input has no name, or a repeated one; name each tensor once, after its column."
            )
        found[name], binary = _values(tensor, name, binary, fits)
    if len(binary):
        raise RequestError(
            "shape", f"The body has {len(binary)} bytes more than its tensors; correct binary_data_size."
        )
    counts = {len(values) for values in found.values()}
    if len(counts) > 1 or counts == {0}:
        raise RequestError("shape", "The inputs have different numbers of rows, or none; give each column every row.")
    identity = body.get("id")
    if identity is not None and not isinstance(identity, str):
        raise RequestError("body", "The id is not a string; send a string or leave it out.")
    return Inference(identity, found, _wanted(body, predictor))


def _parameters(block: dict[str, Any]) -> dict[str, Any]:
    found = block.get("parameters", {})
    if not isinstance(found, dict):
        raise RequestError("body", "parameters is not an object of names and values; correct it.")
    return found


def _values(tensor: dict[str, Any], sent: str, binary: memoryview, fits: Fits) -> tuple[list[Any], memoryview]:
    """A column's values, and the binary data that remain."""
    name = named(sent)
    shape, datatype = tensor.get("shape"), tensor.get("datatype")
    if not (isinstance(shape, list) and shape and all(type(size) is int and size >= 0 for size in shape)):
        raise RequestError("shape", f"The input {name} has no shape; a column has the shape [rows] or [rows, 1].")
    if len(shape) > 2 or shape[1:] not in ([], [1]):
        raise RequestError(
            "shape", f"The input {name} has the shape {shown(shape)}; a column has the shape [rows] or [rows, 1]."
        )
    if not isinstance(datatype, str) or (datatype != "BYTES" and datatype not in DTYPES):
        raise RequestError("value", f"The input {name} has an unknown datatype; use FP32 for numbers, BYTES for texts.")
    fits(shape[0], [sent])
    size = _parameters(tensor).get("binary_data_size")
    if size is None:
        values = tensor.get("data")
        if isinstance(values, list) and all(isinstance(value, list) and len(value) == 1 for value in values):
            values = [value[0] for value in values]
        if not isinstance(values, list):
            raise RequestError("body", f"The input {name} has no data; send a list with a value for each row.")
    else:
        if type(size) is not int or not 0 <= size <= len(binary):
            raise RequestError(
                "shape", f"The input {name} has a binary_data_size that is invalid or longer than the body; correct it."
            )
        values, binary = _unpacked(binary[:size], name, datatype), binary[size:]
    if len(values) != shape[0]:
        raise RequestError(
            "shape", f"The input {name} has {len(values)} values, but the shape {shown(shape)}; align them."
        )
    return values, binary


def _unpacked(content: memoryview, name: str, datatype: str) -> list[Any]:
    """Values from their bytes; each text follows its length in four bytes."""
    if datatype != "BYTES":
        if len(content) % np.dtype(DTYPES[datatype]).itemsize:
            raise RequestError(
                "shape", f"The input {name} has {len(content)} bytes, not a whole number of {datatype} values."
            )
        values: list[Any] = np.frombuffer(content, DTYPES[datatype]).tolist()
        return values
    texts, place = [], 0
    while place < len(content):
        end = place + 4 + int.from_bytes(content[place : place + 4], "little")
        try:
            if end > len(content):
                raise ValueError
            texts.append(str(content[place + 4 : end], "utf-8"))
        except ValueError:
            raise RequestError(
                "value", f"The input {name} has a text that is truncated or not UTF-8; correct it."
            ) from None
        place = end
    return texts


def _wanted(body: dict[str, Any], predictor: Predictor) -> dict[str, bool]:
    known = outputs(predictor)
    every = _parameters(body).get("binary_data_output") is True
    asked = body.get("outputs")
    if asked is None:
        return dict.fromkeys(known, every)
    if not isinstance(asked, list) or not all(isinstance(output, dict) for output in asked):
        raise RequestError("body", "outputs is not a list of objects with a name; correct it, or leave it out.")
    if unknown := [output.get("name") for output in asked if output.get("name") not in list(known)]:
        raise RequestError("body", f"The output {shown(unknown[0])} is unknown; the model has {', '.join(known)}.")
    return {output["name"]: _parameters(output).get("binary_data", every) is True for output in asked}


def answer(
    inference: Inference, found: Predictions, predictor: Predictor, parameters: dict[str, Any]
) -> tuple[bytes, int | None]:
    """The body of an answer and, when tensors are binary, the number of its JSON bytes."""
    values: dict[str, list[Any]] = {"prediction": found.labels.tolist()}
    if found.probabilities is not None:
        values["prediction"] = [predictor.model.classes[code] for code in values["prediction"]]
        columns = found.probabilities.T.tolist()
        values |= {f"probability_{name}": column for name, column in zip(predictor.model.classes, columns, strict=True)}
    tensors, binary = [], b""
    for name, packed in inference.outputs.items():
        datatype = outputs(predictor)[name]
        tensor: dict[str, Any] = {"name": name, "datatype": datatype, "shape": [len(found.labels)]}
        if packed:
            content = _packed(values[name], datatype)
            tensor["parameters"] = {"binary_data_size": len(content)}
            binary += content
        else:
            tensor["data"] = values[name]
        tensors.append(tensor)
    body: dict[str, Any] = {"model_name": predictor.model.metadata["name"], "model_version": predictor.model.version}
    if inference.identity is not None:
        body["id"] = inference.identity
    head = orjson.dumps(body | {"parameters": parameters, "outputs": tensors})
    return head + binary, len(head) if binary else None


def _packed(values: list[Any], datatype: str) -> bytes:
    if datatype != "BYTES":
        return np.array(values, DTYPES[datatype]).tobytes()
    texts = [value.encode() for value in values]
    return b"".join(len(text).to_bytes(4, "little") + text for text in texts)


def refusal(error: RequestError, _: int) -> bytes:
    """An error in the protocol's form."""
    return orjson.dumps({"error": str(error)})
