"""Says which columns drifted and whether it mattered, and which values are wrong more often than before."""

from collections.abc import Mapping, Sequence

from lifecycle.documents import trends
from lifecycle.documents.summary import Kind, Summary, Window
from lifecycle.drawing.monitored import worse
from lifecycle.reporting.pages import Section, Table
from lifecycle.tasks import label

DRIFT = "Drift is for diagnosis and raises no alert: without any change, some column drifts in a third of the windows."
QUALITY = "Shares of rows: missing, unseen in training, out of range. The bound is the reference share plus a margin."
HEAD = ("column", "latest window", "upper bound", "windows out of bounds")
NAMED = 5


def drift(summary: Summary) -> Section:
    """Every column, and in how many of the windows that it drifted in the performance was out of bounds, too."""
    groups, (kind, metric, judged) = trends.of(summary, "drift"), _judge(summary)
    bad = [window for window in judged if window.outside]
    head = (*HEAD, f"of these with {kind} {label(metric)} out of bounds, too") if judged else HEAD
    rows = []
    for cells, outside in _rows(groups):
        both = sum(any(_together(one, other) for other in bad) for one in outside)
        rows.append((*cells, f"{both} of {len(outside)}" if outside else "") if judged else cells)
    return Section("Drift", [*_mattered(groups, kind, metric, judged), DRIFT], [Table(head, rows)] if rows else [])


def quality(summary: Summary) -> Section:
    """The measures that were out of bounds; one sentence if there are none."""
    found, measures = worse(summary), trends.of(summary, "quality")
    if not found:
        return Section("Data quality", [f"Nothing found: {len(measures)} measures stayed within their bounds."])
    rows = [cells for cells, _ in _rows(found)]
    others = len(measures) - len(found)
    return Section("Data quality", [QUALITY, f"{others} others stayed within their bounds."], [Table(HEAD, rows)])


def _rows(groups: Mapping[str, list[Window]]) -> list[tuple[tuple[str, ...], list[Window]]]:
    """Series with an upper bound, ordered by windows out of bounds, then by closeness to the bound."""
    found = []
    for name, windows in groups.items():
        own = trends.logged(windows)
        outside, last = [window for window in own if window.outside], own[-1]
        near = (last.value or 0) / (last.high or 1)
        value = "undefined" if last.value is None else f"{last.value:.4g}"
        bound = "" if last.high is None else f"{last.high:.4g}"
        found.append(((-len(outside), -near, name), (name, value, bound, f"{len(outside)} of {len(own)}"), outside))
    return [(cells, outside) for _, cells, outside in sorted(found, key=lambda one: one[0])]


def _judge(summary: Summary) -> tuple[Kind, str, list[Window]]:
    """The windows that say whether a drift mattered: by labels of a metric that alerts judge, or else estimated."""
    kinds: tuple[Kind, ...] = ("realised", "estimated")
    for kind in kinds:
        groups = trends.of(summary, kind)
        for metric in summary.rule.metrics:
            known = [window for window in trends.logged(groups.get(metric, ())) if window.value is not None]
            if own := [window for window in known if trends.bound(window) is not None]:
                return kind, metric, own
    return "estimated", summary.rule.metrics[0], []


def _together(one: Window, other: Window) -> bool:
    return one.begin <= other.end and other.begin <= one.end


def _mattered(groups: Mapping[str, list[Window]], kind: Kind, metric: str, judged: Sequence[Window]) -> list[str]:
    """What drifted in the latest window, and what became of the performance in it."""
    last = {name: windows[-1] for name, windows in groups.items() if not windows[-1].reference}
    far = {name: (window.value or 0) / (window.high or 1) for name, window in last.items() if window.outside}
    names = sorted(far, key=lambda name: -far[name])
    if not names:
        return ["Nothing drifted in the latest window."] if last else []
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    said = f"Drifted in the latest window: {', '.join(names[:NAMED])}{more}."
    met = [window for window in judged if _together(window, last[names[0]])]
    if not met:
        return [f"{said} Whether it mattered is not known: that window has no performance with bounds."]
    if any(window.outside for window in met):
        return [f"{said} It mattered: the {kind} {label(metric)} of that window is out of bounds."]
    return [f"{said} It has not mattered yet: the {kind} {label(metric)} of that window is within its bounds."]
