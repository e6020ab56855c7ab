import itertools
from typing import Any

import pytest

from lifecycle import config
from lifecycle.documents.summary import Window
from lifecycle.monitoring import alerts

RULE = config.AlertRule(metrics=("f1",), quality=0.05, windows=2, of=3, cooldown=3)


def window(outside: bool, end: int = 0, **changes: Any) -> Window:
    given: dict[str, Any] = {"kind": "estimated", "metric": "f1", "column": None, "reference": False} | changes
    given |= {"begin": "2020-01-01", "end": f"2020-01-{end + 2:02}", "rows": 100, "outside": outside}
    return Window(value=0.5, low=0.6, high=0.9, **given)


@pytest.mark.parametrize(
    ("pattern", "raised"),
    [
        ("", []),
        ("x", []),
        ("xx", [1]),
        ("x.x", [2]),
        ("x..x", []),
        ("...", []),
        ("xx......xx", [1, 9]),
        ("xxxx", [1]),
        ("xxxxx", [1]),
        ("xxxxxx", [1, 5]),
        ("xxxxxxxxxx", [1, 5, 9]),
    ],
)
def test_an_alert_needs_so_many_of_the_last_windows_and_a_cooldown(pattern: str, raised: list[int]) -> None:
    assert alerts.raised([sign == "x" for sign in pattern], RULE) == raised


def test_without_a_cooldown_every_window_may_raise_one() -> None:
    assert alerts.raised([True] * 4, RULE.model_copy(update={"cooldown": 0})) == [1, 2, 3]


def test_an_alert_that_is_over_no_longer_holds_and_is_remembered() -> None:
    (told,) = alerts.judge([window(sign == "x", end) for end, sign in enumerate("xx..")], RULE)
    assert (told.holds, told.windows, told.raised) == (False, 1, "2020-01-03")


def test_what_was_raised_stays_the_same_while_nothing_is_new() -> None:
    """The job runs more often than windows end; who tells people does so when `raised` changes."""
    series = [window(True, end) for end in range(6)]
    told = [alerts.judge(series[:count], RULE)[0].raised for count in range(1, 7)]
    assert told == [None, "2020-01-03", "2020-01-03", "2020-01-03", "2020-01-03", "2020-01-07"]


@pytest.mark.parametrize("shift", [0, 1])
def test_an_alert_that_lasts_is_the_same_for_a_cooldown_however_the_log_is_cut(shift: int) -> None:
    """As the oldest rows are no longer read, windows begin elsewhere, and with them the alert's."""
    told = None
    new = []
    for night in range(12):
        series = [window(True, end) for end in range(shift * night, 10 + night)]
        (alert,) = alerts.judge(series, RULE)
        assert alert.raised
        assert alert.since
        if told is None or told < alert.since:
            told = alert.raised
            new.append(night)
    assert all(after - before >= RULE.cooldown for before, after in itertools.pairwise(new))


def test_an_alert_after_a_cooldown_is_another() -> None:
    first, second = (
        alerts.judge([window(sign == "x", end) for end, sign in enumerate(signs)], RULE)[0]
        for signs in ("xx", "xx...xx")
    )
    assert str(second.since) > str(first.raised)


def test_reference_windows_drift_outputs_and_other_metrics_raise_none() -> None:
    assert alerts.judge([window(True, reference=True)] * 3, RULE) == []
    assert alerts.judge([window(True, metric="roc_auc")] * 3, RULE) == []
    assert alerts.judge([window(True, kind="drift", column="x")] * 3, RULE) == []
    assert alerts.judge([window(True, kind="output", column="x")] * 3, RULE) == []


def test_estimated_realised_and_each_columns_quality_are_judged_apart() -> None:
    kinds: list[dict[str, Any]] = [
        {},
        {"kind": "realised"},
        {"kind": "quality", "metric": "missing", "column": "a"},
        {"kind": "quality", "metric": "missing", "column": "b"},
        {"kind": "quality", "metric": "unseen", "column": "b"},
    ]
    told = alerts.judge([window(True, **kind) for kind in kinds], RULE)
    assert [entry.windows for entry in told] == [1] * 5
    assert not any(entry.holds for entry in told)
