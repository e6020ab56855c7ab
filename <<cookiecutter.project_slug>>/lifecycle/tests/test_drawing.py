"""What is drawn beside the tables of a page."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_gate import evaluation, measure, part
from test_short import against, decided, gate

from lifecycle.documents import record
from lifecycle.documents.curves import Curves
from lifecycle.documents.record import Measure, SlicePart
from lifecycle.drawing import forest, marks, plots, slices
from lifecycle.drawing.marks import Scale
from lifecycle.reporting import measurements
from lifecycle.tasks import LABELS, METRICS, Task

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


def panels(drawn: str) -> list[str]:
    return re.findall(r"<figure.*?</figure>", drawn, flags=re.S)


def sliced(*parts: SlicePart, **changes: Any) -> record.Decision:
    return record.Decision(
        passed=True,
        policy="",
        gates=(gate("slice", "roc_auc", "pass", "", slice="colour", bound=0.85),),
        evaluation=evaluation(slices=parts, **changes),
    )


def test_each_slice_has_a_panel_and_all_panels_one_axis() -> None:
    other = part("small", 500, 0.7).model_copy(update={"column": "size"})
    (drawn, compared) = slices.drawn(
        sliced(
            part("red", 500, 0.9), part("blue", 500, 0.8), other, champion=against({}, slices=(part("red", 500, 0.01),))
        )
    )
    first, second = panels(drawn)
    assert at(rows(first)["red "]) > at(rows(first)["blue "]) > at(rows(second)["small "])
    assert re.findall(r"<text.*?</text>", first) == re.findall(r"<text.*?</text>", second)
    assert 'class="margin"' in first
    assert 'class="margin"' not in second
    assert "bound of a gate" in drawn
    assert "+0.01 [0" in compared.replace("+0]", "").replace("[+0", "[0")
    assert "better to the right" in compared


def test_a_part_of_few_rows_ends_in_an_arrow_and_one_without_a_value_is_told_in_words() -> None:
    tiny = part("grey", 5, 0.5).model_copy(update={"metrics": {"roc_auc": Measure(value=0.5, low=0.0, high=1.0)}})
    decision = sliced(part("red", 500, 0.9), part("blue", 500, 0.88), tiny, part("none", 2, None))
    (drawn,) = slices.drawn(decision)
    assert "<path" in rows(drawn)["grey "]
    assert "beyond the axis" in drawn
    assert "none " not in rows(drawn)
    said = measurements.slices(decision).lines
    assert "1 of 4 parts have no ROC AUC, too few rows or one class alone: colour none." in said


def test_texts_of_the_data_are_text_in_what_is_drawn() -> None:
    hostile = "<script>x</script>"
    decision = sliced(part(hostile, 500, 0.9).model_copy(update={"column": hostile}))
    assert "<script>" not in "".join(slices.drawn(decision))


@pytest.mark.parametrize("task", METRICS)
def test_every_plot_names_its_axes_and_its_traces(task: Task) -> None:
    """And joins no categories by a line, as these have no order."""
    path = RECORDS / f"{task}.json"
    drawn = Curves.model_validate_json(path.with_suffix(".curves.json").read_bytes())
    found = [one for group in plots.sections(record.decision(path), drawn).values() for one in group]
    figures = [one for one in found if not isinstance(one, str)]
    assert len(figures) > 5
    for figure in figures:
        title = figure.layout.title.text
        assert figure.layout.xaxis.title.text, title
        assert figure.layout.yaxis.title.text, title
        named = all(trace.name for trace in figure.data) and figure.layout.showlegend is not False
        assert len(figure.data) == 1 or named or "SHAP" in title, title
        for trace in figure.data:
            words = any(isinstance(value, str) for value in trace.x if value is not None)
            assert not (words and "lines" in (trace.mode or "")), title


@pytest.mark.parametrize("task", METRICS)
def test_no_number_is_drawn_that_the_record_lacks(task: Task) -> None:
    """In the drawn tables, but for those of an axis and for the interval's level."""
    decision = record.decision(RECORDS / f"{task}.json")
    known = {form for value in floats(json.loads(record.dump(decision))) for form in (f"{value:.4g}", f"{value:.3g}")}
    known |= {
        form for value in floats(json.loads(record.dump(decision))) for form in (f"{value:+.3g}", f"{value:,.0f}")
    }
    drawn = "".join([*forest.differences(decision), *forest.levels(decision), *slices.drawn(decision)])
    text = re.sub(
        r"<svg.*?</svg>|<figcaption>.*?</figcaption>|<[^>]+>", " ", re.sub(r"<svg[^>]*><path.*?</svg>", "", drawn)
    )
    for name in LABELS.values():
        text = text.replace(name, "")
    numbers = re.findall(r"[+-]?\d[\d,.]*(?:e[+-]\d+)?", text.replace("95 % interval", ""))
    assert len(numbers) > 10
    assert [one for one in numbers if one.rstrip(",.") not in known] == []


def floats(document: Any) -> Iterator[float]:
    if isinstance(document, dict | list):
        for one in document.values() if isinstance(document, dict) else document:
            yield from floats(one)
    elif isinstance(document, int | float):
        yield float(document)
