"""What the monitor's page says to do, what its charts name, and what it says of drift and of wrong values."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tiny import TASKS

from lifecycle.documents import trends
from lifecycle.documents.summary import Alert, Kind, Summary, Window
from lifecycle.documents.track import Track, TrackRecord
from lifecycle.drawing import heat, monitored, performance
from lifecycle.github import degraded
from lifecycle.monitoring import gauges
from lifecycle.reporting import advice, findings, shifts, track
from lifecycle.tasks import MONITORED, Task, label, unit

RECORDS = Path(__file__).parent / "records"


def kept(task: Task = "binary_classification") -> Summary:
    return Summary.model_validate_json((RECORDS / f"monitor_{task}.json").read_bytes())


def alert(kind: Kind, holds: bool = True, **changes: Any) -> Alert:
    about = {"metric": "f1", "column": None, "windows": 2 * holds, "raised": "2020-02-03T00:00", "since": None}
    return Alert(kind=kind, holds=holds, **{**about, **changes})


def judged(metric: str, error: float) -> Track:
    """An estimate's error beside a constant's of 0.04, in rows that changed by more than chance."""
    rest: dict[str, Any] = {"constant": 0.04, "chance": 0.01, "drops": (), "bounded": 5, "false": 0}
    return Track(metric=metric, alerts=True, windows=7, error=error, **rest)


def window(kind: Kind, day: int, value: float | None, outside: bool = False, **changes: Any) -> Window:
    about = {"metric": "f1", "column": None, "reference": False, "rows": 100, "low": 0.7, "high": 1.0}
    times = {"begin": f"2020-02-{day:02}T00:00:00+00:00", "end": f"2020-02-{day:02}T23:00:00+00:00"}
    return Window(kind=kind, value=value, outside=outside, **{**about, **times, **changes})


def summary(*alerts: Alert, error: float = 0.01, windows: tuple[Window, ...] | None = None, **changes: Any) -> Summary:
    """With an estimate that is good unless `error` is as large as that of a constant."""
    found = (window("estimated", 3, 0.65, True),) if windows is None else windows
    about = {"alerts": alerts, "track": TrackRecord(tracks=(judged("f1", error),)), "windows": found}
    return kept().model_copy(update={"slices": (), "warnings": (), **about, **changes})


def told(given: Summary) -> str:
    return advice.following(given, findings.blind(given))


def test_the_next_action_stands_first_in_the_issue_and_on_the_page() -> None:
    for task in TASKS:
        found = kept(task)
        assert findings.setting(found)[0] == told(found)
    assert "<p>Next: " in findings.page(found).split("<nav")[0]


def test_what_labels_confirm_is_retrained() -> None:
    assert told(summary(alert("estimated"), alert("realised"))) == f"Next: {advice.RETRAIN}"


def test_an_estimate_that_followed_the_truth_is_acted_on_without_labels() -> None:
    assert told(summary(alert("estimated"))) == f"Next: {advice.RETRAIN}"


def test_an_estimate_no_better_than_a_guess_asks_for_labels() -> None:
    found = told(summary(alert("estimated"), error=0.04))
    assert found.startswith("Next: Get labels of the windows from 2020-02-03 on")
    assert "retrain" not in found.lower()


def test_labels_within_bounds_contradict_an_estimate_out_of_them() -> None:
    estimated, real = window("estimated", 3, 0.65, True), window("realised", 3, 0.81)
    found = told(summary(alert("estimated"), windows=(estimated, real)))
    assert found.startswith(f"Next: {advice.CALM}")
    assert found.endswith("the latest labels say F1 0.81, within bounds.")
    for other in (real.model_copy(update={"unlike": ("origin",)}), window("realised", 3, None)):
        assert told(summary(alert("estimated"), windows=(estimated, other))) == f"Next: {advice.RETRAIN}"
    sliced = alert("estimated", slice="origin", part="EWR")
    assert told(summary(sliced, windows=(estimated, real))) == f"Next: {advice.RETRAIN}", "these are of all rows"


def test_wrong_values_are_mended_at_their_source_and_not_by_training() -> None:
    quality = alert("quality", metric="missing", column="age")
    assert told(summary(quality)) == f"Next: {advice.SOURCE.format('age')}"
    assert told(summary(quality, alert("realised"))) == f"Next: {advice.SOURCE.format('age')} {advice.RETRAIN}"


def test_what_keeps_the_monitor_from_seeing_is_told_before_that_all_is_well() -> None:
    quiet = alert("estimated", holds=False)
    log = kept().log
    assert told(summary(quiet, log=log.model_copy(update={"unreadable": log.rows}))) == f"Next: {advice.ASIDE}"
    assert told(summary(log=log.model_copy(update={"rows": 0}), windows=())) == f"Next: {advice.SILENT}"
    assert told(summary(windows=())) == f"Next: {advice.FEW}"
    unbounded = window("estimated", 3, 0.8, low=None)
    assert told(summary(quiet, windows=(unbounded,))) == f"Next: {advice.UNBOUNDED}"
    assert told(summary(quiet, error=0.04)) == f"Next: {advice.BLIND}"
    near = alert("estimated", holds=False, windows=1)
    assert "estimated F1 was out of bounds, and 2 of 3" in told(summary(near))
    assert told(summary(quiet)) == f"Next: {advice.NOTHING}"


@pytest.mark.parametrize("task", TASKS)
def test_a_metric_has_one_name_wherever_the_monitor_tells_a_person(task: Task) -> None:
    """In the report, beside a gauge and in an alert's text, never its key in config.yaml."""
    found = kept(task)
    shown = findings.markdown(found).replace("\\", "") + gauges.text(found).decode()
    told = degraded.payload(json.loads(found.model_dump_json()), "", "production")
    shown += json.dumps(told and told["client_payload"]["about"])
    keys = [metric for metric in MONITORED[task] if label(metric) != metric]
    assert keys
    assert [key for key in keys if re.search(rf"\b{key}\b", shown)] == []
    assert f'kind="estimated",metric="{label(found.rule.metrics[0])}"' in shown


@pytest.mark.parametrize(("error", "said"), [(0.01, "0.04: better."), (0.039, "hardly better."), (0.05, "worse.")])
def test_the_error_of_the_estimate_is_said_beside_that_of_a_guess(error: float, said: str) -> None:
    (line,) = track.measured(TrackRecord(tracks=(judged("roc_auc", error),)), "roc_auc")
    assert line.startswith(f"ROC AUC: on 7 windows of the test rows the estimate was off by {error:g} on average (MAE)")
    assert line.endswith(said)
    assert track.measured(None, "f1") == []


@pytest.mark.parametrize("task", TASKS)
def test_every_plot_of_the_monitor_names_its_axes_bounds_and_marks(task: Task) -> None:
    found = kept(task)
    sections = monitored.sections(found)
    figures = [figure for group in sections.values() for figure in group if not isinstance(figure, str)]
    for figure in figures:
        assert figure.layout.title.text
        assert figure.layout.xaxis.title.text == performance.TIME
        assert figure.layout.yaxis.title.text
        assert all(trace.name for trace in figure.data if trace.showlegend is not False)
    metric = next(iter(trends.of(found, "estimated")))
    drawn = sections["Performance"][0]
    assert not isinstance(drawn, str)
    assert drawn.layout.yaxis.title.text == f"{label(metric)} ({unit(metric)})"
    names = {trace.name for trace in drawn.data}
    side = "upper" if task == "regression" else "lower"
    assert {"estimated", "realised", "sampling error of the estimate (95 %)"} <= names
    assert any(name and name.startswith(f"{side} bound of the alert") for name in names)
    raising = {entry.kind for entry in found.alerts if entry.raised and entry.metric == metric}
    assert {f"alert on the {kind} {label(metric)}" for kind in raising} == {
        one for one in names if one and "alert on" in one
    }


def test_an_alert_stands_on_the_time_axis_where_the_rule_raised_it() -> None:
    found = summary()
    outside = (False, True, True, False, False)
    windows = [window("estimated", day, 0.6 if bad else 0.8, bad) for day, bad in enumerate(outside, 1)]
    drawn = performance.drawn("f1", {"estimated": windows}, found.rule)
    (mark,) = (trace for trace in drawn.data if trace.name == "alert on the estimated F1")
    assert mark.x == (windows[2].end,)
    assert mark.marker.symbol != next(one for one in drawn.data if one.name == "estimated").marker.symbol
    low, high = drawn.layout.yaxis.range
    assert low < mark.y[0] < low + 0.1 * (high - low)
    other = performance.drawn("recall", {"estimated": windows}, found.rule)
    names = {trace.name for trace in other.data}
    assert "lower bound, which raises no alert" in names, "no alert judges recall"
    assert not any("alert on" in (name or "") for name in names)


def test_bounds_that_differ_are_named_apart() -> None:
    same, own = [window("estimated", 1, 0.8)], [window("realised", 1, 0.8, low=0.6)]
    drawn = performance.drawn("f1", {"estimated": same, "realised": own}, kept().rule)
    names = [trace.name for trace in drawn.data if "bound" in trace.name]
    assert names == ["lower bound of the alert, estimated", "lower bound of the alert, realised"]


def test_a_window_out_of_bounds_has_another_shape_and_not_only_another_colour() -> None:
    windows = [window("drift", day, value, value > 1, column="x", high=1.0) for day, value in ((1, 0.5), (2, 1.5))]
    symbols = {trace.name: trace.marker.symbol for trace in heat.drawn("Drift", "column", {"x": windows}).data}
    assert symbols == heat.SYMBOLS
    assert len(set(symbols.values())) == 2


def drifted(*performances: Window) -> tuple[str, str]:
    """The sentence on a drift of the third and fourth of February, and its count beside what else was out of bounds."""
    columns = [window("drift", day, 2.0, True, column="x", high=1.0) for day in (3, 4)]
    section = shifts.drift(summary(windows=(*columns, *performances)))
    return section.lines[0], section.tables[0].rows[0][-1]


def test_whether_a_drift_mattered_is_said_by_the_performance_of_its_windows() -> None:
    bad, good = window("realised", 4, 0.6, True), window("realised", 4, 0.8)
    said, count = drifted(bad)
    assert said == "Drifted in the latest window: x. It mattered: the realised F1 of that window is out of bounds."
    assert count == "1 of 2"
    said, count = drifted(good, window("estimated", 4, 0.6, True))
    assert "It has not mattered yet: the realised F1" in said, "labels go before the estimate"
    assert count == "0 of 2"
    assert drifted(window("realised", 4, None), window("estimated", 4, 0.6, True))[1] == "1 of 2", "no label, no value"
    assert "Whether it mattered is not known" in drifted()[0]
    assert "Whether it mattered is not known" in drifted(window("realised", 1, 0.6, True))[0], "another day"


def test_data_quality_is_a_sentence_unless_something_was_found() -> None:
    calm = window("quality", 3, 0.01, metric="missing", column="x", low=None, high=0.1)
    section = shifts.quality(summary(windows=(calm,)))
    assert (section.lines, section.tables) == (["Nothing found: 1 measures stayed within their bounds."], ())
    wrong = window("quality", 3, 0.2, True, metric="missing", column="y", low=None, high=0.1)
    found = summary(windows=(calm, wrong))
    (table,) = shifts.quality(found).tables
    assert [row[0] for row in table.rows] == ["y: missing"]
    assert "Data quality" in monitored.sections(found)
    assert "Data quality" not in monitored.sections(summary(windows=(calm,)))
