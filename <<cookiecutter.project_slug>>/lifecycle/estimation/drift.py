"""Measures how far rows are from the reference: column by column, and all features together."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy.spatial.distance import jensenshannon
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from lifecycle.estimation.chances import Array

KEPT = 0.65  # of the variance, by the components that rows are reconstructed from


def _number(known: Array) -> Callable[[Array], Array]:
    """How many values fall into each bin of the known ones, by Doane's rule: The American Statistician 30 (1976)."""
    edges = np.histogram_bin_edges(known, bins="doane")
    return lambda values: np.histogram(values, bins=edges)[0]


def _category(known: Array) -> Callable[[Array], Array]:
    names = np.unique(known)

    def count(values: Array) -> Array:
        places = np.minimum(np.searchsorted(names, values), len(names) - 1)
        found: Array = np.bincount(places[names[places] == values], minlength=len(names))
        return found

    return count


def distance(known: pd.Series) -> Callable[[pd.Series], float]:
    """A column's Jensen-Shannon distance from the known values: 0 identical to 1 disjoint, NaN without any value.

    What no known value is near to counts as one more. Source: Lin, IEEE Transactions on Information Theory 37 (1991).
    """
    numeric = pd.api.types.is_numeric_dtype(known)

    def present(column: pd.Series) -> Array:
        found: Array = column.dropna().astype("float64" if numeric else "str").to_numpy("float64" if numeric else "str")
        return found

    own = present(known)
    if not len(own):
        return lambda column: float("nan")
    count = _number(own) if numeric else _category(own)
    usual = np.append(count(own), 0) / len(own)

    def measure(column: pd.Series) -> float:
        values = present(column)
        if not len(values):
            return float("nan")
        counts = count(values)
        return float(jensenshannon(usual, np.append(counts, len(values) - counts.sum()) / len(values), base=2))

    return measure


def reconstruction(known: pd.DataFrame, features: Sequence[str]) -> Callable[[pd.DataFrame], Array]:
    """Each row's distance from what the known rows' principal components make of it.

    A category is its share among the known rows, what is missing is their mean or most frequent value. Columns without
    any known value are left out.
    """
    shares, usual = {}, {}
    features = [name for name in features if known[name].notna().any()]
    if not features:
        return lambda frame: np.full(len(frame), np.nan)
    for name in features:
        if pd.api.types.is_numeric_dtype(known[name]):
            usual[name] = known[name].mean()
        else:
            usual[name] = known[name].mode().iloc[0]
            shares[name] = known[name].fillna(usual[name]).value_counts(normalize=True)

    def inputs(frame: pd.DataFrame) -> Array:
        columns = [frame[name].fillna(usual[name]) for name in features]
        return np.column_stack(
            [column.map(shares[column.name]).fillna(0) if column.name in shares else column for column in columns]
        ).astype("float64")

    scaler = StandardScaler().fit(inputs(known))
    components = PCA(KEPT, random_state=0).fit(scaler.transform(inputs(known)))

    def measure(frame: pd.DataFrame) -> Array:
        rows = scaler.transform(inputs(frame))
        found: Array = np.linalg.norm(rows - components.inverse_transform(components.transform(rows)), axis=1)
        return found

    return measure
