"""Renders the life of the model as one HTML page, from its steps' evidence."""

import sys
from pathlib import Path
from typing import Any

import jinja2
import plotly.graph_objects as go
import repository
import templates

PROJECT = repository.ROOT / "<<cookiecutter.project_slug>>"
LOOK = PROJECT / "lifecycle/reporting/templates"  # that of the reports
sys.path.insert(0, str(PROJECT))
from lifecycle.tasks import label  # noqa: E402

BLUE, GREEN, PURPLE, RED, GREY = "#1f6feb", "#1a7f37", "#8250df", "#cf222e", "#8c959f"


def version(document: dict[str, Any]) -> str:
    """The model version of a decision record or a monitor's summary."""
    found: str = document["version"] if "version" in document else document["evaluation"]["origin"]["version"]
    return found


def shown(measure: dict[str, float]) -> str:
    return f"{measure['value']:.3f} [{measure['low']:.3f}, {measure['high']:.3f}]"


def signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "\N{MINUS SIGN}")


def windows(summary: dict[str, Any], kind: str, metric: str = "f1") -> list[dict[str, Any]]:
    return [window for window in summary["windows"] if (window["kind"], window["metric"]) == (kind, metric)]


def mean(summary: dict[str, Any], kind: str, reference: bool, metric: str = "f1") -> float:
    """The mean over the reference's or the traffic's windows."""
    found: list[float] = [
        window["value"] for window in windows(summary, kind, metric) if window["reference"] is reference
    ]
    return sum(found) / len(found)


def performance(summary: dict[str, Any]) -> go.Figure:
    """Estimated and realised F1 of each window, with the estimate's bounds."""
    figure = go.Figure()
    for kind, colour, dash, symbol in (("estimated", BLUE, "solid", "circle"), ("realised", GREEN, "dash", "square")):
        found = windows(summary, kind)
        figure.add_scatter(
            x=[window["end"] for window in found],
            y=[window["value"] for window in found],
            name=kind,
            mode="lines+markers",
            line={"color": colour, "dash": dash},
            marker={"symbol": symbol},
        )
        outside = [window for window in found if window["outside"] and not window["reference"]]
        figure.add_scatter(
            x=[window["end"] for window in outside],
            y=[window["value"] for window in outside],
            name=f"{kind}, out of bounds",
            mode="markers",
            marker={"color": RED, "size": 11, "symbol": "diamond" if kind == "estimated" else "diamond-open"},
        )
    bounded = windows(summary, "estimated")
    ends, bounds = [window["end"] for window in bounded], [window["low"] for window in bounded]
    bound = {"dash": "dot", "color": RED}
    figure.add_scatter(x=ends, y=bounds, name="lower bound of the alert", mode="lines", line=bound)
    begin = min(window["begin"] for window in summary["windows"] if not window["reference"])
    figure.add_vline(x=begin, line={"dash": "dash", "color": GREY})
    figure.update_xaxes(title="end of the window, by the flights' own time")
    figure.update_yaxes(title="F1 (share)")
    return figure.update_layout(title=f"F1 of {summary['version']} (test rows left of the line)", height=380)


def comparison(decision: dict[str, Any]) -> go.Figure:
    """Candidate minus champion on the same rows, for each champion gate's metric, with its margin."""
    differences = decision["evaluation"]["champion"]["differences"]
    margins = {verdict["gate"]["metric"]: verdict["gate"]["margin"] for verdict in compared(decision)}
    points = [differences[metric] for metric in margins]
    figure = go.Figure(
        go.Scatter(
            name="difference",
            x=[point["value"] for point in points],
            y=[label(metric) for metric in margins],
            error_x={
                "array": [point["high"] - point["value"] for point in points],
                "arrayminus": [point["value"] - point["low"] for point in points],
            },
            mode="markers",
            marker={"color": PURPLE, "size": 11},
        )
    )
    figure.add_scatter(
        name="allowed loss",
        x=[-margin for margin in margins.values()],
        y=[label(metric) for metric in margins],
        mode="markers",
        marker={"color": RED, "size": 18, "symbol": "line-ns-open", "line": {"width": 3}},
    )
    figure.add_vline(x=0, line={"dash": "dot", "color": GREY})
    figure.update_xaxes(title="candidate minus champion, with its interval; better to the right")
    return figure.update_layout(title="Beside the champion, on the same flights", height=260)


def fragments(figures: list[go.Figure]) -> list[str]:
    for figure in figures:
        figure.update_layout(template="plotly_white", margin={"l": 80, "r": 20, "t": 50, "b": 100})
        figure.update_layout(legend={"orientation": "h", "yref": "container", "y": 0.02})
    return [
        figure.to_html(full_html=False, include_plotlyjs=False, config={"responsive": True, "displayModeBar": False})
        for figure in figures
    ]


def compared(decision: dict[str, Any]) -> list[dict[str, Any]]:
    """The verdicts of the gates that compare with the champion."""
    return [verdict for verdict in decision["gates"] if verdict["gate"]["kind"] == "champion"]


def template(name: str) -> jinja2.Template:
    return templates.template(Path(__file__).with_name(name), shown=shown, signed=signed, label=label)


def style() -> str:
    """That of the reports, and what only the demo's pages have."""
    return (LOOK / "page.css").read_text() + (Path(__file__).parent / "life.css").read_text()


def facts(evidence: dict[str, Any]) -> dict[str, Any]:
    """The numbers in the summary and on the page, read from the evidence."""
    first, second, worse = (evidence[name] for name in ("1-first-model", "5-retrained-model", "4-worse-model"))
    before, after = evidence["3-monitor-with-labels"], evidence["5-monitor-after-retraining"]
    blind = evidence["3-monitor-without-labels"]
    return {
        "first": version(first),
        "second": version(second),
        "worse": version(worse),
        "first_f1": first["evaluation"]["metrics"]["f1"],
        "worse_f1": worse["evaluation"]["metrics"]["f1"],
        "second_gain": second["evaluation"]["champion"]["differences"],
        "failed": [verdict for verdict in worse["gates"] if verdict["outcome"] == "fail"],
        "floors": [v for v in worse["gates"] if v["gate"]["kind"] == "floor"],
        "track": next(one for one in first["evaluation"]["track"]["tracks"] if one["metric"] == "f1"),
        "reference": mean(before, "realised", True),
        "estimated": mean(before, "estimated", False),
        "realised": mean(before, "realised", False),
        "blind": blind["alerts"],
        "alert": before["alerts"],
        "after_estimated": mean(after, "estimated", False),
        "after_realised": mean(after, "realised", False),
        "after_reference": mean(after, "realised", True),
        "after_alert": after["alert"],
        "said": evidence["6-failure"]["SAID"],
        "fell": worse["evaluation"]["champion"]["differences"]["roc_auc"],
        "allowed": next(v["gate"]["margin"] for v in compared(worse) if v["gate"]["metric"] == "roc_auc"),
    }


def summary(evidence: dict[str, Any]) -> str:
    known = facts(evidence)
    raised = ", ".join(f"{entry['kind']} {label(entry['metric'])}" for entry in known["blind"] if entry["holds"])
    lines = [
        f"Released     {known['first']}, F1 {shown(known['first_f1'])} on its test rows",
        f"Monitored    mean F1 fell from {known['reference']:.3f} to {known['realised']:.3f} (realised) and "
        f"{known['estimated']:.3f} (estimated, without labels); alert: {raised}",
        f"Blocked      {known['worse']}, F1 {known['worse_f1']['value']:.3f}: "
        + ", ".join(f"{verdict['gate']['kind']} {label(verdict['gate']['metric'])}" for verdict in known["failed"]),
        f"Retrained    {known['second']}, ROC AUC {known['second_gain']['roc_auc']['value']:+.3f} and "
        f"F1 {known['second_gain']['f1']['value']:+.3f} against the champion on the same rows",
        f"Monitored    mean F1 {known['after_realised']:.3f} realised, {known['after_estimated']:.3f} estimated, "
        f"{known['after_reference']:.3f} on its test rows; {'ALERT' if known['after_alert'] else 'no alert'}",
        f"Rolled back  production to {known['first']}, byte for byte, since {known['said']}",
    ]
    return "\nSummary\n" + "\n".join(f"  {line}" for line in lines)


def write(path: Path, evidence: dict[str, Any]) -> Path:
    """Write the page; all its numbers come from the evidence."""
    figures = fragments(
        [
            performance(evidence["3-monitor-with-labels"]),
            comparison(evidence["4-worse-model"]),
            comparison(evidence["5-retrained-model"]),
            performance(evidence["5-monitor-after-retraining"]),
        ]
    )
    scripts = "".join((LOOK / name).read_text() for name in ("plotly-basic.min.js", "paint.js"))
    known = {"figures": figures, "style": style(), "scripts": scripts, **facts(evidence)}
    path.write_text(template("page.html").render(known))
    return path
