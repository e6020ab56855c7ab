"""Measures how far rows are from the reference: column by column, and all features together."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy.spatial.distance import jensenshannon
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from lifecycle.estimation.chances import Array

KEPT = 0.65  # of the variance, by the components that rows are reconstructed from


# Where each value falls, -1 where it is near to none that is known.
type Bins = Callable[[pd.Series], Array]


def _number(known: Array) -> tuple[int, Bins]:
    """The number of bins that the known values span, by Doane's rule: The American Statistician 30 (1976)."""
    edges = np.histogram_bin_edges(known, bins="doane")
    last = len(edges) - 2

    def bins(column: pd.Series) -> Array:
        values = column.to_numpy("float64")
        found = np.searchsorted(edges, values, "right") - 1
        found[values == edges[-1]] = last
        return np.where(found > last, -1, found)

    return len(edges) - 1, bins


def _category(known: Array) -> tuple[int, Bins]:
    names = pd.Index(np.unique(known))
    return len(names), lambda column: names.get_indexer(column.astype("str"))


def distance(known: pd.Series) -> Callable[[pd.Series, Array, int], Array]:
    """A column's Jensen-Shannon distance from the known values, for each window of its rows: 0 identical to 1 disjoint,
    NaN without any value. It takes the column, the number of each row's window from 0, and how many windows there are.

    What no known value is near to counts as one more. Source: Lin, IEEE Transactions on Information Theory 37 (1991).
    """
    numeric, own = pd.api.types.is_numeric_dtype(known), known.dropna()
    if not len(own):
        return lambda column, windows, count: np.full(count, np.nan)
    many, bins = _number(own.to_numpy("float64")) if numeric else _category(own.astype("str").to_numpy("str"))

    def shares(column: pd.Series, windows: Array, count: int) -> Array:
        there = column.notna().to_numpy()
        found = bins(column[there])
        places = windows[there] * (many + 1) + np.where(found < 0, many, found)
        table = np.bincount(places, minlength=count * (many + 1)).reshape(count, many + 1)
        with np.errstate(invalid="ignore"):
            every: Array = table / table.sum(axis=1, keepdims=True)
        return every

    usual = shares(known, np.zeros(len(known), "int64"), 1)

    def measure(column: pd.Series, windows: Array, count: int) -> Array:
        found: Array = jensenshannon(usual, shares(column, windows, count), base=2, axis=1)
        return found

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
