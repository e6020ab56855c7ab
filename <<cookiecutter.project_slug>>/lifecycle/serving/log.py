"""The prediction log: one JSON line per answered row, written before the reply is sent."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import orjson

from lifecycle.artifact.directory import Model
from lifecycle.artifact.requests import RequestError
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
    answers: Sequence[bytes],
    now: datetime,
    largest: int,
) -> bytes:
    """The lines of one request: its context (time in UTC, key), its features and the answer, which is JSON already.

    Raises RequestError when they take more than `largest` bytes.
    """
    count, features = len(answers), model.features
    context = tuple([name for name in model.context if name in columns])
    absent = [None] * count
    values = [columns[name] for name in context] + [columns.get(name, absent) for name in features]
    if model.time in context:  # in one notation, which the monitor reads
        place = context.index(model.time)
        values[place] = [None if text is None else layout.moment(text) for text in values[place]]
    every = orjson.dumps(list(chain.from_iterable(values)))
    if len(every) <= largest:  # a control character takes six bytes here, and one in a binary tensor
        about = b',"logged":"%b","version":"%b"' % (now.isoformat().encode(), model.version.encode())
        line, start = _line(context, features), b'{"request":' + orjson.dumps(request) + b',"row":'
        parts = _parts(every, values, count)
        found = b"".join([line % (start, row, about, *parts[row::count], answer) for row, answer in enumerate(answers)])
        if len(found) <= largest:
            return found
    raise RequestError(
        "size", f"The request would take more than {largest} bytes in the prediction log; send fewer rows."
    )


@cache
def _line(context: Sequence[str], features: Sequence[str]) -> bytes:
    """The form of a line, with a place for each value."""

    def places(names: Sequence[str]) -> bytes:
        return b",".join(orjson.dumps(name).replace(b"%", b"%%") + b":%b" for name in names)

    return b'%b%d%b,"context":{' + places(context) + b'},"features":{' + places(features) + b'},"answer":%b}\n'


def _parts(every: bytes, values: Sequence[Sequence[Any]], count: int) -> list[bytes]:
    """Each value's JSON, column after column: out of that of all values, unless a text has a comma."""
    parts = every[1:-1].split(b",")
    return parts if len(parts) == len(values) * count else [orjson.dumps(one) for one in chain.from_iterable(values)]


def truths(request: str, labels: Sequence[Any], now: datetime) -> bytes:
    """The lines of one request's labels, in row order."""
    logged = now.isoformat()
    records = [{"request": request, "row": row, "label": label, "logged": logged} for row, label in enumerate(labels)]
    return b"".join([orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in records])


def utc_now() -> datetime:
    return datetime.now(UTC)
