"""Draws the estimated and realised performance of each window with its bounds, and marks alerts on the time axis."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from lifecycle.config import AlertRule
from lifecycle.documents import trends
from lifecycle.documents.summary import Window
from lifecycle.monitoring import alerts
from lifecycle.tasks import label, sign, unit

# Who cannot tell the colours has the shapes.
LINES: dict[str, dict[str, Any]] = {
    "estimated": {"line": {"color": "#1f6feb"}, "marker": {"symbol": "circle"}},
    "realised": {"line": {"color": "#1a7f37", "dash": "dash"}, "marker": {"symbol": "square"}},
}
OUTSIDE = {"estimated": "diamond", "realised": "diamond-open"}
ALERT = {"estimated": "triangle-up", "realised": "triangle-up-open"}
BAND, RED, GREY = "rgba(31, 111, 235, 0.18)", "#cf222e", "#8c959f"
NORMAL = 1.96  # standard errors on either side, for 95 of 100
TIME = "end of the window (UTC)"
LEGEND = {"orientation": "h", "yref": "container", "y": 0.01, "yanchor": "bottom", "x": 0, "traceorder": "normal"}


def drawn(metric: str, groups: Mapping[str, list[Window]], rule: AlertRule) -> go.Figure:
    """One metric; `groups` has the windows of the estimate and those with labels, where there are any."""
    figure, judged = go.Figure(), metric in rule.metrics
    for kind, windows in groups.items():
        _errors(figure, kind, windows)
    for kind, windows in groups.items():
        _line(figure, kind, windows)
    for name, windows in _bounds(metric, groups, judged):
        bound = {"color": RED, "dash": "dot", "width": 1.5}
        heights = [trends.bound(window) for window in windows]
        figure.add_scatter(x=_ends(windows), y=heights, name=name, mode="lines", line=bound, hoverinfo="skip")
    low, high = _reach(figure)
    for kind, windows in groups.items() if judged else ():
        own = trends.logged(windows)
        events = [own[place] for place in alerts.raised([window.outside for window in own], rule)]
        _marks(figure, events, f"alert on the {kind} {label(metric)}", ALERT[kind], RED, 15, low + 0.04 * (high - low))
    if begin := min((one.begin for windows in groups.values() for one in trends.logged(windows)), default=None):
        begun(figure, begin, low, high)
    figure.update_xaxes(title=TIME).update_yaxes(title=f"{label(metric)} ({unit(metric)})", range=[low, high])
    title = f"{label(metric)}: {' and '.join(groups)}"
    return figure.update_layout(title=title, legend=LEGEND, height=460, showlegend=True)


def begun(figure: go.Figure, begin: str, low: float, high: float) -> None:
    """A line between the test rows and the log."""
    line = {"color": GREY, "dash": "dash"}
    name = "left of it: the test rows; right: the log"
    figure.add_scatter(x=[begin, begin], y=[low, high], name=name, mode="lines", line=line, hoverinfo="skip")


def _ends(windows: Sequence[Window]) -> list[str]:
    return [window.end for window in windows]


def _errors(figure: go.Figure, kind: str, windows: Sequence[Window]) -> None:
    """The estimate's sampling error as a band."""
    known = [window for window in windows if window.value is not None and window.error is not None]
    if kind != "estimated" or not known:
        return
    named = {"name": "sampling error of the estimate (95 %)", "fill": "tonexty", "fillcolor": BAND}
    for way, shown in ((-NORMAL, {"showlegend": False}), (NORMAL, named)):
        heights = [(one.value or 0) + way * (one.error or 0) for one in known]
        figure.add_scatter(x=_ends(known), y=heights, mode="lines", line={"width": 0}, hoverinfo="skip", **shown)


def _line(figure: go.Figure, kind: str, windows: Sequence[Window]) -> None:
    values = [window.value for window in windows]
    figure.add_scatter(x=_ends(windows), y=values, name=kind, mode="lines+markers", **LINES[kind])
    odd = [window for window in windows if window.unlike]
    _marks(figure, odd, f"{kind}, labels unlike the rows", "x-thin-open", GREY, 13)
    outside = [window for window in trends.logged(windows) if window.outside]
    _marks(figure, outside, f"{kind}, out of bounds", OUTSIDE[kind], RED, 11)


def _marks(
    figure: go.Figure, at: Sequence[Window], name: str, symbol: str, colour: str, size: int, height: float | None = None
) -> None:
    """Windows that are marked at their values, or all at one height; nothing without any."""
    if at:
        heights = [window.value if height is None else height for window in at]
        marker = {"color": colour, "size": size, "symbol": symbol, "line": {"width": 2, "color": colour}}
        figure.add_scatter(x=_ends(at), y=heights, name=name, mode="markers", marker=marker, cliponaxis=False)


def _bounds(metric: str, groups: Mapping[str, list[Window]], judged: bool) -> Iterator[tuple[str, list[Window]]]:
    """The bounds by name; one where those of the estimate and of the realised values are the same."""
    side = "lower" if sign(metric) > 0 else "upper"
    said = f"{side} bound of the alert" if judged else f"{side} bound, which raises no alert"
    bounded = {kind: [one for one in windows if trends.bound(one) is not None] for kind, windows in groups.items()}
    bounded = {kind: windows for kind, windows in bounded.items() if windows}
    same = len({f"{trends.bound(one):.4g}" for windows in bounded.values() for one in windows}) == 1
    for kind, windows in bounded.items():
        yield (said if same else f"{said}, {kind}"), windows
        if same:
            return


def _reach(figure: go.Figure) -> tuple[float, float]:
    """The axis: a little more than all that is drawn."""
    heights = [height for trace in figure.data for height in trace.y if height is not None]
    low, high = min(heights, default=0.0), max(heights, default=1.0)
    pad = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
    return low - pad, high + pad
