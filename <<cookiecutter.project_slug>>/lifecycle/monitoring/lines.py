"""Reads JSON lines into DuckDB, and sets aside the lines and files that cannot be read."""

import gzip
import io
import json
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO

import duckdb
import fsspec

from lifecycle import InputError

LONGEST = 16_000_000  # bytes of a line; DuckDB reads none of a file in which one is longer than 16 MiB
DAMAGE = (FileNotFoundError, EOFError, gzip.BadGzipFile, zlib.error)  # a file that vanished, or that is torn


def quoted(name: str) -> str:
    """A name quoted for SQL."""
    return '"' + name.replace('"', '""') + '"'


def read(
    connection: duckdb.DuckDBPyConnection, table: str, files: Sequence[str], columns: Mapping[str, str]
) -> list[str]:
    """Fill a table from files of JSON lines, and return the files that are damaged or gone.

    An invalid line, such as a torn or an endless one, becomes a row of nulls. Raises InputError when the store does
    not give a file that is there.
    """
    fields = ", ".join(f"{quoted(name)} {kind}" for name, kind in columns.items())
    connection.execute(f"create or replace table {table} ({fields})")
    if not files:
        return []
    try:
        _insert(connection, table, files, columns)
        return []
    except duckdb.Error:  # one of them is to blame
        damaged = []
    for path in files:
        try:
            _insert(connection, table, [path], columns)
        except duckdb.Error:
            if not _saved(connection, table, path, columns):
                damaged.append(path)
    return damaged


def _insert(
    connection: duckdb.DuckDBPyConnection, table: str, files: Sequence[str], columns: Mapping[str, str]
) -> None:
    connection.execute(
        f"insert into {table} select * from read_json($files, columns => $columns, "  # noqa: S608 - our own name
        "format => 'newline_delimited', ignore_errors => true, hive_partitioning => false)",
        {"files": list(files), "columns": dict(columns)},
    )


def _saved(connection: duckdb.DuckDBPyConnection, table: str, path: str, columns: Mapping[str, str]) -> bool:
    """Read what is valid of a file that DuckDB refuses; false unless it was read to its end."""
    whole = True
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as copy:
        copy.write(b"\n")
        try:
            with fsspec.open(path, "rb", compression="infer") as file, io.BufferedReader(file) as buffered:
                copy.writelines(_short(buffered))
        except DAMAGE:
            whole = False
        except Exception as error:  # each store raises its own exceptions
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            raise InputError(
                f"The log cannot be read ({reason}); restore or remove the file, or permit reading it."
            ) from error
        copy.flush()
        _insert(connection, table, [copy.name], columns)
    return whole


def _short(file: BinaryIO) -> Iterator[bytes]:
    """A file's lines; one that is too long, or no JSON, becomes an empty object."""
    while line := file.readline(LONGEST):
        rest = line
        while not rest.endswith(b"\n") and (rest := file.readline(LONGEST)):
            line = b""
        yield line if _valid(line) else b"{}\n"


def _valid(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
