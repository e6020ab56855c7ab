"""The template's own estimate of performance, beside NannyML's."""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as theirs

from lifecycle.documents.summary import Window
from lifecycle.estimation import cbpe, chances, dle, own, series
from lifecycle.tasks import MONITORED, Task

ROWS, SIZE, FEATURES = 600, 120, ["a", "b", "c"]
CLASSES: dict[Task, tuple[str, ...]] = {
    "binary_classification": ("no", "yes"),
    "multiclass_classification": ("low", "middle", "high"),
    "regression": (),
}


def table(task: Task, seed: int, shift: float = 0.0) -> pd.DataFrame:
    """Answered rows in windows, with labels; scores of odd seeds are badly calibrated."""
    generator, classes = np.random.default_rng(seed), CLASSES[task]
    frame = pd.DataFrame(
        {
            "a": generator.normal(shift, 1, ROWS),
            "b": generator.choice(["x", "y", "z"], ROWS),
            "c": generator.normal(size=ROWS),
            "chunk": np.arange(ROWS) // SIZE,
            "time": pd.date_range("2020-01-01", periods=ROWS, freq="h", tz="UTC"),
        }
    )
    frame.loc[generator.random(ROWS) < 0.05, "c"] = np.nan
    signal, power = frame["a"] + (frame["b"] == "x"), 1 + seed % 2
    if task == "regression":
        noise = generator.normal(size=ROWS) * (0.3 + frame["a"].abs())
        return frame.assign(prediction=signal + 0.1, label=signal + noise)
    columns = [0 * signal, signal] if len(classes) == 2 else [-signal, 0.5 * frame["c"].fillna(0), signal]
    chance = np.exp(np.column_stack(columns))
    chance /= chance.sum(axis=1, keepdims=True)
    truth = (generator.random(ROWS)[:, None] > chance.cumsum(axis=1)).sum(axis=1)
    score = chance**power / (chance**power).sum(axis=1, keepdims=True)
    answer = score.argmax(axis=1)
    for place, name in enumerate(classes):
        frame[f"probability_{name}"] = score[:, place]
    codes = np.arange(2) if len(classes) == 2 else np.array(classes)
    return frame.assign(prediction=codes[answer], label=codes[truth])


def outputs(task: Task) -> list[str]:
    return [f"probability_{name}" for name in CLASSES[task]] or ["prediction"]


def measured(by: Any, task: Task, known: pd.DataFrame, rows: pd.DataFrame) -> dict[tuple[Any, ...], Window]:
    about = (task, CLASSES[task], MONITORED[task])
    found = by.estimated(known, *about, FEATURES)(rows) + by.realised(known, *about)(rows)
    found += by.drift(known, FEATURES, outputs(task))(rows)
    return {(one.kind, one.metric, one.column, one.reference, one.begin): one for one in found}


class Boosting:
    """NannyML's own regressor, LightGBM, in the form in which ours is asked."""

    def __init__(self, categories: Sequence[int]) -> None:
        import lightgbm

        self.categories, self.model = list(categories), lightgbm.LGBMRegressor(verbose=-1)

    def fit(self, inputs: Any, losses: Any) -> "Boosting":
        self.model.fit(pd.DataFrame(inputs), losses, categorical_feature=self.categories)
        return self

    def predict(self, inputs: Any) -> Any:
        return self.model.predict(pd.DataFrame(inputs))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("task", MONITORED)
@pytest.mark.filterwarnings("ignore")
def test_our_estimate_is_nannymls(task: Task, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """`scripts/operating estimates` prints the largest differences over 100 seeds."""
    from lifecycle.monitoring import nannyml

    monkeypatch.setattr(dle, "regressor", Boosting)
    known, rows = table(task, seed), table(task, seed + 100, shift=0.7)
    found, expected = measured(own, task, known, rows), measured(nannyml, task, known, rows)
    assert found.keys() == expected.keys()
    for key, one in expected.items():
        near = 1e-3 if (task, one.kind) == ("regression", "estimated") else 0
        assert found[key].value == pytest.approx(one.value, rel=near, abs=1e-6), key
        assert found[key].high == pytest.approx(one.high, abs=1e-6), key
        assert found[key].low == pytest.approx(one.low, abs=1e-6) or one.kind == "drift", key
        assert (found[key].outside, found[key].rows, found[key].end) == (one.outside, one.rows, one.end)


def test_without_nannyml_ours_still_estimates(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("nannyml", "lightgbm", "duckdb"):
        monkeypatch.setitem(sys.modules, name, None)  # whose import then fails
    for task in MONITORED:
        found = measured(own, task, table(task, 0), table(task, 1))
        assert all(one.value is not None for one in found.values())


@pytest.mark.parametrize("features", [["a", "c"], ["b"], ["c"], []])
def test_columns_without_a_value_in_the_reference_are_left_out(features: list[str]) -> None:
    known, rows = table("regression", 0).assign(c=np.nan, b="x"), table("regression", 1)
    for frame in (rows, rows.assign(a=np.nan, b="never seen")):
        found = own.estimated(known, "regression", (), ("mae",), features)(frame)
        assert all(one.value is not None for one in found)
        drift = own.drift(known, features, ["prediction"])(frame)
        assert {one.column for one in drift if one.value is None} <= {"a", "c"}


def test_our_regressor_sees_errors_that_grow() -> None:
    """Noise grows with the distance of `a` from 0, and with it the errors."""
    known, rows = table("regression", 0), table("regression", 1, shift=2.0)
    metrics = MONITORED["regression"]
    estimated = [one for one in own.estimated(known, "regression", (), metrics, FEATURES)(rows) if not one.reference]
    realised = [one for one in own.realised(known, "regression", (), metrics)(rows) if not one.reference]
    for metric in metrics:
        means = [
            np.mean([one.value for one in windows if one.metric == metric and one.value is not None])
            for windows in (estimated, realised)
        ]
        assert means[0] == pytest.approx(means[1], rel=0.25)
    assert sum(one.outside for one in estimated) > len(estimated) / 2


def test_tied_scores_count_as_scikit_learn_counts_them() -> None:
    generator = np.random.default_rng(0)
    score = generator.integers(0, 5, 300) / 5
    truth = (generator.random(300) < score).astype(float)
    assert chances.area(truth, score)[0] == pytest.approx(theirs.roc_auc_score(truth, score))
    assert chances.precision(truth, score)[0] == pytest.approx(theirs.average_precision_score(truth, score))


@pytest.mark.parametrize("metric", MONITORED["binary_classification"])
def test_the_sampling_error_is_that_of_many_samples(metric: str) -> None:
    """In closed form, against 400 windows drawn from the reference."""
    generator, rows = np.random.default_rng(0), 200
    task: Task = "binary_classification"
    known = pd.concat([table(task, seed) for seed in (0, 2, 4, 6)], ignore_index=True)
    told = own.spreads(known, task, CLASSES[task], [metric])[metric] / np.sqrt(rows)
    answers = cbpe.claims(known, CLASSES[task])
    drawn = [chances.measure(metric, answers.at(generator.integers(0, len(known), rows)))[0] for _ in range(400)]
    assert told == pytest.approx(np.std(drawn), rel=0.15)


@pytest.mark.parametrize("metric", MONITORED["regression"])
def test_the_sampling_error_of_an_error_is_that_of_many_samples(metric: str) -> None:
    generator, rows = np.random.default_rng(0), 200
    known = pd.concat([table("regression", seed) for seed in range(4)], ignore_index=True)
    told = own.spreads(known, "regression", (), [metric])[metric] / np.sqrt(rows)
    losses = dle.losses(known, metric)
    drawn = [dle.measure(metric, losses[generator.integers(0, len(known), rows)])[0] for _ in range(400)]
    assert told == pytest.approx(np.std(drawn), rel=0.15)


def test_the_error_of_an_estimate_counts_the_rows_that_taught_it() -> None:
    """Of 100 references of 600 rows and windows of 300: what comes true is as near as is said, not by sampling alone.

    `scripts/operating estimates` prints it for more.
    """
    generator, near = np.random.default_rng(0), np.zeros(2)
    for _ in range(100):
        known, asked = (coverage(generator, count) for count in (600, 300))
        found = cbpe.taught(known)(asked)
        influence = chances.measure("f1", known)[1]
        gap = abs(chances.measure("f1", found)[0] - chances.measure("f1", asked)[0]) / np.sqrt(np.mean(influence**2))
        near += [gap < 1.96 * own.spread(kind, 300, 600) for kind in ("estimated", "realised")]
    assert near[0] > near[1] + 4
    assert near[0] == pytest.approx(95, abs=4)


def coverage(generator: np.random.Generator, count: int) -> chances.Claims:
    """Answers with scores that are too sharp."""
    chance = 1 / (1 + np.exp(-2 * generator.normal(size=(count, 1))))
    score = chance**2 / (chance**2 + (1 - chance) ** 2)
    return chances.Claims((generator.random((count, 1)) < chance).astype(float), score > 0.5, score)


@pytest.mark.parametrize("task", MONITORED)
def test_windows_of_one_class_are_undefined_and_end_nothing(task: Task) -> None:
    known, rows = table(task, 0), table(task, 1)
    rows[["prediction", "label"]] = known[["prediction", "label"]].iloc[0].to_list()
    found = own.realised(known, task, CLASSES[task], MONITORED[task])(rows)
    undefined = {one.metric for one in found if one.value is None}
    assert undefined == set(() if task == "regression" else MONITORED[task]) - {"accuracy", "average_precision"}


def test_chances_are_calibrated_only_where_that_helps() -> None:
    generator = np.random.default_rng(0)
    score = generator.random(2000)
    truth = (generator.random(2000) < score**3).astype(float)
    assert cbpe.calibration(score, truth)(score) == pytest.approx(score**3, abs=0.15)
    perfect = (score > 0.5).astype(float)
    assert (cbpe.calibration(score, perfect)(score) == score).all()
    assert (cbpe.calibration(score, np.ones(2000))(score) == score).all()


def test_bounds_stay_within_what_a_metric_can_be() -> None:
    assert series.bounds([0.9, 1.0], 0.0, 1.0) == pytest.approx((0.8, 1.0))
    assert series.bounds([float("nan"), 0.5], 0.0, 1.0) == (0.5, 0.5)
    assert all(np.isnan(series.bounds([float("nan")], 0.0, 1.0)))
