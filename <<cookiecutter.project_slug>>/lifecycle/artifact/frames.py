"""Rows in files and frames, and as the predictor takes them; serving needs none of it."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pandas.api.types import is_numeric_dtype

LABEL = "label"  # the column of what the model learns


def parquet(content: bytes, columns: list[str] | None = None) -> pa.Table:
    """The rows of a parquet file; raises ArrowException when it is none.

    Read in one thread: a thread of Arrow's that outlives Python aborts the process (apache/arrow#34314), which
    happened in a tenth of the runs of `make pin` on a busy machine.
    """
    return pq.ParquetFile(pa.BufferReader(content)).read(columns, use_threads=False)


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
    """Inputs as the predictor takes them, each column of shape (n,)."""
    return {name: rows[name].to_numpy("float32" if is_numeric_dtype(rows[name]) else None) for name in rows}
