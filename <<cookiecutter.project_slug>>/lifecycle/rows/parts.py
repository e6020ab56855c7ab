"""Says in which part of a slice each row lies."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

MISSING = "missing"


def named(column: pd.Series, cuts: Sequence[float]) -> tuple[np.ndarray[Any, Any], list[str]]:
    """The part of each row (n,), and all parts in order: each value of a column, or each range of a number."""
    if cuts:
        edges = [f"{cut:g}" for cut in cuts]
        between = [f"{low} to {high}" for low, high in pairwise(edges)]
        names = [f"up to {edges[0]}", *between, f"over {edges[-1]}"]
        values = np.array(names)[np.searchsorted(cuts, column, side="left")]
    else:
        values = column.astype(str).to_numpy()
        names = sorted(set(values[column.notna()]))
    return np.where(column.isna(), MISSING, values), list(dict.fromkeys([*names, MISSING]))
