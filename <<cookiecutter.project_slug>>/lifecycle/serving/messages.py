"""Reads and writes message bodies of Seldon's protocol, independent of the server.

Source: https://docs.seldon.io/projects/seldon-core/en/v1/reference/apis/external-prediction.html
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cached_property
from operator import itemgetter
from typing import Any

import numpy as np
import orjson

from lifecycle.artifact.predictor import Predictions
from lifecycle.artifact.requests import Columns, RequestError, named, shown
from lifecycle.serving import bounds

WANTED = "send jsonData with a list of rows or an object of columns, or data with names and ndarray or tensor."


type Fits = Callable[[int, Collection[str]], None]  # raises RequestError for too many rows, or a wrong column


def decode(content: bytes, most: int = bounds.VALUES) -> dict[str, Any]:
    """The JSON object in a body; raises RequestError for anything else, or for more than `most` commas and brackets."""
    if len(content) > most and sum(map(content.count, (b",", b"[", b"{"))) > most:
        raise RequestError("size", f"The body has more than {most} values; send fewer rows at a time.")
    if not content:
        raise RequestError("json", f"The body is empty; {WANTED}")
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise RequestError("json", f"The body is not valid JSON ({error}); correct it.") from error
    if not isinstance(body, dict):
        raise RequestError("body", f"The body is not a JSON object; {WANTED}")
    return body


def identity(message: dict[str, Any]) -> str | None:
    """The request's identity if the caller set one; raises RequestError unless it is a string."""
    meta = message.get("meta")
    found = meta.get("puid") if isinstance(meta, dict) else None
    if found is not None and not isinstance(found, str):
        raise RequestError("body", "meta.puid is not a string; send a string or leave it out.")
    return found


def columns(message: dict[str, Any], fits: Fits) -> Columns:
    """The columns of a message, each with a value for every row; raises RequestError if it has none.

    `fits` judges the number of rows and the names of columns before a table is made of them.
    """
    if (rows := message.get("jsonData")) is not None:
        return _objects(rows, fits) if isinstance(rows, list) else _columns(rows, fits)
    block = message.get("data")
    if not isinstance(block, dict):
        raise RequestError("body", f"The body has neither jsonData nor data; {WANTED}")
    names = block.get("names")
    if not isinstance(names, list) or set(map(type, names)) != {str}:
        raise RequestError("body", f"data.names is not a list of column names; {WANTED}")
    if len(set(names)) != len(names):
        raise RequestError("column", "data.names lists a column twice; list each column once.")
    fits(0, names)
    read, form = (_tensor, "tensor") if "tensor" in block else (_table, "ndarray")
    return dict(zip(names, read(block.get(form), len(names), fits), strict=True))


def _objects(rows: list[Any], fits: Fits) -> Columns:
    """Columns from a list of rows, with a fast path for rows that all have the same columns."""
    if not rows:
        raise RequestError("shape", "jsonData has no row; send at least one.")
    if set(map(type, rows)) != {dict}:
        index = next(index for index, row in enumerate(rows) if type(row) is not dict)
        raise RequestError("shape", f"Row {index} is not an object of column names and values.")
    fits(len(rows), rows[0])
    names = list(rows[0])
    try:
        if len(names) > 1 and all(len(row) == len(names) for row in rows):
            return dict(zip(names, zip(*map(itemgetter(*names), rows), strict=True), strict=True))
    except KeyError:
        pass
    every = dict.fromkeys(names)
    for row in rows:
        if not row.keys() <= every.keys():
            fits(len(rows), row)
            every |= dict.fromkeys(row)
    if not every:
        raise RequestError("column", "Row 0 has no columns; send the name and value of each column.")
    return {name: [row.get(name) for row in rows] for name in every}


def _columns(block: Any, fits: Fits) -> Columns:
    """Columns sent as an object; all must have the same number of values."""
    if not isinstance(block, dict) or not block or not all(isinstance(values, list) for values in block.values()):
        raise RequestError(
            "shape", "jsonData is neither a list of rows nor an object of columns, each a list of values."
        )
    count = len(next(iter(block.values())))
    fits(count, block)
    if odd := [name for name, values in block.items() if len(values) != count]:
        raise RequestError(
            "shape", f"The column {named(odd[0])} of jsonData has more or fewer rows than the first; align them."
        )
    if not count:
        raise RequestError("shape", "jsonData has no row; send at least one.")
    return block


def _table(rows: Any, width: int, fits: Fits) -> Iterable[Sequence[Any]]:
    if not isinstance(rows, list) or not rows:
        raise RequestError("shape", "data.ndarray is not a list with at least one row.")
    fits(len(rows), ())
    if set(map(type, rows)) != {list} or set(map(len, rows)) != {width}:
        index = next(index for index, row in enumerate(rows) if type(row) is not list or len(row) != width)
        raise RequestError(
            "shape", f"Row {index} of data.ndarray is not a list of {width} values, one for each of data.names."
        )
    return zip(*rows, strict=True)


def _tensor(block: Any, width: int, fits: Fits) -> Iterable[Sequence[Any]]:
    shape, values = (block.get("shape"), block.get("values")) if isinstance(block, dict) else (None, None)
    if not isinstance(shape, list) or not isinstance(values, list) or len(shape) != 2 or shape[1] != width:
        raise RequestError(
            "shape", f"data.tensor is not values with the shape [rows, {width}], one column for each of data.names."
        )
    if type(shape[0]) is not int or shape[0] < 1 or shape[0] * width != len(values):
        raise RequestError("shape", f"data.tensor has {len(values)} values, which do not fit the shape {shown(shape)}.")
    fits(shape[0], ())
    return [values[index::width] for index in range(width)]


class Form:
    """The JSON of an answer to one row: the prediction and, of a model with classes, the probability of each."""

    def __init__(self, classes: Sequence[str]) -> None:
        names = [orjson.dumps(name).replace(b"%", b"%%") for name in classes]
        shares = b",".join(name + b":%b" for name in names)
        self._forms = [b'{"prediction":' + name + b',"probabilities":{' + shares + b"}}" for name in names]

    def rows(self, found: Predictions) -> list[bytes]:
        """The answers in their order."""
        if found.probabilities is None:
            values = orjson.dumps(found.labels, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
            return [b'{"prediction":%b}' % value for value in values]
        table = orjson.dumps(np.ascontiguousarray(found.probabilities), option=orjson.OPT_SERIALIZE_NUMPY)
        rows = table[2:-2].split(b"],[")
        forms = self._forms
        return [forms[code] % tuple(row.split(b",")) for code, row in zip(found.labels.tolist(), rows, strict=True)]


class Answered:
    """The predictions of one request, and the JSON of each, made when it is first needed."""

    def __init__(self, predictions: Predictions, form: Form) -> None:
        self.predictions, self._form = predictions, form

    @cached_property
    def rows(self) -> list[bytes]:
        return self._form.rows(self.predictions)


def answer(message: dict[str, Any], answered: Answered, classes: Sequence[str], meta: dict[str, Any]) -> bytes:
    """The answer in the request's own form; with `data`, the labels are in the tags."""
    if message.get("jsonData") is not None:
        return b'{"jsonData":[' + b",".join(answered.rows) + b'],"meta":' + orjson.dumps(meta) + b"}"
    found = answered.predictions
    data: dict[str, Any] = {"names": list(classes) or ["prediction"]}
    table = (found.labels[:, None] if found.probabilities is None else found.probabilities).tolist()
    if "tensor" in message["data"]:
        shape = [len(table), len(data["names"])]
        data["tensor"] = {"shape": shape, "values": [value for row in table for value in row]}
    else:
        data["ndarray"] = table
    if classes:
        labels = [classes[code] for code in found.labels.tolist()]
        meta = meta | {"tags": meta["tags"] | {"predictions": labels}}
    return orjson.dumps({"data": data, "meta": meta})


def truth(message: dict[str, Any]) -> tuple[str, list[Any]]:
    """The request's identity and its rows' labels in a feedback message; raises RequestError if either is missing."""
    response, block = message.get("response"), message.get("truth")
    meta = response.get("meta") if isinstance(response, dict) else None
    request = meta.get("puid") if isinstance(meta, dict) else None
    if not isinstance(request, str) or not request:
        raise RequestError("body", "The feedback names no request; send the answer's meta.puid in response.meta.puid.")
    if not isinstance(block, dict):
        raise RequestError(
            "body", "The feedback has no truth; send truth.jsonData or truth.data.ndarray with one label per row."
        )
    labels = block.get("jsonData")
    if labels is None and isinstance(block.get("data"), dict):
        tensor = block["data"].get("tensor")
        labels = tensor.get("values") if isinstance(tensor, dict) else block["data"].get("ndarray")
    if isinstance(labels, list):
        labels = [label[0] if isinstance(label, list) and len(label) == 1 else label for label in labels]
    if not isinstance(labels, list) or not labels:
        raise RequestError("shape", "The feedback's truth is not a list with a label for each row of the request.")
    return request, labels


def refusal(error: RequestError, status: int) -> bytes:
    """An error in Seldon's form: one sentence, with the HTTP status as code."""
    return orjson.dumps({"status": {"status": 1, "info": str(error), "code": status, "reason": error.reason}})
