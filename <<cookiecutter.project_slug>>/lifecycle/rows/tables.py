"""Reads the Parquet files of a table as one, and refuses those that do not fit together or into memory."""

from collections.abc import Mapping, Sequence
from itertools import batched
from pathlib import Path
from typing import BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lifecycle import InputError
from lifecycle.artifact.frames import parquet
from lifecycle.rows import memory
from lifecycle.rows.store import said

type Files = Mapping[str, Path | BinaryIO]  # by name, in the order of their rows

POINTER = 8  # bytes of a value
FACTOR = 2.5  # how many times the rows are held while they are split by a draw; measured on 544 MB
TURNS = 8  # in which the columns are read: more would make pandas slow


def schema(files: Files, location: str) -> pa.Schema:
    """The columns of all files; raises InputError if one is not Parquet, or its columns or types are others."""
    first: tuple[str, pa.Schema] | None = None
    for name, file in files.items():
        found = _schema(file, _named(files, name, location))
        if twice := sorted({one for one in found.names if found.names.count(one) > 1}):
            raise InputError(
                f"The data file {_named(files, name, location)} has the column {', '.join(twice)} twice; rename or "
                "drop one."
            )
        first = first or (name, found)
        if odd := next((one for one in {**_types(first[1]), **_types(found)} if _differ(one, first[1], found)), None):
            have = [f"{_types(one).get(odd, 'no such column')} in {place}" for place, one in (first, (name, found))]
            raise InputError(
                f"The files of {location} differ in the column {odd}: {', '.join(have)}; give all the same "
                "columns and types."
            )
    assert first is not None  # noqa: S101 - a table has a file
    return first[1]


def _schema(file: Path | BinaryIO, name: str) -> pa.Schema:
    try:
        return pq.read_schema(file).remove_metadata()
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"The data file {name} is not parquet ({said(error)}); convert it.") from error


def _types(found: pa.Schema) -> dict[str, pa.DataType]:
    return dict(zip(found.names, found.types, strict=True))


def _differ(name: str, one: pa.Schema, other: pa.Schema) -> bool:
    return bool(_types(one).get(name) != _types(other).get(name))


def _named(files: Files, name: str, location: str) -> str:
    return location if len(files) == 1 else f"{name} of {location}"


def needed(files: Files) -> int:
    """The bytes that the rows take in memory, from the files' footers: an estimate.

    A value takes eight bytes, in a column of text as the pointer to what the file spells out.
    """
    total = 0
    for file in files.values():
        about = pq.read_metadata(file)
        total += about.num_rows * about.num_columns * POINTER
        for group in (about.row_group(place) for place in range(about.num_row_groups)):
            columns = [group.column(place) for place in range(group.num_columns)]
            total += sum(one.total_uncompressed_size for one in columns if one.physical_type == "BYTE_ARRAY")
    return total


def fit(count: int, location: str) -> None:
    """Raise InputError if rows of so many bytes do not fit into the memory that is left."""
    left = memory.available()
    if left is not None and count * FACTOR > left:
        raise InputError(
            f"The rows of {location} need about {memory.size(count * FACTOR)} of memory, and {memory.size(left)} are "
            "free; use a larger machine (on GitHub, name its runner in the variable RUNNER), or fewer rows or columns."
        )


def frame(files: Files, location: str) -> pd.DataFrame:
    """The rows of all files, in their order; raises InputError if they do not fit together, or into memory."""
    columns = schema(files, location).names
    fit(needed(files), location)
    try:
        return read(list(files.values()), columns)
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise InputError(f"The data file {location} cannot be read ({said(error)}); convert it.") from error


def read(files: Sequence[Path | BinaryIO], columns: Sequence[str]) -> pd.DataFrame:
    """The columns of Parquet files, some at a time, so that Arrow never holds all of them beside pandas.

    Raises ArrowException, ValueError or TypeError for what cannot be read.
    """
    found: dict[str, pd.Series] = {}
    for names in batched(columns, -(-len(columns) // TURNS)):
        # Without the file's metadata, of which pandas would make an index of columns that it names.
        rows = [parquet(file, list(names)).replace_schema_metadata(None) for file in files]
        found |= dict(pa.concat_tables(rows).to_pandas(use_threads=False).items())
        del rows
        pa.default_memory_pool().release_unused()
    return pd.DataFrame(found, copy=False)
