"""Tells whether the released model still holds: performance estimated without labels, realised where labels came."""

import os
import tempfile
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd
from prometheus_client import CollectorRegistry, Gauge, generate_latest, push_to_gateway

from model import InputError, alerts, config, data, directory, files, findings, nannyml, predictions, quality, windows
from model.directory import Model
from model.summary import Log, Summary, Window

REFERENCE_WINDOWS = 10


def _reference(connection: duckdb.DuckDBPyConnection, model: Model, settings: config.Monitor) -> pd.DataFrame:
    """The test rows that the model was accepted with, in windows like those of the log."""
    rows = data.parquet((model.path / "reference.parquet").read_bytes()).to_pandas()
    if model.task == "multiclass_classification":
        for name in ("prediction", "label"):
            rows[name] = rows[name].map(dict(enumerate(model.classes)))
    rows["time"] = pd.to_datetime(rows["time"], utc=True)
    count = range(len(rows))
    connection.register("known", pd.DataFrame({"id": count, "time": rows["time"], "request": "", "row": count}))
    windows.cut(connection, "known", settings.window, settings.sample)
    places = connection.execute("select id, chunk from cut order by chunk, time, row").df()
    found = rows.iloc[places["id"].to_numpy("int64")].reset_index(drop=True)
    return found.assign(chunk=places["chunk"])


def _warnings(
    model: Model,
    counts: predictions.Counts,
    locations: Sequence[str],
    reference: int,
    analysis: int,
    settings: config.Monitor,
) -> list[str]:
    """What a reader must know before the numbers, each in a sentence."""
    said, where = [], " and ".join(locations)
    unit = f"{settings.window:,} rows" if isinstance(settings.window, int) else f"a {settings.window}"
    if not counts.rows:
        said.append(f"No prediction of {model.version} was logged in {where} in the last {settings.days} days.")
    elif not analysis:
        said.append(
            f"{counts.rows:,} predictions of {model.version} fill no window of {unit} yet; wait for more traffic."
        )
    if counts.versions and not counts.rows:
        said.append(f"The log holds {', '.join(counts.versions)} instead; name the model directory of what is served.")
    if counts.unreadable:
        said.append(f"{counts.unreadable:,} lines of the log are torn or foreign and were left out.")
    if counts.future:
        said.append(f"{counts.future:,} rows were logged later than now and were left out; correct the server's clock.")
    if reference < REFERENCE_WINDOWS:
        said.append(
            f"The reference has {reference} windows of {unit}, fewer than {REFERENCE_WINDOWS}: "
            "its bounds are uncertain; lengthen split.test or shorten monitor.window."
        )
    return said


def _unseen(known: pd.DataFrame, analysis: pd.DataFrame, features: Sequence[str]) -> list[str]:
    """Features that no row has any more, as when the log is that of another schema."""

    def empty(rows: pd.DataFrame, name: str) -> bool:
        return bool((rows[name].isna() | (rows[name] == "")).all())

    gone = [name for name in features if empty(analysis, name) and not empty(known, name)]
    if not gone:
        return []
    return [f"No row that was read has a value in {', '.join(gone)}; look whether callers send another schema."]


def _undefined(found: Sequence[Window]) -> list[str]:
    """What could not be measured in some windows, and why."""
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for window in found:
        if window.value is None and not window.reference:
            columns = counts.setdefault((window.kind, window.metric), {})
            columns[window.column or ""] = columns.get(window.column or "", 0) + 1
    return [
        f"The {kind} {metric}{' of ' * any(columns)}{', '.join(filter(None, columns))} is undefined in "
        f"{max(columns.values())} windows: their rows have one class only, or no value."
        for (kind, metric), columns in counts.items()
    ]


def gauges(summary: Summary) -> CollectorRegistry:
    """The latest window of each series, for Prometheus."""
    registry = CollectorRegistry()
    names = ("model", "version", "kind", "metric", "column")
    value = Gauge("model_window", "What was measured in the latest window", names, registry=registry)
    outside = Gauge(
        "model_window_outside", "1 when the latest window lies outside of its bounds", names, registry=registry
    )
    holds = Gauge("model_alert", "1 while the alert rule holds", ("model", "version"), registry=registry)
    rows = Gauge("model_logged_rows", "Predictions in the log that were read", ("model", "version"), registry=registry)
    for window in summary.windows:
        if not window.reference and window.value is not None:
            key = (summary.name, summary.version, window.kind, window.metric, window.column or "")
            value.labels(*key).set(window.value)
            outside.labels(*key).set(window.outside)
    holds.labels(summary.name, summary.version).set(summary.alert)
    rows.labels(summary.name, summary.version).set(summary.log.rows)
    return registry


def push(summary: Summary, address: str) -> None:
    """Hand the gauges to a Pushgateway, as a job's metrics are gone with it; raises InputError when that fails.

    They replace those of the same model, and of the same environment where POD_NAMESPACE says which it is.
    """
    space = os.environ.get("POD_NAMESPACE")
    group = {"model": summary.name, **({"namespace": space} if space else {})}
    try:
        push_to_gateway(address, "monitor", gauges(summary), group, timeout=10)
    except OSError as error:
        raise InputError(f"The metrics could not be pushed to {address} ({error}); correct --push.") from error


def summarise(
    settings: config.Config, model: Model, locations: Sequence[str], truth: str | None, now: datetime
) -> Summary:
    """Read the log and measure each window of it; `locations` are folders or fsspec URIs, `truth` one with labels."""
    own, begin = settings.monitor, now - timedelta(days=settings.monitor.days)
    with tempfile.TemporaryDirectory() as folder, predictions.connect(Path(folder)) as connection:
        counts = predictions.load(connection, locations, model, begin, now)
        predictions.labels(connection, locations, truth, model, begin)
        known = _reference(connection, model, own)
        windows.cut(connection, "answered", own.window, own.sample)
        analysis = predictions.rows(connection, model)
        sampled = connection.execute("select count(*) from cut where size > $1", [own.sample]).fetchone() != (0,)
        connection.execute(
            "create table labelled as select answered.* from answered semi join labels using (request, row)"
        )
        labelled = connection.execute("select count(*) from labelled").fetchone()
        windows.cut(connection, "labelled", own.window, own.sample)
        judged = predictions.rows(connection, model)
    found: list[Window] = []
    features = [column.name for column in model.columns]
    outputs = [f"probability_{name}" for name in model.classes] or ["prediction"]
    if len(known) and len(analysis):
        found += nannyml.estimated(known, analysis, model.task, model.classes, own.metrics, features)
        if len(judged):
            found += nannyml.realised(known, judged, model.task, model.classes, own.metrics)
        found += nannyml.drift(known, analysis, features, outputs)
        found += quality.outputs(known, analysis, outputs)
        found += quality.measure(known, analysis, model, settings.data.features, own.alert.quality)
    told = alerts.judge(found, own.alert)
    moments = [entry.raised for entry in told if entry.holds and entry.raised]
    said = _warnings(model, counts, locations, known["chunk"].nunique(), len(analysis), own)
    said += _unseen(known, analysis, features) if len(analysis) else []
    return Summary(
        name=model.metadata["name"],
        version=model.version,
        task=model.task,
        alert=any(entry.holds for entry in told),
        raised=max(moments, default=None),
        rule=own.alert,
        log=Log(**vars(counts), labelled=labelled[0] if labelled else 0),
        sampled=own.sample if sampled else None,
        alerts=tuple(told),
        warnings=tuple(said + _undefined(found)),
        windows=tuple(found),
    )


def run(
    settings: config.Config,
    build: Path,
    path: Path,
    locations: Sequence[str],
    truth: str | None,
    now: datetime,
    address: str | None = None,
) -> str:
    """Write `monitor/` under `build`: summary.json, report.md, report.html and metrics.prom; push the metrics to an
    address if there is one. Raises InputError when a part of that fails, never for what it found."""
    model = directory.load(path)
    if model.task != settings.task:
        raise InputError(f"{path} is a model of {model.task}, but config.yaml says {settings.task}; name the model.")
    summary = summarise(settings, model, locations, truth, now)
    with files.replaced(build / "monitor") as folder:
        files.write(folder / "summary.json", summary.model_dump_json() + "\n")
        files.write(folder / "report.md", findings.markdown(summary))
        files.write(folder / "report.html", findings.page(summary))
        files.write(folder / "metrics.prom", generate_latest(gauges(summary)))
    if address is not None:
        push(summary, address)
    log, state = summary.log, "ALERT" if summary.alert else "no alert"
    told = [f"{model.version}: {state} on {log.rows:,} predictions, {log.labelled:,} of them labelled"]
    return "\n".join(told + [f"  {warning}" for warning in summary.warnings])
