"""Draws which drop the monitor's alerts see how often, by the number of rows."""

from collections.abc import Sequence

import plotly.graph_objects as go

from lifecycle.documents.track import SHARES, Operating
from lifecycle.drawing.performance import LINES
from lifecycle.tasks import label, sign

DASHES = ("dot", "dash", "dashdot", "solid")  # the longer the time, the fuller the line


def figures(operating: Sequence[Operating]) -> list[go.Figure]:
    """For each metric, how often a drop of a size is seen within so many rows."""
    found: dict[str, go.Figure] = {}
    for one in operating:
        rises = "fall" if sign(one.metric) > 0 else "rise"
        figure = found.setdefault(one.metric, go.Figure())
        figure.update_layout(title=f"How often a {rises} of {label(one.metric)} is seen, by simulation", height=460)
        figure.update_xaxes(title=f"{rises} of {label(one.metric)}", rangemode="tozero")
        figure.update_yaxes(title="seen in so many of 100 cases", range=[0, 100])
        figure.update_layout(legend={"orientation": "h", "y": -0.3})
        for place, seen in enumerate(part for part in one.seen if part.drops):
            figure.add_scatter(
                x=seen.drops,
                y=[100 * share for share in SHARES],
                name=f"{one.kind}, within {seen.windows * one.rows:,} rows",
                mode="lines",
                line={**LINES[one.kind]["line"], "dash": DASHES[place % len(DASHES)]},
            )
    return [figure for figure in found.values() if figure.data]
