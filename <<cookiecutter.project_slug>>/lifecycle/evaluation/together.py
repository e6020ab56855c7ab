"""Draws every metric of every model on the same resamples of the rows, so that they vary together as on other rows."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from lifecycle.artifact.predictor import Predictions
from lifecycle.artifact.runtimes import Array
from lifecycle.config import Config
from lifecycle.evaluation import custom, groups, intervals
from lifecycle.evaluation.intervals import Drawn, Estimate, Linear
from lifecycle.evaluation.metrics import COUNTED, LINEAR, influence
from lifecycle.evaluation.power import Moves
from lifecycle.tasks import METRICS


def _influences(
    settings: Config, truth: Array, models: dict[str, Predictions], own: dict[str, dict[str, Estimate]]
) -> Iterator[tuple[tuple[str, str], Array]]:
    """The influence of each row, by model and metric, on the metrics that have one."""
    for name, predictions in models.items():
        for metric in METRICS[settings.task]:
            if metric in LINEAR:
                yield (name, metric), LINEAR[metric](truth, predictions)[1]
            elif metric in COUNTED and predictions.probabilities is not None:
                classes = predictions.probabilities.shape[1]
                yield (name, metric), influence(metric, truth, predictions.labels, classes)
        for metric, estimate in own[name].items():
            if isinstance(estimate, Linear):
                yield (name, metric), estimate.influence


def _rounded(moved: Array) -> list[float]:
    """To a ten thousandth of their spread."""
    found: list[float] = np.round(moved.astype("float64"), 4 - int(np.log10(moved.std() or 1))).tolist()
    return found


def estimates(
    settings: Config, truth: Array, models: dict[str, Predictions], test: pd.DataFrame | None = None
) -> tuple[dict[str, dict[str, Estimate]], Moves]:
    """What `custom.estimates` finds, and how each resample moves the candidate and its differences from the others.

    With the `test` rows, also how it moves what gates on their parts judge.
    """
    own = custom.own(settings, truth, models)
    influences = dict(_influences(settings, truth, models, own))
    places = intervals.enough(truth, models, settings.evaluate)
    judged = groups.judged(settings, truth, models, test, places) if test is not None else {}
    parts = [one.influences for one in judged.values()]
    columns = np.column_stack([*(one[places] for one in influences.values()), *parts])
    columns = columns.astype("float32")  # in half float64's time
    columns -= columns.mean(axis=0)  # 0 over all rows
    sums: list[Array] = []
    found = intervals.estimates(
        METRICS[settings.task],
        truth,
        models,
        settings.evaluate,
        lambda weights: sums.append(weights.astype("float32") @ columns),
    )
    found = {name: known | own[name] for name, known in found.items()}
    scale = np.sqrt(len(places) / len(truth)) / len(places)
    every = np.concatenate(sums) * scale
    moved = dict(zip(influences, every.T[: len(influences)], strict=True))
    ends = np.cumsum([len(influences), *(one.shape[1] for one in parts)])
    drawn = np.split(every, ends, axis=1)[1:-1]
    for name, known in found.items():
        for metric, estimate in known.items():
            if isinstance(estimate, Drawn):
                moved.setdefault((name, metric), estimate.draws - estimate.value)

    def change(name: str, metric: str) -> Array:
        own: Array = moved["candidate", metric]
        return own if name == "candidate" else own - moved[name, metric]

    moves = {
        name: {
            metric: _rounded(change(name, metric))
            for metric in known
            if metric in found["candidate"] and np.isfinite(change(name, metric)).all()
        }
        for name, known in found.items()
    }
    told = zip(judged.items(), drawn, strict=True)
    return found, moves | {
        gate: {name: _rounded(draws) for name, draws in one.told(part.astype("float64")).items()}
        for (gate, one), part in told
    }
