"""Raises an alert when too many recent windows of a series are out of bounds, then pauses for a cooldown."""

from collections.abc import Iterable, Sequence

from lifecycle.config import AlertRule
from lifecycle.documents.summary import Alert, Sliced, Window


def raised(outside: Sequence[bool], rule: AlertRule) -> list[int]:
    """The indices of windows that raise an alert: `windows` of the last `of` are out of bounds, after the cooldown."""
    found: list[int] = []
    for index in range(len(outside)):
        count = sum(outside[max(0, index + 1 - rule.of) : index + 1])
        if count >= rule.windows and (not found or index - found[-1] > rule.cooldown):
            found.append(index)
    return found


def judge(measured: Iterable[Window], rule: AlertRule) -> list[Alert]:
    """The alert of each series that can raise one: the rule's metrics, estimated and realised, and data quality.

    Drift raises none: with no change at all, one of seven features is out of bounds in a third of the windows.
    """
    series: dict[tuple[str, str, str | None], list[Window]] = {}
    for window in measured:
        performance = window.kind in ("estimated", "realised") and window.metric in rule.metrics
        if not window.reference and (performance or window.kind == "quality"):
            series.setdefault((window.kind, window.metric, window.column), []).append(window)
    found = []
    for windows in series.values():
        outside = [window.outside for window in windows]
        events, count = raised(outside, rule), sum(outside[-rule.of :])
        found.append(
            Alert(
                kind=windows[0].kind,
                metric=windows[0].metric,
                column=windows[0].column,
                windows=count,
                holds=count >= rule.windows,
                raised=windows[events[-1]].end if events else None,
                since=windows[max(0, events[-1] - rule.cooldown)].end if events else None,
            )
        )
    return found


def judged(sliced: Iterable[Sliced], rule: AlertRule) -> list[Alert]:
    """The alert of each metric of each part of a slice."""
    return [
        alert.model_copy(update={"slice": one.slice, "part": one.part})
        for one in sliced
        for alert in judge(one.windows, rule)
    ]
