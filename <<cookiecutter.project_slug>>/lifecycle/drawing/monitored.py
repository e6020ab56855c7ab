"""Draws the monitor's measurements over time, as interactive plots for its page."""

import html

import plotly.graph_objects as go

from lifecycle.documents import trends
from lifecycle.documents.summary import Kind, Summary, Window
from lifecycle.drawing import heat, performance
from lifecycle.tasks import TARGET, label

DASHES = ("solid", "dash", "dot", "dashdot")
PERFORMANCE: tuple[Kind, ...] = ("estimated", "realised")


def outputs(summary: Summary, groups: dict[str, list[Window]]) -> go.Figure:
    """The mean of each output as a line."""
    figure = go.Figure()
    for place, (name, windows) in enumerate(groups.items()):
        figure.add_scatter(
            x=[window.end for window in windows],
            y=[window.value for window in windows],
            name=html.escape(name),
            mode="lines+markers",
            line={"dash": DASHES[place % len(DASHES)]},
        )
    values = [window.value for windows in groups.values() for window in windows if window.value is not None]
    begin = min((one.begin for windows in groups.values() for one in trends.logged(windows)), default=None)
    if begin and values:
        performance.begun(figure, begin, min(values), max(values))
    unit = TARGET if summary.task == "regression" else "probability"
    figure.update_xaxes(title=performance.TIME).update_yaxes(title=f"mean of the window ({unit})")
    title = "Mean output of each window"
    return figure.update_layout(title=title, showlegend=True, legend=performance.LEGEND, height=420)


def sections(summary: Summary) -> dict[str, list[go.Figure | str]]:
    """What is drawn in each section of the page, where something was measured."""
    groups = {kind: trends.of(summary, kind) for kind in PERFORMANCE}
    metrics = dict.fromkeys([*groups["estimated"], *groups["realised"]])
    found: dict[str, list[go.Figure | str]] = {
        "Performance": [
            performance.drawn(
                metric, {kind: groups[kind][metric] for kind in PERFORMANCE if metric in groups[kind]}, summary.rule
            )
            for metric in metrics
        ]
    }
    bounded = {
        f"{kind} {label(metric)}, {column} {part}": windows
        for (column, part, kind, metric), windows in trends.sliced(summary).items()
        if any(heat.way(windows, window) is not None for window in trends.logged(windows))
    }
    if bounded:
        title, scale = "Way from the reference's mean to the bound", "0: reference, 1: bound"
        found["Slices"] = [heat.drawn(title, "metric, slice and part", bounded, heat.way, scale)]
    if means := trends.of(summary, "output"):
        found["Outputs"] = [outputs(summary, means)]
    if drift := trends.of(summary, "drift"):
        found["Drift"] = [heat.drawn("Drift relative to its bound", "column", drift)]
    if wrong := worse(summary):
        found["Data quality"] = [heat.drawn("Share of wrong values relative to its bound", "column, measure", wrong)]
    return found


def worse(summary: Summary) -> dict[str, list[Window]]:
    """The measures of data quality that were out of bounds in some window of the log."""
    found = trends.of(summary, "quality")
    return {name: windows for name, windows in found.items() if any(one.outside for one in trends.logged(windows))}
