"""The metrics of each task, computed for many weightings of the same rows at once, and bootstrap intervals from them.

A bootstrap resample is a row of counts: how often each test row was drawn. Every metric here takes a matrix of such
weights of shape (resamples, n), so that a candidate and a champion are compared on the same resamples.
Source: Efron and Tibshirani, An Introduction to the Bootstrap, chapters 13 and 16 (percentile interval).
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from model.predictor import Predictions
from model.tasks import METRICS, Task

Array = np.ndarray[Any, Any]
LOWER_IS_BETTER = {"log_loss", "brier", "mae", "rmse", "median_absolute_error"}
CHUNK = 100


Metric = Callable[[Array, Predictions, Array], Array]


def sign(metric: str) -> int:
    """1 when a higher value is better, -1 when a lower one is."""
    return -1 if metric in LOWER_IS_BETTER else 1


def _divide(numerator: Array, denominator: Array) -> Array:
    """0 where nothing was counted, as scikit-learn's `zero_division=0`."""
    divided: Array = np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)
    return divided


def _curves(positive: Array, score: Array, weights: Array) -> tuple[Array, Array]:
    """Area under the ROC curve, by trapezoids so that ties count half, and average precision: two of (resamples,).

    The area is NaN where the rows are all of one kind.
    """
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.r_[np.diff(score[order]) != 0, True])
    drawn = np.take(weights, order, axis=1)
    called = np.cumsum(drawn, axis=1)[:, ends]
    drawn *= positive[order]
    found = np.cumsum(drawn, axis=1)[:, ends]
    false = called - found
    pairs = found[:, -1] * false[:, -1]
    area: Array = np.trapezoid(found, false, axis=1) + found[:, 0] * false[:, 0] / 2
    gained = np.diff(found, axis=1, prepend=0)
    precision = _divide((gained * _divide(found, called)).sum(axis=1), found[:, -1])
    return area / np.where(pairs > 0, pairs, np.nan), precision


def _mean(losses: Array, weights: Array) -> Array:
    return _divide(weights @ losses.astype(weights.dtype), weights.sum(axis=1))


def _counts(truth: Array, predictions: Predictions, weights: Array, code: int) -> tuple[Array, Array, Array]:
    """True positives, predicted positives and actual positives of one class."""
    predicted, actual = predictions.labels == code, truth == code
    kind = weights.dtype
    return weights @ (predicted & actual).astype(kind), weights @ predicted.astype(kind), weights @ actual.astype(kind)


def _f1(truth: Array, predictions: Predictions, weights: Array, code: int = 1) -> Array:
    hits, predicted, actual = _counts(truth, predictions, weights, code)
    return _divide(2 * hits, predicted + actual)


def _precision(truth: Array, predictions: Predictions, weights: Array) -> Array:
    hits, predicted, _ = _counts(truth, predictions, weights, 1)
    return _divide(hits, predicted)


def _recall(truth: Array, predictions: Predictions, weights: Array, code: int = 1) -> Array:
    hits, _, actual = _counts(truth, predictions, weights, code)
    return _divide(hits, actual)


def _balanced_accuracy(truth: Array, predictions: Predictions, weights: Array) -> Array:
    return (_recall(truth, predictions, weights, 0) + _recall(truth, predictions, weights, 1)) / 2


def _probabilities(predictions: Predictions) -> Array:
    if predictions.probabilities is None:
        raise TypeError("A classification metric needs probabilities.")
    return predictions.probabilities


def _log_loss(truth: Array, predictions: Predictions, weights: Array) -> Array:
    chosen = _probabilities(predictions)[np.arange(len(truth)), truth]
    return _mean(-np.log(np.maximum(chosen, np.finfo("float64").eps)), weights)


def _brier(truth: Array, predictions: Predictions, weights: Array) -> Array:
    return _mean((_probabilities(predictions)[:, 1] - truth) ** 2, weights)


def _over_classes(one: Callable[[int], Array], shares: Array | None, predictions: Predictions) -> Array:
    """The mean of a metric over the classes, plain or weighted by shares of shape (resamples, classes)."""
    values: Array = np.stack([one(code) for code in range(_probabilities(predictions).shape[1])], axis=1)
    mean: Array = values.mean(axis=1) if shares is None else (values * shares).sum(axis=1)
    return mean


def _f1_weighted(truth: Array, predictions: Predictions, weights: Array) -> Array:
    classes = _probabilities(predictions).shape[1]
    totals = np.stack([weights @ (truth == code) for code in range(classes)], axis=1)
    shares = totals / totals.sum(axis=1, keepdims=True)
    return _over_classes(lambda code: _f1(truth, predictions, weights, code), shares, predictions)


def _r2(truth: Array, predictions: Predictions, weights: Array) -> Array:
    centred = truth - truth.mean()  # so that a large mean costs no precision
    variance = _mean(centred**2, weights) - _mean(centred, weights) ** 2
    return 1 - _mean((truth - predictions.labels) ** 2, weights) / np.where(variance > 0, variance, np.nan)


def _median_absolute_error(truth: Array, predictions: Predictions, weights: Array) -> Array:
    """The weighted median of the absolute errors; halfway between two where the weights split evenly."""
    errors = np.abs(truth - predictions.labels)
    order = np.argsort(errors)
    drawn = np.cumsum(weights[:, order], axis=1)
    half = drawn[:, -1:] / 2
    low, high = (drawn >= half).argmax(axis=1), (drawn > half).argmax(axis=1)
    median: Array = (errors[order][low] + errors[order][high]) / 2
    return median


FUNCTIONS: dict[str, Metric] = {
    "log_loss": _log_loss,
    "brier": _brier,
    "f1": _f1,
    "precision": _precision,
    "recall": _recall,
    "balanced_accuracy": _balanced_accuracy,
    "roc_auc_ovr": lambda y, a, w: _over_classes(lambda c: _curves(y == c, _probabilities(a)[:, c], w)[0], None, a),
    "f1_macro": lambda y, a, w: _over_classes(lambda c: _f1(y, a, w, c), None, a),
    "f1_weighted": _f1_weighted,
    "accuracy": lambda y, a, w: _mean((y == a.labels).astype(float), w),
    "mae": lambda y, a, w: _mean(np.abs(y - a.labels), w),
    "rmse": lambda y, a, w: np.sqrt(_mean((y - a.labels) ** 2, w)),
    "r2": _r2,
    "median_absolute_error": _median_absolute_error,
}


def values(task: Task, truth: Array, predictions: Predictions, weights: Array) -> dict[str, Array]:
    """Every metric of the task for each row of weights: arrays of shape (resamples,)."""
    found = {}
    if task == "binary_classification":
        curves = _curves(truth == 1, _probabilities(predictions)[:, 1], weights)
        found = dict(zip(("roc_auc", "average_precision"), curves, strict=True))
    return found | {name: FUNCTIONS[name](truth, predictions, weights) for name in METRICS[task] if name in FUNCTIONS}


def resamples(rows: int, count: int, seed: int) -> Iterator[Array]:
    """Seeded bootstrap weights in blocks of shape (up to 100, rows), in float32, which holds such counts exactly."""
    generator = np.random.default_rng(seed)
    for start in range(0, count, CHUNK):
        size = min(CHUNK, count - start)
        drawn = generator.integers(rows, size=(size, rows)) + np.arange(size)[:, None] * rows
        yield np.bincount(drawn.ravel(), minlength=size * rows).reshape(size, rows).astype("float32")


def point(task: Task, truth: Array, predictions: Predictions) -> dict[str, float]:
    """Every metric of the task on the rows as they are."""
    return {name: float(value[0]) for name, value in values(task, truth, predictions, np.ones((1, len(truth)))).items()}


def bootstrap(
    task: Task, truth: Array, models: dict[str, Predictions], count: int, seed: int
) -> dict[str, dict[str, Array]]:
    """Every metric of each model on the same resamples: arrays of shape (count,)."""
    blocks: dict[str, list[dict[str, Array]]] = {name: [] for name in models}
    for weights in resamples(len(truth), count, seed):
        for name, predictions in models.items():
            blocks[name].append(values(task, truth, predictions, weights))
    return {
        name: {metric: np.concatenate([part[metric] for part in parts]) for metric in METRICS[task]}
        for name, parts in blocks.items()
    }


def interval(drawn: Array, level: float) -> tuple[float, float]:
    """The percentile interval of resampled values."""
    low, high = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
