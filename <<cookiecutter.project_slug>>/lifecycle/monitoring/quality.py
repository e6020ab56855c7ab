"""Measures the data in each window: shares of missing, unseen and out-of-range values, and mean outputs."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lifecycle.artifact.directory import Model
from lifecycle.config import Feature
from lifecycle.documents.summary import Window
from lifecycle.estimation import series
from lifecycle.estimation.own import Watch


def _wrong(
    rows: pd.DataFrame, known: pd.DataFrame, model: Model, features: Mapping[str, Feature]
) -> dict[tuple[str, str], pd.Series]:
    """Which rows are wrong, by column and measure; `known` rows give the range of numbers without configured bounds.

    Of features that the rows do not have, as the log hides them, nothing is known.
    """
    found = {}
    for column in (one for one in model.columns if one.name in known):
        values = rows[column.name]
        if column.type == "category":
            found[column.name, "missing"] = values == ""
            found[column.name, "unseen"] = ~values.isin(model.categories[column.name] | {""})
        else:
            own = features.get(column.name)
            low = known[column.name].min() if own is None or own.min is None else own.min
            high = known[column.name].max() if own is None or own.max is None else own.max
            found[column.name, "missing"] = values.isna()
            found[column.name, "out_of_range"] = (values < low) | (values > high)
    return found


def measure(reference: pd.DataFrame, model: Model, features: Mapping[str, Feature], margin: float) -> Watch:
    """The shares in each window of the log; one is outside if it exceeds the reference share by over the margin."""
    usual = {key: float(np.mean(wrong)) for key, wrong in _wrong(reference, reference, model, features).items()}

    def watch(analysis: pd.DataFrame) -> list[Window]:
        spans, found = series.spans(analysis), list[Window]()
        for (column, metric), wrong in _wrong(analysis, reference, model, features).items():
            bound = usual[column, metric] + margin
            for chunk, share in wrong.groupby(analysis["chunk"]).mean().items():
                found.append(
                    Window(
                        kind="quality",
                        metric=metric,
                        column=column,
                        reference=False,
                        **spans[chunk],
                        value=float(share),
                        low=None,
                        high=bound,
                        outside=bool(share > bound),
                    )
                )
        return found

    return watch


def outputs(reference: pd.DataFrame, columns: Sequence[str]) -> Watch:
    """The mean of each output (probability or predicted value) in each window."""

    def means(frame: pd.DataFrame) -> dict[str, list[Window]]:
        spans, found = series.spans(frame), frame.groupby("chunk")[list(columns)].mean()
        return {
            column: [
                Window(
                    kind="output",
                    metric="mean",
                    column=column,
                    reference=frame is reference,
                    **spans[chunk],
                    value=float(mean),
                    low=None,
                    high=None,
                    outside=False,
                )
                for chunk, mean in found[column].items()
            ]
            for column in columns
        }

    before = means(reference)

    def watch(analysis: pd.DataFrame) -> list[Window]:
        after = means(analysis)
        return [one for found in (before, after) for column in columns for one in found[column]]

    return watch


def stuck(rows: pd.DataFrame, outputs: Sequence[str]) -> Counter[str]:
    """In how many windows each output is the same in all rows, for those that are so in any."""
    values = rows.groupby("chunk")[list(outputs)].nunique()
    return +Counter({name: int((values[name] == 1).sum()) for name in outputs})
