import numpy as np
import pytest
import sklearn.metrics as sk

from model import metrics
from model.predictor import Predictions
from model.tasks import METRICS, Task

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


def expected(task: Task, y: np.ndarray, p: Predictions, w: np.ndarray) -> dict[str, float]:
    """What scikit-learn says of the weighted rows."""
    weighted = {"sample_weight": w}
    if task == "regression":
        return {
            "mae": sk.mean_absolute_error(y, p.labels, **weighted),
            "rmse": sk.root_mean_squared_error(y, p.labels, **weighted),
            "r2": sk.r2_score(y, p.labels, **weighted),
            "median_absolute_error": float(np.median(np.repeat(np.abs(y - p.labels), w.astype(int)))),
        }
    assert p.probabilities is not None
    if task == "multiclass_classification":
        ranks = [sk.roc_auc_score(y == code, p.probabilities[:, code], **weighted) for code in range(3)]
        return {
            "roc_auc_ovr": float(np.mean(ranks)),
            "f1_macro": sk.f1_score(y, p.labels, average="macro", **weighted),
            "f1_weighted": sk.f1_score(y, p.labels, average="weighted", **weighted),
            "accuracy": sk.accuracy_score(y, p.labels, **weighted),
            "log_loss": sk.log_loss(y, p.probabilities, **weighted),
        }
    score = p.probabilities[:, 1]
    return {
        "roc_auc": sk.roc_auc_score(y, score, **weighted),
        "average_precision": sk.average_precision_score(y, score, **weighted),
        "log_loss": sk.log_loss(y, score, **weighted),
        "brier": sk.brier_score_loss(y, score, **weighted),
        "f1": sk.f1_score(y, p.labels, **weighted),
        "precision": sk.precision_score(y, p.labels, **weighted),
        "recall": sk.recall_score(y, p.labels, **weighted),
        "balanced_accuracy": sk.balanced_accuracy_score(y, p.labels, **weighted),
    }


@pytest.mark.parametrize("make", [binary, multiclass, regression])
def test_every_metric_agrees_with_scikit_learn_on_weighted_rows(make: object) -> None:
    task: Task = {binary: "binary_classification", multiclass: "multiclass_classification"}.get(make, "regression")  # type: ignore[call-overload]
    truth, predictions = make()  # type: ignore[operator]
    weights = RNG.integers(0, 4, size=(3, N)).astype(float)
    found = metrics.values(task, truth, predictions, weights)
    assert set(found) == set(METRICS[task])
    for index, weight in enumerate(weights):
        for name, value in expected(task, truth, predictions, weight).items():
            assert found[name][index] == pytest.approx(value, abs=1e-12), name


def test_a_metric_is_undefined_where_the_rows_are_of_one_class() -> None:
    truth, predictions = binary()
    assert np.isnan(metrics.point("binary_classification", np.ones_like(truth), predictions)["roc_auc"])


def test_resamples_are_seeded_and_draw_as_many_rows_as_there_are() -> None:
    first, second = (np.concatenate(list(metrics.resamples(50, 150, 3))) for _ in range(2))
    assert first.shape == (150, 50)
    assert (first == second).all()
    assert (first.sum(axis=1) == 50).all()
    assert not (first == np.concatenate(list(metrics.resamples(50, 150, 4)))).all()


def test_two_models_are_drawn_on_the_same_rows() -> None:
    truth, predictions = binary()
    drawn = metrics.bootstrap("binary_classification", truth, {"a": predictions, "b": predictions}, 100, 0)
    assert (drawn["a"]["roc_auc"] == drawn["b"]["roc_auc"]).all()


def test_the_interval_agrees_with_the_closed_form_of_a_mean() -> None:
    truth, predictions = regression()
    errors = np.abs(truth - predictions.labels)
    drawn = metrics.bootstrap("regression", truth, {"a": predictions}, 4000, 0)["a"]["mae"]
    low, high = metrics.interval(drawn, 0.95)
    half = 1.96 * errors.std() / np.sqrt(N)
    assert low == pytest.approx(errors.mean() - half, abs=half * 0.1)
    assert high == pytest.approx(errors.mean() + half, abs=half * 0.1)


def test_lower_is_better_for_losses_only() -> None:
    known = {name for names in METRICS.values() for name in names}
    assert {name for name in known if metrics.sign(name) < 0} == metrics.LOWER_IS_BETTER
    assert metrics.sign("roc_auc") == metrics.sign("r2") == 1
