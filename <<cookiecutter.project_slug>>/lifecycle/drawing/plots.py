"""Draws the decision record as interactive plots for the HTML report."""

import html

import plotly.graph_objects as go

from lifecycle.documents import record
from lifecycle.documents.curves import Curves
from lifecycle.drawing import curves, forest, slices
from lifecycle.tasks import METRICS, label, unit

CANDIDATE, CHAMPION, BASELINE = "#1f6feb", "#8250df", "#8c959f"
DRIFTING = 30  # features


def _tall(rows: int) -> int:
    return 160 + 24 * rows


def _diagonal(title: str, across: str, up: str, x: list[float], y: list[float], text: list[str]) -> go.Figure:
    dotted = {"dash": "dot", "color": BASELINE}
    figure = go.Figure(go.Scatter(x=[0, 1], y=[0, 1], mode="lines", line=dotted, name="as predicted"))
    figure.add_scatter(x=x, y=y, text=text, mode="lines+markers", line={"color": CANDIDATE}, name="candidate")
    return figure.update_layout(title=title, xaxis_title=across, yaxis_title=up, legend=curves.LEGEND, height=420)


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
    figure.update_yaxes(autorange="reversed", type="category", title="feature")
    metric = METRICS[evaluation.task][0]
    figure.update_xaxes(title=f"loss of {label(metric)} ({unit(metric)}) ± standard deviation over repeats")
    title = "Permutation importance: what shuffling a feature costs"
    return figure.update_layout(title=title, height=_tall(len(found)))


def dependence(evaluation: record.Evaluation) -> list[go.Figure | str]:
    """The mean prediction along the values of each important feature, all on the same axis."""
    ends = [value for part in evaluation.dependence for value in part.predictions]
    low, high = min(ends), max(ends)
    pad = 0.05 * (high - low) or 0.1 * abs(high) or 1.0
    return [_dependence(part, answer(evaluation), (low - pad, high + pad)) for part in evaluation.dependence]


def _dependence(part: record.Dependence, up: str, ends: tuple[float, float]) -> go.Figure:
    """Numbers have an order and are joined by a line, categories are points."""
    feature, mark = html.escape(part.feature), {"color": CANDIDATE}
    if isinstance(part.values[0], str):
        texts = [html.escape(str(value)) for value in part.values]
        figure = go.Figure(go.Scatter(x=texts, y=part.predictions, mode="markers", marker={**mark, "size": 9}))
        figure.update_xaxes(title=feature, type="category")
    else:
        figure = go.Figure(go.Scatter(x=part.values, y=part.predictions, mode="lines", line=mark))
        figure.update_xaxes(title=f"{feature}, in the data's units")
    figure.update_yaxes(title=up, range=ends)
    return figure.update_layout(title=f"Partial dependence on {feature}", showlegend=False, height=320, meta="half")


def answer(evaluation: record.Evaluation) -> str:
    """What a mean prediction is."""
    if not evaluation.classes:
        return "mean prediction, unit of the target"
    return f"mean probability of {html.escape(evaluation.classes[-1])}"


def shap(evaluation: record.Evaluation) -> go.Figure:
    """The effect of each feature on single rows, coloured by the feature's value from low to high."""
    figure, parts = go.Figure(), evaluation.shap
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
        tickvals=[-index for index in range(len(parts))],
        ticktext=[html.escape(part.feature) for part in parts],
        title="feature",
    )
    of = (
        f"log-odds or probability of {html.escape(evaluation.classes[-1])}"
        if evaluation.classes
        else "unit of the target"
    )
    figure.update_xaxes(title=f"SHAP value ({of})")
    title = "SHAP values of single rows; blue: low value, red: high, grey: a category"
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
    figure.update_yaxes(autorange="reversed", type="category", title="feature")
    figure.update_xaxes(title="Jensen-Shannon distance, 0 identical, 1 nothing in common", rangemode="tozero")
    title = "Drift: how far test rows are from training rows"
    return figure.update_layout(title=title, height=_tall(len(found)))


def sections(decision: record.Decision, drawn: Curves | None) -> dict[str, list[go.Figure | str]]:
    """What is drawn in each section of the page, where the evaluation has the data."""
    evaluation = decision.evaluation
    plots: dict[str, list[go.Figure | str]] = {"Metrics": [*forest.differences(decision), *forest.levels(decision)]}
    plots["Slices"] = list(slices.drawn(decision))
    plots["Calibration"] = [calibration(evaluation.calibration)] if evaluation.calibration else []
    if evaluation.residuals:
        plots["Calibration"].append(coverage(evaluation.residuals))
    if evaluation.confusion:
        plots["Calibration"].append(confusion(evaluation))
    plots["Explanation"] = [importance(evaluation)] if evaluation.importance else []
    if evaluation.dependence:
        plots["Explanation"] += dependence(evaluation)
    if evaluation.shap:
        plots["Explanation"].append(shap(evaluation))
    plots["Curves"] = curves.figures(drawn) if drawn else []
    plots["Thresholds"] = curves.thresholds(drawn) if drawn else []
    plots["Data"] = [drift(evaluation.data)] if evaluation.data else []
    return plots
