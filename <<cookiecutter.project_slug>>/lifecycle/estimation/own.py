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
# The windows of the log's rows, and the reference's.
type Watch = Callable[[pd.DataFrame], list[Window]]


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
    known: pd.DataFrame, task: Task, classes: Sequence[str], metrics: Sequence[str], features: Sequence[str]
) -> Callable[[pd.DataFrame], Measure]:
    """The performance to expect of a frame, from what came true of the known rows."""
    if task == "regression":
        losses = dle.taught(known, metrics, features)

        def of_losses(frame: pd.DataFrame) -> Measure:
            found = losses(frame)
            return lambda metric, places: dle.measure(metric, found[metric][places])[0]

        return of_losses
    chance = cbpe.taught(cbpe.claims(known, classes))

    def of_chances(frame: pd.DataFrame) -> Measure:
        found = chance(cbpe.claims(frame, classes))
        return lambda metric, places: chances.measure(metric, found.at(places))[0]

    return of_chances


def _performance(
    kind: Literal["estimated", "realised"],
    reference: pd.DataFrame,
    metrics: Sequence[str],
    usual: Measure,
    measure: Callable[[pd.DataFrame], Measure],
) -> Watch:
    """Windows of each metric, bounded by what came true in the reference windows."""
    parts, limits = series.parts(reference), dict[str, tuple[float, float]]()
    for metric in metrics:
        most = float("inf") if metric in dle.LOSSES else 1.0
        limits[metric] = series.bounds([usual(metric, places) for places in parts.values()], 0.0, most)

    def windows(frame: pd.DataFrame, known: bool) -> dict[str, list[Window]]:
        spans, value = series.spans(frame), measure(frame)
        return {
            metric: [
                series.window(
                    kind, metric, None, known, spans[chunk], value(metric, places), limits[metric], sign(metric)
                )
                for chunk, places in series.parts(frame).items()
            ]
            for metric in metrics
        }

    before = windows(reference, known=True)

    def watch(analysis: pd.DataFrame) -> list[Window]:
        after = windows(analysis, known=False)
        return [one for metric in metrics for one in (*before[metric], *after[metric])]

    return watch


def estimated(
    reference: pd.DataFrame, task: Task, classes: Sequence[str], metrics: Sequence[str], features: Sequence[str]
) -> Watch:
    """Performance estimated from predictions; the frames hold chunk, features, prediction and probabilities."""
    measure = expected(reference, task, classes, metrics, features)
    return _performance("estimated", reference, metrics, certain(reference, task, classes), measure)


def realised(reference: pd.DataFrame, task: Task, classes: Sequence[str], metrics: Sequence[str]) -> Watch:
    """Performance against the labels received so far."""
    usual = certain(reference, task, classes)
    return _performance("realised", reference, metrics, usual, lambda frame: certain(frame, task, classes))


def drift(reference: pd.DataFrame, features: Sequence[str], outputs: Sequence[str]) -> Watch:
    """Distance from the reference for each column, and for all features together: a diagnosis, never an alert."""
    distances = {name: distance(reference[name]) for name in (*features, *outputs)}
    rebuilt = reconstruction(reference, features) if len(features) > 1 else None

    def values(frame: pd.DataFrame) -> dict[tuple[str, str | None], dict[int, float]]:
        chunks, windows = np.unique(frame["chunk"].to_numpy("int64"), return_inverse=True)
        found: dict[tuple[str, str | None], Array] = {}
        for name, measure in distances.items():
            found["jensen_shannon", name] = measure(frame[name], windows, len(chunks))
        if rebuilt:
            found["reconstruction_error", None] = np.bincount(windows, rebuilt(frame)) / np.bincount(windows)
        return {key: dict(zip(chunks.tolist(), own.tolist(), strict=True)) for key, own in found.items()}

    before = values(reference)
    limits = {key: series.bounds(own.values(), 0.0, float("inf")) for key, own in before.items()}
    usual = series.spans(reference)

    def watch(analysis: pd.DataFrame) -> list[Window]:
        spans, after = series.spans(analysis), values(analysis)
        return [
            series.window("drift", *key, found is before, span[chunk], value, limits[key], -1)
            for key in before
            for found, span in ((before, usual), (after, spans))
            for chunk, value in found[key].items()
        ]

    return watch


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
