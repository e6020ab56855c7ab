"""Draws curves, scores and residuals of the test rows, with the champion's behind the candidate's."""

from collections.abc import Iterator
from html import escape

import plotly.graph_objects as go

from lifecycle.documents.curves import Curves, Histogram, OneModel

CANDIDATE, CHAMPION, OTHER, GREY = "#1f6feb", "#8250df", "#bf8700", "#8c959f"
AXES = {
    "roc": ("ROC", "false positive rate", "true positive rate"),
    "precision": ("Precision and recall", "recall", "precision"),
}
MARK = {"color": GREY, "dash": "dot"}
LEGEND = {"orientation": "h", "y": -0.25, "yanchor": "top", "x": 0}


def _models(curves: Curves) -> Iterator[tuple[str, OneModel, dict[str, object]]]:
    """The champion first, so that the candidate is drawn over it."""
    if curves.champion:
        yield "champion", curves.champion, {"color": CHAMPION, "dash": "dash", "width": 1.5}
    yield "candidate", curves.candidate, {"color": CANDIDATE, "width": 2}


def _curve(curves: Curves, place: int, kind: str) -> go.Figure:
    """ROC, or precision over recall, of one class; two of them fit beside each other."""
    figure, name = go.Figure(), curves.candidate.classes[place].name
    if kind == "roc":
        chance = {"color": GREY, "dash": "dot", "width": 1}
        figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line=chance, name="chance", hoverinfo="skip")
    for model, drawn, line in _models(curves):
        for one in (one for one in drawn.classes if one.name == name):
            points = one.roc if kind == "roc" else one.precision
            figure.add_scatter(x=points.x, y=points.y, mode="lines", line=line, name=model)
    title, across, up = AXES[kind]
    figure.update_xaxes(title=across, range=[0, 1]).update_yaxes(title=up, range=[0, 1.02])
    return figure.update_layout(title=f"{title} of {escape(name)}", legend=LEGEND, meta="half")


def _steps(found: Histogram) -> tuple[list[float], list[float]]:
    """The outline of a histogram as shares of its rows."""
    total = sum(found.counts) or 1
    x = [edge for edge in found.edges for _ in range(2)]
    return x, [0.0, *(count / total for count in found.counts for _ in range(2)), 0.0]


def _scores(curves: Curves, place: int) -> go.Figure:
    """How the scores of one class's rows and of the others lie."""
    figure, name = go.Figure(), curves.candidate.classes[place].name
    for model, drawn, line in _models(curves):
        for one in (one for one in drawn.classes if one.name == name):
            for found, rows, colour in zip(one.scores, (name, f"not {name}"), (CANDIDATE, OTHER), strict=True):
                x, y = _steps(found)
                figure.add_scatter(
                    x=x,
                    y=y,
                    mode="lines",
                    line={**line, "color": colour},
                    fill="tozeroy" if model == "candidate" else None,
                    name=f"{model}, rows of {escape(rows)}",
                )
    if curves.candidate.threshold is not None:
        at = curves.candidate.threshold
        figure.add_scatter(x=[at, at], y=[0, 1], yaxis="y2", mode="lines", line=MARK, name=f"threshold {at:.4g}")
        figure.update_layout(yaxis2={"overlaying": "y", "range": [0, 1], "visible": False})
    figure.update_xaxes(title=f"score, the probability of {escape(name)}", range=[0, 1])
    figure.update_yaxes(title="share of the rows", rangemode="tozero")
    return figure.update_layout(title=f"Scores of {escape(name)}", legend=LEGEND, height=420)


def thresholds(curves: Curves) -> list[go.Figure | str]:
    """Precision and recall of two classes along the threshold, with the present one marked."""
    own = curves.candidate.threshold
    if own is None:
        return []
    figure = go.Figure()
    for model, drawn, line in _models(curves):
        at = [one.at for one in drawn.thresholds]
        for name, colour in (("precision", CANDIDATE), ("recall", OTHER)):
            values = [getattr(one, name) for one in drawn.thresholds]
            own_line = {**line, "color": colour}
            figure.add_scatter(x=at, y=values, mode="lines", line=own_line, name=f"{model}, {name}")
    figure.add_scatter(x=[own, own], y=[0, 1], mode="lines", line=MARK, name=f"present threshold {own:.4g}")
    figure.update_xaxes(title="threshold, a probability", range=[0, 1]).update_yaxes(title="share", range=[0, 1.02])
    return [figure.update_layout(title="Precision and recall by threshold", legend=LEGEND, height=420)]


def _values(curves: Curves) -> go.Figure:
    """Predicted against actual values, as medians of bands that hold nine in ten rows."""
    figure = go.Figure()
    ends = [band.predicted for band in curves.candidate.bands]
    figure.add_scatter(
        x=[ends[0], ends[-1]],
        y=[ends[0], ends[-1]],
        mode="lines",
        name="as predicted",
        line={"color": GREY, "dash": "dot"},
    )
    for model, drawn, line in _models(curves):
        x = [band.predicted for band in drawn.bands]
        spread = {
            "array": [band.high - band.median for band in drawn.bands],
            "arrayminus": [band.median - band.low for band in drawn.bands],
            "thickness": 1,
        }
        figure.add_scatter(
            x=x,
            y=[band.median for band in drawn.bands],
            mode="lines+markers",
            line=line,
            error_y=spread if model == "candidate" else None,
            text=[f"{band.rows:,} rows" for band in drawn.bands],
            name=f"{model}, median" + " with 5 % to 95 %" * (model == "candidate"),
        )
    figure.update_xaxes(title="predicted, unit of the target").update_yaxes(title="actual, unit of the target")
    return figure.update_layout(title="Predicted against actual, rows of about the same prediction", legend=LEGEND)


def _residuals(curves: Curves) -> go.Figure:
    """How far the truth is from the prediction; the outer bars hold what lies farther out."""
    figure = go.Figure()
    for model, drawn, line in _models(curves):
        if drawn.residuals:
            x, y = _steps(drawn.residuals)
            fill = "tozeroy" if model == "candidate" else None
            figure.add_scatter(x=x, y=y, mode="lines", line=line, fill=fill, name=model)
    figure.update_xaxes(title="truth - prediction, unit of the target").update_yaxes(
        title="share of the rows", rangemode="tozero"
    )
    return figure.update_layout(title="Residuals; the outer steps hold what lies farther out", legend=LEGEND)


def figures(curves: Curves) -> list[go.Figure | str]:
    """ROC, precision and scores of each class; for regression predicted against actual values, and residuals."""
    if curves.candidate.bands:
        return [_values(curves), _residuals(curves)]
    places = range(len(curves.candidate.classes))
    return [
        one
        for place in places
        for one in (_curve(curves, place, "roc"), _curve(curves, place, "precision"), _scores(curves, place))
    ]
