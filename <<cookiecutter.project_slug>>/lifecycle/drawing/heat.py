"""Draws many series as rows of windows: how far each is on the way to its bound."""

import html
from collections.abc import Callable, Mapping, Sequence

import plotly.graph_objects as go

from lifecycle.documents import trends
from lifecycle.documents.summary import Window
from lifecycle.drawing.performance import LEGEND, RED, TIME

SYMBOLS = {"within its bound": "square", "out of bounds": "square-x"}
# Above the rows, where it takes no width.
BAR = {"orientation": "h", "x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom", "thickness": 10}
BAR |= {"tickvals": [0, 1, 2], "tickangle": 0}
SCALE = [[0, "#f6f8fa"], [0.5, "#f6d5a8"], [1, RED]]


def share(_: Sequence[Window], window: Window) -> float | None:
    """A value as a share of its upper bound."""
    return None if window.value is None else window.value / (window.high or 1)


def way(windows: Sequence[Window], window: Window) -> float | None:
    """How far a value is from the reference's mean to its bound; None without a bound."""
    bound, middle = trends.bound(window), trends.usual(windows)
    if bound is None or middle is None or window.value is None or bound == middle:
        return None
    return (window.value - middle) / (bound - middle)


def _label(name: str) -> str:
    """A series' name in two lines where it is long, which leaves the windows room on a phone."""
    return html.escape(name).replace(", ", ",<br>", 1)


def drawn(
    title: str,
    rows: str,
    groups: Mapping[str, list[Window]],
    part: Callable[[Sequence[Window], Window], float | None] = share,
    scale: str = "value / bound",
) -> go.Figure:
    """One row of windows per series, whose kind `rows` names; a window out of bounds is crossed."""
    figure, names = go.Figure(), [_label(name) for name in groups]
    ends = {window.end for windows in groups.values() for window in trends.logged(windows)}
    for place, (state, symbol) in enumerate(SYMBOLS.items()):
        found = [
            (window.end, _label(name), window.value, near)
            for name, windows in groups.items()
            for window in trends.logged(windows)
            if window.outside == bool(place)
            and window.value is not None
            and (near := part(windows, window)) is not None
        ]
        if not found:
            continue
        figure.add_scatter(
            x=[end for end, *_ in found],
            y=[name for _, name, *_ in found],
            text=[f"{value:.4g}" for *_, value, _ in found],
            name=state,
            hovertemplate="%{y}<br>until %{x}<br>%{text}<extra></extra>",
            mode="markers",
            marker={
                "symbol": symbol,
                "size": max(6, min(20, 700 / max(len(ends), 1))),
                "color": [near for *_, near in found],
                "colorscale": SCALE,
                "cmin": 0,
                "cmax": 2,
                "line": {"color": "#1f2328" if place else "#d1d9e0", "width": 1},
                "colorbar": {"title": {"text": scale, "side": "top"}, **BAR},
                "showscale": not figure.data,
            },
        )
    figure.update_yaxes(title=rows, autorange="reversed", type="category", categoryorder="array", categoryarray=names)
    figure.update_xaxes(title=TIME, nticks=6)
    tall = 30 if any("<br>" in name for name in names) else 22
    return figure.update_layout(title=title, showlegend=True, legend=LEGEND, height=260 + tall * len(groups))
