"""Converts rows between Parquet, data frames and the predictor's arrays; serving does not need it."""

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pandas.api.types import is_numeric_dtype

LABEL = "label"  # the column that the model learns


def parquet(content: bytes | Path | BinaryIO, columns: list[str] | None = None) -> pa.Table:
    """The rows of a Parquet file, of which no other columns are read; raises ArrowException if it is not valid.

    Single-threaded: an Arrow thread that outlives Python aborts the process (apache/arrow#34314), as in a tenth of the
    runs of `make pin` on a busy machine.
    """
    try:
        source = pa.BufferReader(content) if isinstance(content, bytes) else content
        return pq.ParquetFile(source).read(columns, use_threads=False)
    except OSError as error:  # Arrow raises it for damaged compressed data
        raise pa.ArrowInvalid(str(error)) from error


def inputs(frame: pd.DataFrame, kinds: dict[str, str]) -> pd.DataFrame:
    """The named columns as a served model receives them: float32 numbers, text with '' for a missing category."""
    return pd.DataFrame(
        {
            name: frame[name].astype("float32")
            if kind == "number"
            else frame[name].astype("object").where(frame[name].notna(), "")
            for name, kind in kinds.items()
        }
    )


def arrays(rows: pd.DataFrame) -> dict[str, np.ndarray[Any, Any]]:
    """The predictor's inputs, one array of shape (n,) for each column."""
    return {name: rows[name].to_numpy("float32" if is_numeric_dtype(rows[name]) else None) for name in rows}
