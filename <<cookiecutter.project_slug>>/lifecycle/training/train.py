"""Fits the estimator and saves it as ONNX, or with skops if the conversion would answer differently."""

import io
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from lifecycle import InputError, files, git, progress
from lifecycle.artifact import derive, frames, golden
from lifecycle.artifact.directory import FORMAT
from lifecycle.artifact.predictor import Predictions, Predictor
from lifecycle.artifact.requests import RequestError
from lifecycle.config import Config
from lifecycle.rows import data, features, split
from lifecycle.training import explanation, serveable, team, tracking

GOLDEN_ROWS = 3
SKEW = 200  # test rows of which serving must make the same features
SHOWN = 300  # characters of the reason why a model is not ONNX; parity.json has all of it


def inputs(frame: pd.DataFrame, settings: Config) -> pd.DataFrame:
    """The configured features, in the form that the served model receives."""
    return frames.inputs(frame, {name: feature.type for name, feature in settings.data.features.items()})


def run(settings: Config, build: Path, *locks: Path) -> str:
    """Write `model/` under `build`: an MLflow model (signature, example) with its reference and golden rows.

    The test rows are only predicted, for the reference and the parity, never used for fitting.
    """
    progress.part("reading the rows")
    train, learnt = data.read(build / "data" / "train.parquet", settings)
    test, tested = data.read(build / "data" / "test.parquet", settings)
    commit, locked = git.head(), files.sha256(b"".join(files.read(lock, "lock") for lock in locks))
    weight = train[settings.data.weight] if settings.data.weight else None
    progress.part("fitting the estimator")
    started = time.monotonic()
    fitted = team.fit(inputs(train, settings), train[frames.LABEL], settings, weight)
    seconds = round(time.monotonic() - started, 3)
    sent = data.sent_as_booleans(build / "data" / "train.parquet")
    threshold, fitted = team.threshold(fitted, settings), team.answering(fitted)
    progress.part("opening MLflow's run")
    with tracking.run(settings, commit.version, build) as run_id, files.replaced(build / "model") as folder:
        metadata = {
            "format": FORMAT,
            "name": settings.name,
            "version": commit.version,
            "commit": commit.sha,
            "dirty": commit.dirty,
            "run": run_id,
            "seconds": seconds,
            "task": settings.task,
            "classes": list(settings.data.target.classes),
            "threshold": threshold,
            "time": settings.data.time,
            "key": list(settings.data.key),
            "booleans": [name for name in sent if name in settings.data.features],
            **_hidden(settings),
            "raw": [asdict(column) for column in features.raw(settings.data, sent)],
            "data": {"sha256": settings.data.sha256, "train": learnt, "test": tested, "draw": split.drawn(settings)},
            "contract": data.contract(settings),
            "lock": locked,
            "parameters": settings.train.parameters,
        }
        progress.part("converting, and comparing answers")
        served = serveable.choose(fitted, train, inputs(test, settings), metadata, settings, folder)
        progress.part("explaining single predictions")
        _record(served, fitted, test, data.raw(build, settings, test), settings, folder)
        progress.part("logging to MLflow")
        tracking.log(folder, metadata, {"train": train, "test": test}, settings.data.path)
    tuned = "" if threshold == settings.train.threshold else f"; its own threshold is {threshold:.3g}"
    return (
        f"{commit.version} on {len(train):,} rows; {served.runtime} differs by at most {served.parity.largest:.1g}"
        f"{f' ({serveable.short(served.refused)})' if served.refused else ''}{tuned}; MLflow run {run_id}"
    )


def _hidden(settings: Config) -> dict[str, Any]:
    """For the model's metadata, the features that the log does not show."""
    found = {name: one.log for name, one in settings.data.features.items() if one.log is not True}
    return {"log": found} if found else {}


def _record(
    served: serveable.Serveable, fitted: Any, test: pd.DataFrame, raw: pd.DataFrame, settings: Config, folder: Path
) -> None:
    """Add the reference, golden rows, parity and SHAP values to the model directory, and seal it."""
    rows, predictor = served.rows, served.predictor
    classes = predictor.model.classes
    seen = rows.drop(columns=_hidden(settings).get("log", {}))  # the monitor, too, does without what the log hides
    _reference(test, seen, served.answers, settings.data.time, classes, folder / "reference.parquet")
    if predictor.model.raw:
        _check_skew(rows, raw, predictor)
    files.write_json(folder / "golden.json", _golden(_familiar(rows, predictor), raw, predictor))
    files.write_json(
        folder / "parity.json",
        {
            **asdict(served.parity),
            "tolerance": settings.train.parity,
            "runtime": served.runtime,
            "why": served.refused,
            "columns": served.by_column,
        },
    )
    files.write_json(folder / "shap.json", explanation.values(fitted, rows, settings.train.seed))
    files.seal(folder)


def _golden(few: pd.DataFrame, raw: pd.DataFrame, predictor: Predictor) -> dict[str, Any]:
    """Requests with the answers to them and, if they are of raw columns, the features that were made of them."""
    if not predictor.model.raw:
        rows = json.loads(few.to_json(orient="records", double_precision=15))
        return {"rows": rows, "answers": predictor.answers(predictor.predict(predictor.inputs(golden.columns(rows))))}
    rows = derive.sent(raw.loc[few.index], predictor.model.raw)
    inputs = predictor.inputs(golden.columns(rows))
    answers = predictor.answers(predictor.predict(inputs))
    return {"rows": rows, "answers": answers, "features": predictor.logged({}, inputs)}


def _check_skew(rows: pd.DataFrame, raw: pd.DataFrame, predictor: Predictor) -> None:
    """Raise InputError unless serving makes the features of requests that training made of the rows, bit for bit."""
    few = rows.head(SKEW)
    try:
        served = predictor.inputs(golden.columns(derive.sent(raw.loc[few.index], predictor.model.raw)))
    except RequestError as error:
        raise InputError(f"A service would refuse rows of the test data: {error}") from error
    for name in few:
        if not few[name].reset_index(drop=True).equals(pd.Series(served[name])):
            raise InputError(
                f"{derive.FILE} makes another {name} of a request than of the data; read nothing but the given "
                "columns, and no file outside of model/."
            )


def _familiar(rows: pd.DataFrame, predictor: Predictor) -> pd.DataFrame:
    """The first rows with only known categories, which every service accepts; if there are none, the first rows."""
    known = pd.Series(True, index=rows.index)
    for name, seen in predictor.model.categories.items():
        known &= rows[name].isin(seen | {""})
    return (rows[known] if known.any() else rows).head(GOLDEN_ROWS)


def _reference(
    test: pd.DataFrame, rows: pd.DataFrame, served: Predictions, time: str | None, classes: tuple[str, ...], path: Path
) -> None:
    """Write the monitor's reference: the test rows' time, inputs, label and prediction."""
    frame = rows.assign(
        **{"time": test[time] if time else None, frames.LABEL: test[frames.LABEL], "prediction": served.labels}
    )
    if served.probabilities is not None:
        for code, name in enumerate(classes):
            frame[f"probability_{name}"] = served.probabilities[:, code]
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False, compression="zstd")
    files.write(path, buffer.getvalue())
