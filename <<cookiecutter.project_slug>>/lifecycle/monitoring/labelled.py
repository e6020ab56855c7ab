"""Says how many of a window's rows have labels, and marks windows whose labelled rows do not look like the rest."""

from collections.abc import Mapping, Sequence

import pandas as pd

from lifecycle.documents.summary import Window
from lifecycle.estimation import alike, series

COMPARED = 2_000  # rows without a label in a window, sampled of more


def unlike(told: pd.DataFrame, rest: pd.DataFrame, columns: Sequence[str]) -> dict[int, tuple[str, ...]]:
    """By window, the columns in which its rows with labels differ from its rows without."""
    places, others = series.parts(told), series.parts(rest)
    pairs = {chunk: (told.iloc[places[chunk]], rest.iloc[others[chunk]]) for chunk in places if chunk in others}
    return alike.unlike(pairs, columns)


def marked(
    windows: Sequence[Window], told: pd.DataFrame, shares: Mapping[int, float], odd: Mapping[int, tuple[str, ...]]
) -> list[Window]:
    """The windows, those of realised performance with the share of rows with labels and with what these differ in."""
    places = {(span["begin"], span["end"]): chunk for chunk, span in series.spans(told).items()}
    found = []
    for one in windows:
        if one.kind == "realised" and not one.reference:
            chunk = places[one.begin, one.end]
            one = one.model_copy(update={"labelled": shares[chunk], "unlike": odd.get(chunk, ())})
        found.append(one)
    return found


def warnings(windows: Sequence[Window]) -> list[str]:
    """A sentence if labelled rows of any window do not look like its others."""
    odd = {one.end: one.unlike for one in windows if one.unlike}
    if not odd:
        return []
    last = max(odd)
    return [
        f"In {len(odd)} window{'s' * (len(odd) > 1)} the labels do not look like the windows' rows: they came for some "
        "rows rather than for others, so realised values may not be those of all rows. In the one until "
        f"{last[:16]} they differ in {', '.join(odd[last])}."
    ]
