"""The track record of the monitor's estimate: what it would have said of the test rows."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from test_estimation import FEATURES, table
from tiny import Trained

from lifecycle.config import AlertRule, Monitor
from lifecycle.documents import record
from lifecycle.documents.summary import Summary
from lifecycle.documents.track import Track, TrackRecord
from lifecycle.estimation import dle, later, own, past, series
from lifecycle.reporting import findings, sections, track
from lifecycle.tasks import label

SIZE = 400
RULE = AlertRule(metrics=("accuracy",), quality=0.1, windows=2, of=3, cooldown=3)
WATCHING = Monitor(metrics=("accuracy", "f1"), window=SIZE, sample=20_000, days=90, alert=RULE)


def rows(sharpness: list[float], told: list[bool] | None = None, seed: int = 0) -> pd.DataFrame:
    """A window of answered rows for each entry: how sharp the scores are, and whether the truth follows them."""
    generator, frames = np.random.default_rng(seed), []
    for place, (sharp, honest) in enumerate(zip(sharpness, told or [True] * len(sharpness), strict=True)):
        score = 1 / (1 + np.exp(-sharp * generator.normal(size=SIZE)))
        truth = generator.random(SIZE) < (score if honest else 0.5)
        frames.append(pd.DataFrame({"probability_yes": score, "label": truth.astype(int), "chunk": place}))
    frame = pd.concat(frames, ignore_index=True)
    frame[FEATURES] = 0.0
    time = pd.date_range("2020-01-01", periods=len(frame), freq=pd.Timedelta(days=1) / SIZE, tz="UTC")
    return frame.assign(prediction=(frame["probability_yes"] > 0.5).astype(int), time=time)


def walked(frame: pd.DataFrame) -> Track:
    return past.walk(frame, "binary_classification", ("no", "yes"), WATCHING, FEATURES).tracks[0]


HARDER, EQUAL = [4, 3, 4, 3, 4, 3, 4, 0.5, 0.5, 3, 4], [3.0] * 11


def test_a_drop_that_the_inputs_show_is_seen_before_any_label() -> None:
    found = walked(rows(HARDER))
    assert (found.metric, found.alerts, found.found, found.windows) == ("accuracy", True, "skilled", 8)
    assert found.skill > 0.5
    (drop,) = found.drops
    assert (drop.begin[:10], drop.end[:10], drop.days) == ("2020-01-08", "2020-01-09", 0)
    assert drop.worst < 0.65
    assert found.false == 0


def test_an_estimate_that_was_out_of_bounds_a_window_earlier_was_days_ahead() -> None:
    """The truth falls a window after the scores have become vague."""
    frame = rows([*EQUAL[:7], 0.4, 0.4, 3.0, 3.0])
    early = frame["chunk"] == 7
    frame.loc[early, "label"] = frame.loc[early, "prediction"]
    (drop,) = walked(frame).drops
    assert (drop.begin[:10], drop.days) == ("2020-01-09", 1)


def test_a_drop_that_only_labels_show_is_missed_and_the_estimate_is_no_better_than_a_constant() -> None:
    """Concept drift: the scores are as ever, the truth no longer follows them."""
    found = walked(rows(EQUAL, [*[True] * 8, False, False, False]))
    assert found.found == "blind"
    assert [drop.days for drop in found.drops] == [None]
    said = track.warnings(TrackRecord(tracks=(found,)))
    assert "estimate of accuracy is" in said[0]
    assert "better than a constant on the test rows" in said[0]
    assert said[-1] == track.REMAINS


def test_where_nothing_changes_nothing_is_proven() -> None:
    found = walked(rows(EQUAL, seed=2))
    assert (found.found, found.drops) == ("untested", ())
    assert "by no more than chance" in track.warnings(TrackRecord(tracks=(found,)))[0]


def test_no_estimate_reads_what_came_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each fit is on all windows before those that it is asked about."""
    taught, expected = [], own.expected

    def spied(before: pd.DataFrame, *rest: Any) -> Any:
        taught.append(sorted(before["chunk"].unique()))
        return expected(before, *rest)

    monkeypatch.setattr(own, "expected", spied)
    walked(rows(EQUAL))
    assert taught == [list(range(begin)) for begin in (3, 5, 7, 9)]


@pytest.mark.parametrize(
    ("timed", "windows", "why"), [(False, 20, "no time"), (True, 5, "5 windows, fewer than the 6")]
)
def test_without_a_past_a_sentence_says_why(timed: bool, windows: int, why: str) -> None:
    assert why in past.untold(timed, windows)
    assert past.untold(True, past.NEEDED) == ""
    said = track.warnings(TrackRecord(why=past.untold(timed, windows)))
    assert why in said[0]
    assert track.REMAINS in said[0]


def test_windows_of_one_class_take_no_part() -> None:
    frame = rows(HARDER)
    frame.loc[frame["chunk"].isin([1, 5]), ["label", "prediction"]] = 1
    f1 = past.walk(frame, "binary_classification", ("no", "yes"), WATCHING, FEATURES).tracks[1]
    assert (f1.metric, f1.alerts, f1.windows) == ("f1", False, 7)


def test_the_record_and_the_reports_hold_the_track_record(trained: Trained) -> None:
    found = record.evaluation(trained.build / "evaluation.json").track
    assert found is not None
    assert [one.metric for one in found.tracks] == list(trained.settings.monitor.metrics)
    assert all(one.windows == 6 and one.alerts for one in found.tracks)
    text = (trained.build / "report.md").read_text()
    assert "### Track record" in text
    assert f"| {label(trained.settings.monitor.metrics[0])}, judged by alerts | 6 |" in text


def test_of_a_long_past_the_newest_windows_are_walked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = rows(EQUAL)
    assert len(past.recent(frame)) == len(frame)
    for most, windows in ((8 * SIZE, range(3, 11)), (10, range(5, 11))):
        monkeypatch.setattr(past, "MOST", most)
        assert sorted(past.recent(frame)["chunk"].unique()) == list(windows)


def since(told: pd.DataFrame, known: list[float] = EQUAL) -> Track:
    found = later.since(rows(known), told, "binary_classification", ("no", "yes"), WATCHING, FEATURES)
    return found[0]


def recorded(track: Track, *told: Track) -> TrackRecord:
    return TrackRecord(tracks=(track.model_copy(update={"alerts": True}),), since=told)


def test_labels_that_contradict_the_estimate_change_what_is_known_of_it() -> None:
    """The truth falls, and the scores do not show it: the estimate was right at training, and is so no more."""
    first, told = walked(rows(HARDER)), since(rows(EQUAL[:6], [False] * 6, seed=1))
    assert (first.found, told.found, told.contradicted) == ("skilled", "blind", True)
    assert (told.windows, told.outside, told.alerts) == (6, 6, True)
    record = recorded(first, told)
    assert record.now == (told,)
    assert record.blind
    (said, remains) = track.warnings(record)
    assert "worse than a constant by the labels that came since the release" in said
    assert f"At training its error was {first.error:.3g}, the constant's {first.constant:.3g}." in said
    assert remains == track.REMAINS
    section = track.section(record)
    assert [row[0] for row in section.tables[0].rows] == [
        "accuracy, judged by alerts",
        "accuracy, judged by alerts, since the release",
    ]
    assert "interval (95 of 100) in 6 of 6 windows, more than chance puts there." in " ".join(section.lines)


def test_labels_that_follow_the_estimate_prove_it() -> None:
    blind, told = walked(rows(EQUAL, [*[True] * 8, False, False, False])), since(rows([4, 0.5, 3, 0.4, 4], seed=1))
    assert (blind.found, told.found, told.contradicted) == ("blind", "skilled", False)
    record = recorded(blind, told)
    assert (record.blind, record.unproven) == (False, ())
    assert track.warnings(record) == []


def test_an_estimate_that_falls_where_nothing_does_is_worse_than_a_constant() -> None:
    told = rows(EQUAL[:6], seed=1)
    vague = told.assign(probability_yes=0.5 + (told["probability_yes"] - 0.5) / 4)
    found = since(vague)
    assert found.found == "blind"
    assert found.constant <= found.chance * 1.7, "which alone would be untested"


def test_where_nothing_changes_or_too_few_labels_came_the_training_speaks() -> None:
    first = walked(rows(HARDER))
    calm, few = since(rows(EQUAL, seed=3)), since(rows(EQUAL[:2], [False] * 2, seed=1))
    assert (calm.found, calm.contradicted) == ("untested", False)
    assert few.found == "blind"
    for told in (calm, few):
        assert recorded(first, told).now == (first,)
    unknown = TrackRecord(why="There is no past.", since=(since(rows(EQUAL[:6], [False] * 6, seed=1)),))
    assert "There is no past." not in " ".join(track.warnings(unknown))


def test_few_contradictions_are_chance() -> None:
    one = walked(rows(HARDER))
    told = {n: one.model_copy(update={"windows": 20, "outside": n}).contradicted for n in (0, 1, 3, 4, 5)}
    assert told == {0: False, 1: False, 3: False, 4: False, 5: True}
    assert not one.contradicted


def test_losses_are_learnt_from_a_sample_of_very_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    learnt = []

    class Counting:
        def fit(self, inputs: Any, losses: Any) -> "Counting":
            learnt.append((len(inputs), len(losses)))
            return self

        def predict(self, inputs: Any) -> Any:
            return np.zeros(len(inputs))

    monkeypatch.setattr(dle, "LEARNT", 100)
    monkeypatch.setattr(dle, "regressor", lambda _: Counting())
    known = table("regression", 0)
    found = dle.taught(known, ("mae",), FEATURES)(known)
    assert (learnt, len(found["mae"])) == ([(100, 100)], len(known))


def test_periods_are_cut_as_the_monitor_cuts_them() -> None:
    frame = rows(EQUAL)
    days = series.cut(frame.drop(columns="chunk"), "day", 100)
    assert days["chunk"].value_counts().to_dict() == dict.fromkeys(range(9), 100)  # neither the first nor the last
    counted = series.cut(frame.drop(columns="chunk"), 300, 1000)
    assert counted["chunk"].value_counts().to_dict() == dict.fromkeys(range(14), 300)


def test_no_alert_of_a_blind_estimate_is_no_green_light(decision: record.Decision) -> None:
    blind = TrackRecord(tracks=(walked(rows(EQUAL, [*[True] * 8, False, False, False])),))
    told = decision.model_copy(update={"evaluation": decision.evaluation.model_copy(update={"track": blind})})
    assert any("no better" in line or "hardly better" in line for line in sections.setting(told))
    path = Path(__file__).parent / "records/monitor_binary_classification.json"
    summary = Summary.model_validate_json(path.read_text())
    quiet = summary.model_copy(update={"alert": False, "track": blind})
    unlabelled = quiet.model_copy(update={"windows": tuple(w for w in quiet.windows if w.kind != "realised")})
    assert findings.verdict(unlabelled).startswith("⚪ No alert, which says little")
    assert findings.verdict(quiet).startswith("✅ No alert"), "its labels speak"
    assert track.REMAINS in findings.markdown(unlabelled)
