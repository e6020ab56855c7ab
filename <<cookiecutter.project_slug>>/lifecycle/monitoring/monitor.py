"""Measures whether the released model still performs: estimated without labels, realised with them."""

import tempfile
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa

from lifecycle import InputError, files, progress
from lifecycle.artifact import directory, frames
from lifecycle.artifact.directory import Model
from lifecycle.config import Config, Monitor
from lifecycle.documents.summary import FEWEST_WINDOWS, REFERENCE_WINDOWS, LogCounts, Sliced, Summary, Window
from lifecycle.documents.track import TrackRecord
from lifecycle.estimation import later, past, target
from lifecycle.estimation import own as plain
from lifecycle.monitoring import alerts, family, labelled, nannyml, quality, reader, sound, windows
from lifecycle.privacy.hidden import hidden
from lifecycle.tasks import label


def _reference(
    connection: duckdb.DuckDBPyConnection, model: Model, hidden: Collection[str], watching: Monitor, begin: datetime
) -> pd.DataFrame:
    """The model's test rows, cut into windows as the log is; rows without a moment end a second apart at `begin`."""
    path = model.path / "reference.parquet"
    try:
        rows = frames.parquet(files.read(path, "train")).to_pandas()
    except pa.ArrowException as error:
        raise InputError(f"{path} is damaged ({error}); copy the model or train it again.") from error
    needed = {column.name for column in model.columns if column.name not in hidden}
    if missing := sorted((needed | {"time", "prediction", frames.LABEL}) - set(rows)):
        raise InputError(f"{path} lacks {', '.join(missing)}; copy the model or train it again.")
    rows = rows.drop(columns=[name for name in hidden if name in rows])
    if model.task == "multiclass_classification":
        for name in ("prediction", "label"):
            rows[name] = rows[name].map(dict(enumerate(model.classes)))
    if model.time is None:
        rows["time"] = pd.date_range(end=begin, periods=len(rows), freq="s")
    rows["time"] = pd.to_datetime(rows["time"], utc=True)
    count = range(len(rows))
    order = {"id": count, "time": rows["time"], "logged": rows["time"], "request": "", "row": count}
    connection.register("known", pd.DataFrame(order))
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
    begin: datetime,
) -> list[str]:
    """Caveats to read before the numbers, one sentence each."""
    found, where = [], " and ".join(locations)
    unit = f"{watching.window:,} rows" if isinstance(watching.window, int) else f"a {watching.window}"
    if not counts.rows:
        found.append(f"No prediction of {model.version} was logged in {where} since {begin:%Y-%m-%d %H:%M} UTC.")
    elif not analysis and isinstance(watching.window, int) and counts.rows >= watching.window:
        block = windows.block(watching.days) / timedelta(days=1)
        found.append(
            f"{counts.rows:,} predictions of {model.version} fill no window of {unit}, as the count begins anew every "
            f"{block:.3g} days; shorten monitor.window or lengthen monitor.days."
        )
    elif not analysis:
        found.append(
            f"{counts.rows:,} predictions of {model.version} do not fill a window of {unit} yet; wait for more traffic."
        )
    if counts.versions and not counts.rows:
        found.append(
            f"The log holds {', '.join(counts.versions)} instead; name the model directory of the served version."
        )
    if counts.unreadable:
        found.append(f"{counts.unreadable:,} lines of the log are torn or malformed and were skipped.")
    if counts.impossible:
        found.append(
            f"{counts.impossible:,} rows have an answer that the model cannot give, such as another class or "
            "probabilities that do not sum to 1, and were skipped; find what writes them."
        )
    if counts.damaged:
        found.append(
            f"{counts.damaged:,} files of the log are damaged, closed to the monitor or gone; what was read counts."
        )
    if counts.repeated:
        found.append(
            f"{counts.repeated:,} rows stand twice in the log, such as in a file that was shipped, and count once."
        )
    if counts.reused:
        found.append(
            f"{counts.reused:,} rows came under the request id of earlier ones and can have no labels; if callers send "
            "an id of their own (meta.puid), each request needs another one."
        )
    if counts.ahead:
        found.append(
            f"{counts.ahead:,} rows have a time of their own that is later than their answer, which counts instead; "
            "correct the callers, or set monitor.time to server."
        )
    if counts.future:
        found.append(
            f"{counts.future:,} rows have a log time in the future and were skipped; correct the server's clock."
        )
    if reference < FEWEST_WINDOWS:
        found.append(
            f"The reference has {reference} windows of {unit}, fewer than {FEWEST_WINDOWS}: performance has no bounds "
            "and raises no alert; lengthen split.test or shorten monitor.window."
        )
    elif reference < REFERENCE_WINDOWS:
        found.append(
            f"The reference has {reference} windows of {unit}, fewer than {REFERENCE_WINDOWS}: "
            "its bounds are uncertain; lengthen split.test or shorten monitor.window."
        )
    return found


def _aside(log: LogCounts, allowed: float) -> list[str]:
    """What of the log and its feedback was set aside, if any label was, or too much of either."""
    found = []
    if log.late:
        found.append(f"{log.late:,} rows came after their period was closed and are in no window.")
    if log.odd:
        found.append(
            f"{log.odd:,} labels of the feedback are none that the model has, such as a former class, and were skipped."
        )
    if log.rows and log.unmatched and not log.labelled:
        found.append(
            f"None of {log.unmatched:,} labels is for an answer of this version in the log: they are those of another "
            "one, or their requests and rows are wrong."
        )
    if log.aside > allowed:
        found.append(
            f"{log.aside:.1%} of the log's rows or labels were set aside, more than monitor.alert.aside "
            f"({allowed:.1%}): the numbers below leave them out; find what writes them."
        )
    return found


def _hidden(unseen: Mapping[str, bool | str], model: Model) -> list[str]:
    """A warning about the features that the log hides, and what that takes from the monitor."""
    names = [column.name for column in model.columns if column.name in unseen]
    if not names:
        return []
    what = "neither their drift nor their quality is measured"
    if model.task == "regression":  # CBPE reads probabilities alone
        what += ", and the errors are estimated without them"
    return [f"The log does not show {', '.join(names)} (data.features: log), so {what}."]


def _seen(rows: pd.DataFrame, features: Iterable[str]) -> set[str]:
    """The features that have a value in any row."""
    return {name for name in features if not (rows[name].isna() | (rows[name] == "")).all()}


def _unseen(gone: Collection[str]) -> list[str]:
    """A warning about features that are empty in every row of the log, such as after a change of schema."""
    if not gone:
        return []
    return [f"No row has a value in {', '.join(sorted(gone))}; check whether callers send another schema."]


def _alike(windows: Mapping[str, int], usual: Collection[str]) -> list[str]:
    """A warning about outputs that are the same in all rows of a window, as in none of the reference."""
    found = [f"{name} in {count} windows" for name, count in windows.items() if name not in usual]
    if not found:
        return []
    return [f"All rows have the same value of {', '.join(found)}; check whether the service still reads its inputs."]


def _track(
    known: pd.DataFrame, told: pd.DataFrame, model: Model, watching: Monitor, features: Sequence[str]
) -> TrackRecord:
    """How the estimate fared on the reference, and since then on rows with labels, whoever estimates now."""
    about = model.task, model.classes, watching, features
    why = past.untold(model.time is not None, known["chunk"].nunique())
    found = TrackRecord(why=why) if why else past.walk(past.recent(known), *about)
    return found.model_copy(update={"since": later.since(known, told, *about)}) if len(told) else found


def _undefined(found: Sequence[Window]) -> list[str]:
    """A sentence for each metric that is undefined in some windows."""
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for window in found:
        if window.value is None and not window.reference:
            columns = counts.setdefault((window.kind, window.metric), {})
            columns[window.column or ""] = columns.get(window.column or "", 0) + 1
    return [
        f"The {kind} {label(metric)}{' of ' * any(columns)}{', '.join(filter(None, columns))} is undefined in "
        f"{max(columns.values())} windows, where rows have only one class, or no value."
        for (kind, metric), columns in counts.items()
    ]


def summarise(
    settings: Config, model: Model, locations: Sequence[str], truth: str | None, now: datetime, alone: bool = False
) -> Summary:
    """Read the log and measure each window; `locations` are folders or fsspec URIs, `truth` is one with labels.

    Labels that cannot be read are a warning if the monitor runs `alone`, with no one there to correct them.
    """
    progress.part("reading the log")
    own = settings.monitor
    begin = windows.begin(own.window, own.days, now)
    unseen = hidden(model, settings.data.features)
    features = [column.name for column in model.columns if column.name not in unseen]
    outputs = [f"probability_{name}" for name in model.classes] or ["prediction"]
    with tempfile.TemporaryDirectory() as folder, reader.connect(Path(folder)) as connection:
        counts = reader.load(connection, locations, model, begin, now, own.time == "caller", unseen)
        failed: list[str] = []
        try:
            told = reader.labels(connection, locations, truth, model, begin)
        except InputError as error:
            if truth is None or not alone:
                raise
            failed.append(f"The labels in {truth} were left out. {error}")
            told = reader.labels(connection, locations, None, model, begin)
        counts = replace(counts, damaged=counts.damaged + told.damaged)
        known = _reference(connection, model, unseen, own, begin)
        late = windows.settle(connection, own.window)
        windows.cut(connection, "answered", own.window, own.sample, own.days)
        gaps = windows.gaps(connection, own.window)
        rows, pieces = reader.pieces(connection, model, unseen)
        sampled = reader.count(connection, "select count(*) from cut where size > $1", [own.sample]) > 0
        connection.execute(
            "create table labelled as select answered.* from answered semi join labels using (request, row) "
            "where turn = 1"
        )
        log = LogCounts(
            **vars(counts),
            labelled=reader.count(connection, "select count(*) from labelled"),
            told=told.told,
            odd=told.odd,
            late=late,
            unmatched=reader.count(connection, "select count(*) from labels anti join answered using (request, row)"),
        )
        windows.cut(connection, "labelled", own.window, own.sample, own.days)
        truths = reader.rows(connection, model, unseen)
        shares = windows.rest(connection, own.window, labelled.COMPARED)
        rest = reader.rows(connection, model, unseen)
        by, about = (plain if own.estimator == "own" else nannyml), (model.task, model.classes, own.metrics)
        limits = settings.data.features, own.alert.quality
        estimated = sound.Measured("Estimated performance", lambda: by.estimated(known, *about, features))
        drift = sound.Measured("Drift", lambda: by.drift(known, features, outputs))
        means = sound.Measured("Outputs", lambda: quality.outputs(known, outputs))
        wrong = sound.Measured("Quality", lambda: quality.measure(known, model, *limits))
        parts = family.Watched(settings, known, model.classes, features) if len(known) and rows else None
        gone, alike = set(features), Counter[str]()
        for piece in pieces if len(known) else ():
            progress.part("measuring the log's windows")
            gone -= _seen(piece, gone)
            alike += quality.stuck(piece, outputs)
            for one in (estimated, drift, means, wrong):
                one.add(piece)
            if parts:
                parts.add(piece)
    found: list[Window] = [*estimated.windows]
    failed += estimated.told
    records, sliced = list[TrackRecord](), list[Sliced]()
    asked = rule = target.shared(own.alert, settings.evaluate.slices)
    if parts:
        if len(truths):
            realised = sound.Measured("Realised performance", lambda: by.realised(known, *about))
            realised.add(truths)
            found, failed = [*found, *realised.windows], [*failed, *realised.told]
        found = plain.errors(found, known, *about)
        every = [*features, *outputs]
        tested, told_of = sound.attempted("Rows with labels", lambda: [labelled.unlike(truths, rest, every)])
        odd = tested[0] if tested else {}
        found = labelled.marked(found, truths, shares, odd)
        failed += told_of + labelled.warnings(found)
        fair = truths[~truths["chunk"].isin([chunk for chunk, names in odd.items() if names])]
        progress.part("going through the track record")
        records, told_of = sound.attempted("The track record", lambda: [_track(known, fair, model, own, features)])
        failed += told_of
        if known["chunk"].nunique() < FEWEST_WINDOWS:  # three standard deviations of so few are no bounds
            unbounded = {"low": None, "high": None, "outside": False}
            found = [window.model_copy(update=unbounded) for window in found]
        found, failed = [*found, *drift.windows], [*failed, *drift.told]
        found, flat = sound.bounded(found)
        failed += flat
        found, rule = target.followed(found, asked)
        aimed = rule.model_copy(update={"quiet": asked.quiet})
        sliced, told_of = parts.found(truths, aimed)
        failed += told_of
        for measured in (means, wrong):
            found, failed = [*found, *measured.windows], [*failed, *measured.told]
    judged = alerts.judge(found, rule) + alerts.judged(sliced, rule)
    latest = max((one for one in judged if one.holds and one.raised), key=lambda one: one.raised or "", default=None)
    warnings = _warnings(model, counts, locations, known["chunk"].nunique(), rows, own, begin)
    warnings += _aside(log, own.alert.aside) + _hidden(unseen, model)
    warnings += _unseen(gone & _seen(known, features)) if rows else []
    warnings += _alike(alike, quality.stuck(known, outputs)) if len(known) else []
    if gaps:
        warnings.append(
            f"{gaps:,} of the {own.window}s between the first and the last have no rows, or too few to count."
        )
    return Summary(
        name=model.metadata["name"],
        version=model.version,
        task=model.task,
        alert=any(entry.holds for entry in judged),
        raised=latest.raised if latest else None,
        since=latest.since if latest else None,
        rule=rule.model_copy(update={"quiet": None}),  # as it was chosen
        estimator=own.estimator,
        log=log,
        sampled=own.sample if sampled else None,
        alerts=tuple(judged),
        warnings=tuple(warnings + failed + _undefined(found)),
        windows=tuple(found),
        slices=tuple(sliced),
        track=records[0] if records else None,
    )


def run(
    settings: Config, path: Path, locations: Sequence[str], truth: str | None, now: datetime, alone: bool = False
) -> Summary:
    """Monitor a model directory; raises InputError for unreadable input, never for an alert."""
    model = directory.load(path)
    if model.task != settings.task:
        raise InputError(
            f"{path} is a model of {model.task}, but config.yaml says {settings.task}; name the right model directory."
        )
    return summarise(settings, model, locations, truth, now, alone)


def outcome(summary: Summary) -> str:
    """The outcome in one line, followed by one line per warning."""
    log, state = summary.log, "ALERT" if summary.alert else "no alert"
    line = f"{summary.version}: {state} on {log.rows:,} predictions, {log.labelled:,} of them labelled"
    return "\n".join([line, *(f"  {warning}" for warning in summary.warnings)])
