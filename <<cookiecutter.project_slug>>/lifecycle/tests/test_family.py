"""Performance by slice: a group that suffers alone, and how many false alerts many groups raise."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tiny import Trained, settings

from lifecycle.config import AlertRule, Config, Slice
from lifecycle.documents.summary import Sliced
from lifecycle.estimation import own, series, simulation, target
from lifecycle.monitoring import alerts, family, slices
from lifecycle.tasks import Task

SIZE, CLASSES, METRICS = 2000, ("no", "yes"), ("accuracy",)
GROUPS = {"large": 0.8, "middle": 0.13, "small": 0.07}
RULE = AlertRule(metrics=METRICS, quality=0.1, windows=2, of=3, cooldown=3)
type Frames = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]


def rows(windows: int, sharp: Mapping[str, float] | None = None, seed: int = 0) -> pd.DataFrame:
    """Answered rows of three groups in windows; scores are sharp, or as sharp as is said of a group."""
    generator, count = np.random.default_rng(seed), windows * SIZE
    group = generator.choice(list(GROUPS), count, p=list(GROUPS.values()))
    scale = np.array([(sharp or {}).get(name, 4.0) for name in group])
    score = 1 / (1 + np.exp(-scale * generator.normal(size=count)))
    return pd.DataFrame(
        {
            "group": group,
            "size": np.where(group == "large", 2.0, 1.0),
            "probability_yes": score,
            "prediction": (score > 0.5).astype(int),
            "label": (generator.random(count) < score).astype(int),
            "chunk": np.arange(count) // SIZE,
            "time": pd.date_range("2020-01-01", periods=count, freq="min", tz="UTC"),
        }
    )


@pytest.fixture
def tiny(binary: Trained) -> Config:
    """Settings that judge accuracy by group."""
    document = {**binary.document, "evaluate": {**binary.document["evaluate"], "slices": [{"column": "group"}]}}
    document["monitor"] = {**document["monitor"], "metrics": ["accuracy"]}
    document["monitor"]["alert"] = {**document["monitor"]["alert"], "metrics": ["accuracy"]}
    return settings(document)


def watched(given: Config, frames: Frames, rule: AlertRule = RULE) -> tuple[dict[str, Sliced], list[str]]:
    known, asked, told = frames
    own = family.Watched(given, known, CLASSES, ["size"])
    for _, window in asked.groupby("chunk"):
        own.add(window)
    found, said = own.found(told, rule)
    return {one.part: one for one in found}, said


def test_a_group_that_suffers_alone_is_seen_while_the_whole_is_quiet(tiny: Config) -> None:
    known, asked = rows(16), rows(4, {"small": 1.0}, seed=1)
    about: tuple[Task, tuple[str, ...], tuple[str, ...]] = ("binary_classification", CLASSES, METRICS)
    whole = own.estimated(known, *about, ["size"])(asked) + own.realised(known, *about)(asked)
    assert [one.raised for one in alerts.judge(whole, RULE)] == [None, None]
    found, said = watched(tiny, (known, asked, asked))
    held = {(one.slice, one.part, one.kind) for one in alerts.judged(found.values(), RULE) if one.holds}
    assert held == {("group", "small", "estimated"), ("group", "small", "realised")}
    last = found["small"].windows[-1]
    assert last.rows == (asked[asked["chunk"] == 3]["group"] == "small").sum()
    assert last.error is not None
    assert said == []


def sliced(values: Any, parts: int) -> list[Sliced]:
    """The reference of so many parts (parts, windows), and a window of each to be bounded."""
    found = []
    for part in range(parts):
        windows = []
        for place, value in enumerate([*values[part], 0.5]):
            moment = f"2020-01-{place + 1:02}"
            span = {"begin": moment, "end": moment, "rows": 100}
            usual = place < values.shape[1]
            windows.append(series.window("estimated", "accuracy", None, usual, span, value, (None, None), 1))
        found.append(Sliced(slice="group", part=str(part), windows=tuple(windows)))
    return found


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("quiet", [None, 1])
def test_many_parts_raise_no_more_false_alerts_than_all_rows_do(quiet: float | None, together: bool) -> None:
    """Of 1,000 references of twelve windows and a quiet year from their source, whether parts move alone or as one."""
    generator, parts, windows, many = np.random.default_rng(0), 10, 12, target.COUNTED
    asked = AlertRule(metrics=METRICS, quality=0.1, cooldown=3, quiet=quiet)
    rule = target.shared(asked, ["group"])
    moves = generator.normal(0.8, 0.02, size=(1000, 1 if together else parts, windows + many))
    values = np.broadcast_to(moves, (1000, parts, windows + many))
    usual, new = values[:, :, :windows], values[:, :, windows:]
    limited, _ = family.bounded(sliced(usual[0], parts), rule, windows, many)
    lows = np.array([one.windows[-1].low for one in limited])
    reach = (usual[0].mean(axis=1) - lows) / usual[0].std(axis=1, ddof=1)
    assert reach == pytest.approx(reach[0])
    outside = new < (usual.mean(axis=2) - reach[0] * usual.std(axis=2, ddof=1))[:, :, None]
    came = simulation.alerts(outside.reshape(-1, many), rule).sum() / 1000
    whole = simulation.alerts(values[:, 0, windows:] < wide(usual[:, 0])[:, None], rule).mean()
    assert 0.2 < came / (whole if quiet is None else quiet / 2) < 1.1, "neither more than all rows, nor mute"


def wide(usual: Any) -> Any:
    """The bound of all rows where no target sets one."""
    return usual.mean(axis=1) - series.DEVIATIONS * usual.std(axis=1)


def test_a_target_is_shared_by_all_rows_and_slices() -> None:
    asked = AlertRule(metrics=METRICS, quality=0.1, cooldown=3, quiet=1)
    assert target.shared(asked, ["group"]).quiet == 0.5
    assert target.shared(asked, []) == asked
    assert target.shared(RULE, ["group"]) == RULE


def test_a_window_with_fewer_rows_has_a_wider_bound() -> None:
    (one,) = sliced(np.random.default_rng(0).normal(0.8, 0.02, size=(1, 12)), 1)
    thin = one.model_copy(update={"windows": (*one.windows, one.windows[-1].model_copy(update={"rows": 25}))})
    (found,), _ = family.bounded([thin], RULE, 12, target.COUNTED)
    middle = np.mean([window.value or 0 for window in one.windows[:-1]])
    usual, wider = (window.low or 0 for window in found.windows[-2:])
    assert middle - wider == pytest.approx(2 * (middle - usual))


def test_windows_with_too_few_rows_of_a_part_do_not_count_and_are_told(tiny: Config) -> None:
    known, asked = rows(6), rows(4, seed=1)
    first = (asked["group"] == "small") & (asked["chunk"] == 0)
    few = asked[~first | (first.cumsum() <= 99)]
    found, said = watched(tiny, (known, few, few.head(0)))
    assert len([one for one in found["small"].windows if not one.reference]) == 3
    assert len([one for one in found["large"].windows if not one.reference]) == 4
    assert said == ["Parts of the slice group with fewer than 100 rows in a window do not count: small in 1 of 4."]
    rare = known[(known["group"] != "small") | (known["chunk"] > 1)]
    _, said = watched(tiny, (rare, asked, asked.head(0)))
    assert said == [
        "Of the slice group these raise no alert, as too few windows of the reference have 100 of their rows, as "
        "nothing varies in them, or as their bound is 0: small."
    ]


def test_a_part_that_the_reference_lacks_is_told_and_names_from_data_stay_short(tiny: Config) -> None:
    known, asked = rows(6), rows(2, seed=1)
    odd = ["new\n" + "x" * 100, *map(str, range(11))]
    asked.loc[asked.index[:12], "group"] = odd
    _, (said,) = watched(tiny, (known, asked, asked.head(0)))
    assert said.startswith("12 rows are in no part of the slice group that the reference has: ")
    assert said.endswith(" and 2 more.")
    assert "\n" not in said
    assert "x" * 40 not in said


def test_a_slice_that_the_log_does_not_show_is_told(tiny: Config) -> None:
    known, asked = (frame.drop(columns="group") for frame in (rows(6), rows(2, seed=1)))
    found, (said,) = watched(tiny, (known, asked, asked))
    assert found == {}
    assert said.startswith("The slice group is not measured: it is no feature that the log shows")
    cut = tiny.evaluate.model_copy(update={"slices": (Slice(column="group", cuts=(1,)),)})
    _, (said,) = watched(tiny.model_copy(update={"evaluate": cut}), (rows(6), rows(2), rows(2)))
    assert said == "The slice group is not measured: it has cuts, and the column holds no numbers."


def test_numbers_are_parts_however_wide_they_are_and_at_their_cuts(tiny: Config) -> None:
    known, asked = rows(6), rows(2, seed=1)
    known["size"] = known["size"].astype("float32") / 3
    asked["size"] /= 3
    for given, names in ((Slice(column="size"), {"0.333333", "0.666667"}), (Slice(column="size", cuts=(0.5,)), None)):
        own_settings = tiny.evaluate.model_copy(update={"slices": (given,)})
        found, said = watched(tiny.model_copy(update={"evaluate": own_settings}), (known, asked, asked.head(0)))
        assert (set(found), said) == (names or {"up to 0.5", "over 0.5"}, [])


def test_one_class_in_the_windows_of_a_part_is_told(tiny: Config) -> None:
    alert = tiny.monitor.alert.model_copy(update={"metrics": ("f1",)})
    given = tiny.model_copy(update={"monitor": tiny.monitor.model_copy(update={"alert": alert})})
    known, asked = rows(6), rows(2, seed=1)
    asked.loc[asked["group"] == "small", ["label", "prediction"]] = 1
    _, said = watched(given, (known, asked, asked))
    assert (
        "The realised F1 of the slice group is undefined in windows whose rows have only one class: small in 2." in said
    )


def test_of_very_many_parts_the_largest_are_measured(tiny: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "MOST", 2)
    found, (said,) = watched(tiny, (rows(6), rows(2, seed=1), rows(0)))
    assert set(found) == {"large", "middle"}
    assert said == "Of the 3 parts of the slice group the 2 with the most rows are measured."
