"""Draws the decision record as interactive plots for the HTML report."""

import html
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from lifecycle.documents import record
from lifecycle.documents.curves import Curves
from lifecycle.drawing import curves, forest
from lifecycle.tasks import METRICS, label

CANDIDATE, CHAMPION, BASELINE = "#1f6feb", "#8250df", "#8c959f"
DRIFTING = 30  # features


def _distances(points: Sequence[record.Measure]) -> dict[str, list[float]]:
    """Intervals in plotly's form, as distances from the points."""
    return {
        "array": [point.high - point.value for point in points],
        "arrayminus": [point.value - point.low for point in points],
    }


def _tall(rows: int) -> int:
    return 160 + 24 * rows


def slices(evaluation: record.Evaluation) -> go.Figure:
    """The first metric of the task in each part of each slice."""
    metric = METRICS[evaluation.task][0]
    parts = [part for part in evaluation.slices if metric in part.metrics]
    points = [part.metrics[metric] for part in parts]
    figure = go.Figure(
        go.Scatter(
            x=[point.value for point in points],
            y=[f"{html.escape(part.column)}: {html.escape(part.part)} ({part.rows:,})" for part in parts],
            error_x=_distances(points),
            mode="markers",
            marker={"color": CANDIDATE, "size": 9},
        )
    )
    if overall := evaluation.metrics.get(metric):
        figure.add_vline(x=overall.value, line_dash="dot")
    return figure.update_layout(title=f"{label(metric)} in each slice", height=_tall(len(parts)))


def _diagonal(title: str, across: str, up: str, x: list[float], y: list[float], text: list[str]) -> go.Figure:
    figure = go.Figure(go.Scatter(x=[0, 1], y=[0, 1], mode="lines", line={"dash": "dot", "color": BASELINE}))
    figure.add_scatter(x=x, y=y, text=text, mode="lines+markers", line={"color": CANDIDATE})
    return figure.update_layout(title=title, xaxis_title=across, yaxis_title=up, showlegend=False)


def calibration(bins: tuple[record.Bin, ...]) -> go.Figure:
    """Predicted probability against the share that came true."""
    return _diagonal(
        "Calibration",
        "predicted probability",
        "observed share",
        [part.predicted for part in bins],
        [part.observed for part in bins],
        [f"{part.rows:,} rows" for part in bins],
    )


def coverage(residuals: record.Residuals) -> go.Figure:
    """Bands fitted on the earlier half of the test rows, checked on the later half."""
    return _diagonal(
        "Coverage of bands around the prediction",
        "share of earlier rows within the band",
        "share of later rows within the band",
        [part.nominal for part in residuals.coverage],
        [part.observed for part in residuals.coverage],
        [f"prediction ± {part.width:.4g}" for part in residuals.coverage],
    )


def confusion(evaluation: record.Evaluation) -> go.Figure:
    """Counts of rows, shaded by the share of each true class."""
    names = [html.escape(name) for name in evaluation.classes]
    cells = [
        (prediction, truth, count, count / max(sum(row), 1))
        for truth, row in zip(names, evaluation.confusion, strict=True)
        for prediction, count in zip(names, row, strict=True)
    ]
    predictions, truths, counts, shares = zip(*cells, strict=True)
    figure = go.Figure(
        go.Scatter(
            x=predictions,
            y=truths,
            text=[f"{count:,}" for count in counts],
            textfont={"color": ["#ffffff" if share > 0.5 else "#1f2328" for share in shares]},
            hovertemplate="truth %{y}, prediction %{x}: %{text}<extra></extra>",
            mode="markers+text",
            marker={
                "symbol": "square",
                "size": max(14, min(90, 270 / len(names))),
                "color": shares,
                "colorscale": "Blues",
                "cmin": 0,
                "cmax": 1,
            },
        )
    )
    ends = [-0.6, len(names) - 0.4]
    figure.update_yaxes(range=ends[::-1], title="truth", type="category")
    return figure.update_xaxes(range=ends, title="prediction", type="category").update_layout(title="Confusion matrix")


def importance(evaluation: record.Evaluation) -> go.Figure:
    """How much the metric worsens when a feature is shuffled."""
    found = list(evaluation.importance.items())[:DRIFTING]
    figure = go.Figure(
        go.Bar(
            x=[part.mean for _, part in found],
            y=[html.escape(name) for name, _ in found],
            error_x={"array": [part.deviation for _, part in found]},
            orientation="h",
            marker={"color": CANDIDATE},
        )
    )
    figure.update_yaxes(autorange="reversed", type="category")
    title = f"Permutation importance: loss of {label(METRICS[evaluation.task][0])}"
    return figure.update_layout(title=title, height=_tall(len(found)))


def dependence(parts: tuple[record.Dependence, ...]) -> go.Figure:
    """The mean prediction along the values of each important feature."""
    rows = (len(parts) + 1) // 2
    figure = make_subplots(rows=rows, cols=2, subplot_titles=[html.escape(part.feature) for part in parts])
    for index, part in enumerate(parts):
        texts = [html.escape(value) if isinstance(value, str) else value for value in part.values]
        mark = {"color": CANDIDATE}
        trace: Any = go.Scatter(x=texts, y=part.predictions, mode="lines", line=mark)
        if isinstance(part.values[0], str):
            trace = go.Bar(x=texts, y=part.predictions, marker=mark)
        figure.add_trace(trace, row=index // 2 + 1, col=index % 2 + 1)
    return figure.update_layout(title="Partial dependence", showlegend=False, height=120 + 240 * rows)


def shap(parts: tuple[record.Shap, ...]) -> go.Figure:
    """The effect of each feature on single rows, coloured by the feature's value from low to high."""
    figure = go.Figure()
    for index, part in enumerate(parts):
        numbers = sorted({value for value in part.values if isinstance(value, float)})
        ranks = {value: rank / len(numbers) for rank, value in enumerate(numbers)}
        colours = [ranks[value] if isinstance(value, float) else 0.5 for value in part.values]
        figure.add_scatter(
            x=part.effects,
            y=[-index + 0.3 * ((row * 0.618) % 1 - 0.5) for row in range(len(part.effects))],
            text=[html.escape(f"{part.feature} = {value}") for value in part.values],
            hovertemplate="%{text}<br>%{x}<extra></extra>",
            mode="markers",
            marker={"size": 6, "color": colours, "colorscale": "Bluered", "cmin": 0, "cmax": 1}
            if numbers
            else {"size": 6, "color": BASELINE},
        )
    figure.add_vline(x=0, line_dash="dot")
    figure.update_yaxes(
        tickvals=[-index for index in range(len(parts))], ticktext=[html.escape(part.feature) for part in parts]
    )
    title = "SHAP values of single rows (blue: low, red: high)"
    return figure.update_layout(title=title, showlegend=False, height=_tall(2 * len(parts)))


def drift(data: record.DataProfile) -> go.Figure:
    """The features whose test rows lie farthest from the training rows."""
    found = sorted(data.features.items(), key=lambda item: -item[1].drift)[:DRIFTING]
    figure = go.Figure(
        go.Bar(
            x=[column.drift for _, column in found],
            y=[html.escape(name) for name, _ in found],
            orientation="h",
            marker={"color": CHAMPION},
        )
    )
    figure.update_yaxes(autorange="reversed", type="category")
    title = "Jensen-Shannon distance of test from training rows"
    return figure.update_layout(title=title, height=_tall(len(found)))


def sections(decision: record.Decision, drawn: Curves | None) -> dict[str, list[go.Figure | str]]:
    """What is drawn in each section of the page, where the evaluation has the data."""
    evaluation = decision.evaluation
    plots: dict[str, list[go.Figure | str]] = {"Metrics": [*forest.differences(decision), *forest.levels(decision)]}
    plots["Slices"] = [slices(evaluation)] if evaluation.slices else []
    plots["Calibration"] = [calibration(evaluation.calibration)] if evaluation.calibration else []
    if evaluation.residuals:
        plots["Calibration"].append(coverage(evaluation.residuals))
    if evaluation.confusion:
        plots["Calibration"].append(confusion(evaluation))
    plots["Explanation"] = [importance(evaluation)] if evaluation.importance else []
    if evaluation.dependence:
        plots["Explanation"].append(dependence(evaluation.dependence))
    if evaluation.shap:
        plots["Explanation"].append(shap(evaluation.shap))
    plots["Curves"] = curves.figures(drawn) if drawn else []
    plots["Thresholds"] = curves.thresholds(drawn) if drawn else []
    plots["Data"] = [drift(evaluation.data)] if evaluation.data else []
    return plots
