"""Reads a table of a team: CSV, Parquet or JSON lines, from a path or an fsspec URI."""

import io
from collections.abc import Callable
from typing import Any

import fsspec
import pandas as pd

from lifecycle import InputError
from lifecycle.artifact.frames import parquet
from lifecycle.training.data import said

type Reader = Callable[[bytes], pd.DataFrame]


def _csv(separator: str | None) -> Reader:
    """Text in columns; without a separator it is found in the first lines."""

    def read(content: bytes) -> pd.DataFrame:
        # Only the empty cell and these words are missing values: a class may be called `None` or `nan`.
        missing: dict[str, Any] = {"keep_default_na": False, "na_values": ["", "NA", "N/A", "NaN", "NULL", "null"]}
        if separator:
            return pd.read_csv(io.BytesIO(content), sep=separator, **missing, low_memory=False)
        return pd.read_csv(io.BytesIO(content), sep=None, engine="python", **missing)

    return read


def _json(content: bytes) -> pd.DataFrame:
    return pd.read_json(io.BytesIO(content), lines=True, convert_dates=False, dtype=False)


def _parquet(content: bytes) -> pd.DataFrame:
    rows = parquet(content).replace_schema_metadata(None)  # pandas would make an index of columns that it names
    return rows.to_pandas()


READERS: dict[str, Reader] = {
    ".csv": _csv(","),
    ".tsv": _csv("\t"),
    ".txt": _csv(None),
    ".parquet": _parquet,
    ".jsonl": _json,
    ".ndjson": _json,
}


def read(location: str) -> pd.DataFrame:
    """The table at a location, by its ending, which may be followed by one of a compression such as `.gz`.

    Raises InputError for a location that cannot be read, or a table without columns or rows.
    """
    name = location.rpartition("/")[2].lower()
    ending = next((ending for ending in READERS if name.endswith(ending) or f"{ending}." in name), None)
    if ending is None:
        raise InputError(
            f"FILE is {location}, whose ending says no format; give one that ends in {', '.join(READERS)}."
        )
    try:
        with fsspec.open(location, "rb", compression="infer") as file:
            content: bytes = file.read()
        frame = READERS[ending](content)
        if ending == ".csv" and len(frame.columns) == 1 and any(sign in str(frame.columns[0]) for sign in ";\t|"):
            frame = _csv(None)(content)
    except Exception as error:  # each kind of store, and each reader, raises exceptions of its own
        raise InputError(
            f"FILE {location} cannot be read as {ending[1:]} ({said(error)}); correct the path, the ending or the "
            "credentials."
        ) from error
    frame.columns = [str(name).strip() for name in frame.columns]
    frame = frame.drop(columns=[name for name in frame if name.startswith("Unnamed: ")])  # an index without a name
    if frame.empty:
        raise InputError(f"FILE {location} has {len(frame)} rows and {len(frame.columns)} columns; give another table.")
    if twice := sorted({name for name in frame.columns if list(frame.columns).count(name) > 1}):
        raise InputError(f"FILE {location} has the column {', '.join(twice)} twice; rename or drop one.")
    return frame
