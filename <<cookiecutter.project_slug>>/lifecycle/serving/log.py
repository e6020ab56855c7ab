"""The prediction log: one JSON line per answered row, written before the reply is sent."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from lifecycle.artifact.directory import Model
from lifecycle.artifact.predictor import RequestError
from lifecycle.documents import log as layout
from lifecycle.serving.writer import LogFile


def predictions(folder: Path, model: Model, largest: int, durable: bool = False) -> LogFile:
    """The log of one model version's answers."""
    return LogFile(folder / layout.answers(model.version), largest, durable)


def labels(folder: Path, largest: int, durable: bool = False) -> LogFile:
    """The log of labels received as feedback."""
    return LogFile(folder / layout.LABELS, largest, durable)


def lines(
    request: str,
    model: Model,
    columns: Mapping[str, Sequence[Any]],
    answers: list[dict[str, Any]],
    now: datetime,
    largest: int,
) -> bytes:
    """The lines of one request: its context (time in UTC, key), its features and the answer.

    Raises RequestError when they take more than `largest` bytes.
    """
    context = {name: columns[name] for name in model.context if name in columns}
    if model.time in context:  # in one notation, which the monitor reads
        context[model.time] = [None if text is None else layout.moment(text) for text in context[model.time]]
    absent = [None] * len(answers)
    features = [(column.name, columns.get(column.name, absent)) for column in model.columns]
    logged = now.isoformat()
    found, size = [], 0
    for row, answer in enumerate(answers):
        record = {
            "request": request,
            "row": row,
            "logged": logged,
            "version": model.version,
            "context": {name: values[row] for name, values in context.items()},
            "features": {name: values[row] for name, values in features},
            "answer": answer,
        }
        found.append(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
        size += len(found[-1])
        if size > largest:  # a control character takes six bytes here, and one in a binary tensor
            raise RequestError(
                "size", f"The request would take more than {largest} bytes in the prediction log; send fewer rows."
            )
    return b"".join(found)


def truths(request: str, labels: Sequence[Any], now: datetime) -> bytes:
    """The lines of one request's labels, in row order."""
    logged = now.isoformat()
    records = [{"request": request, "row": row, "label": label, "logged": logged} for row, label in enumerate(labels)]
    return b"".join([orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in records])


def utc_now() -> datetime:
    return datetime.now(UTC)
