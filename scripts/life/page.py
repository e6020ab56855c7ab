"""Renders the life of the model as one HTML page, from its steps' evidence."""

import sys
from pathlib import Path
from typing import Any

import days
import jinja2
import plotly.graph_objects as go
import repository
import story
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


def warning(decision: dict[str, Any], metric: str) -> str:
    """What a model's report warned of before its release; empty if of nothing."""
    return story.warning(decision["report"], label(metric))


def windows(summary: dict[str, Any], kind: str, metric: str) -> list[dict[str, Any]]:
    return [window for window in summary["windows"] if (window["kind"], window["metric"]) == (kind, metric)]


def mean(summary: dict[str, Any], kind: str, metric: str, since: str = "") -> float:
    """The mean over the reference's windows, or over the traffic's that end after a day."""
    every = windows(summary, kind, metric)
    found: list[float] = [one["value"] for one in every if (one["reference"] if not since else one["end"] > since)]
    return sum(found) / len(found)


def performance(summary: dict[str, Any], metric: str, since: str, what: str) -> go.Figure:
    """A metric of each window, estimated and realised, with the estimate's bounds; `what` happens on a day."""
    figure = go.Figure()
    for kind, colour, dash, symbol in (("estimated", BLUE, "solid", "circle"), ("realised", GREEN, "dash", "square")):
        found = windows(summary, kind, metric)
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
    bounded = windows(summary, "estimated", metric)
    ends, bounds = [window["end"] for window in bounded], [window["low"] for window in bounded]
    bound = {"dash": "dot", "color": RED}
    figure.add_scatter(x=ends, y=bounds, name="lower bound of the alert", mode="lines", line=bound)
    begin = min(window["begin"] for window in summary["windows"] if not window["reference"])
    figure.add_vline(x=begin, line={"dash": "dash", "color": GREY})
    figure.add_vline(x=since, line={"dash": "dot", "color": PURPLE})
    figure.add_annotation(x=since, y=1, yref="paper", yanchor="bottom", text=what, showarrow=False)
    figure.update_xaxes(title="end of the window, by the flights' own time")
    figure.update_yaxes(title=f"{label(metric)} (share)")
    title = f"{label(metric)} of {summary['version']} (test rows left of the first line)"
    return figure.update_layout(title=title, height=380)


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
    summer, winter = evidence["3-monitor-with-labels"], evidence["6-monitor-in-winter"]
    seen, unseen = story.SEEN, story.UNSEEN
    return {
        "first": version(first),
        "second": version(second),
        "worse": version(worse),
        "first_f1": first["evaluation"]["metrics"]["f1"],
        "worse_f1": worse["evaluation"]["metrics"]["f1"],
        "second_gain": second["evaluation"]["champion"]["differences"],
        "failed": [verdict for verdict in worse["gates"] if verdict["outcome"] == "fail"],
        "floors": [v for v in worse["gates"] if v["gate"]["kind"] == "floor"],
        "seen": seen,
        "track": next(one for one in first["evaluation"]["track"]["tracks"] if one["metric"] == seen),
        "reference": mean(summer, "realised", seen),
        "estimated": mean(summer, "estimated", seen, story.CALLERS),
        "realised": mean(summer, "realised", seen, story.CALLERS),
        "alerted": story.first(evidence["3-monitor-without-labels"], "estimated", seen),
        "confirmed": days.told(story.first(summer, "realised", seen) or ""),
        "lead": story.ahead(summer, warning(first, seen)),
        "unseen": unseen,
        "warning": warning(second, unseen),
        "winter_reference": mean(winter, "realised", unseen),
        "winter_estimated": mean(winter, "estimated", unseen, story.WINTER),
        "winter_realised": mean(winter, "realised", unseen, story.WINTER),
        "labelled": story.unseen(winter, warning(second, unseen)),
        "blind": next(line for line in second["report"].splitlines() if "concept drift" in line).lstrip("- "),
        "callers": story.CALLERS,
        "winter": story.WINTER,
        "deicing": days.DEICING,
        "late": days.LATE,
        "said": evidence["7-failure"]["SAID"],
        "fell": worse["evaluation"]["champion"]["differences"]["roc_auc"],
        "allowed": next(v["gate"]["margin"] for v in compared(worse) if v["gate"]["metric"] == "roc_auc"),
    }


def summary(evidence: dict[str, Any]) -> str:
    known = facts(evidence)
    lines = [
        f"Released     {known['first']}, F1 {shown(known['first_f1'])} on its test rows",
        f"Seen         estimated {label(known['seen'])} fell from {known['reference']:.3f} to "
        f"{known['estimated']:.3f}; alert {known['lead']} days before the labels, which said {known['realised']:.3f}",
        f"Blocked      {known['worse']}, F1 {known['worse_f1']['value']:.3f}: "
        + ", ".join(f"{verdict['gate']['kind']} {label(verdict['gate']['metric'])}" for verdict in known["failed"]),
        f"Retrained    {known['second']}, ROC AUC {known['second_gain']['roc_auc']['value']:+.3f} and "
        f"F1 {known['second_gain']['f1']['value']:+.3f} against the champion on the same rows",
        f"Not seen     realised {label(known['unseen'])} fell from {known['winter_reference']:.3f} to "
        f"{known['winter_realised']:.3f}, estimated {known['winter_estimated']:.3f}: no alert until labels came on "
        f"{known['labelled']}, as the report had warned",
        f"Rolled back  production to {known['first']}, byte for byte, since {known['said']}",
    ]
    return "\nSummary\n" + "\n".join(f"  {line}" for line in lines)


def write(path: Path, evidence: dict[str, Any]) -> Path:
    """Write the page; all its numbers come from the evidence."""
    figures = fragments(
        [
            performance(evidence["3-monitor-with-labels"], story.SEEN, story.CALLERS, "only flights a little late"),
            comparison(evidence["4-worse-model"]),
            comparison(evidence["5-retrained-model"]),
            performance(evidence["6-monitor-in-winter"], story.UNSEEN, story.WINTER, "planes are de-iced"),
        ]
    )
    scripts = "".join((LOOK / name).read_text() for name in ("plotly-basic.min.js", "paint.js"))
    known = {"figures": figures, "style": style(), "scripts": scripts, **facts(evidence)}
    path.write_text(template("page.html").render(known))
    return path
