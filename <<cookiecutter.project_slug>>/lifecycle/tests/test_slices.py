from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from tiny import Trained, settings

from lifecycle import InputError, config
from lifecycle.artifact.predictor import Predictions
from lifecycle.evaluation import metrics, slices
from lifecycle.tasks import Task


def test_a_number_is_sliced_at_its_cuts_and_missing_values_stand_apart() -> None:
    frame = pd.DataFrame({"number": [-1.0, 0.0, 1.0, 5.0, 6.0, np.nan]})
    found = slices.parts(frame, config.Slice(column="number", cuts=(0, 5)))
    assert {name: np.flatnonzero(rows).tolist() for name, rows in found.items()} == {
        "up to 0": [0, 1],
        "0 to 5": [2, 3],
        "over 5": [4],
        "missing": [5],
    }


def test_a_category_that_is_called_missing_is_joined_with_what_is_missing() -> None:
    found = slices.parts(pd.DataFrame({"x": ["missing", None, "a"]}), config.Slice(column="x"))
    assert {name: rows.sum() for name, rows in found.items()} == {"a": 1, "missing": 2}


def test_a_column_that_is_not_there_or_has_too_many_values_is_refused() -> None:
    frame = pd.DataFrame({"x": np.arange(300)})
    with pytest.raises(InputError, match="names y, which the data lacks; it has x"):
        slices.parts(frame, config.Slice(column="y"))
    with pytest.raises(InputError, match="x, which has 300 values, more than 200; give it cuts"):
        slices.parts(frame, config.Slice(column="x"))
    assert len(slices.parts(frame, config.Slice(column="x", cuts=(100,)))) == 2


def marked(trained: Trained, rows: int) -> config.Config:
    """The settings of a task with the groups of one column marked."""
    document = {**trained.document, "evaluate": {**trained.document["evaluate"]}}
    document["evaluate"]["slices"] = [{"column": "group", "fairness": {"rows": rows}}]
    return settings(document)


TEST = pd.DataFrame({"group": ["a"] * 100 + ["b"] * 100 + ["c"] * 10})


def test_a_slice_has_the_metrics_of_its_own_rows(binary: Trained) -> None:
    truth = np.tile([0, 1], 105)
    score = np.where(TEST.group == "a", truth, 0.5) * 0.8 + 0.1
    served = Predictions((score >= 0.5).astype(int), np.column_stack([1 - score, score]))
    found = {part.part: part for part in slices.measure(marked(binary, 50), TEST, truth, served)}
    assert {name: part.rows for name, part in found.items()} == {"a": 100, "b": 100, "c": 10}
    assert found["a"].metrics["roc_auc"].value == 1
    assert found["b"].metrics["roc_auc"].value == 0.5
    brier = metrics.value("brier", truth[:100], Predictions(served.labels[:100], served.probabilities[:100]))  # type: ignore[index]
    assert found["a"].metrics["brier"].value == pytest.approx(brier)


def test_fairness_of_two_classes_is_the_largest_difference_between_large_groups(binary: Trained) -> None:
    truth = np.tile([0, 1], 105)
    labels = truth.copy()
    labels[100:120] = 1  # group b: all of ten negatives called positive
    labels[200:] = 0  # group c is small: nothing called positive
    served = Predictions(labels, np.column_stack([1 - labels, labels]).astype(float))
    (found,) = slices.fairness(marked(binary, 50), TEST, truth, served)
    assert [(group.part, group.rows) for group in found.groups] == [("a", 100), ("b", 100), ("c", 10)]
    assert found.groups[1].rates == {
        "selection_rate": 0.6,
        "true_positive_rate": 1,
        "false_positive_rate": pytest.approx(0.2),
    }
    assert found.differences == {
        "selection_rate_difference": pytest.approx(0.1),
        "equalized_odds_difference": pytest.approx(0.2),
    }
    (every,) = slices.fairness(marked(binary, 5), TEST, truth, served)
    assert every.differences["equalized_odds_difference"] == 1


def test_fairness_of_more_classes_is_that_of_the_worst_class(models: Callable[[Task], Trained]) -> None:
    trained = models("multiclass_classification")
    truth = np.tile([0, 1, 2], 70)
    labels = truth.copy()
    labels[100:110] = 2
    served = Predictions(labels, np.eye(3)[labels])
    (found,) = slices.fairness(marked(trained, 50), TEST, truth, served)
    rates = {group.part: group.rates for group in found.groups}
    gap = rates["b"]["selection_rate of high"] - rates["a"]["selection_rate of high"]
    assert found.differences["selection_rate_difference"] == pytest.approx(gap)
    assert gap > 0.05


def test_fairness_of_values_is_the_difference_of_their_mean_errors(models: Callable[[Task], Trained]) -> None:
    trained = models("regression")
    truth = np.zeros(210)
    served = Predictions(np.where(TEST.group == "b", 2.0, 0.5), None)
    (found,) = slices.fairness(marked(trained, 50), TEST, truth, served)
    assert found.differences == {"mean_error_difference": pytest.approx(1.5)}
    assert found.groups[1].rates == {"mean_error": 2.0}
    (small,) = slices.fairness(marked(trained, 150), TEST, truth, served)
    assert small.differences == {}


def test_differences_of_groups_are_paired_and_hold_for_all_of_them_at_once(binary: Trained) -> None:
    truth = np.tile([0, 1], 105)
    score = 0.5 + (truth - 0.5) * np.where(TEST.group == "a", 0.8, 0.0)
    better = Predictions((score >= 0.5).astype(int), np.column_stack([1 - score, score]))
    ignorant = Predictions(np.zeros(210, int), np.full((210, 2), 0.5))
    given = marked(binary, 50)
    found = {one.part: one for one in slices.compared(given, TEST, truth, better, ignorant)}
    assert set(found) == {"a", "b"}  # the third is too small
    assert found["a"].metrics["roc_auc"].value == 0.5
    assert found["b"].metrics["roc_auc"].value == 0
    noisy = np.random.default_rng(0).random(210)
    other = Predictions((noisy >= 0.5).astype(int), np.column_stack([1 - noisy, noisy]))
    both = next(iter(slices.compared(given, TEST, truth, other, ignorant))).metrics["roc_auc"]
    alone = next(iter(slices.compared(given, TEST[:100], truth[:100], taken(other), taken(ignorant)))).metrics[
        "roc_auc"
    ]
    assert both.value == alone.value
    assert both.high - both.low > 1.1 * (alone.high - alone.low)


def taken(served: Predictions) -> Predictions:
    """The answers for the first group's rows."""
    assert served.probabilities is not None
    return Predictions(served.labels[:100], served.probabilities[:100])
