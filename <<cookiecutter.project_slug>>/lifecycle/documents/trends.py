"""Puts the windows of a monitor's summary into series, in the order of time, and names them."""

from collections.abc import Iterable, Sequence

from lifecycle.documents.summary import Alert, Kind, Summary, Window
from lifecycle.tasks import label, sign


def of(summary: Summary, kind: Kind) -> dict[str, list[Window]]:
    """The windows of each metric or column of a kind, reference windows first."""
    found: dict[str, list[Window]] = {}
    for window in summary.windows:
        if window.kind == kind:
            found.setdefault(name(window), []).append(window)
    return found


def name(window: Window | Alert) -> str:
    """A series' name: a metric of all rows or of a slice, a column, or a measure of a column."""
    if window.kind == "quality":
        return f"{window.column}: {window.metric.replace('_', ' ')}"
    if isinstance(window, Alert) and window.slice is not None:
        return f"{window.metric} of {window.slice} {window.part}"
    return window.column or ("all features" if window.kind == "drift" else window.metric)


def shown(entry: Window | Alert) -> str:
    """A series' name for people."""
    return label(name(entry)) if entry.kind in ("estimated", "realised") else name(entry)


def sliced(summary: Summary) -> dict[tuple[str, str, str, str], list[Window]]:
    """The windows of each slice, part, kind and metric, reference windows first."""
    found: dict[tuple[str, str, str, str], list[Window]] = {}
    for one in summary.slices:
        for window in one.windows:
            found.setdefault((one.slice, one.part, window.kind, window.metric), []).append(window)
    return found


def logged(windows: Iterable[Window]) -> list[Window]:
    """Those of the log, without the reference."""
    return [window for window in windows if not window.reference]


def usual(windows: Sequence[Window]) -> float | None:
    """The mean of the reference's windows."""
    known = [window.value for window in windows if window.reference and window.value is not None]
    return sum(known) / len(known) if known else None


def bound(window: Window) -> float | None:
    """The worse bound of a performance, beyond which a window counts."""
    return window.low if sign(window.metric) > 0 else window.high
