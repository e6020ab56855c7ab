"""Measures how far the test rows are from the training rows, feature by feature."""

import numpy as np
import pandas as pd
from scipy.spatial.distance import jensenshannon

BINS = 40


def distance(train: pd.Series, test: pd.Series) -> float:
    """The Jensen-Shannon distance between two columns, 0 (identical) to 1 (disjoint); missing counts as a value.

    Numbers are binned at the quantiles of both columns together, so units and outliers do not matter.
    Source: Lin, Divergence Measures Based on the Shannon Entropy, IEEE Transactions on Information Theory 37 (1991).
    """
    both = pd.concat([train, test], ignore_index=True)
    if pd.api.types.is_numeric_dtype(both):
        both = both.astype("float64")
        edges = np.unique(np.nanquantile(both, np.linspace(0, 1, BINS + 1))) if both.notna().any() else np.array([0.0])
        codes = np.where(both.isna(), -1, np.searchsorted(edges, both, side="left"))
    else:
        codes, _ = pd.factorize(both)
    counts = [np.bincount(part + 1, minlength=codes.max() + 2) for part in (codes[: len(train)], codes[len(train) :])]
    return float(jensenshannon(*counts, base=2))
