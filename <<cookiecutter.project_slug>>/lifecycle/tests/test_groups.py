"""Gates on parts of the rows, and on calibration, are moved as their own statistic is on the same rows drawn again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tiny
from test_intervals import other
from test_metrics import MAKERS, RNG, repeated

from lifecycle import policy
from lifecycle.artifact.predictor import Predictions
from lifecycle.config import Config
from lifecycle.documents.record import Evaluation
from lifecycle.evaluation import calibration, groups, intervals, power, slices, together
from lifecycle.tasks import Task

__all__ = ["RNG"]  # each test draws anew
PARTS: dict[str, Any] = {"slice": "colour", "rows": 50}
SLICE = policy.SliceGate(kind="slice", metric="f1", bound=0.5, **PARTS)
GAP = policy.GapGate(kind="gap", metric="f1", bound=0.5, **PARTS)
ODDS = policy.FairnessGate(kind="fairness", slice="colour", metric="equalized_odds_difference", bound=0.5)
CALIBRATION = policy.CalibrationGate(kind="calibration", bound=0.5)
type Statistic = Callable[[Config, pd.DataFrame, np.ndarray, Predictions], float]


def given(task: Task, *gates: policy.AnyGate) -> Config:
    found = tiny.settings(tiny.document(task, Path("tiny.parquet"), "0" * 64))
    return found.model_copy(update={"gates": gates})


def least(metric: str, better: int) -> Statistic:
    def measure(settings: Config, test: pd.DataFrame, truth: np.ndarray, served: Predictions) -> float:
        found: list[float] = [one.metrics[metric].value for one in slices.measure(settings, test, truth, served)]
        return min(better * value for value in found)

    return measure


def apart(settings: Config, test: pd.DataFrame, truth: np.ndarray, served: Predictions) -> float:
    found = [part.metrics["f1"].value for part in slices.measure(settings, test, truth, served)]
    return min(found) - max(found)


def fair(settings: Config, test: pd.DataFrame, truth: np.ndarray, served: Predictions) -> float:
    """As `slices.fairness` has it, without its hundred calls of fairlearn."""
    groups, gaps = [test["colour"].to_numpy() == name for name in ("red", "blue")], []
    for _, known, called in slices.views(settings, truth, served):
        conditions = [known, ~known] if settings.task != "regression" else [np.full(len(truth), True)]
        gaps += [float(np.ptp([called[group & one].mean() for group in groups])) for one in conditions]
    return -max(gaps)


def calibrated(settings: Config, test: pd.DataFrame, truth: np.ndarray, served: Predictions) -> float:
    return -Evaluation.model_construct(calibration=calibration.bins(truth, served)).calibration_error


CASES: list[tuple[Task, policy.AnyGate, Statistic]] = [
    ("binary_classification", SLICE, least("f1", 1)),
    ("binary_classification", SLICE.model_copy(update={"metric": "roc_auc"}), least("roc_auc", 1)),
    ("regression", SLICE.model_copy(update={"metric": "mae"}), least("mae", -1)),
    ("binary_classification", GAP, apart),
    ("binary_classification", ODDS, fair),
    ("multiclass_classification", ODDS, fair),
    ("regression", ODDS.model_copy(update={"metric": "mean_error_difference"}), fair),
    ("binary_classification", CALIBRATION, calibrated),
    ("multiclass_classification", CALIBRATION, calibrated),
]


@pytest.mark.parametrize(("task", "gate", "statistic"), CASES, ids=lambda one: getattr(one, "kind", ""))
def test_a_gate_finds_on_each_resample_what_its_own_statistic_finds(
    task: Task, gate: policy.AnyGate, statistic: Statistic
) -> None:
    truth, served = MAKERS[task]()
    test = pd.DataFrame({"colour": np.where(RNG.random(len(truth)) < 0.3, "red", "blue")})
    settings = given(task, gate)
    _, moves = together.estimates(settings, truth, {"candidate": served, "champion": served}, test)
    plain = []
    for weights in np.concatenate(list(intervals.resamples(len(truth), settings.evaluate))):
        rows = np.repeat(np.arange(len(truth)), weights.astype(int))
        plain.append(statistic(settings, test.iloc[rows].reset_index(drop=True), *repeated(truth, served, weights)))
    found = np.array(moves[power.key(gate)]["equal"])
    assert np.corrcoef(found, plain)[0, 1] > 0.95
    assert np.std(found) == pytest.approx(np.std(plain), rel=0.15)
    assert np.mean(found) == pytest.approx(np.mean(plain), abs=0.5 * float(np.std(plain)))


def test_a_part_that_varies_most_decides_what_a_slice_gate_sees() -> None:
    truth, served = MAKERS["binary_classification"]()
    test = pd.DataFrame({"colour": np.where(np.arange(len(truth)) < 60, "red", "blue")})
    _, moves = together.estimates(given("binary_classification", SLICE, GAP), truth, {"candidate": served}, test)
    few, both = (np.std(moves[power.key(gate)]["moved"]) for gate in (SLICE, GAP))
    every = np.std(moves["candidate"]["f1"])
    assert few == pytest.approx(every * (len(truth) / 60) ** 0.5, rel=0.4)
    assert both > few
    assert set(moves[power.key(SLICE)]) == {"moved"}, "no champion to be as good as"


def test_what_a_gate_on_a_gap_sees_is_told_of_one_that_is_as_large_as_its_bound() -> None:
    """Between parts that are alike by chance the largest gap only grows; at the bound it may also shrink."""
    truth, served = MAKERS["binary_classification"]()
    test = pd.DataFrame({"colour": RNG.choice(["red", "blue"], len(truth))})
    places = np.arange(len(truth))
    (one,) = groups.judged(given("binary_classification", GAP), truth, {"candidate": served}, test, places).values()
    moved = RNG.normal(scale=0.05, size=(1000, 2))
    alike, apart = np.array([0.7, 0.7 - 1e-9]), np.array([0.7, 0.2])
    for values in (alike, apart):
        found = one.rule.toward(values, moved)
        assert found.mean() == pytest.approx(0, abs=0.01)
        assert found.std() == pytest.approx(0.05 * 2**0.5, rel=0.1)


def test_what_no_row_can_tell_is_left_out() -> None:
    """One part, no part that is large enough, a metric without influences, and a part without any of a class."""
    truth, served = MAKERS["binary_classification"]()
    models, rows = {"candidate": served, "champion": other(served)}, len(truth)
    one, two = pd.DataFrame({"colour": ["red"] * rows}), pd.DataFrame({"colour": np.where(truth == 1, "red", "blue")})
    places = np.arange(rows)

    def judged(test: pd.DataFrame, *gates: policy.AnyGate) -> set[str]:
        return set(groups.judged(given("binary_classification", *gates), truth, models, test, places))

    assert judged(one, SLICE, GAP, ODDS) == {power.key(SLICE)}
    assert judged(one, SLICE.model_copy(update={"rows": rows + 1})) == set()
    assert judged(one, SLICE.model_copy(update={"metric": "average_precision"})) == set()
    assert judged(two, ODDS, SLICE.model_copy(update={"metric": "roc_auc"})) == set()


@pytest.mark.parametrize("gate", [SLICE, GAP, ODDS, CALIBRATION], ids=lambda gate: gate.kind)
def test_a_bound_is_held_against_what_is_found_of_a_model_as_good_as_the_champion(gate: policy.AnyGate) -> None:
    bound = 0.5 if gate.kind == "slice" else -0.5
    found = {power.key(gate): {"moved": [-0.1] * 300 + [0.1] * 700, "equal": [bound - 0.01, bound + 0.01] * 500}}
    seen = power.view(gate, Evaluation.model_construct(champion=None), found)
    assert seen
    assert (seen.sees, seen.power(100).equal) == (0.1, 0.5)
    assert power.view(gate, Evaluation.model_construct(champion=None), {}) is None
