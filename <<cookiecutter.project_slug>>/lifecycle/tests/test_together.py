"""Every metric is moved by the same resamples of the rows."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tiny
from test_intervals import other
from test_metrics import MAKERS, RNG, repeated

from lifecycle.artifact.predictor import Predictions
from lifecycle.config import Config
from lifecycle.evaluation import custom, intervals, metrics, together
from lifecycle.tasks import METRICS, Task

__all__ = ["RNG"]  # each test draws anew


def settings(task: Task) -> Config:
    return tiny.settings(tiny.document(task, Path("tiny.parquet"), "0" * 64))


def drawn(
    given: Config,
    truth: np.ndarray,
    models: dict[str, Predictions],
    measure: Callable[[np.ndarray, Predictions], float],
) -> dict[str, np.ndarray]:
    """How the plain bootstrap moves a metric of each model."""
    weights = np.concatenate(list(intervals.resamples(len(truth), given.evaluate)))
    return {
        name: np.array([measure(*repeated(truth, one, weight)) for weight in weights]) - measure(truth, one)
        for name, one in models.items()
    }


@pytest.mark.parametrize("task", MAKERS)
def test_every_metric_moves_as_on_the_same_rows_drawn_again(task: Task) -> None:
    """Alone and as a difference, resample by resample; a closed form follows it but for its curvature."""
    truth, first = MAKERS[task]()
    if task == "regression":  # away from 0, where a percentage has no spread
        truth, first = truth + 10, Predictions(first.labels + 10, None)
    models, given = {"candidate": first, "champion": other(first)}, settings(task)
    _, moves = together.estimates(given, truth, models)
    assert set(moves["candidate"]) == set(moves["champion"]) == set(METRICS[task])
    for metric in METRICS[task]:
        plain = drawn(given, truth, models, lambda y, p, name=metric: metrics.value(name, y, p))  # type: ignore[misc]
        for found, known in (
            (moves["candidate"][metric], plain["candidate"]),
            (moves["champion"][metric], plain["candidate"] - plain["champion"]),
        ):
            assert np.corrcoef(found, known)[0, 1] > 0.98, metric
            assert np.std(found) == pytest.approx(np.std(known), rel=0.1), metric


def test_the_teams_metrics_move_with_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that returns a value for each row, and one that returns a single number."""
    given = settings("binary_classification")
    plan = given.evaluate.model_copy(update={"metrics": {"each": "higher", "whole": "higher"}})
    given = given.model_copy(update={"evaluate": plan})
    own = {
        "each": lambda truth, answers: (truth == answers["prediction"]).to_numpy(),
        "whole": lambda truth, answers: (truth == answers["prediction"]).mean(),
    }
    monkeypatch.setattr(custom, "functions", lambda _: own)
    truth, first = MAKERS["binary_classification"]()
    models = {"candidate": first, "champion": other(first)}
    found, moves = together.estimates(given, truth, models)
    assert set(found["candidate"]) == {*METRICS["binary_classification"], "each", "whole"}
    plain = drawn(given, truth, models, lambda y, p: float((y == p.labels).mean()))["candidate"]
    for metric in ("each", "whole"):
        assert moves["candidate"][metric] == pytest.approx(plain, rel=5e-3, abs=1e-6)
    assert len(moves["champion"]["whole"]) == given.evaluate.resamples


def test_what_no_resample_can_measure_has_no_moves() -> None:
    truth, first = MAKERS["binary_classification"]()
    _, moves = together.estimates(settings("binary_classification"), np.ones_like(truth), {"candidate": first})
    assert "roc_auc" not in moves["candidate"]
    assert "brier" in moves["candidate"]
