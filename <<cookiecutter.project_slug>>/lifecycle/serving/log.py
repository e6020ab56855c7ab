"""The prediction log: one JSON line per answered row, written before the reply is sent."""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any

import orjson

from lifecycle.artifact.directory import Model
from lifecycle.artifact.predictor import RequestError
from lifecycle.documents import log as layout


class LogFile:
    """Appends to `hour=…/` in a folder: one file per process and hour, and a new one after `largest` bytes.

    Processes never share a file, and no file grows after its hour.
    """

    def __init__(self, folder: Path, largest: int) -> None:
        self._folder, self._largest = folder, largest
        self._hour, self._size, self._file = "", 0, -1
        self._lock = Lock()

    def append(self, lines: bytes, now: datetime) -> None:
        """Write whole lines in one call: a killed process leaves at most one torn line, the last.

        Raises OSError when the write fails; the next lines then start a new file.
        """
        hour = layout.hour(now)
        with self._lock:
            if hour != self._hour or self._size >= self._largest:
                self._open(hour)
            try:
                written = os.write(self._file, lines)
            except OSError:
                self._close()
                raise
            self._size += written
            if written != len(lines):
                self._close()
                raise OSError(f"only {written} of {len(lines)} bytes fit on the disk")

    def _open(self, hour: str) -> None:
        self._close()
        folder = self._folder / hour
        folder.mkdir(parents=True, exist_ok=True)
        name = folder / f"{os.getpid()}-{os.urandom(4).hex()}.jsonl"
        self._file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._hour, self._size = hour, 0

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._hour, self._file = "", -1

    def close(self) -> None:
        with self._lock:
            self._close()


def predictions(folder: Path, model: Model, largest: int) -> LogFile:
    """The log of one model version's answers."""
    return LogFile(folder / layout.answers(model.version), largest)


def labels(folder: Path, largest: int) -> LogFile:
    """The log of labels received as feedback."""
    return LogFile(folder / layout.LABELS, largest)


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
