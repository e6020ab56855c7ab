"""Tests whether the rows that have labels look like those that have none, column by column.

The distance is the Jensen-Shannon divergence, weighted by the numbers of rows. Times twice that number, it is the
G statistic of the test that both come from one source. Source: Grosse and others, Analysis of symbolic sequences using
the Jensen-Shannon divergence, Physical Review E 65 (2002).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.special import chdtrc, rel_entr

from lifecycle.estimation.chances import Array

LEVEL = 0.05  # of a false mark in any window and column of a night
BINS, EXPECTED = 10, 10  # most of a number; fewest rows of each side in a bin, so that the test's chances are right
SLACK = 0.9  # as equal values fill bins unequally


def _codes(column: pd.Series, share: float) -> Array:
    """The bin of each value; what is missing has a bin of its own. `share` is that of the smaller side of the rows."""
    if not pd.api.types.is_numeric_dtype(column):
        names: Array = pd.factorize(column, use_na_sentinel=False)[0]
        return names
    values = column.to_numpy("float64")
    known = values[~np.isnan(values)]
    bins = int(np.clip(SLACK * len(known) * share / EXPECTED, 2, BINS))
    edges = np.unique(np.quantile(known, np.arange(1, bins) / bins)) if len(known) else known
    found: Array = np.where(np.isnan(values), BINS, np.searchsorted(edges, values))
    return found


def chance(one: pd.Series, other: pd.Series) -> float:
    """How likely it is that two samples of one source lie at least so far apart; 1 where too few rows tell."""
    share = min(len(one), len(other)) / (len(one) + len(other))
    codes = _codes(pd.concat([one, other], ignore_index=True), share)
    counts = np.array([np.bincount(part, minlength=codes.max() + 1) for part in np.split(codes, [len(one)])])
    few = counts.sum(axis=0) * share < EXPECTED
    counts = np.column_stack([counts[:, ~few], counts[:, few].sum(axis=1)])
    counts = counts[:, counts.sum(axis=0) * share >= EXPECTED]
    if counts.shape[1] < 2:
        return 1.0
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    return float(chdtrc(counts.shape[1] - 1, 2 * rel_entr(counts, expected).sum()))


def unlike(
    pairs: Mapping[int, tuple[pd.DataFrame, pd.DataFrame]], columns: Sequence[str]
) -> dict[int, tuple[str, ...]]:
    """By window, the columns in which rows with labels differ from those without; all tests of a night are one family.

    Their number divides the level (Bonferroni's correction).
    """
    found = {
        (chunk, name): chance(labelled[name], rest[name])
        for chunk, (labelled, rest) in pairs.items()
        for name in columns
    }
    level = LEVEL / max(1, len(found))
    return {chunk: tuple(name for name in columns if found[chunk, name] < level) for chunk in pairs}
