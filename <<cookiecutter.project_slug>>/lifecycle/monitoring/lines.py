"""Reads JSON lines into DuckDB, and sets aside the lines and files that cannot be read."""

import gzip
import io
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO

import duckdb
import fsspec

from lifecycle import InputError

LONGEST = 16_000_000  # bytes of a line; DuckDB reads none of a file in which one is longer than 16 MiB
DAMAGE = (FileNotFoundError, EOFError, gzip.BadGzipFile, zlib.error)  # a file that vanished, or that is torn
CLOSED = (PermissionError, IsADirectoryError)  # a file that may be listed and not read, or that is none


def quoted(name: str) -> str:
    """A name quoted for SQL."""
    return '"' + name.replace('"', '""') + '"'


def read(
    connection: duckdb.DuckDBPyConnection, table: str, files: Sequence[str], columns: Mapping[str, str]
) -> list[str]:
    """Fill a table from files of JSON lines, and return the files that are damaged, closed or gone.

    An invalid line, such as a torn or an endless one, becomes a row of nulls. Raises InputError when the store does
    not answer, or gives none of the files that are there.
    """
    fields = ", ".join(f"{quoted(name)} {kind}" for name, kind in columns.items())
    connection.execute(f"create or replace table {table} ({fields})")
    if not files:
        return []
    try:
        _insert(connection, table, files, columns)
        return []
    except duckdb.Error:  # one of them is to blame
        damaged: dict[str, Exception] = {}
    for path in files:
        try:
            _insert(connection, table, [path], columns)
        except duckdb.Error:
            if fault := _saved(connection, table, path, columns):
                damaged[path] = fault
    closed = [fault for fault in damaged.values() if isinstance(fault, CLOSED)]
    if len(closed) == len(files):
        raise _unreadable(closed[0]) from closed[0]
    return list(damaged)


def _unreadable(fault: Exception) -> InputError:
    reason = f"{type(fault).__name__}: {' '.join(str(fault).split())[:200]}"
    return InputError(f"The log cannot be read ({reason}); restore or remove the file, or permit reading it.")


def _insert(
    connection: duckdb.DuckDBPyConnection, table: str, files: Sequence[str], columns: Mapping[str, str]
) -> None:
    connection.execute(
        f"insert into {table} select * from read_json($files, columns => $columns, "  # noqa: S608 - our own name
        "format => 'newline_delimited', ignore_errors => true, hive_partitioning => false)",
        {"files": list(files), "columns": dict(columns)},
    )


def _saved(
    connection: duckdb.DuckDBPyConnection, table: str, path: str, columns: Mapping[str, str]
) -> Exception | None:
    """Read what is valid of a file that DuckDB refuses; returns what kept it from being read to its end."""
    faults: list[Exception] = []
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as copy:
        copy.write(b"\n")
        copy.writelines(_readable(path, faults))
        copy.flush()
        _insert(connection, table, [copy.name], columns)
    return faults[0] if faults else None


def _readable(path: str, faults: list[Exception]) -> Iterator[bytes]:
    """A file's lines as far as they can be read; a fault of the file is added to `faults`."""
    try:
        with fsspec.open(path, "rb", compression="infer") as file, io.BufferedReader(file) as buffered:
            yield from _short(buffered)
    except (*DAMAGE, *CLOSED) as error:
        faults.append(error)
    except Exception as error:  # each store raises its own exceptions
        raise _unreadable(error) from error


def _short(file: BinaryIO) -> Iterator[bytes]:
    """A file's lines; one that is too long becomes an empty object."""
    while line := file.readline(LONGEST):
        rest = line
        while not rest.endswith(b"\n") and (rest := file.readline(LONGEST)):
            line = b""
        yield line or b"{}\n"
