"""Thins what the answers to the test rows look like to at most 200 points a curve, and to counts."""

from collections.abc import Iterator, Mapping

import numpy as np
from sklearn.metrics import precision_recall_curve, roc_curve

from lifecycle.artifact.predictor import Predictions
from lifecycle.artifact.runtimes import Array
from lifecycle.documents.curves import Band, Curves, Histogram, Line, OneClass, OneModel, Threshold, identity
from lifecycle.documents.record import Evaluation

POINTS, BARS, BANDS, STEPS = 200, 25, 20, 50
CLASSES = 6  # of many, those with the most rows
LEAST = 20  # rows of a band: fewer would show single ones
BETWEEN = (0.05, 0.5, 0.95)  # quantiles of a band


def thinned(x: Array, y: Array, points: int = POINTS) -> Line:
    """At most so many points, at equal distances along the curve, with both ends."""
    along = np.concatenate([[0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    chosen = np.unique(np.searchsorted(along, np.linspace(0, along[-1], points)))
    chosen = np.unique(np.concatenate([[0], chosen, [len(x) - 1]]))[-points:] if len(x) > points else np.arange(len(x))
    return Line(x=_rounded(x[chosen]), y=_rounded(y[chosen]))


def _rounded(values: Array) -> tuple[float, ...]:
    return tuple(float(f"{value:.5g}") for value in values)


def _histogram(values: Array, edges: Array) -> Histogram:
    return Histogram(edges=_rounded(edges), counts=tuple(np.histogram(values, edges)[0].tolist()))


def _classes(truth: Array, probabilities: Array, names: tuple[str, ...]) -> Iterator[OneClass]:
    """The second of two classes, or each of the most frequent ones; none without rows of it or of others."""
    codes = [1] if len(names) == 2 else sorted(np.argsort(-np.bincount(truth, minlength=len(names)))[:CLASSES])
    edges = np.linspace(0, 1, BARS + 1)
    for code in codes:
        held, score = truth == code, probabilities[:, code]
        if held.all() or not held.any():
            continue
        wrong, right, _ = roc_curve(held, score)
        precision, recall, _ = precision_recall_curve(held, score, drop_intermediate=True)
        scores = (_histogram(score[held], edges), _histogram(score[~held], edges))
        yield OneClass(
            name=names[code], roc=thinned(wrong, right), precision=thinned(recall[::-1], precision[::-1]), scores=scores
        )


def _thresholds(truth: Array, score: Array, present: float) -> Iterator[Threshold]:
    """The counts at 50 equal steps, and at the present threshold."""
    order = np.argsort(score, kind="stable")
    ordered, held = score[order], np.cumsum(truth[order] == 1)
    rows, positive = len(truth), int((truth == 1).sum())
    for at in sorted({*(step / STEPS for step in range(1, STEPS)), present}):
        below = int(np.searchsorted(ordered, at, side="left"))  # from the threshold on is the second class
        missed = int(held[below - 1]) if below else 0
        called, caught = rows - below, positive - missed
        yield Threshold(
            at=at,
            true_positive=caught,
            false_positive=called - caught,
            true_negative=below - missed,
            false_negative=missed,
            precision=caught / called if called else None,
            recall=caught / positive if positive else None,
        )


def _bands(truth: Array, predicted: Array) -> Iterator[Band]:
    """Rows of about the same prediction, in order, each with as many rows."""
    order = np.argsort(predicted, kind="stable")
    for part in np.array_split(order, max(1, min(BANDS, len(order) // LEAST))):
        low, median, high = _rounded(np.quantile(truth[part], BETWEEN))
        yield Band(
            rows=len(part),
            predicted=_rounded(predicted[part].mean(keepdims=True))[0],
            low=low,
            median=median,
            high=high,
        )


def _edges(residuals: Array) -> Array:
    """Equal steps over the middle of the residuals, whose ends hold what lies farther out."""
    low, high = np.quantile(residuals, (0.005, 0.995))
    spread = high - low or abs(high) or 1.0
    return np.linspace(low - spread / 100, high + spread / 100, BARS + 1)


def both(
    evaluation: Evaluation, truth: Array, models: Mapping[str, Predictions], thresholds: Mapping[str, float]
) -> Curves:
    """What is drawn of the candidate and, if it answered, of the champion; both histograms have the same edges."""
    names = evaluation.classes
    own = drawn(truth, models["candidate"], names, thresholds["candidate"])
    edges = np.array(own.residuals.edges) if own.residuals else None
    other = drawn(truth, models["champion"], names, thresholds["champion"], edges) if "champion" in models else None
    return Curves(evaluation=identity(evaluation), candidate=own, champion=other)


def drawn(
    truth: Array, served: Predictions, names: tuple[str, ...], threshold: float, edges: Array | None = None
) -> OneModel:
    """What is drawn of one model's answers."""
    if served.probabilities is None:
        residuals = truth - served.labels
        steps = _edges(residuals) if edges is None else edges
        inside = np.clip(residuals, steps[0], steps[-1])
        return OneModel(bands=tuple(_bands(truth, served.labels)), residuals=_histogram(inside, steps))
    binary = len(names) == 2
    return OneModel(
        classes=tuple(_classes(truth, served.probabilities, names)),
        threshold=threshold if binary else None,
        thresholds=tuple(_thresholds(truth, served.probabilities[:, 1], threshold)) if binary else (),
    )
