"""The metrics of each task, in three families by how their variation is estimated.

`LINEAR` metrics are means over rows or areas under ROC curves: each row's influence has a closed form.
`COUNTED` metrics are functions of the confusion matrix, `WEIGHTED` ones of weighted rows: both are resampled.
"""

from collections.abc import Callable

import numpy as np

from lifecycle.artifact.predictor import Predictions
from lifecycle.artifact.runtimes import Array


def _probabilities(predictions: Predictions) -> Array:
    if predictions.probabilities is None:
        raise TypeError("A classification metric needs probabilities.")
    return predictions.probabilities


def _divide(numerator: Array, denominator: Array) -> Array:
    """Divide, with 0 for an empty denominator, like scikit-learn's `zero_division=0`."""
    divided: Array = np.divide(numerator, denominator, out=np.zeros(numerator.shape), where=denominator > 0)
    return divided


# Linear: (truth, predictions) -> the value and each row's influence on it, (n,). The squared influences sum to n² times
# the variance of the value.


def mean(losses: Array) -> tuple[float, Array]:
    """A mean with Student's interval; NaN for a single row, whose spread is unknown."""
    rows = len(losses)
    if rows < 2:
        return float("nan"), np.full(rows, np.nan)
    middle = losses.mean()
    return float(middle), (losses - middle) * np.sqrt(rows / (rows - 1))


def area(positive: Array, score: Array) -> tuple[float, Array]:
    """The area under the ROC curve, ties counted half; NaN with fewer than two rows of either kind.

    Source: DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988); by mid-ranks as Sun and Xu, IEEE Signal
    Processing Letters 21 (2014).
    """
    rows, positives = len(positive), int(positive.sum())
    negatives = rows - positives
    influence = np.full(rows, np.nan)
    if min(positives, negatives) < 2:
        return float("nan"), influence
    # DeLong: the area is the share of (positive, negative) pairs that are in the right order. `beaten` is, for each
    # positive, the share of negatives below it; `missed` is, for each negative, the share of positives above it. The
    # variances of their means add up to the area's. In the order of the scores, the rows of each kind below a row are
    # counted, and half of those beside it, so one sort replaces the comparison of every pair.
    order = np.argsort(score, kind="stable")  # linear where the rows come in this order
    level = np.concatenate(([0], np.cumsum(np.diff(score[order]) > 0)))  # equal scores are one level
    there = positive[order]

    def below(kind: Array) -> Array:
        """For each ordered row, the rows of a kind below it, and half of those beside it."""
        each = np.bincount(level, kind)
        return np.asarray((np.cumsum(each) - each / 2)[level])

    beaten = below(~there)[there] / negatives
    missed = 1 - below(there)[~there] / positives
    value = beaten.mean()
    influence[order[there]] = (beaten - value) * rows / np.sqrt(positives * (positives - 1))
    influence[order[~there]] = (missed - value) * rows / np.sqrt(negatives * (negatives - 1))
    return float(value), influence


def _area_ovr(truth: Array, predictions: Predictions) -> tuple[float, Array]:
    probabilities = _probabilities(predictions)
    areas = [area(truth == code, probabilities[:, code]) for code in range(probabilities.shape[1])]
    return float(np.mean([value for value, _ in areas])), np.mean([influence for _, influence in areas], axis=0)


def _log_loss(truth: Array, predictions: Predictions) -> Array:
    chosen = _probabilities(predictions)[np.arange(len(truth)), truth]
    loss: Array = -np.log(np.maximum(chosen, np.finfo("float64").eps))
    return loss


def _percentage(truth: Array, predictions: Predictions) -> Array:
    """The absolute error as a share of the truth; NaN where the truth is 0."""
    error: Array = np.divide(
        np.abs(truth - predictions.labels), np.abs(truth), out=np.full(len(truth), np.nan), where=truth != 0
    )
    return error


LINEAR: dict[str, Callable[[Array, Predictions], tuple[float, Array]]] = {
    "roc_auc": lambda y, p: area(y == 1, _probabilities(p)[:, 1]),
    "roc_auc_ovr": _area_ovr,
    "log_loss": lambda y, p: mean(_log_loss(y, p)),
    "brier": lambda y, p: mean((_probabilities(p)[:, 1] - y) ** 2),
    "accuracy": lambda y, p: mean((y == p.labels).astype("float64")),
    "mae": lambda y, p: mean(np.abs(y - p.labels)),
    "mape": lambda y, p: mean(_percentage(y, p)),
}
SHARES = {"roc_auc", "roc_auc_ovr", "brier", "accuracy"}  # cannot exceed 1


# Counted: confusion matrices (r, truth, predicted) -> (r,).


def _f1(matrices: Array) -> Array:
    """The F1 score of each class, (r, classes)."""
    hits = np.diagonal(matrices, axis1=1, axis2=2)
    return _divide(2 * hits, matrices.sum(axis=1) + matrices.sum(axis=2))


def _precision(matrices: Array) -> Array:
    return _divide(np.diagonal(matrices, axis1=1, axis2=2), matrices.sum(axis=1))


def _recall(matrices: Array) -> Array:
    return _divide(np.diagonal(matrices, axis1=1, axis2=2), matrices.sum(axis=2))


def _f1_weighted(matrices: Array) -> Array:
    shares = matrices.sum(axis=2) / matrices.sum(axis=(1, 2))[:, None]
    weighted: Array = (_f1(matrices) * shares).sum(axis=1)
    return weighted


COUNTED: dict[str, Callable[[Array], Array]] = {
    "f1": lambda m: _f1(m)[:, 1],
    "precision": lambda m: _precision(m)[:, 1],
    "recall": lambda m: _recall(m)[:, 1],
    "balanced_accuracy": lambda m: _recall(m).mean(axis=1),
    "f1_macro": lambda m: _f1(m).mean(axis=1),
    "f1_weighted": _f1_weighted,
}


def cells(truth: Array, labels: Array, classes: int) -> Array:
    """Each row's position in a flattened confusion matrix."""
    positions: Array = truth * classes + labels
    return positions


STEP = 1e-6  # a share of the rows, small enough that what a metric makes of it is its slope


def influence(metric: str, truth: Array, labels: Array, classes: int) -> Array:
    """Each row's influence on a function of the confusion matrix, (n,).

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, chapter 21 (infinitesimal jackknife).
    """
    places, measure = cells(truth, labels, classes), COUNTED[metric]
    shares = np.bincount(places, minlength=classes**2) / len(truth)
    slopes = np.zeros(classes**2)
    for cell in np.flatnonzero(shares):
        moved = shares * (1 - STEP)
        moved[cell] += STEP
        there, here = measure(np.stack([moved, shares]).reshape(-1, classes, classes))
        slopes[cell] = (there - here) / STEP
    return np.asarray(slopes[places])


# Weighted: (truth, predictions) -> a function from weights of shape (r, n) to values (r,).

Weighted = Callable[[Array], Array]


def _average_precision(truth: Array, predictions: Predictions) -> Weighted:
    """The mean over positive rows of the precision among all rows that score at least as high."""
    score = _probabilities(predictions)[:, 1]
    order = np.argsort(-score, kind="stable")
    positives = np.flatnonzero(truth[order] == 1)
    ends = np.searchsorted(-score[order], -score[order][positives], side="right") - 1  # the last row of an equal score
    last = np.searchsorted(positives, ends, side="right") - 1  # the last positive row among them

    def value(weights: Array) -> Array:
        drawn = np.take(weights, order, axis=1)
        called = np.take(np.cumsum(drawn, axis=1), ends, axis=1)
        gained = np.take(drawn, positives, axis=1)
        found = np.take(np.cumsum(gained, axis=1), last, axis=1)
        return _divide((gained * found / np.maximum(called, 1)).sum(axis=1), gained.sum(axis=1))

    return value


def _rmse(truth: Array, predictions: Predictions) -> Weighted:
    squares = (truth - predictions.labels) ** 2
    return lambda weights: np.sqrt(weights @ squares / weights.sum(axis=1))


def _r2(truth: Array, predictions: Predictions) -> Weighted:
    """NaN where the truth does not vary."""
    squares = (truth - predictions.labels) ** 2
    centred = truth - truth.mean()  # keeps precision when the mean is large

    def value(weights: Array) -> Array:
        variation = weights @ centred**2 - (weights @ centred) ** 2 / weights.sum(axis=1)
        r2: Array = 1 - weights @ squares / np.where(variation > 0, variation, np.nan)
        return r2

    return value


def _median_absolute_error(truth: Array, predictions: Predictions) -> Weighted:
    """The weighted median of the absolute errors; the midpoint if the weights split evenly."""
    errors = np.abs(truth - predictions.labels)
    order = np.argsort(errors)
    ordered = errors[order]

    def value(weights: Array) -> Array:
        drawn = np.cumsum(np.take(weights, order, axis=1), axis=1)
        half = drawn[:, -1:] / 2
        low, high = (drawn >= half).argmax(axis=1), (drawn > half).argmax(axis=1)
        median: Array = (ordered[low] + ordered[high]) / 2
        return median

    return value


WEIGHTED: dict[str, Callable[[Array, Predictions], Weighted]] = {
    "average_precision": _average_precision,
    "rmse": _rmse,
    "r2": _r2,
    "median_absolute_error": _median_absolute_error,
}


def value(metric: str, truth: Array, predictions: Predictions) -> float:
    """A metric on the rows as they are; NaN where it is undefined."""
    if metric in LINEAR:
        return LINEAR[metric](truth, predictions)[0]
    if metric in WEIGHTED:
        return float(WEIGHTED[metric](truth, predictions)(np.ones((1, len(truth))))[0])
    classes = _probabilities(predictions).shape[1]
    counts = np.bincount(cells(truth, predictions.labels, classes), minlength=classes**2)
    return float(COUNTED[metric](counts.reshape(1, classes, classes).astype("float64"))[0])
