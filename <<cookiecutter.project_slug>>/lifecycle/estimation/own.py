"""The windows of estimated and realised performance and of drift, by the methods of this room alone."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd

from lifecycle.documents.summary import Window
from lifecycle.estimation import cbpe, chances, dle, series
from lifecycle.estimation.chances import Array
from lifecycle.estimation.drift import distance, reconstruction
from lifecycle.tasks import Task, sign

# A metric of the rows at these places.
type Measure = Callable[[str, Array], float]


def certain(frame: pd.DataFrame, task: Task, classes: Sequence[str]) -> Measure:
    """The performance that came true; NaN where one class alone was true or answered, as far as that matters."""
    if task == "regression":
        known = {metric: dle.losses(frame, metric) for metric in dle.LOSSES}
        return lambda metric, places: dle.measure(metric, known[metric][places])[0]
    every = cbpe.claims(frame, classes)

    def measure(metric: str, places: Array) -> float:
        own = every.at(places)
        return chances.measure(metric, own)[0] if metric not in chances.COUNTED or own.varied else float("nan")

    return measure


def expected(
    known: pd.DataFrame,
    asked: Sequence[pd.DataFrame],
    task: Task,
    classes: Sequence[str],
    metrics: Sequence[str],
    features: Sequence[str],
) -> list[Measure]:
    """The performance to expect of each frame, from what came true of the known rows."""

    def of_losses(found: Mapping[str, Array]) -> Measure:
        return lambda metric, places: dle.measure(metric, found[metric][places])[0]

    def of_chances(found: chances.Claims) -> Measure:
        return lambda metric, places: chances.measure(metric, found.at(places))[0]

    if task == "regression":
        return list(map(of_losses, dle.estimated(known, asked, metrics, features)))
    answers = [cbpe.claims(frame, classes) for frame in asked]
    return list(map(of_chances, cbpe.estimated(cbpe.claims(known, classes), answers)))


def _performance(
    kind: Literal["estimated", "realised"],
    frames: tuple[pd.DataFrame, pd.DataFrame],
    metrics: Sequence[str],
    usual: Measure,
    measures: Sequence[Measure],
) -> list[Window]:
    """Windows of each metric, bounded by what came true in the reference windows."""
    parts, spans = [series.parts(frame) for frame in frames], [series.spans(frame) for frame in frames]
    found = []
    for metric in metrics:
        most = float("inf") if metric in dle.LOSSES else 1.0
        limits = series.bounds([usual(metric, places) for places in parts[0].values()], 0.0, most)
        for own, span, measure in zip(parts, spans, measures, strict=True):
            for chunk, places in own.items():
                value, known = measure(metric, places), own is parts[0]
                found.append(series.window(kind, metric, None, known, span[chunk], value, limits, sign(metric)))
    return found


def estimated(
    reference: pd.DataFrame,
    analysis: pd.DataFrame,
    task: Task,
    classes: Sequence[str],
    metrics: Sequence[str],
    features: Sequence[str],
) -> list[Window]:
    """Performance estimated from predictions; the frames hold chunk, features, prediction and probabilities."""
    measures = expected(reference, (reference, analysis), task, classes, metrics, features)
    return _performance("estimated", (reference, analysis), metrics, certain(reference, task, classes), measures)


def realised(
    reference: pd.DataFrame, analysis: pd.DataFrame, task: Task, classes: Sequence[str], metrics: Sequence[str]
) -> list[Window]:
    """Performance against the labels received so far."""
    measures = [certain(frame, task, classes) for frame in (reference, analysis)]
    return _performance("realised", (reference, analysis), metrics, measures[0], measures)


def drift(
    reference: pd.DataFrame, analysis: pd.DataFrame, features: Sequence[str], outputs: Sequence[str]
) -> list[Window]:
    """Distance from the reference for each column, and for all features together: a diagnosis, never an alert."""
    frames = (reference, analysis)
    parts, spans = [series.parts(frame) for frame in frames], [series.spans(frame) for frame in frames]
    values: dict[tuple[str, str | None], list[dict[int, float]]] = {}
    for name in (*features, *outputs):
        measure, columns = distance(reference[name]), [frame[name] for frame in frames]
        values["jensen_shannon", name] = [
            {chunk: measure(column.iloc[places]) for chunk, places in own.items()}
            for column, own in zip(columns, parts, strict=True)
        ]
    if len(features) > 1:
        rebuilt = [reconstruction(reference, features)(frame) for frame in frames]
        values["reconstruction_error", None] = [
            {chunk: float(error[places].mean()) for chunk, places in own.items()}
            for error, own in zip(rebuilt, parts, strict=True)
        ]
    found = []
    for (metric, column), both in values.items():
        limits = series.bounds(both[0].values(), 0.0, float("inf"))
        for own, span in zip(both, spans, strict=True):
            for chunk, value in own.items():
                known = own is both[0]
                found.append(series.window("drift", metric, column, known, span[chunk], value, limits, -1))
    return found


def errors(
    windows: Sequence[Window], reference: pd.DataFrame, task: Task, classes: Sequence[str], metrics: Sequence[str]
) -> list[Window]:
    """The windows, those of performance with their standard errors, whoever measured them."""
    known = spreads(reference, task, classes, metrics)
    return [
        one.model_copy(update={"error": series.finite(known[one.metric] * spread(one.kind, one.rows, len(reference)))})
        if one.kind in ("estimated", "realised") and one.value is not None
        else one
        for one in windows
    ]


def spread(kind: str, rows: Array | int, known: int) -> Array:
    """The standard error of a window, in those of one row: by its rows and, of an estimate, by those that taught it.

    To first order, what so many rows teach is off from the truth as their own performance is (the delta method).
    """
    return np.sqrt(1 / np.asarray(rows) + (1 / known if kind == "estimated" else 0))


def spreads(reference: pd.DataFrame, task: Task, classes: Sequence[str], metrics: Sequence[str]) -> Mapping[str, float]:
    """Each metric's sampling error times the square root of the rows, from the reference's labels."""
    if task == "regression":
        found = {metric: dle.measure(metric, dle.losses(reference, metric))[1] for metric in metrics}
    else:
        answers = cbpe.claims(reference, classes)
        found = {metric: chances.measure(metric, answers)[1] for metric in metrics}
    return {metric: float(np.sqrt(np.mean(influence**2))) for metric, influence in found.items()}
