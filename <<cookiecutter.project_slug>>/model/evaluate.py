"""Measures the served model on the test rows, beside a trivial baseline and the champion, with intervals."""

import json
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier, DummyRegressor

from model import InputError, config, data, directory, files, metrics, record
from model.predictor import Predictions, Predictor
from model.tasks import Task

LATENCY_CALLS = 500


def columns(frame: pd.DataFrame, predictor: Predictor) -> dict[str, np.ndarray[Any, Any]]:
    """A model's inputs from the test rows, each (n,); raises InputError when the rows lack one."""
    if missing := [column.name for column in predictor.model.columns if column.name not in frame]:
        raise InputError(
            f"The model {predictor.model.version} needs {', '.join(missing)}, which the test rows lack; "
            "keep the column in the data file."
        )
    rows = data.inputs(frame, {column.name: column.type for column in predictor.model.columns})
    return {name: rows[name].to_numpy() for name in rows}


def baseline(task: Task, train: pd.Series, rows: int) -> Predictions:
    """The answers of a model that knows only the training labels: the shares of their classes, or their mean."""
    nothing = np.zeros((rows, 1))
    if task == "regression":
        return Predictions(DummyRegressor().fit(np.zeros((len(train), 1)), train).predict(nothing), None)
    dummy = DummyClassifier(strategy="prior").fit(np.zeros((len(train), 1)), train)
    return Predictions(dummy.predict(nothing), dummy.predict_proba(nothing))


def parts(frame: pd.DataFrame, part: config.Slice) -> dict[str, np.ndarray[Any, Any]]:
    """The rows of each part, (n,) of booleans: of each value of a category, or of each range of a number."""
    column = frame[part.column]
    if part.cuts:
        edges = [f"{cut:g}" for cut in part.cuts]
        between = [f"{low} to {high}" for low, high in pairwise(edges)]
        names = [f"up to {edges[0]}", *between, f"over {edges[-1]}"]
        values = np.array(names)[np.searchsorted(part.cuts, column, side="left")]
    else:
        values = column.astype(str).to_numpy()
        names = sorted(set(values[column.notna()]))
    values = np.where(column.isna(), "missing", values)
    chosen = {name: values == name for name in [*names, "missing"]}
    return {name: rows for name, rows in chosen.items() if rows.any()}


def measures(
    points: dict[str, float], drawn: dict[str, np.ndarray[Any, Any]], level: float
) -> dict[str, record.Measure]:
    """Points with their intervals; a metric that is undefined on the rows is left out."""
    found = {}
    for name, value in points.items():
        if not np.isnan(value):
            low, high = metrics.interval(drawn[name], level)
            found[name] = record.Measure(value=value, low=low, high=high)
    return found


def calibration(truth: np.ndarray[Any, Any], probability: np.ndarray[Any, Any]) -> tuple[record.Bin, ...]:
    """Ten equal ranges of the probability of the last class, those without rows left out."""
    codes = np.minimum((probability * 10).astype(int), 9)
    return tuple(
        record.Bin(rows=int(chosen.sum()), predicted=probability[chosen].mean(), observed=truth[chosen].mean())
        for chosen in (codes == code for code in range(10))
        if chosen.any()
    )


def latency(predictor: Predictor, row: dict[str, np.ndarray[Any, Any]]) -> float:
    """Median milliseconds of one prediction for one row."""
    spent = []
    for _ in range(LATENCY_CALLS):
        start = time.perf_counter()
        predictor.predict(row)
        spent.append(time.perf_counter() - start)
    return float(np.median(spent) * 1000)


def origin(model: directory.Model) -> record.Origin:
    known = model.metadata
    return record.Origin(
        version=known["version"],
        commit=known["commit"],
        dirty=known["dirty"],
        model=model.sha256,
        data=known["data"]["sha256"],
        lock=known["lock"],
        train=known["data"]["train"],
        test=known["data"]["test"],
        run=known["run"],
        parameters=known["parameters"],
        features=tuple(column.name for column in model.columns),
    )


def _comparable(champion: directory.Model, candidate: directory.Model) -> None:
    """Refuse a champion that answers another question, or that learnt from the candidate's test rows."""
    if (champion.task, champion.classes) != (candidate.task, candidate.classes):
        raise InputError(
            f"The champion {champion.version} answers {champion.task} {champion.classes}, the candidate "
            f"{candidate.task} {candidate.classes}; they cannot be compared: evaluate without it, and say so."
        )
    learnt_until, test_from = champion.metadata["data"]["train"][1], candidate.metadata["data"]["test"][0]
    if test_from < learnt_until:
        raise InputError(
            f"The champion {champion.version} learnt from rows up to {learnt_until}, split.test begins {test_from}; "
            "move it later, so that neither model has seen the test rows."
        )


def run(settings: config.Config, build: Path, champion_directory: Path | None) -> str:
    """Write `evaluation.json` under `build`."""
    test, _ = data.read(build / "data" / "test.parquet", settings)
    train, _ = data.read(build / "data" / "train.parquet", settings)
    candidate = Predictor(build / "model")
    if candidate.model.metadata["contract"] != data.contract(settings):
        raise InputError("build/model was trained on other data than build/data holds; run `make train` again.")
    truth = test[data.LABEL].to_numpy()
    inputs = columns(test, candidate)
    models = {
        "candidate": candidate.predict(inputs),
        "baseline": baseline(settings.task, train[data.LABEL], len(test)),
    }
    champion = None
    if champion_directory is not None:
        champion = Predictor(champion_directory)
        _comparable(champion.model, candidate.model)
        models["champion"] = champion.predict(columns(test, champion))

    count, seed, level = settings.evaluate.resamples, settings.evaluate.seed, settings.evaluate.level
    drawn = metrics.bootstrap(settings.task, truth, models, count, seed)
    points = {name: metrics.point(settings.task, truth, answers) for name, answers in models.items()}
    measured = {name: measures(points[name], drawn[name], level) for name in models}
    against = None
    if champion is not None:
        gained = {name: points["candidate"][name] - points["champion"][name] for name in points["candidate"]}
        paired = {name: drawn["candidate"][name] - drawn["champion"][name] for name in gained}
        against = record.Champion(
            origin=origin(champion.model), metrics=measured["champion"], differences=measures(gained, paired, level)
        )
    served = models["candidate"]
    evaluation = record.Evaluation(
        name=settings.name,
        task=settings.task,
        level=level,
        rows=len(test),
        origin=origin(candidate.model),
        metrics=measured["candidate"],
        baseline=measured["baseline"],
        champion=against,
        slices=tuple(_slices(settings, test, truth, served)),
        calibration=()
        if served.probabilities is None
        else calibration(truth == len(candidate.model.classes) - 1, served.probabilities[:, -1]),
        latency=latency(candidate, {name: values[:1] for name, values in inputs.items()}),
        parity=json.loads((build / "model" / "parity.json").read_text())["largest"],
        bytes=(build / "model" / "model.onnx").stat().st_size,
    )
    files.write(build / "evaluation.json", record.dump(evaluation))
    against_text = f"against {champion.model.version}" if champion else "without a champion"
    return f"{candidate.model.version} on {len(test):,} test rows {against_text}"


def _slices(
    settings: config.Config, test: pd.DataFrame, truth: np.ndarray[Any, Any], served: Predictions
) -> list[record.SlicePart]:
    found = []
    for part in settings.evaluate.slices:
        for name, chosen in parts(test, part).items():
            probabilities = None if served.probabilities is None else served.probabilities[chosen]
            answers = {"candidate": Predictions(served.labels[chosen], probabilities)}
            rows = truth[chosen]
            drawn = metrics.bootstrap(
                settings.task, rows, answers, settings.evaluate.resamples, settings.evaluate.seed
            )["candidate"]
            points = metrics.point(settings.task, rows, answers["candidate"])
            found.append(
                record.SlicePart(
                    column=part.column,
                    part=name,
                    rows=len(rows),
                    metrics=measures(points, drawn, settings.evaluate.level),
                )
            )
    return found
