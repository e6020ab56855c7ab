"""Tells whether the released model still holds: performance estimated without labels, realised where labels came."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from model import InputError, config, directory, files, pages, predictions, windows
from model.windows import Kind, Window

REFERENCE_WINDOWS = 10
COLOURS = {"estimated": "#1f6feb", "realised": "#1a7f37"}


def frame(logged: pd.DataFrame, model: directory.Model) -> pd.DataFrame:
    """The log as NannyML takes it: features, prediction and probabilities, in order of the rows' own time if any."""
    answers = [json.loads(text) for text in logged["answer"]]
    features = pd.DataFrame([json.loads(text) for text in logged["features"]], index=logged.index)
    features = features.reindex(columns=[column.name for column in model.columns])
    for column in model.columns:
        if column.type == "number":
            features[column.name] = features[column.name].astype("float64")
        else:
            features[column.name] = features[column.name].astype("object").where(features[column.name].notna(), "")
    own = [json.loads(text).get(model.metadata["time"]) for text in logged["context"]]
    times = pd.Series(own, index=logged.index, dtype="object").where(pd.notna(own), logged["logged"])
    rows = features.assign(
        request=logged["request"],
        row=logged["row"],
        time=pd.to_datetime(times, utc=True, format="ISO8601"),
        prediction=[answer["prediction"] for answer in answers],
    )
    for name in model.classes:
        rows[f"probability_{name}"] = [answer["probabilities"][name] for answer in answers]
    return rows.sort_values("time", kind="stable", ignore_index=True)


def labels(folder: Path) -> pd.DataFrame:
    """What came true: request, row and label, from the JSON lines in a folder; the last word on a row counts."""
    paths = sorted(folder.glob("*.jsonl"))
    if not paths:
        raise InputError(
            f"{folder} holds no *.jsonl file with request, row and label; put one there, or leave LABELS out."
        )
    try:
        table = pd.concat([pd.read_json(path, lines=True, dtype={"request": str}) for path in paths])
    except ValueError as error:
        raise InputError(f"The labels in {folder} are not JSON lines ({error}); correct them.") from error
    if missing := {"request", "row", "label"} - set(table):
        raise InputError(
            f"The labels in {folder} lack {', '.join(sorted(missing))}; each line needs request, row, label."
        )
    return table.drop_duplicates(["request", "row"], keep="last")


def coded(values: pd.Series, model: directory.Model) -> pd.Series:
    """Predictions and labels as NannyML takes them: 0 and 1 for two classes, names for more, numbers for regression."""
    if model.task == "regression":
        return values.astype("float64")
    if unknown := sorted(set(map(str, values)) - set(model.classes)):
        raise InputError(
            f"The labels hold {', '.join(unknown[:5])}; allowed are {', '.join(model.classes)}: correct them."
        )
    if model.task == "binary_classification":
        return (values.astype(str) == model.classes[1]).astype("int64")
    return values.astype(str)


def reference(model: directory.Model) -> pd.DataFrame:
    """The test rows that the model was accepted with."""
    rows = pd.read_parquet(model.path / "reference.parquet")
    if model.task == "multiclass_classification":
        for name in ("prediction", "label"):
            rows[name] = rows[name].map(dict(enumerate(model.classes)))
    return rows


def alerts(found: Iterable[Window], rule: config.Alert) -> list[dict[str, Any]]:
    """For each kind and metric of the rule, how many of the last windows alert, and whether that raises an alert."""
    said = []
    for kind in ("estimated", "realised"):
        for metric in rule.metrics:
            own = [w for w in found if (w.kind, w.metric, w.reference) == (kind, metric, False)]
            if own:
                count = sum(window.alert for window in own[-rule.of :])
                said.append({"kind": kind, "metric": metric, "windows": count, "raised": count >= rule.windows})
    return said


def summary(
    model: directory.Model, found: list[Window], settings: config.Monitor, counts: dict[str, int]
) -> dict[str, Any]:
    said = alerts(found, settings.alert)
    return {
        "schema_version": 1,
        "name": model.metadata["name"],
        "version": model.version,
        "alert": any(entry["raised"] for entry in said),
        "rule": settings.alert.model_dump(),
        "alerts": said,
        **counts,
        "warnings": _warnings(found, settings.window),
        "windows": [asdict(window) for window in found],
    }


def _warnings(found: list[Window], size: int) -> list[str]:
    first = found[0].metric
    count = sum(w.reference and w.kind == "estimated" and w.metric == first for w in found)
    if count >= REFERENCE_WINDOWS:
        return []
    return [
        f"The reference has {count} windows of {size} rows, fewer than {REFERENCE_WINDOWS}: "
        "its thresholds are uncertain; lengthen split.test or shorten monitor.window."
    ]


def plot(found: list[Window], metric: str) -> go.Figure:
    """Estimated and realised values of one metric over time, with the thresholds and the alerts."""
    figure = go.Figure()
    kinds: tuple[Kind, ...] = ("estimated", "realised")
    for kind in kinds:
        own = [w for w in found if (w.kind, w.metric) == (kind, metric)]
        if not own:
            continue
        figure.add_scatter(
            x=[w.end for w in own],
            y=[w.value for w in own],
            name=kind,
            mode="lines+markers",
            line={"color": COLOURS[kind]},
        )
        alert = [w for w in own if w.alert]
        figure.add_scatter(
            x=[w.end for w in alert],
            y=[w.value for w in alert],
            name=f"{kind}, outside",
            mode="markers",
            marker={"color": "#cf222e", "size": 11, "symbol": "diamond" if kind == "estimated" else "circle-open"},
        )
        for bound in (own[-1].low, own[-1].high):
            if bound is not None:
                figure.add_hline(y=bound, line={"dash": "dot", "color": COLOURS[kind]})
    begin = min((w.begin for w in found if not w.reference), default=None)
    if begin is not None:
        figure.add_vline(x=begin, line={"dash": "dash", "color": "#8c959f"})
    return figure.update_layout(title=metric)


def openmetrics(document: dict[str, Any]) -> str:
    """The latest window of each metric as gauges, for a textfile collector or a push."""
    registry = CollectorRegistry()
    names = ("model", "version", "kind", "metric")
    value = Gauge("model_performance", "Performance in the latest window", names, registry=registry)
    outside = Gauge(
        "model_performance_outside", "1 when the latest window lies outside of its bounds", names, registry=registry
    )
    raised = Gauge("model_alert", "1 when the alert rule holds", ("model", "version"), registry=registry)
    for window in document["windows"]:
        if not window["reference"] and window["value"] is not None:
            key = (document["name"], document["version"], window["kind"], window["metric"])
            value.labels(*key).set(window["value"])
            outside.labels(*key).set(window["alert"])
    raised.labels(document["name"], document["version"]).set(document["alert"])
    return generate_latest(registry).decode()


def run(settings: config.Config, build: Path, path: Path, log: Path, truth: Path | None) -> str:
    """Write `monitor/` under `build`: summary.json, report.md, report.html and metrics.prom."""
    model = directory.load(path)
    if model.task != settings.task:
        raise InputError(f"{path} is a model of {model.task}, but config.yaml says {settings.task}; name the model.")
    logged = predictions.read(log, model.version)
    size = settings.monitor.window
    if len(logged) < size:
        raise InputError(
            f"{log} holds {len(logged):,} predictions of {model.version}, but one window needs {size:,}; "
            "wait for more traffic, or shorten monitor.window."
        )
    analysis, known = frame(logged, model), reference(model)
    task, metrics = settings.task, settings.monitor.metrics
    analysis["prediction"] = coded(analysis["prediction"], model)
    features = [column.name for column in model.columns]
    found = windows.estimated(known, analysis, task, model.classes, metrics, size, features)
    counts = {"rows": len(analysis), "labelled": 0}
    if truth is not None:
        labelled = analysis.merge(labels(truth), on=["request", "row"])
        labelled["label"] = coded(labelled["label"], model)
        counts["labelled"] = len(labelled)
        if len(labelled) >= size:
            found += windows.realised(known, labelled, task, model.classes, metrics, size)
    document = summary(model, found, settings.monitor, counts)
    plots = pages.fragments([plot(found, metric) for metric in metrics])
    latest = {(window.kind, window.metric): window for window in found if not window.reference}
    values = {"summary": document, "latest": list(latest.values()), "plots": plots}
    with files.replaced(build / "monitor") as folder:
        files.write_json(folder / "summary.json", document)
        files.write(folder / "report.md", pages.render("monitor.md", **values))
        files.write(folder / "report.html", pages.render("monitor.html", **values))
        files.write(folder / "metrics.prom", openmetrics(document))
    state = "ALERT" if document["alert"] else "no alert"
    return f"{model.version}: {state} on {len(analysis):,} predictions, {counts['labelled']:,} of them labelled"
