"""Renders the decision record for people: Markdown for the pull request, one HTML page with plots."""

import html
from pathlib import Path

import plotly.graph_objects as go

from model import files, gate, pages, record
from model.metrics import sign

SIGNS = {"pass": "✅", "fail": "❌", "warn": "⚠️", "skipped": "⏭️"}
LIMIT = 65_000
COLOURS = {"candidate": "#1f6feb", "champion": "#8250df", "baseline": "#8c959f"}


def bars(points: list[record.Measure]) -> dict[str, list[float]]:
    """Intervals as plotly draws them, by their distance from the points."""
    return {
        "array": [point.high - point.value for point in points],
        "arrayminus": [point.value - point.low for point in points],
    }


def intervals(evaluation: record.Evaluation) -> go.Figure:
    """Each metric of candidate, champion and baseline with its interval."""
    columns = {"candidate": evaluation.metrics, "baseline": evaluation.baseline}
    if evaluation.champion:
        columns["champion"] = evaluation.champion.metrics
    figure = go.Figure()
    for name, measures in columns.items():
        points = list(measures.values())
        figure.add_scatter(
            name=name,
            x=[f"{metric} {'↑' if sign(metric) > 0 else '↓'}" for metric in measures],
            y=[point.value for point in points],
            error_y=bars(points),
            mode="markers",
            marker={"color": COLOURS[name], "size": 9},
        )
    figure.update_layout(title="Metrics with intervals (↑ higher is better)", scattermode="group")
    return figure


def differences(champion: record.Champion) -> go.Figure:
    """Candidate minus champion on the same rows, with the paired interval."""
    points = champion.differences
    figure = go.Figure(
        go.Scatter(
            x=[point.value for point in points.values()],
            y=list(points),
            error_x=bars(list(points.values())),
            mode="markers",
            marker={"color": COLOURS["candidate"], "size": 9},
        )
    )
    figure.add_vline(x=0, line_dash="dot")
    return figure.update_layout(title="Candidate minus champion, paired on the same rows")


def slices(evaluation: record.Evaluation) -> go.Figure:
    """The first metric of the task in each part of each slice."""
    metric = next(iter(evaluation.metrics))
    parts = [part for part in evaluation.slices if metric in part.metrics]
    points = [part.metrics[metric] for part in parts]
    figure = go.Figure(
        go.Scatter(
            x=[point.value for point in points],
            y=[f"{part.column}: {html.escape(part.part)} ({part.rows:,})" for part in parts],
            error_x=bars(points),
            mode="markers",
            marker={"color": COLOURS["candidate"], "size": 9},
        )
    )
    figure.add_vline(x=evaluation.metrics[metric].value, line_dash="dot")
    return figure.update_layout(title=f"{metric} in each slice")


def calibration(evaluation: record.Evaluation) -> go.Figure:
    """Predicted probability against the share that held."""
    bins = evaluation.calibration
    figure = go.Figure(go.Scatter(x=[0, 1], y=[0, 1], mode="lines", line={"dash": "dot", "color": "#8c959f"}))
    figure.add_scatter(
        x=[part.predicted for part in bins],
        y=[part.observed for part in bins],
        text=[f"{part.rows:,} rows" for part in bins],
        mode="lines+markers",
        line={"color": COLOURS["candidate"]},
    )
    return figure.update_layout(
        title="Calibration", xaxis_title="predicted probability", yaxis_title="observed share", showlegend=False
    )


def figures(evaluation: record.Evaluation) -> list[go.Figure]:
    """The plots of the HTML page, as far as the evaluation has what they show."""
    plots = [intervals(evaluation)]
    if evaluation.champion:
        plots.append(differences(evaluation.champion))
    if evaluation.slices:
        plots.append(slices(evaluation))
    if evaluation.calibration:
        plots.append(calibration(evaluation))
    return plots


def _render(template: str, decision: record.Decision, **values: object) -> str:
    known = {
        "decision": decision,
        "evaluation": decision.evaluation,
        "signs": SIGNS,
        "title": gate.title,
        "calibration_error": gate.calibration_error,
        "shown": gate.shown,
    }
    return pages.render(template, **known, **values)


def markdown(decision: record.Decision) -> str:
    """The report for a pull request, at most 65,000 characters."""
    text = _render("report.md", decision)
    if len(text) > LIMIT:
        note = "\n\n_The report was cut here; build/report.html has all of it._\n"
        text = text[: LIMIT - len(note)] + note
    return text


def page(decision: record.Decision) -> str:
    """The report as one self-contained HTML page."""
    return _render("report.html", decision, figures=pages.fragments(figures(decision.evaluation)))


def run(build: Path) -> str:
    """Write `report.md` and `report.html` under `build`."""
    decision = record.decision(build / "decision.json")
    files.write(build / "report.md", markdown(decision))
    files.write(build / "report.html", page(decision))
    verdict = "passes" if decision.passed else "is refused"
    return f"{decision.evaluation.origin.version} {verdict}: {build / 'report.md'}, {build / 'report.html'}"
