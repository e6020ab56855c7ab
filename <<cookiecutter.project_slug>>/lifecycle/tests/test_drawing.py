"""What is drawn beside the tables of a page."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_gate import evaluation, measure
from test_short import against, decided, gate

from lifecycle.documents import record
from lifecycle.documents.record import Measure
from lifecycle.drawing import forest, marks
from lifecycle.drawing.marks import Scale
from lifecycle.tasks import METRICS, Task

RECORDS = Path(__file__).parent / "records"


def rows(drawn: str) -> dict[str, str]:
    """The rows of a drawn table by their name."""
    return dict(re.findall(r'<tr><th scope="row">([^<]*).*?</th>(.*?)</tr>', drawn))


def at(row: str) -> float:
    """Where a row's point is, in percent of the width."""
    found = re.search(r'<circle class="candidate" cx="([\d.]+)%"', row)
    assert found
    return float(found[1])


def test_better_is_on_the_right_whichever_side_a_metric_counts_from() -> None:
    champion = against({"roc_auc": measure(0.02), "brier": measure(-0.02), "f1": measure(-0.02)})
    (drawn,) = forest.differences(decided(champion))
    found = rows(drawn)
    assert at(found["ROC AUC"]) > 50 > at(found["F1"])
    assert at(found["Brier score"]) == at(found["ROC AUC"])
    assert 'Brier score<span class="note"> lower is better: turned' in drawn
    assert "-0.02 [-0.03, -0.01] better" in found["Brier score"]  # the number is the record's


def test_a_margin_is_marked_and_named() -> None:
    champion = against({"roc_auc": measure(0.02), "f1": measure(0)})
    judged = gate("champion", "roc_auc", "pass", "", margin=0.05)
    (drawn,) = forest.differences(decided(champion, judged))
    assert "margin: how much worse a gate allows" in drawn
    assert 'class="margin"' in rows(drawn)["ROC AUC"]
    assert 'class="margin"' not in rows(drawn)["F1"]
    assert "margin 0.05" in rows(drawn)["ROC AUC"]


def test_each_unit_has_its_own_axis() -> None:
    decision = record.decision(RECORDS / "regression.json")
    assert [
        re.findall(r"\((.*?)\), better to the right</figcaption>", one)[0] for one in forest.differences(decision)
    ] == [
        "unit of the target",
        "share",
    ]


def test_a_model_that_diverged_does_not_flatten_the_other_rows() -> None:
    huge = Measure(value=-1e300, low=-1e301, high=-1e299)
    usual = {"roc_auc": measure(0.02), "f1": measure(-0.02)}
    (drawn,) = forest.differences(decided(against({**usual, "recall": huge})))
    (alone,) = forest.differences(decided(against(usual)))
    assert at(rows(drawn)["ROC AUC"]) == at(rows(alone)["ROC AUC"]) > 70
    assert "<path" in rows(drawn)["recall"]
    assert "<circle" not in rows(drawn)["recall"]
    assert "-1e+300 [-1e+301, -1e+299] worse" in rows(drawn)["recall"]
    assert "beyond the axis" in drawn
    assert "beyond the axis" not in alone


@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=8), st.floats(0, 1e3))
def test_whatever_differs_is_drawn_within_the_cell(values: list[float], margin: float) -> None:
    known = [Measure(value=one, low=one - abs(one) / 2, high=one + abs(one) / 2) for one in values]
    end = forest.reach(known, [margin])
    assert 0 < end < float("inf")
    scale = Scale(-end, end)
    drawn = "".join(marks.point(scale, one.low, one.value, one.high, "candidate") for one in known)
    assert all(0 <= float(place) <= 100 for place in re.findall(r'"(-?[\d.]+)%"', drawn))


@pytest.mark.parametrize("task", METRICS)
def test_every_metric_has_a_row(task: Task) -> None:
    decision = record.decision(RECORDS / f"{task}.json")
    assert decision.evaluation.champion
    drawn = "".join(forest.differences(decision))
    assert len(rows(drawn)) == len(decision.evaluation.champion.differences)


def test_the_shares_stand_beside_their_bounds_also_without_a_champion() -> None:
    alone = record.Decision(
        passed=True,
        policy="",
        gates=(gate("floor", "roc_auc", "pass", "", bound=0.85),),
        evaluation=evaluation(champion=None),
    )
    (drawn,) = forest.levels(alone)
    assert list(forest.differences(alone)) == []
    assert "0.9 [0.89, 0.91], at least 0.85" in rows(drawn)["ROC AUC"]
    assert "champion" not in drawn
