"""Reads what is asked about: a request's identity, a line of the prediction log, or an answer of the service."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lifecycle import InputError

type Row = dict[str, Any]

EMPTY = "REQUEST is empty; give a request's identity, a line of the log or an answer, or a file with one of the two."


@dataclass(frozen=True)
class Asked:
    """A request, and what a line of the log or an answer says of it: version, image, and rows by their number."""

    request: str
    version: str = ""
    image: str = ""
    rows: dict[int, Row] = field(default_factory=dict)
    line: Row | None = None


def read(text: str) -> Asked:
    """What `REQUEST` means; raises InputError for JSON that is neither a line nor an answer."""
    if not text.strip():
        raise InputError(EMPTY)
    if not text.lstrip().startswith("{"):
        try:
            path = Path(text)
            if not path.is_file():
                return Asked(text)
            text = path.read_text()
        except (OSError, ValueError):  # a name that no file can have
            return Asked(text)
    try:
        found = json.loads(text)
        return _line(found) if "request" in found else _answer(found)
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError) as error:
        raise InputError(
            f"REQUEST is neither a line of the log nor an answer of the service ({type(error).__name__}: {error}); "
            "give the whole of either, or a request's identity."
        ) from error


def _line(found: Row) -> Asked:
    return Asked(found["request"], found["version"], rows={found["row"]: found["answer"]}, line=found)


def _answer(found: Row) -> Asked:
    """An answer in one of the protocols' forms, its rows as the log has them."""
    if "outputs" in found:
        about, version = found["parameters"], found["model_version"]
        rows = _tensors({one["name"]: one["data"] for one in found["outputs"]})
    else:
        about, version = found["meta"], found["meta"]["tags"]["version"]
        rows = found["jsonData"] if "jsonData" in found else _table(found["data"], found["meta"]["tags"])
    (image,) = about["requestPath"].values()
    return Asked(about["puid"], version, image, dict(enumerate(rows)))


def _tensors(values: dict[str, list[Any]]) -> list[Row]:
    """The rows of an answer that has a list of values for each column."""
    shares = {name.removeprefix("probability_"): column for name, column in values.items() if name != "prediction"}
    rows: list[Row] = [{"prediction": value} for value in values["prediction"]]
    return [
        row | ({"probabilities": {name: column[index] for name, column in shares.items()}} if shares else {})
        for index, row in enumerate(rows)
    ]


def _table(data: Row, tags: Row) -> list[Row]:
    """The rows of an answer that has names and a table, which a tensor holds row by row."""
    names = data["names"]
    flat = data["tensor"]["values"] if "tensor" in data else [value for row in data["ndarray"] for value in row]
    table = [flat[begin : begin + len(names)] for begin in range(0, len(flat), len(names))]
    if "predictions" not in tags:
        return [{"prediction": value} for (value,) in table]
    return [
        {"prediction": label, "probabilities": dict(zip(names, row, strict=True))}
        for label, row in zip(tags["predictions"], table, strict=True)
    ]
