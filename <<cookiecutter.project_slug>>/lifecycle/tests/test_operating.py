"""What the alert rule makes of a metric, by simulation."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_estimation import FEATURES, table
from tiny import Trained

from lifecycle.artifact.predictor import Predictions
from lifecycle.config import AlertRule, Monitor
from lifecycle.documents import record
from lifecycle.documents.summary import Window
from lifecycle.documents.track import SHARES, TrackRecord
from lifecycle.drawing import characteristics
from lifecycle.estimation import operating, series, simulation, target
from lifecycle.evaluation import watched
from lifecycle.monitoring import alerts
from lifecycle.reporting import track

RULE = AlertRule(metrics=("f1",), quality=0.1, windows=2, of=3, cooldown=3)
CLASSES = ("no", "yes")


def rule(windows: int, of: int, cooldown: int) -> AlertRule:
    return RULE.model_copy(update={"windows": windows, "of": of, "cooldown": cooldown})


def watching(**changes: Any) -> Monitor:
    return Monitor(metrics=("f1", "accuracy"), window=120, sample=20_000, days=90, alert=RULE).model_copy(
        update=changes
    )


RULES = st.tuples(st.integers(1, 4), st.integers(0, 4), st.integers(0, 5)).map(
    lambda given: rule(given[0], given[0] + given[1], given[2])
)


@given(st.lists(st.booleans(), min_size=1, max_size=30), RULES)
def test_alerts_are_counted_as_the_monitor_raises_them(outside: list[bool], own: AlertRule) -> None:
    assert simulation.alerts(np.array([outside]), own)[0] == len(alerts.raised(outside, own))


@given(st.lists(st.floats(-1, 1), min_size=4, max_size=12), RULES, st.floats(0, 1))
def test_a_drop_is_seen_when_it_is_larger_than_what_is_needed(inside: list[float], own: AlertRule, drop: float) -> None:
    needed = simulation.needed(np.array([inside]), own)[0]
    seen = bool(alerts.raised([value < drop for value in inside], own))
    assert seen == (needed < drop) or needed == drop == 0


def test_the_simulation_is_right_on_average_over_references() -> None:
    """What it says of 200 references of six windows, against new windows from their true source."""
    generator, yearly, own = np.random.default_rng(0), 60, RULE
    said, came, seen = [], [], []
    for _ in range(200):
        values = generator.normal(0.8, 0.02, size=6)
        bound = values.mean() - 3 * values.std()
        quiet, drops = simulation.simulated(values, bound, 1, own, yearly)
        new = generator.normal(0.8, 0.02, size=(20, yearly))
        said.append(quiet)
        came.append(simulation.alerts(new < bound, own).mean())
        seen.append((simulation.alerts(new[:, :6] - drops[2].likely < bound, own) > 0).mean())
    assert drops[2].windows == 6
    assert np.mean(said) == pytest.approx(np.mean(came), abs=0.1)
    assert np.mean(seen) == pytest.approx(simulation.LIKELY, abs=0.05)


def test_more_windows_show_smaller_drops_and_more_certainty_needs_larger_ones() -> None:
    values = np.random.default_rng(0).normal(0.8, 0.02, size=20)
    _, seen = simulation.simulated(values, values.mean() - 3 * values.std(), 1, RULE, 100)
    assert [one.windows for one in seen] == [2, 3, 6, 12]
    assert all(0 < one.likely < one.sure for one in seen)
    assert sorted((one.likely for one in seen), reverse=True) == [one.likely for one in seen]


def test_the_curve_goes_through_the_drops_of_the_table(binary: Trained) -> None:
    values = np.random.default_rng(0).normal(0.8, 0.02, size=20)
    _, seen = simulation.simulated(values, values.mean() - 3 * values.std(), 1, RULE, 100)
    for one in seen:
        assert [one.drops[SHARES.index(share)] for share in (0.8, 0.95)] == pytest.approx(
            [one.likely, one.sure], rel=1e-3
        )
        assert list(one.drops) == sorted(one.drops)
    found = record.evaluation(binary.build / "evaluation.json").track
    assert found is not None
    told = [one.model_copy(update={"seen": tuple(seen), "never": ""}) for one in found.operating]
    (figure,) = characteristics.figures(told)
    assert figure.layout.xaxis.title.text == "fall of F1"
    assert figure.layout.yaxis.title.text == "seen in so many of 100 cases"
    assert len(figure.data) == 2 * len(seen)
    assert {line.name for line in figure.data} >= {"estimated, within 200 rows", "realised, within 1,200 rows"}
    assert characteristics.figures([one.model_copy(update={"seen": ()}) for one in told]) == []
    page = (binary.build / "report.html").read_text()
    assert ("seen in so many of 100 cases" in page) == any(one.seen for one in found.operating)


def test_a_year_of_very_many_windows_is_scaled_up() -> None:
    values = np.random.default_rng(0).normal(0.8, 0.02, size=400)
    bound = values.mean() - 2 * values.std()
    quiet = [simulation.simulated(values, bound, 1, RULE, yearly)[0] for yearly in (10_000, 1_000_000)]
    assert quiet[1] == pytest.approx(100 * quiet[0])


def settling(quiet: float) -> AlertRule:
    return AlertRule(metrics=("f1",), quality=0.1, quiet=quiet, cooldown=3)


@pytest.mark.parametrize(("quiet", "most"), [(0.25, 5), (1, 5), (6, 1)])
def test_a_target_is_met_and_sees_smaller_drops_than_the_default(quiet: float, most: int) -> None:
    values, yearly = np.random.default_rng(0).normal(0.8, 0.02, size=12), 80
    usual = values.mean() - 3 * values.std()
    found, limits = target.chosen({"here": ("f1", values)}, settling(quiet), yearly)
    assert (found.windows, found.of) in target.CHOICES
    assert found.of <= most
    met, seen = simulation.simulated(values, limits["here"], 1, found, yearly)
    assert quiet - 0.1 <= met <= quiet
    before = {one.windows: one.likely for one in simulation.simulated(values, usual, 1, RULE, yearly)[1]}
    assert min(one.likely for one in seen if one.windows <= 6) < before[6]


def test_a_target_bounds_errors_from_above_and_counts_the_rest_of_a_long_year() -> None:
    values = np.random.default_rng(0).normal(10, 1, size=300)
    own = settling(2).model_copy(update={"windows": 2, "of": 3})
    limit = target.bound(values, -1, own, 9000)
    assert limit > values.mean()
    assert simulation.simulated(values, limit, -1, own, 9000)[0] == pytest.approx(2, abs=1)


def window(value: float | None, place: int, reference: bool, metric: str = "f1") -> Window:
    moments = (pd.Timestamp("2020-01-01", tz="UTC") + pd.Timedelta(days=place + part) for part in (0, 1))
    span = dict(zip(("begin", "end"), (moment.isoformat() for moment in moments), strict=True), rows=100)
    return series.window("estimated", metric, None, reference, span, value, (0.1, 0.99), 1)


def test_windows_get_the_bounds_of_a_target_and_the_rule_that_was_chosen() -> None:
    generator = np.random.default_rng(0)
    known = [window(value, place, True) for place, value in enumerate(generator.normal(0.8, 0.02, size=20))]
    rows = [window(value, 30 + place, False) for place, value in enumerate((0.8, 0.7, None))]
    other = window(0.5, 40, False, metric="recall")
    found, rule = target.followed([*known, *rows, other], settling(1))
    assert (rule.quiet, (rule.windows, rule.of) in target.CHOICES) == (None, True)
    assert AlertRule.model_validate_json(rule.model_dump_json()) == rule
    assert 0.7 < found[-2].low < 0.8 if found[-2].low else False
    assert [one.outside for one in found[20:]] == [False, True, False, False]
    assert found[-1] == other
    assert target.followed(known, RULE) == (known, RULE)
    few, kept = target.followed(known[:4], settling(1))
    assert (few, kept.quiet) == (known[:4], None)


def test_the_characteristic_is_that_of_the_target() -> None:
    frame = pd.concat([table("binary_classification", seed) for seed in (0, 2)], ignore_index=True)
    frame["chunk"], frame["time"] = np.arange(len(frame)) // 120, pd.date_range("2020", periods=len(frame), tz="UTC")
    found = characterised(frame, alert=settling(0.5)).operating
    assert all(0.3 <= one.quiet <= 0.5 and not one.never for one in found)


def test_the_characteristic_is_that_of_the_half_which_slices_leave(
    binary: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float | None] = []

    def spied(_: Any, __: Any, ___: Any, watching: Monitor, ____: Any) -> tuple[()]:
        asked.append(watching.alert.quiet)
        return ()

    monkeypatch.setattr(operating, "characteristic", spied)
    own = binary.settings.monitor.model_copy(update={"alert": settling(1)})
    test = pd.read_parquet(binary.build / "data/test.parquet")
    answers = Predictions(test["label"].to_numpy(), np.full((len(test), 2), 0.5))
    settings = binary.settings.model_copy(update={"monitor": own})
    watched.track(settings, test, test[["number", "colour"]], answers, [])
    assert asked == [0.5]


def characterised(frame: pd.DataFrame, **changes: Any) -> TrackRecord:
    found = operating.characteristic(frame, "binary_classification", CLASSES, watching(**changes), FEATURES)
    return TrackRecord(operating=found)


def test_a_metric_whose_bound_is_as_low_as_it_can_be_never_alerts_and_it_is_said() -> None:
    """Few positives: F1 is anything from 0 to 1 in a window."""
    frame = pd.concat([table("binary_classification", seed) for seed in (0, 2)], ignore_index=True)
    frame["chunk"] = np.arange(len(frame)) // 120
    frame["label"] = (np.arange(len(frame)) % 100 == 0).astype(int)
    frame["prediction"] = frame["label"].where(frame["chunk"] % 2 == 0, frame["label"].shift(1, fill_value=0))
    found = characterised(frame)
    assert {one.never for one in found.operating} == {"its bound is 0, and no value is lower"}
    (said,) = track.warnings(found)
    assert said.startswith("⚠️ Alerts on F1 can never come: its bound is 0, and no value is lower. What helps: larger")


def test_a_reference_without_variation_never_alerts() -> None:
    frame = table("binary_classification", 0).assign(label=[0, 1] * 300, prediction=[0, 1] * 300)
    assert "it does not vary" in track.warnings(characterised(frame))[0]


def test_a_monitor_that_would_always_alert_is_told() -> None:
    """Its values lie at the bound: half of the windows are outside."""
    frame = table("binary_classification", 0)
    calm = characterised(frame)
    assert not any(one.loud for one in calm.operating)
    values = np.random.default_rng(0).normal(0.8, 0.02, size=20)
    quiet, _ = simulation.simulated(values, 0.8, 1, RULE, 60)
    loud = calm.operating[0].model_copy(update={"quiet": quiet, "windows": 20})
    assert loud.loud
    said = track.warnings(TrackRecord(operating=(loud, *calm.operating[1:])))
    assert len(said) == 1
    assert "alerts on the estimated F1: it lies close to its bound although nothing changed" in said[0]
    few = TrackRecord(operating=(loud.model_copy(update={"windows": 6}),))
    assert "its bound comes from only 6 windows" in track.warnings(few)[0]


def test_a_year_has_as_many_windows_as_the_traffic_fills() -> None:
    frame = table("binary_classification", 0)  # 5 windows in 25 days
    assert {one.yearly for one in characterised(frame).operating} == {73}


def test_the_record_and_the_report_hold_it(trained: Trained) -> None:
    found = record.evaluation(trained.build / "evaluation.json").track
    assert found is not None
    assert [one.kind for one in found.operating] == ["estimated", "realised"]
    assert all(one.seen and 0 <= one.quiet < one.yearly for one in found.operating)
    text = (trained.build / "report.md").read_text()
    assert "| alerts on | bound | in a quiet year | drop within 200 rows |" in text
