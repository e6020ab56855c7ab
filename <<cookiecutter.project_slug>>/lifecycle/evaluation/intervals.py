"""Estimates metrics and their variation, so that the difference of two models on the same rows gets a paired interval.

Closed forms where they exist (DeLong for areas, Student's t for means), otherwise a paired, seeded bootstrap.
Source: Efron and Tibshirani, An Introduction to the Bootstrap, chapters 13 and 16 (percentile interval). Of
many rows a part is resampled, and its moves scaled by the root of its share: Politis, Romano and Wolf, Subsampling.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t

from lifecycle.artifact.predictor import Predictions
from lifecycle.artifact.runtimes import Array
from lifecycle.config import Evaluate
from lifecycle.documents.record import Measure
from lifecycle.evaluation.metrics import COUNTED, LINEAR, SHARES, WEIGHTED, Weighted, cells, value

BLOCK = 100_000  # weights at a time, to fit the processor's cache
# Rows, and rows of the rarest class, that say how a metric varies as well as more would: to 2 % of its interval.
ENOUGH, OF_EACH = 10_000, 1_000


@dataclass(frozen=True)
class Linear:
    """A value and the influence of each row on it, (n,)."""

    value: float
    influence: Array

    def __sub__(self, other: "Linear") -> "Linear":
        return Linear(self.value - other.value, self.influence - other.influence)

    def interval(self, level: float) -> tuple[float, float]:
        rows = len(self.influence)
        half = t.ppf((1 + level) / 2, rows - 1) * np.sqrt((self.influence**2).sum()) / rows
        return self.value - half, self.value + half


@dataclass(frozen=True)
class Drawn:
    """A value on the rows and on each of r resamples of them, (r,)."""

    value: float
    draws: Array

    def __sub__(self, other: "Drawn") -> "Drawn":
        return Drawn(self.value - other.value, self.draws - other.draws)

    def interval(self, level: float) -> tuple[float, float]:
        low, high = np.nanquantile(self.draws, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)


Estimate = Linear | Drawn


def _measure(metric: str, estimate: Estimate, level: float) -> Measure:
    low, high = estimate.interval(level)
    if metric in LINEAR:  # a closed form may leave the metric's range, resampled values cannot
        low, high = max(low, 0.0), min(high, 1.0) if metric in SHARES else high
    return Measure(value=estimate.value, low=low, high=high)


def measures(found: dict[str, Estimate], level: float) -> dict[str, Measure]:
    """Values with their intervals at a confidence level, clipped to the range of each metric."""
    return {metric: _measure(metric, estimate, level) for metric, estimate in found.items()}


def differences(candidate: dict[str, Estimate], champion: dict[str, Estimate], level: float) -> dict[str, Measure]:
    """Candidate minus champion, with paired intervals, for the metrics of both."""
    found = {}
    for metric in (name for name in candidate if name in champion):
        difference = candidate[metric] - champion[metric]  # type: ignore[operator]
        low, high = difference.interval(level)
        found[metric] = Measure(value=difference.value, low=low, high=high)
    return found


def taken(predictions: Predictions, rows: Array) -> Predictions:
    """The answers to some of the rows."""
    probabilities = predictions.probabilities
    return Predictions(predictions.labels[rows], None if probabilities is None else probabilities[rows])


def enough(truth: Array, models: dict[str, Predictions], plan: Evaluate) -> Array:
    """The places, (m,), of the rows to resample: all, or a seeded part of them if there are many of each class."""
    rows, needed = len(truth), ENOUGH
    if any(predictions.probabilities is not None for predictions in models.values()):
        rarest = int(np.unique(truth, return_counts=True)[1].min())
        needed = max(ENOUGH, -(-OF_EACH * rows // rarest))
    if needed >= rows:
        return np.arange(rows)
    return np.sort(np.random.default_rng(plan.seed).choice(rows, needed, replace=False, shuffle=False))


def drawing(metric: str, truth: Array, predictions: Predictions, places: Array) -> Weighted:
    """From how often each of the rows at m places was drawn, (r, m), to the metric on resamples of all rows, (r,)."""
    part, scale = taken(predictions, places), np.sqrt(len(places) / len(truth))
    measured = WEIGHTED[metric](truth[places], part)
    if len(places) == len(truth):
        return measured
    if metric == "median_absolute_error":  # how dense errors are at the median, all rows know much better than a part
        errors = np.abs(truth - predictions.labels)
        below = np.abs(truth[places] - part.labels) <= np.median(errors)
        return lambda weights: np.quantile(errors, 0.5 - scale * (weights @ below / len(places) - below.mean()))
    whole, here = value(metric, truth, predictions), value(metric, truth[places], part)
    return lambda weights: whole + scale * (measured(weights) - here)


def resamples(rows: int, plan: Evaluate) -> Iterator[Array]:
    """How often each row was drawn, in blocks of shape (r, rows)."""
    generator = np.random.default_rng(plan.seed)
    size = max(1, BLOCK // rows)
    for start in range(0, plan.resamples, size):
        count = min(size, plan.resamples - start)
        drawn = generator.integers(rows, size=(count, rows)) + np.arange(count)[:, None] * rows
        yield np.bincount(drawn.ravel(), minlength=count * rows).reshape(count, rows)


def confusions(truth: Array, models: dict[str, Predictions], plan: Evaluate) -> dict[str, Array]:
    """Each model's confusion matrices on the same resamples, (r, classes, classes)."""
    # A confusion matrix only needs counts. Rows with the same truth and the same label from every model form a kind, so
    # drawing n rows with replacement is one multinomial draw of how often each kind occurs. All models share the draw,
    # which keeps their difference paired; each matrix then sums the kinds that fall into the same cell.
    classes = next(p.probabilities.shape[1] for p in models.values() if p.probabilities is not None)
    columns = {name: cells(truth, predictions.labels, classes) for name, predictions in models.items()}
    places = (classes**2,) * len(columns)
    found, counts = np.unique(np.ravel_multi_index(list(columns.values()), places), return_counts=True)
    generator = np.random.default_rng(plan.seed)
    drawn = generator.multinomial(counts.sum(), counts / counts.sum(), size=plan.resamples).astype("float64")
    return {
        name: (drawn @ np.eye(classes**2)[kind]).reshape(-1, classes, classes)
        for name, kind in zip(columns, np.unravel_index(found, places), strict=True)
    }


def estimates(
    metrics: Sequence[str],
    truth: Array,
    models: dict[str, Predictions],
    plan: Evaluate,
    also: Callable[[Array], None] | None = None,
) -> dict[str, dict[str, Estimate]]:
    """Every metric of each model on the same n rows; undefined ones are left out.

    `also` is handed the resamples, as blocks of how often each of the `enough` rows was drawn.
    """
    found: dict[str, dict[str, Estimate]] = {name: {} for name in models}
    drawn = [metric for metric in metrics if metric in WEIGHTED]
    if drawn or also:
        places = enough(truth, models, plan)
        weighted = {(name, m): drawing(m, truth, p, places) for name, p in models.items() for m in drawn}
        blocks = []
        for block in resamples(len(places), plan):
            blocks.append({key: f(block) for key, f in weighted.items()})
            if also:
                also(block)
        for name, metric in weighted:
            draws = np.concatenate([block[name, metric] for block in blocks])
            found[name][metric] = Drawn(value(metric, truth, models[name]), draws)
    if counted := [metric for metric in metrics if metric in COUNTED]:
        for name, matrices in confusions(truth, models, plan).items():
            for metric in counted:
                found[name][metric] = Drawn(value(metric, truth, models[name]), COUNTED[metric](matrices))
    for name, predictions in models.items():
        for metric in metrics:
            if metric in LINEAR:
                found[name][metric] = Linear(*LINEAR[metric](truth, predictions))
    return {
        name: {metric: known[metric] for metric in metrics if not np.isnan(known[metric].value)}
        for name, known in found.items()
    }
