"""Raises an alert when a series of windows is outside of its bounds too often, and not again before a cooldown."""

from collections.abc import Iterable, Sequence

from lifecycle.config import AlertRule
from lifecycle.documents.summary import Alert, Window


def raised(outside: Sequence[bool], rule: AlertRule) -> list[int]:
    """The windows at which the rule raises an alert: k of the last n are outside, and the last alert is older than
    the cooldown."""
    found: list[int] = []
    for index in range(len(outside)):
        count = sum(outside[max(0, index + 1 - rule.of) : index + 1])
        if count >= rule.windows and (not found or index - found[-1] > rule.cooldown):
            found.append(index)
    return found


def judge(found: Iterable[Window], rule: AlertRule) -> list[Alert]:
    """Each series that can raise an alert: the rule's metrics, estimated and realised, and each column's quality.

    Drift raises none: with no change at all, one of seven features lies outside in a third of the windows.
    """
    series: dict[tuple[str, str, str | None], list[Window]] = {}
    for window in found:
        performance = window.kind in ("estimated", "realised") and window.metric in rule.metrics
        if not window.reference and (performance or window.kind == "quality"):
            series.setdefault((window.kind, window.metric, window.column), []).append(window)
    told = []
    for windows in series.values():
        outside = [window.outside for window in windows]
        events, count = raised(outside, rule), sum(outside[-rule.of :])
        told.append(
            Alert(
                kind=windows[0].kind,
                metric=windows[0].metric,
                column=windows[0].column,
                windows=count,
                holds=count >= rule.windows,
                raised=windows[events[-1]].end if events else None,
            )
        )
    return told
