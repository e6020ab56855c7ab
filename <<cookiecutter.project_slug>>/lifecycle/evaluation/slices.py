"""Measures the parts of the test rows that `config.yaml` names, and how differently groups are treated."""

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from fairlearn.metrics import MetricFrame, false_positive_rate, mean_prediction, selection_rate, true_positive_rate
from pandas.api.types import is_numeric_dtype

from lifecycle import InputError, config
from lifecycle.artifact.predictor import Predictions
from lifecycle.artifact.runtimes import Array
from lifecycle.documents import record
from lifecycle.evaluation import intervals
from lifecycle.evaluation.custom import estimates
from lifecycle.evaluation.intervals import measures, taken
from lifecycle.rows.parts import named
from lifecycle.tasks import FAIRNESS, METRICS

RATES: dict[str, Callable[..., float]] = {
    "selection_rate": selection_rate,
    "true_positive_rate": true_positive_rate,
    "false_positive_rate": false_positive_rate,
}

PARTS = 200  # of one slice at most
LEAST = 30  # rows of a part from which a difference has an interval that means something


def parts(frame: pd.DataFrame, part: config.Slice) -> dict[str, Array]:
    """A mask (n,) for each part of a slice: each value of a column, or each range of a number.

    Raises InputError for a column that is missing or has too many values.
    """
    if part.column not in frame:
        raise InputError(
            f"evaluate.slices names {part.column}, which the data lacks; it has {', '.join(frame.columns)}."
        )
    column = frame[part.column]
    if part.cuts and not is_numeric_dtype(column):
        raise InputError(f"evaluate.slices gives cuts for {part.column}, which holds no numbers; take them away.")
    values, names = named(column, part.cuts)
    if len(names) > PARTS + 1:  # and what is missing
        raise InputError(
            f"evaluate.slices names {part.column}, which has {len(names) - 1} values, more than {PARTS}; "
            "give it cuts, or a column with fewer."
        )
    chosen = {name: values == name for name in names}
    return {name: rows for name, rows in chosen.items() if rows.any()}


def measure(
    settings: config.Config, test: pd.DataFrame, truth: Array, served: Predictions
) -> Iterator[record.SlicePart]:
    """Every metric with its interval on each part of each slice."""
    for part in settings.evaluate.slices:
        for name, chosen in parts(test, part).items():
            found = estimates(settings, truth[chosen], {"candidate": taken(served, chosen)})["candidate"]
            yield record.SlicePart(
                column=part.column,
                part=name,
                rows=int(chosen.sum()),
                metrics=measures(found, settings.evaluate.level),
            )


def compared(
    settings: config.Config, test: pd.DataFrame, truth: Array, candidate: Predictions, champion: Predictions
) -> Iterator[record.SlicePart]:
    """Candidate minus champion by the task's first metric on each part of each slice with enough rows.

    The intervals are so wide that with their confidence none of all parts is outside (Bonferroni's correction).
    """
    every = [
        (part.column, name, chosen)
        for part in settings.evaluate.slices
        for name, chosen in parts(test, part).items()
        if chosen.sum() >= LEAST
    ]
    level = 1 - (1 - settings.evaluate.level) / max(1, len(every))
    for column, name, chosen in every:
        models = {"candidate": taken(candidate, chosen), "champion": taken(champion, chosen)}
        found = intervals.estimates(METRICS[settings.task][:1], truth[chosen], models, settings.evaluate)
        differences = intervals.differences(found["candidate"], found["champion"], level)
        yield record.SlicePart(column=column, part=name, rows=int(chosen.sum()), metrics=differences)


def views(settings: config.Config, truth: Array, served: Predictions) -> Iterator[tuple[str, Array, Array]]:
    """What fairlearn compares, each with a suffix for its rates: errors, the second of two classes, or each of more."""
    classes = settings.data.target.classes
    if settings.task == "regression":
        yield "", np.zeros(len(truth), dtype="bool"), served.labels - truth
    for code, name in enumerate(classes):
        if len(classes) > 2 or code == 1:
            yield f" of {name}" if len(classes) > 2 else "", truth == code, served.labels == code


def _rates(groups: Array, known: Array, called: Array, names: list[str]) -> pd.DataFrame:
    """Each group's rates: fairlearn gets what is alike once, with its number, since it goes through rows one by one."""
    if called.dtype == "bool":
        kinds, weights = np.unique(4 * groups + 2 * known + called, return_counts=True)
        groups, known, called, rates = kinds // 4, kinds // 2 % 2, kinds % 2, RATES
    else:
        weights = np.bincount(groups, minlength=len(names))
        called, groups, known = np.bincount(groups, called) / weights, np.arange(len(names)), np.zeros(len(names))
        rates = {"mean_error": mean_prediction}
    found = MetricFrame(
        metrics=rates,
        y_true=known,
        y_pred=called,
        sensitive_features=np.array(names)[groups],
        sample_params={rate: {"sample_weight": weights} for rate in rates},
    )
    return found.by_group


def fairness(
    settings: config.Config, test: pd.DataFrame, truth: Array, served: Predictions
) -> Iterator[record.Fairness]:
    """How differently the groups of each slice with `fairness` are treated.

    Multiclass: one-vs-rest, largest gap. Fewer than two large enough groups give no difference.
    """
    for part in settings.evaluate.slices:
        if part.fairness is None:
            continue
        chosen = parts(test, part)
        sizes = {name: int(rows.sum()) for name, rows in chosen.items()}
        large = [name for name, rows in sizes.items() if rows >= part.fairness.rows]
        groups, names = np.select(list(chosen.values()), list(range(len(chosen))), default=0), list(chosen)
        rates: dict[str, dict[str, float]] = {name: {} for name in chosen}
        gaps: dict[str, list[float]] = {}
        for suffix, known, called in views(settings, truth, served):
            found = _rates(groups, known, called, names)
            for rate in found:
                gaps.setdefault(rate, []).append(found.loc[large, rate].max() - found.loc[large, rate].min())
                for name in chosen:
                    rates[name][rate + suffix] = float(found.loc[name, rate])
        yield record.Fairness(
            column=part.column,
            smallest=part.fairness.rows,
            groups=tuple(record.Group(part=name, rows=sizes[name], rates=rates[name]) for name in chosen),
            differences={
                name: max(float(gap) for rate in compared for gap in gaps[rate])
                for name, compared in FAIRNESS[settings.task].items()
                if len(large) > 1
            },
        )
