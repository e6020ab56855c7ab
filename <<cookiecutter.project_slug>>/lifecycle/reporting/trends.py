"""Draws the monitor's measurements over time, as interactive plots for its page and Mermaid charts for an issue."""

import html
from collections.abc import Callable, Iterable, Sequence

import plotly.graph_objects as go

from lifecycle.documents.summary import Alert, Kind, Summary, Window
from lifecycle.documents.track import SHARES, Operating
from lifecycle.reporting import charts
from lifecycle.tasks import label as shown
from lifecycle.tasks import sign

COLOURS = {"estimated": "#1f6feb", "realised": "#1a7f37"}
DASHES = ("dot", "dash", "dashdot", "solid")  # the longer the time, the fuller the line
RED, GREY = "#cf222e", "#8c959f"


def series(summary: Summary, kind: Kind) -> dict[str, list[Window]]:
    """The windows of each metric or column of a kind, ordered by time, reference windows first."""
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


def sliced(summary: Summary) -> dict[tuple[str, str, str, str], list[Window]]:
    """The windows of each slice, part, kind and metric, reference windows first."""
    found: dict[tuple[str, str, str, str], list[Window]] = {}
    for one in summary.slices:
        for window in one.windows:
            found.setdefault((one.slice, one.part, window.kind, window.metric), []).append(window)
    return found


def usual(windows: Sequence[Window]) -> float | None:
    """The mean of the reference's windows."""
    known = [window.value for window in windows if window.reference and window.value is not None]
    return sum(known) / len(known) if known else None


def _way(windows: Sequence[Window], window: Window) -> float | None:
    """How far a value is from the reference's mean to its bound; None without a bound."""
    bound, middle = window.low if sign(window.metric) > 0 else window.high, usual(windows)
    if bound is None or middle is None or window.value is None or bound == middle:
        return None
    return (window.value - middle) / (bound - middle)


def _begin(windows: Iterable[Window]) -> str | None:
    return min((window.begin for window in windows if not window.reference), default=None)


def performance(metric: str, groups: dict[str, list[Window]]) -> go.Figure:
    """Estimated and realised values of one metric, with their bounds; windows out of bounds are marked."""
    figure = go.Figure()
    for kind, windows in groups.items():
        line = {"color": COLOURS[kind]}
        ends, values = [window.end for window in windows], [window.value for window in windows]
        figure.add_scatter(x=ends, y=values, name=kind, mode="lines+markers", line=line)
        for bound in ("low", "high"):
            heights = [getattr(window, bound) for window in windows]
            dotted = {**line, "dash": "dot", "width": 1}
            figure.add_scatter(x=ends, y=heights, mode="lines", line=dotted, showlegend=False, hoverinfo="skip")
        odd = [window for window in windows if window.unlike]
        if odd:
            figure.add_scatter(
                x=[window.end for window in odd],
                y=[window.value for window in odd],
                name=f"{kind}, labels unlike the rows",
                mode="markers",
                marker={"color": GREY, "size": 13, "symbol": "x-thin-open"},
            )
        outside = [window for window in windows if window.outside and not window.reference]
        figure.add_scatter(
            x=[window.end for window in outside],
            y=[window.value for window in outside],
            name=f"{kind}, out of bounds",
            mode="markers",
            marker={"color": RED, "size": 11, "symbol": "diamond" if kind == "estimated" else "circle-open"},
        )
    if begin := _begin(window for windows in groups.values() for window in windows):
        figure.add_vline(x=begin, line={"dash": "dash", "color": GREY})
    return figure.update_layout(
        title=f"{shown(metric)} (test rows left of the line)", legend={"orientation": "h", "y": -0.2}
    )


def _share(_: Sequence[Window], window: Window) -> float | None:
    """A value as a share of its upper bound."""
    return None if window.value is None else window.value / (window.high or 1)


def heat(
    title: str,
    groups: dict[str, list[Window]],
    part: Callable[[Sequence[Window], Window], float | None] = _share,
    scale: str = "value / bound",
) -> go.Figure:
    """One row of windows per series, as a part of the way to its bound: 1 is at the bound, beyond is darker."""
    ends = sorted({window.end for windows in groups.values() for window in windows if not window.reference})
    found = [
        (window.end, html.escape(label), window.value, near)
        for label, windows in groups.items()
        for window in windows
        if not window.reference and window.value is not None and (near := part(windows, window)) is not None
    ]
    figure = go.Figure(
        go.Scatter(
            x=[end for end, *_ in found],
            y=[label for _, label, *_ in found],
            text=[f"{value:.4g}" for *_, value, _ in found],
            hovertemplate="%{y}<br>until %{x}<br>%{text}<extra></extra>",
            mode="markers",
            marker={
                "symbol": "square",
                "size": max(6, min(20, 700 / max(len(ends), 1))),
                "color": [share for *_, share in found],
                "colorscale": [[0, "#f6f8fa"], [0.5, "#f6d5a8"], [1, RED]],
                "cmin": 0,
                "cmax": 2,
                "line": {"color": "#d1d9e0", "width": 1},
                "colorbar": {"title": {"text": scale, "side": "right"}},
            },
        )
    )
    labels = [html.escape(label) for label in groups]
    figure.update_yaxes(autorange="reversed", type="category", categoryorder="array", categoryarray=labels)
    return figure.update_layout(title=title, height=160 + 22 * len(groups))


def lines(title: str, groups: dict[str, list[Window]]) -> go.Figure:
    """Each series as a line."""
    figure = go.Figure()
    for label, windows in groups.items():
        ends, values = [window.end for window in windows], [window.value for window in windows]
        figure.add_scatter(x=ends, y=values, name=html.escape(label), mode="lines+markers")
    if begin := _begin(window for windows in groups.values() for window in windows):
        figure.add_vline(x=begin, line={"dash": "dash", "color": GREY})
    return figure.update_layout(title=title, showlegend=True, legend={"orientation": "h", "y": -0.2})


def characteristics(operating: Sequence[Operating]) -> list[go.Figure]:
    """For each metric, how often a drop of a size is seen within so many rows."""
    figures: dict[str, go.Figure] = {}
    for one in operating:
        rises = "fall" if sign(one.metric) > 0 else "rise"
        figure = figures.setdefault(one.metric, go.Figure())
        figure.update_layout(title=f"How often a {rises} of {shown(one.metric)} is seen, by simulation", height=460)
        figure.update_xaxes(title=f"{rises} of {shown(one.metric)}", rangemode="tozero")
        figure.update_yaxes(title="seen in so many of 100 cases", range=[0, 100])
        figure.update_layout(legend={"orientation": "h", "y": -0.3})
        for place, seen in enumerate(part for part in one.seen if part.drops):
            figure.add_scatter(
                x=seen.drops,
                y=[100 * share for share in SHARES],
                name=f"{one.kind}, within {seen.windows * one.rows:,} rows",
                mode="lines",
                line={"color": COLOURS[one.kind], "dash": DASHES[place % len(DASHES)]},
            )
    return [figure for figure in figures.values() if figure.data]


def plots(summary: Summary) -> dict[str, list[go.Figure]]:
    """The plots of each section of the page."""
    kinds: tuple[Kind, ...] = ("estimated", "realised")
    groups = {kind: series(summary, kind) for kind in kinds}
    found = {
        "Performance": [
            performance(metric, {kind: groups[kind][metric] for kind in kinds if metric in groups[kind]})
            for metric in groups["estimated"]
        ]
    }
    bounded = {
        f"{kind} {shown(metric)}, {column} {part}": windows
        for (column, part, kind, metric), windows in sliced(summary).items()
        if any(_way(windows, window) is not None for window in windows if not window.reference)
    }
    if bounded:
        scale = "0: reference, 1: bound"
        found["Slices"] = [heat("Way from the reference's mean to the bound", bounded, _way, scale)]
    if outputs := series(summary, "output"):
        found["Outputs"] = [lines("Mean output of each window", outputs)]
    if drift := series(summary, "drift"):
        found["Drift"] = [heat("Drift relative to its bound", drift)]
    if quality := series(summary, "quality"):
        found["Data quality"] = [heat("Share of wrong values relative to its bound", quality)]
    return found


def chart(metric: str, kind: str, windows: Sequence[Window]) -> str:
    """The last windows of a metric as bars, with its worse bound as a line; nothing if no window has both."""
    side = "low" if sign(metric) > 0 else "high"
    last = [window for window in windows if window.value is not None and getattr(window, side) is not None]
    last = last[-charts.LABELS :]
    if not last:
        return ""
    title = f"{shown(metric)}, {kind} (line: {'lower' if side == 'low' else 'upper'} bound)"
    labels, values = [window.end[:10] for window in last], [window.value or 0.0 for window in last]
    return charts.xychart(
        title, labels, values, [[getattr(window, side) for window in last]], axis=shown(metric), zero=False
    )
