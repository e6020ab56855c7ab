"""Measures the served model on the test rows, beside a trivial baseline and the champion, and explains its answers."""

import time
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from pydantic import FiniteFloat, TypeAdapter, ValidationError
from sklearn.dummy import DummyClassifier, DummyRegressor

from lifecycle import InputError, config, files, git, progress
from lifecycle.artifact import directory, frames
from lifecycle.artifact.predictor import Predictions, Predictor
from lifecycle.artifact.requests import RequestError
from lifecycle.artifact.runtimes import Array
from lifecycle.documents import curves as documents
from lifecycle.documents import record
from lifecycle.evaluation import calibration, callers, curves, drift, importance, power, slices, together, watched
from lifecycle.evaluation.intervals import differences, measures
from lifecycle.privacy.hidden import hidden
from lifecycle.rows import data
from lifecycle.tasks import Task

ROW_CALLS, BATCH_CALLS = 500, 20
RELEASES = "manifests/overlays/*/release/*"  # written by pull requests of the machinery
NAMED = 20  # how many commits and files a record names


def columns(frame: pd.DataFrame, predictor: Predictor) -> pd.DataFrame:
    """A champion's inputs from the test rows, made with its own code if it has any.

    Raises InputError when the rows lack one, or hold another type.
    """
    model = predictor.model
    if missing := [column.name for column in model.requests if column.name not in frame]:
        raise InputError(
            f"The model {model.version} needs {', '.join(missing)}, which the test rows lack; "
            "keep the column in the data file."
        )
    if other := [
        f"{column.name} as a {column.type}"
        for column in model.requests
        if is_numeric_dtype(frame[column.name]) != (column.type == "number")
    ]:
        raise InputError(
            f"The model {model.version} needs {', '.join(other)}, which the test rows do not hold; "
            "add a column with a new name instead."
        )
    if predictor.derived:
        try:
            return pd.DataFrame(predictor.derived(frame), index=frame.index)
        except RequestError as error:
            raise InputError(f"The model {model.version} cannot answer the test rows: {error}") from error
    return frames.inputs(frame, {column.name: column.type for column in model.columns})


def baseline(task: Task, train: pd.Series, rows: int) -> Predictions:
    """The answers of a model that ignores its input: the training labels' class shares, or their mean."""
    nothing = np.zeros((rows, 1))
    if task == "regression":
        return Predictions(DummyRegressor().fit(np.zeros((len(train), 1)), train).predict(nothing), None)
    dummy = DummyClassifier(strategy="prior").fit(np.zeros((len(train), 1)), train)
    return Predictions(dummy.predict(nothing), dummy.predict_proba(nothing))


def latency(predictor: Predictor, rows: pd.DataFrame, calls: int) -> float:
    """Median milliseconds to predict all the rows at once."""
    inputs = frames.arrays(rows)
    spent = []
    for _ in range(calls):
        start = time.perf_counter()
        predictor.predict(inputs)
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
        draw=_draw(known["data"].get("draw")),
        run=known["run"],
        seconds=known.get("seconds"),
        parameters=known["parameters"],
        features=tuple(column.name for column in model.columns),
    )


def _draw(plan: dict[str, Any] | None) -> str:
    """In words, how the rows were drawn; empty where they were split by time."""
    if plan is None:
        return ""
    return f"drawn by {', '.join(plan['by'])} ({plan['test']:.0%} to test on, seed {plan['seed']})"


def rows_of(frame: pd.DataFrame, settings: config.Config) -> record.PeriodProfile:
    """The profile of the rows of one period."""
    label = frame[frames.LABEL]
    if settings.task == "regression":
        target = {name: getattr(label, name)() for name in ("mean", "std", "min", "median", "max")}
    else:
        shares = label.value_counts(normalize=True)
        target = {name: float(shares[code]) for code, name in enumerate(settings.data.target.classes)}
    return record.PeriodProfile(rows=len(frame), target=target)


def described(train: pd.DataFrame, test: pd.DataFrame, settings: config.Config) -> record.DataProfile:
    """The profile of the train and the test rows, and each feature's drift between them."""
    return record.DataProfile(
        train=rows_of(train, settings),
        test=rows_of(test, settings),
        features={
            name: record.FeatureProfile(
                missing_train=train[name].isna().mean(),
                missing_test=test[name].isna().mean(),
                drift=drift.distance(train[name], test[name]),
            )
            for name in settings.data.features
        },
    )


def _comparable(champion: directory.Model, candidate: directory.Model) -> None:
    """Refuse a champion with another task, or one that was trained on the candidate's test rows."""
    if (champion.task, champion.classes) != (candidate.task, candidate.classes):
        raise InputError(
            f"The champion {champion.version} predicts {champion.task} {champion.classes}, the candidate "
            f"{candidate.task} {candidate.classes}; they cannot be compared: evaluate without the champion, and say so."
        )
    known, own = champion.metadata["data"].get("draw"), candidate.metadata["data"].get("draw")
    if (known and own) and (known["by"], known["seed"]) == (own["by"], own["seed"]) and own["test"] <= known["test"]:
        return
    if known or own:
        raise InputError(
            f"The champion {champion.version} was trained on rows {_draw(known) or 'of a period'}, the candidate is "
            f"tested on rows {_draw(own) or 'of a period'}, so the champion may have seen them; evaluate without the "
            "champion, and say so, or split as it did."
        )
    learnt_until, test_from = champion.metadata["data"]["train"][1], candidate.metadata["data"]["test"][0]
    if test_from < learnt_until:
        raise InputError(
            f"The champion {champion.version} was trained on rows until {learnt_until}, but split.test begins "
            f"{test_from}; move it later, so that neither model has seen the test rows."
        )


def code(champion: str, candidate: str) -> record.Code | None:
    """The changes made by people between two commits; None if git does not have both."""
    found = git.between(champion, candidate, RELEASES) if champion and candidate else None
    if found is None:
        return None
    subjects, changed = found
    return record.Code(
        commits=len(subjects), subjects=tuple(subjects[:NAMED]), changed=len(changed), files=tuple(changed[:NAMED])
    )


def _explained(
    predictor: Predictor, rows: pd.DataFrame, truth: Array, plan: config.Evaluate
) -> tuple[dict[str, record.Importance], tuple[record.Dependence, ...]]:
    served = importance.ServedEstimator(predictor)
    few, known = importance.sample(rows, truth, plan.explain.rows, plan.seed)
    found = importance.importances(served, few, known, plan)
    return found, tuple(importance.dependence(served, few, list(found)[: plan.explain.features]))


class Difference(TypedDict):
    """What is needed of `parity.json`."""

    largest: FiniteFloat
    why: str


def _recorded(path: Path, kind: Any) -> Any:
    """What training recorded in the model directory; raises InputError if it is of another kind."""
    files.read(path, "train")
    try:
        return TypeAdapter(kind).validate_python(files.read_json(path))
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"])) or "the document"
        raise InputError(f"{path} is damaged ({place}: {problem['msg']}); copy the model or train it again.") from error


def run(settings: config.Config, build: Path, champion_directory: Path | None) -> str:
    """Write `evaluation.json`, `draws.json` and `curves.json` under `build`."""
    progress.part("reading and predicting the test rows")
    test, _ = data.read(build / "data" / "test.parquet", settings)
    train, _ = data.read(build / "data" / "train.parquet", settings)
    candidate = Predictor(build / "model", trusted=settings.train.trusted)
    if candidate.model.metadata.get("contract") != data.contract(settings):
        raise InputError("build/model was not trained on the rows in build/data; run `make train` again.")
    truth = test[frames.LABEL].to_numpy()
    rows = frames.inputs(test, {column.name: column.type for column in candidate.model.columns})
    served = candidate.predict(frames.arrays(rows))
    models = {"candidate": served, "baseline": baseline(settings.task, train[frames.LABEL], len(test))}
    champion = None
    unanswered = ""
    if champion_directory is not None:
        champion = Predictor(champion_directory, trusted=settings.train.trusted)
        _comparable(champion.model, candidate.model)
        try:
            source = data.raw(build, settings, test)
            models["champion"] = champion.predict(frames.arrays(columns(source, champion)))
        except InputError as error:  # the gates refuse the candidate, with this reason
            unanswered = str(error)

    level = settings.evaluate.level
    progress.part("measuring, with intervals")
    found, draws = together.estimates(settings, truth, models, test)
    against = None
    if champion is not None:
        answered = found.get("champion", {})
        against = record.Champion(
            origin=origin(champion.model),
            metrics=measures(answered, level),
            differences=differences(found["candidate"], answered, level),
            code=code(champion.model.metadata["commit"], candidate.model.metadata["commit"]),
            requests=callers.requests(candidate.model, champion.model),
            unanswered=unanswered,
            slices=tuple(slices.compared(settings, test, truth, served, models["champion"]) if answered else ()),
        )
    progress.part("explaining the features")
    importances, dependence = _explained(candidate, rows, truth, settings.evaluate)
    unseen = tuple(hidden(candidate.model, settings.data.features))
    progress.part("measuring slices and latency")
    batch, served_as = rows.head(settings.serve.rows), _recorded(build / "model" / "parity.json", Difference)
    evaluation = record.Evaluation(
        name=settings.name,
        task=settings.task,
        classes=candidate.model.classes,
        level=level,
        rows=len(test),
        origin=origin(candidate.model),
        hidden=unseen,
        metrics=measures(found["candidate"], level),
        baseline=measures(found["baseline"], level),
        champion=against,
        slices=tuple(slices.measure(settings, test, truth, served)),
        fairness=tuple(slices.fairness(settings, test, truth, served)),
        calibration=calibration.bins(truth, served),
        confusion=calibration.confusion(truth, served),
        residuals=calibration.residuals(truth, served) if settings.task == "regression" else None,
        importance=importances,
        dependence=dependence,
        shap=_recorded(build / "model" / "shap.json", tuple[record.Shap, ...]),
        data=described(train, test, settings),
        latency=latency(candidate, rows.head(1), ROW_CALLS),
        batch=record.Batch(rows=len(batch), milliseconds=latency(candidate, batch, BATCH_CALLS)),
        parity=served_as["largest"],
        runtime=candidate.runtime,
        not_onnx=served_as["why"],
        directions=settings.evaluate.metrics,
        track=watched.track(settings, test, rows, served, unseen),
        bytes=(build / "model" / f"model.{candidate.runtime}").stat().st_size,
    )
    files.write(build / "evaluation.json", record.dump(evaluation))
    power.write(build, draws)
    answering = {"candidate": candidate, **({"champion": champion} if champion else {})}
    thresholds = {name: one.model.threshold for name, one in answering.items()}
    documents.write(build, curves.both(evaluation, truth, models, thresholds))
    against_text = f"against {champion.model.version}" if champion else "without a champion"
    return f"{candidate.model.version} on {len(test):,} test rows {against_text}"
