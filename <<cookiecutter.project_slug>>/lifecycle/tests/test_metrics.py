from collections.abc import Callable

import numpy as np
import pytest
import sklearn.metrics as sk

from lifecycle.artifact.predictor import Predictions
from lifecycle.evaluation import metrics
from lifecycle.tasks import LOWER_IS_BETTER, METRICS, Task, sign

RNG = np.random.default_rng(7)
N = 600


def binary() -> tuple[np.ndarray, Predictions]:
    truth = RNG.integers(0, 2, N)
    score = np.clip(np.round(0.3 * truth + 0.7 * RNG.random(N), 2), 0.01, 0.99)  # rounded, so that scores tie
    return truth, Predictions((score >= 0.5).astype(int), np.column_stack([1 - score, score]))


def multiclass() -> tuple[np.ndarray, Predictions]:
    truth = RNG.integers(0, 3, N)
    probabilities = RNG.dirichlet([1, 1, 1], N) + 0.5 * np.eye(3)[truth]
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return truth, Predictions(probabilities.argmax(axis=1), probabilities)


def regression() -> tuple[np.ndarray, Predictions]:
    truth = RNG.normal(size=N)
    return truth, Predictions(truth + RNG.normal(scale=0.5, size=N), None)


def expected(task: Task, y: np.ndarray, p: Predictions) -> dict[str, float]:
    """What scikit-learn says of the rows."""
    if task == "regression":
        return {
            "mae": sk.mean_absolute_error(y, p.labels),
            "rmse": sk.root_mean_squared_error(y, p.labels),
            "r2": sk.r2_score(y, p.labels),
            "median_absolute_error": sk.median_absolute_error(y, p.labels),
            "mape": sk.mean_absolute_percentage_error(y, p.labels),
        }
    assert p.probabilities is not None
    if task == "multiclass_classification":
        ranks = [sk.roc_auc_score(y == code, p.probabilities[:, code]) for code in range(3)]
        return {
            "roc_auc_ovr": float(np.mean(ranks)),
            "f1_macro": sk.f1_score(y, p.labels, average="macro"),
            "f1_weighted": sk.f1_score(y, p.labels, average="weighted"),
            "accuracy": sk.accuracy_score(y, p.labels),
            "log_loss": sk.log_loss(y, p.probabilities),
        }
    score = p.probabilities[:, 1]
    return {
        "roc_auc": sk.roc_auc_score(y, score),
        "average_precision": sk.average_precision_score(y, score),
        "log_loss": sk.log_loss(y, score),
        "brier": sk.brier_score_loss(y, score),
        "f1": sk.f1_score(y, p.labels),
        "precision": sk.precision_score(y, p.labels),
        "recall": sk.recall_score(y, p.labels),
        "balanced_accuracy": sk.balanced_accuracy_score(y, p.labels),
    }


MAKERS: dict[Task, Callable[[], tuple[np.ndarray, Predictions]]] = {
    "binary_classification": binary,
    "multiclass_classification": multiclass,
    "regression": regression,
}


def repeated(truth: np.ndarray, predictions: Predictions, counts: np.ndarray) -> tuple[np.ndarray, Predictions]:
    """Each row as often as its count says."""
    chosen = np.repeat(np.arange(len(truth)), counts.astype(int))
    probabilities = None if predictions.probabilities is None else predictions.probabilities[chosen]
    return truth[chosen], Predictions(predictions.labels[chosen], probabilities)


@pytest.mark.parametrize("task", MAKERS)
def test_every_metric_agrees_with_scikit_learn(task: Task) -> None:
    for counts in RNG.integers(0, 4, size=(3, N)):
        truth, predictions = repeated(*MAKERS[task](), counts)
        found = {name: metrics.value(name, truth, predictions) for name in METRICS[task]}
        assert found == pytest.approx(expected(task, truth, predictions), abs=1e-12)


@pytest.mark.parametrize("task", MAKERS)
def test_a_weight_counts_as_that_many_rows(task: Task) -> None:
    truth, predictions = MAKERS[task]()
    weights = RNG.integers(0, 4, size=(3, N)).astype("float32")
    for name in METRICS[task]:
        if name in metrics.WEIGHTED:
            found = metrics.WEIGHTED[name](truth, predictions)(weights)
            each = [metrics.value(name, *repeated(truth, predictions, row)) for row in weights]
            assert found == pytest.approx(each, rel=1e-5), name


def test_every_metric_belongs_to_one_family() -> None:
    known = {name for names in METRICS.values() for name in names}
    families = (metrics.LINEAR, metrics.COUNTED, metrics.WEIGHTED)
    assert all(sum(name in family for family in families) == 1 for name in known)


def test_the_influence_on_an_area_is_delongs() -> None:
    """The variance of the structural components, from every pair of a positive and a negative row."""
    truth, predictions = binary()
    assert predictions.probabilities is not None
    score, positive = predictions.probabilities[:, 1], truth == 1
    pairs = np.sign(score[positive][:, None] - score[~positive][None, :]) / 2 + 0.5
    variance = pairs.mean(axis=1).var(ddof=1) / positive.sum() + pairs.mean(axis=0).var(ddof=1) / (~positive).sum()
    value, influence = metrics.area(positive, score)
    assert value == pytest.approx(pairs.mean())
    assert (influence**2).sum() / N**2 == pytest.approx(variance)


@pytest.mark.parametrize("name", ["roc_auc", "average_precision"])
def test_ranks_do_not_depend_on_the_order_of_rows(name: str) -> None:
    truth, predictions = binary()
    order = RNG.permutation(N)
    assert predictions.probabilities is not None
    shuffled = Predictions(predictions.labels[order], predictions.probabilities[order])
    assert metrics.value(name, truth[order], shuffled) == pytest.approx(metrics.value(name, truth, predictions))


def test_a_metric_is_undefined_where_the_rows_cannot_tell() -> None:
    truth, predictions = binary()
    assert np.isnan(metrics.value("roc_auc", np.ones_like(truth), predictions))
    values = Predictions(np.array([1.0, 2.0]), None)
    assert np.isnan(metrics.value("mape", np.array([0.0, 2.0]), values))
    assert np.isnan(metrics.value("r2", np.array([2.0, 2.0]), values))
    assert np.isnan(metrics.value("mae", np.array([1.0]), Predictions(np.array([1.0]), None)))


def test_lower_is_better_for_losses_only() -> None:
    known = {name for names in METRICS.values() for name in names}
    assert known >= LOWER_IS_BETTER
    assert {name for name in known if sign(name) < 0} == LOWER_IS_BETTER
    assert sign("roc_auc") == sign("r2") == 1
