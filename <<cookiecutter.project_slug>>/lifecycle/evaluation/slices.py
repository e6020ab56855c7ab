"""Measures the parts of the test rows that `config.yaml` names, and how differently groups are treated."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from fairlearn.metrics import MetricFrame, false_positive_rate, mean_prediction, selection_rate, true_positive_rate

from lifecycle import InputError, config
from lifecycle.artifact.predictor import Array, Predictions
from lifecycle.documents import record
from lifecycle.evaluation.intervals import estimates, measures
from lifecycle.tasks import FAIRNESS, METRICS

RATES: dict[str, Callable[..., float]] = {
    "selection_rate": selection_rate,
    "true_positive_rate": true_positive_rate,
    "false_positive_rate": false_positive_rate,
}

PARTS = 200  # values of one column


def parts(frame: pd.DataFrame, part: config.Slice) -> dict[str, Array]:
    """The rows of each part, (n,) of booleans: of each value of a column, or of each range of a number.

    Raises InputError for a column that is not there, or that has too many values.
    """
    if part.column not in frame:
        raise InputError(
            f"evaluate.slices names {part.column}, which the data lack; they have {', '.join(frame.columns)}."
        )
    column = frame[part.column]
    if part.cuts:
        edges = [f"{cut:g}" for cut in part.cuts]
        between = [f"{low} to {high}" for low, high in pairwise(edges)]
        names = [f"up to {edges[0]}", *between, f"over {edges[-1]}"]
        values = np.array(names)[np.searchsorted(part.cuts, column, side="left")]
    else:
        values = column.astype(str).to_numpy()
        names = sorted(set(values[column.notna()]))
    if len(names) > PARTS:
        raise InputError(
            f"evaluate.slices names {part.column}, which has {len(names)} values, more than {PARTS}; "
            "give it cuts, or a column with fewer."
        )
    values = np.where(column.isna(), "missing", values)
    chosen = {name: values == name for name in dict.fromkeys([*names, "missing"])}
    return {name: rows for name, rows in chosen.items() if rows.any()}


def measure(
    settings: config.Config, test: pd.DataFrame, truth: Array, served: Predictions
) -> Iterator[record.SlicePart]:
    """Every metric with its interval on each part of each slice."""
    for part in settings.evaluate.slices:
        for name, chosen in parts(test, part).items():
            probabilities = None if served.probabilities is None else served.probabilities[chosen]
            models = {"candidate": Predictions(served.labels[chosen], probabilities)}
            found = estimates(METRICS[settings.task], truth[chosen], models, settings.evaluate)["candidate"]
            yield record.SlicePart(
                column=part.column,
                part=name,
                rows=int(chosen.sum()),
                metrics=measures(found, settings.evaluate.level),
            )


def _views(settings: config.Config, truth: Array, served: Predictions) -> Iterator[tuple[str, dict[str, Any]]]:
    """What fairlearn compares, with what its rates are of: errors, the second of two classes, or each of more."""
    classes = settings.data.target.classes
    if settings.task == "regression":
        yield "", {"metrics": {"mean_error": mean_prediction}, "y_true": truth, "y_pred": served.labels - truth}
    for code, name in enumerate(classes):
        if len(classes) > 2 or code == 1:
            of = f" of {name}" if len(classes) > 2 else ""
            yield of, {"metrics": RATES, "y_true": truth == code, "y_pred": served.labels == code}


def fairness(
    settings: config.Config, test: pd.DataFrame, truth: Array, served: Predictions
) -> Iterator[record.Fairness]:
    """How differently the groups of each marked slice are treated.

    Of more than two classes, each stands against the rest, and the largest difference counts. Without two groups that
    are large enough there is no difference.
    """
    for part in settings.evaluate.slices:
        if part.fairness is None:
            continue
        chosen = parts(test, part)
        sizes = {name: int(rows.sum()) for name, rows in chosen.items()}
        large = [name for name, rows in sizes.items() if rows >= part.fairness.rows]
        groups = np.select(list(chosen.values()), list(chosen), default="")
        rates: dict[str, dict[str, float]] = {name: {} for name in chosen}
        gaps: dict[str, list[float]] = {}
        for of, view in _views(settings, truth, served):
            found = MetricFrame(**view, sensitive_features=groups).by_group
            for rate in found:
                gaps.setdefault(rate, []).append(found.loc[large, rate].max() - found.loc[large, rate].min())
                for name in chosen:
                    rates[name][rate + of] = float(found.loc[name, rate])
        yield record.Fairness(
            column=part.column,
            smallest=part.fairness.rows,
            groups=tuple(record.Group(part=name, rows=sizes[name], rates=rates[name]) for name in chosen),
            differences={
                name: max(float(gap) for rate in of for gap in gaps[rate])
                for name, of in FAIRNESS[settings.task].items()
                if len(large) > 1
            },
        )
