"""Reads a table of a team from a path or an fsspec URI: CSV, JSON lines, or one or several files of Parquet."""

import codecs
import io
from collections.abc import Callable
from typing import Any

import fsspec
import pandas as pd

from lifecycle import InputError
from lifecycle.rows import store, tables
from lifecycle.rows.store import said

type Reader = Callable[[bytes], pd.DataFrame]
COMMA = r"[+-]?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?"  # a number with a decimal comma, as in Germany


def _csv(separator: str | None) -> Reader:
    """Text in columns; without a separator it is found in the first lines."""

    def read(content: bytes) -> pd.DataFrame:
        # Only the empty cell and these words are missing values: a class may be called `None` or `nan`.
        missing: dict[str, Any] = {"keep_default_na": False, "na_values": ["", "NA", "N/A", "NaN", "NULL", "null"]}
        if separator:
            return pd.read_csv(io.BytesIO(content), sep=separator, **missing, low_memory=False)
        return pd.read_csv(io.BytesIO(content), sep=None, engine="python", **missing)

    return read


def _by_head(content: bytes) -> pd.DataFrame:
    """Text whose head tells the separator."""
    head = content.split(b"\n", 1)[0].decode(errors="replace")
    return _csv(max(",;\t|", key=head.count))(content)


def _json(content: bytes) -> pd.DataFrame:
    return pd.read_json(io.BytesIO(content), lines=True, convert_dates=False, dtype=False)


READERS: dict[str, Reader] = {
    ".csv": _by_head,
    ".tsv": _csv("\t"),
    ".txt": _csv(None),
    ".jsonl": _json,
    ".ndjson": _json,
}


def read(location: str) -> pd.DataFrame:
    """The table at a location: by its ending, which may be followed by one of a compression such as `.gz`.

    Parquet may also be a folder, a pattern, or a pointer of DVC. Of a text, `attrs` has the encoding.

    Raises InputError for a location that cannot be read, or a table without columns or rows.
    """
    name = location.rpartition("/")[2].lower()
    ending = next((ending for ending in READERS if name.endswith(ending) or f"{ending}." in name), None)
    frame = _parquet(location) if ending is None else _text(location, ending)
    frame.columns = [str(name).strip() for name in frame.columns]
    frame = frame.drop(columns=[name for name in frame if name.startswith("Unnamed: ")])  # an index without a name
    for name in frame.select_dtypes("object"):
        frame[name] = _numbers(frame[name])
    if frame.empty:
        raise InputError(f"FILE {location} has {len(frame)} rows and {len(frame.columns)} columns; give another table.")
    if twice := sorted({name for name in frame.columns if list(frame.columns).count(name) > 1}):
        raise InputError(f"FILE {location} has the column {', '.join(twice)} twice; rename or drop one.")
    return frame


def _numbers(column: pd.Series) -> pd.Series:
    """A column of texts such as `1.234,5` as numbers; any other as it is."""
    filled = column.dropna()
    texts = filled.map(lambda value: value.strip() if isinstance(value, str) else "")
    if filled.empty or not texts.str.fullmatch(COMMA).all() or not texts.str.contains(",").any():
        return column
    plain = texts.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
    return plain.astype("float64").reindex(column.index)


def _utf8(content: bytes) -> tuple[bytes, str]:
    """The text in UTF-8, and the encoding that it had: its mark's, or the one in which Excel writes CSV."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16").encode(), "UTF-16"
    try:
        content.decode()
    except UnicodeDecodeError:
        return content.decode("windows-1252").encode(), "Windows-1252"
    return content, "UTF-8"


def _text(location: str, ending: str) -> pd.DataFrame:
    try:
        with fsspec.open(location, "rb", compression="infer") as file:
            content: bytes = file.read()
        content, encoding = _utf8(content)
        frame = READERS[ending](content)
        frame.attrs["encoding"] = encoding
    except Exception as error:  # each kind of store, and each reader, raises exceptions of its own
        raise InputError(
            f"FILE {location} cannot be read as {ending[1:]} ({said(error)}); correct the path, the ending or the "
            "credentials."
        ) from error
    return frame


def _parquet(location: str) -> pd.DataFrame:
    found = store.find(location, "FILE")
    if not found.many and not found.files[0].name.lower().endswith(".parquet"):
        raise InputError(
            f"FILE is {location}, whose ending says no format; give one that ends in {', '.join(READERS)} or .parquet, "
            "or a folder of Parquet."
        )
    with store.local(found, "FILE") as paths:
        return tables.frame(paths, location)
