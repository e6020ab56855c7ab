"""Measures the team's own metrics, the functions of `model/metrics.py` that `evaluate.metrics` names."""

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from lifecycle import InputError
from lifecycle.artifact.predictor import Predictions
from lifecycle.artifact.runtimes import Array
from lifecycle.config import Config
from lifecycle.evaluation import intervals
from lifecycle.evaluation.intervals import Drawn, Estimate, Linear
from lifecycle.evaluation.metrics import mean
from lifecycle.rows.checked import checked, module
from lifecycle.tasks import METRICS

FILE = "model/metrics.py"
SLOW = 20  # seconds of resamples from which they are announced
type Function = Callable[[Array, pd.DataFrame], Any]


def functions(settings: Config) -> dict[str, Function]:
    """The metrics that the configuration names; raises InputError for one that the team's code does not have."""
    found = module("metrics")
    if found is None:
        raise InputError(f"evaluate.metrics is set, but there is no {FILE}; write it, or remove evaluate.metrics.")
    if absent := [name for name in settings.evaluate.metrics if not callable(getattr(found, name, None))]:
        raise InputError(
            f"evaluate.metrics names {', '.join(absent)}, which {FILE} does not define; write a function of truth and "
            "answers with that name."
        )
    return {name: getattr(found, name) for name in settings.evaluate.metrics}


def estimates(settings: Config, truth: Array, models: dict[str, Predictions]) -> dict[str, dict[str, Estimate]]:
    """Every metric of each model on the same n rows, ours and then the team's; undefined ones are left out."""
    found = intervals.estimates(METRICS[settings.task], truth, models, settings.evaluate)
    return {name: found[name] | known for name, known in own(settings, truth, models).items()}


def own(settings: Config, truth: Array, models: dict[str, Predictions]) -> dict[str, dict[str, Estimate]]:
    """The team's metrics of each model, drawn on the same resamples as those of ours that need them."""
    found: dict[str, dict[str, Estimate]] = {name: {} for name in models}
    if not settings.evaluate.metrics:
        return found
    classes = settings.data.target.classes
    known = np.array(classes)[truth] if classes else truth
    answers = {name: table(predictions, classes) for name, predictions in models.items()}
    for metric, function in functions(settings).items():
        for name in models:
            estimate = _estimate(metric, function, known, answers[name], settings)
            if np.isfinite(estimate.value):
                found[name][metric] = estimate
    return found


def table(predictions: Predictions, classes: tuple[str, ...]) -> pd.DataFrame:
    """Answers as the team's functions get them: `prediction`, a class or a number, and `probability_<class>`."""
    labels = np.array(classes)[predictions.labels] if classes else predictions.labels
    columns = {"prediction": labels}
    if predictions.probabilities is not None:
        columns |= {f"probability_{name}": predictions.probabilities[:, code] for code, name in enumerate(classes)}
    return pd.DataFrame(columns)


def _estimate(metric: str, function: Function, truth: Array, answers: pd.DataFrame, settings: Config) -> Estimate:
    """A value for each row has the interval of a mean, a single one that of seeded, paired resamples."""
    rows = len(truth)

    def measured(places: Array | None = None) -> Array:
        given = (truth, answers) if places is None else (truth[places], answers.take(places).reset_index(drop=True))
        with checked(f"{metric}() in {FILE} fails", "correct it"):
            found = np.asarray(function(given[0].copy(), given[1].copy()), dtype="float64")
        if found.shape not in ((), (rows,)):
            raise InputError(
                f"{metric}() in {FILE} returns the shape {found.shape} for {rows} rows; return one number, or one for "
                "each row."
            )
        return found

    begin = time.perf_counter()
    whole = measured()
    spent = (time.perf_counter() - begin) * settings.evaluate.resamples
    if spent > SLOW and not whole.shape:
        print(
            f"{metric}() in {FILE} needs about {spent:.0f} s for {settings.evaluate.resamples} resamples of {rows:,} "
            "rows; let it return one number for each row, or lower evaluate.resamples.",
            file=sys.stderr,
            flush=True,
        )
    if whole.shape:
        return Linear(*mean(whole))
    generator = np.random.default_rng(settings.evaluate.seed)
    draws = [float(measured(generator.integers(rows, size=rows))) for _ in range(settings.evaluate.resamples)]
    return Drawn(float(whole), np.array(draws))
