"""Tells whether the released model still holds: performance estimated without labels, realised where labels came."""

import tempfile
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd

from lifecycle import InputError
from lifecycle.artifact import directory, frames
from lifecycle.artifact.directory import Model
from lifecycle.config import Config, Monitor
from lifecycle.documents.summary import LogCounts, Summary, Window
from lifecycle.monitoring import alerts, nannyml, quality, reader, windows

REFERENCE_WINDOWS = 10


def _reference(connection: duckdb.DuckDBPyConnection, model: Model, watching: Monitor) -> pd.DataFrame:
    """The test rows that the model was accepted with, in windows like those of the log."""
    rows = frames.parquet((model.path / "reference.parquet").read_bytes()).to_pandas()
    if model.task == "multiclass_classification":
        for name in ("prediction", "label"):
            rows[name] = rows[name].map(dict(enumerate(model.classes)))
    rows["time"] = pd.to_datetime(rows["time"], utc=True)
    count = range(len(rows))
    connection.register("known", pd.DataFrame({"id": count, "time": rows["time"], "request": "", "row": count}))
    windows.cut(connection, "known", watching.window, watching.sample)
    places = connection.execute("select id, chunk from cut order by chunk, time, row").df()
    found = rows.iloc[places["id"].to_numpy("int64")].reset_index(drop=True)
    return found.assign(chunk=places["chunk"])


def _warnings(
    model: Model,
    counts: reader.Counts,
    locations: Sequence[str],
    reference: int,
    analysis: int,
    watching: Monitor,
) -> list[str]:
    """What a reader must know before the numbers, each in a sentence."""
    said, where = [], " and ".join(locations)
    unit = f"{watching.window:,} rows" if isinstance(watching.window, int) else f"a {watching.window}"
    if not counts.rows:
        said.append(f"No prediction of {model.version} was logged in {where} in the last {watching.days} days.")
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


def summarise(settings: Config, model: Model, locations: Sequence[str], truth: str | None, now: datetime) -> Summary:
    """Read the log and measure each window of it; `locations` are folders or fsspec URIs, `truth` one with labels."""
    own, begin = settings.monitor, now - timedelta(days=settings.monitor.days)
    with tempfile.TemporaryDirectory() as folder, reader.connect(Path(folder)) as connection:
        counts = reader.load(connection, locations, model, begin, now)
        reader.labels(connection, locations, truth, model, begin)
        known = _reference(connection, model, own)
        windows.cut(connection, "answered", own.window, own.sample)
        analysis = reader.rows(connection, model)
        sampled = connection.execute("select count(*) from cut where size > $1", [own.sample]).fetchone() != (0,)
        connection.execute(
            "create table labelled as select answered.* from answered semi join labels using (request, row)"
        )
        labelled = connection.execute("select count(*) from labelled").fetchone()
        windows.cut(connection, "labelled", own.window, own.sample)
        judged = reader.rows(connection, model)
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
        log=LogCounts(**vars(counts), labelled=labelled[0] if labelled else 0),
        sampled=own.sample if sampled else None,
        alerts=tuple(told),
        warnings=tuple(said + _undefined(found)),
        windows=tuple(found),
    )


def run(settings: Config, path: Path, locations: Sequence[str], truth: str | None, now: datetime) -> Summary:
    """What the log says of a model directory; raises InputError when it cannot be read, never for what it holds."""
    model = directory.load(path)
    if model.task != settings.task:
        raise InputError(f"{path} is a model of {model.task}, but config.yaml says {settings.task}; name the model.")
    return summarise(settings, model, locations, truth, now)


def told(summary: Summary) -> str:
    """The outcome in a line, and each warning in one below it."""
    log, state = summary.log, "ALERT" if summary.alert else "no alert"
    line = f"{summary.version}: {state} on {log.rows:,} predictions, {log.labelled:,} of them labelled"
    return "\n".join([line, *(f"  {warning}" for warning in summary.warnings)])
