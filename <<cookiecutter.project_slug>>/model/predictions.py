"""The prediction log: one JSON line for each answered row, on disk before the answer leaves."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.directory import Model

if TYPE_CHECKING:
    import pandas as pd


class Log:
    """Appends to one file for each process and hour, so that no two processes share a file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._hour = ""
        self._file = -1
        folder.mkdir(parents=True, exist_ok=True)

    def append(self, lines: bytes, now: datetime) -> None:
        """Write whole lines with one call, so that a killed process leaves at most one torn line at the end."""
        hour = now.strftime("%Y-%m-%dT%H")
        if hour != self._hour:
            self.close()
            name = self._folder / f"{hour}-{os.getpid()}-{os.urandom(4).hex()}.jsonl"
            self._file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            self._hour = hour
        written = os.write(self._file, lines)
        if written != len(lines):
            raise OSError(f"only {written} of {len(lines)} bytes fit on the disk of {self._folder}")

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def lines(
    request: str, model: Model, rows: list[dict[str, Any]], answers: list[dict[str, Any]], now: datetime
) -> bytes:
    """The log lines of one request: the context (time, key) and the features that came in, and what went out."""
    logged = now.isoformat()
    records = [
        {
            "request": request,
            "row": index,
            "logged": logged,
            "version": model.version,
            "context": {name: row[name] for name in model.context if name in row},
            "features": {column.name: row.get(column.name) for column in model.columns},
            "answer": answer,
        }
        for index, (row, answer) in enumerate(zip(rows, answers, strict=True))
    ]
    import orjson  # in the service's environment, not in the monitor's

    return b"".join(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in records)


def utc_now() -> datetime:
    return datetime.now(UTC)


def read(folder: Path, version: str) -> "pd.DataFrame":
    """What was logged of one model version: request, row, logged and the JSON texts context, features and answer.

    A torn line is skipped, a row that was logged twice counts once.
    """
    import duckdb  # these are in the monitor's environment, not in the service's
    import pandas as pd

    pattern = folder / "*.jsonl"
    if not any(folder.glob("*.jsonl")):
        return pd.DataFrame(columns=["request", "row", "logged", "context", "features", "answer"])
    columns = {"request": "VARCHAR", "row": "BIGINT", "logged": "VARCHAR", "version": "VARCHAR"}
    columns |= {"context": "JSON", "features": "JSON", "answer": "JSON"}
    rows: pd.DataFrame = duckdb.execute(
        """
        select distinct on (request, row) request, row, logged, context, features, answer
        from read_json($pattern, format => 'newline_delimited', columns => $columns, ignore_errors => true)
        where version = $version
        order by request, row
        """,
        {"pattern": str(pattern), "columns": columns, "version": version},
    ).df()
    return rows
