"""Derives the gates from quick models: floors below what one reaches, margins that equal models pass."""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from lifecycle.artifact import frames
from lifecycle.artifact.predictor import Predictions
from lifecycle.config import Config
from lifecycle.documents.record import Measure
from lifecycle.evaluation import evaluate, intervals
from lifecycle.tasks import METRICS, Task, label, sign
from lifecycle.training import team, train

WHOLE, ROWS = 100_000, 20_000  # at most, to train the model that sets the floors, and each of two that set the margins
PART = 0.8  # of the rows for each of two models that are equally good
SLACK = 0.05  # of a metric, below a quick model's
EQUAL = 0.95  # how often an equal model is to pass a champion gate
MARGIN = 0.05  # of a metric, at most: a wider margin would let losses pass that matter
JUDGED: dict[Task, tuple[str, ...]] = {
    "binary_classification": ("roc_auc", "f1"),
    "multiclass_classification": ("roc_auc_ovr", "f1_macro"),
    "regression": ("mae", "rmse"),
}
# The first of them in which a quick model beats one that ignores its input.
BASELINES: dict[Task, tuple[str, ...]] = {
    "binary_classification": ("log_loss", "average_precision", "roc_auc"),
    "multiclass_classification": ("log_loss", "f1_macro", "roc_auc_ovr"),
    "regression": ("mae", "rmse"),
}


@dataclass(frozen=True)
class Proposal:
    """The gates as `config.yaml` holds them, and a sentence for each choice."""

    gates: list[dict[str, Any]]
    said: list[str]


def _answers(rows: pd.DataFrame, test: pd.DataFrame, settings: Config) -> Predictions:
    """What the estimator answers to the test rows after it learnt from some rows."""
    fitted = team.fit(train.inputs(rows, settings), rows[frames.LABEL], settings)
    inputs = train.inputs(test, settings)
    if settings.task == "regression":
        return Predictions(np.asarray(fitted.predict(inputs), dtype="float64"), None)
    found = np.asarray(fitted.predict_proba(inputs), dtype="float64")
    if settings.task == "binary_classification":
        return Predictions((found[:, 1] >= settings.train.threshold).astype("int64"), found)
    return Predictions(found.argmax(axis=1), found)


def _rounded(value: float, up: bool) -> float:
    """Two digits, in the given direction; three above 0.9, where the third one matters."""
    if value == 0 or not math.isfinite(value):
        return 0.0
    digits = 3 if 0.9 < abs(value) < 1 else 2
    step = 10.0 ** (math.floor(math.log10(abs(value))) - digits + 1)
    return float(f"{(math.ceil if up else math.floor)(value / step) * step:.6g}")


def _some(rows: pd.DataFrame, seed: int, settings: Config) -> pd.DataFrame:
    """A part of the rows, with the same part of every class."""
    share = min(PART, ROWS / len(rows))
    if settings.task == "regression":
        return rows.sample(frac=share, random_state=seed)
    found = [
        part.sample(n=max(1, round(share * len(part))), random_state=seed) for _, part in rows.groupby(frames.LABEL)
    ]
    return pd.concat(found).sort_index()


def propose(learnt: pd.DataFrame, test: pd.DataFrame, settings: Config) -> Proposal:
    """Gates for the test rows: floors from the estimator as it is, margins from two that learnt from other rows."""
    truth, level = test[frames.LABEL].to_numpy(), settings.evaluate.level
    models = {
        "whole": _answers(learnt.sample(min(WHOLE, len(learnt)), random_state=0).sort_index(), test, settings),
        "one": _answers(_some(learnt, 0, settings), test, settings),
        "other": _answers(_some(learnt, 1, settings), test, settings),
        "baseline": evaluate.baseline(settings.task, learnt[frames.LABEL], len(test)),
    }
    found = intervals.estimates(METRICS[settings.task], truth, models, settings.evaluate)
    reached, nothing = intervals.measures(found["whole"], level), intervals.measures(found["baseline"], level)
    apart = intervals.differences(found["one"], found["other"], level)
    gates: list[dict[str, Any]] = [{"kind": "rows", "bound": max(1, int(0.8 * len(test)))}]
    said = [f"gates: at least {gates[0]['bound']:,} test rows, four fifths of those that are here"]
    z = NormalDist().inv_cdf((1 + level) / 2)
    champions = []
    for metric in JUDGED[settings.task]:
        if metric not in reached:
            said.append(f"gates: no gate on {label(metric)}, which is undefined on these test rows")
            continue
        better, value = sign(metric), reached[metric].value
        room = value - reached[metric].low if better > 0 else reached[metric].high - value
        # Without an error among n rows, three in n are still likely: Hanley and Lippman-Hand, JAMA 249 (1983).
        room = max(room, 3 / len(test) if settings.task != "regression" else 0.0)
        slack = max(2 * room, SLACK * abs(value))  # what the test rows leave open, or what other training rows change
        bound = _rounded(value - better * slack, up=better < 0)
        if better < 0 or bound > 0:
            gates.append({"kind": "floor" if better > 0 else "ceiling", "metric": metric, "bound": bound})
            said.append(
                f"gates: {label(metric)} at {'least' if better > 0 else 'most'} {bound:g}; "
                f"a quick model reaches {value:.3g} ({reached[metric].low:.3g} to {reached[metric].high:.3g})"
            )
        deviation = (apart[metric].high - apart[metric].low) / (2 * z)
        champions.append(_champion(metric, deviation, abs(value), z, len(test), said))
    metric = _beaten(reached, nothing, settings.task, said)
    gates += [{"kind": "baseline", "metric": metric}, *champions]
    gates += [{"kind": "parity", "bound": settings.train.parity}, {"kind": "latency", "bound": 50, "severity": "warn"}]
    return Proposal(gates, said)


def _champion(
    metric: str, deviation: float, value: float, z: float, rows: int, said: list[str]
) -> dict[str, float | str]:
    """A champion gate that an equal model passes in EQUAL of cases, or that warns where the test rows are too few.

    `deviation` is that of the difference of two equal models, of which an interval reaches `z` on either side.
    """

    def share(margin: float) -> float:
        return NormalDist().cdf(margin / deviation - z) if deviation else 1.0

    wide, most = (z + NormalDist().inv_cdf(EQUAL)) * deviation, MARGIN * value
    margin = _rounded(max(min(wide, most), 1e-6), up=True)
    side = "below" if sign(metric) > 0 else "above"
    state = (
        f"gates: {label(metric)} at most {margin:g} {side} the champion's: "
        f"with {rows:,} test rows an equal model passes in "
    )
    gate: dict[str, float | str] = {"kind": "champion", "metric": metric, "margin": margin}
    if wide <= most:
        said.append(f"{state}{share(margin):.0%} of cases, at a third of that margin in {share(margin / 3):.0%}")
        return gate
    needed = _rounded(rows * (wide / most) ** 2, up=True)
    said.append(
        f"{state}{share(margin):.0%} of cases, with {needed:,.0f} in {EQUAL:.0%}; until there are that many, a "
        "difference that the rows cannot tell from none only warns (`undecided: warn`)"
    )
    return gate | {"undecided": "warn"}


def _beaten(reached: dict[str, Measure], nothing: dict[str, Measure], task: Task, said: list[str]) -> str:
    """The metric of the baseline gate, with a sentence where it is not the usual one."""
    usual = BASELINES[task][0]
    for metric in BASELINES[task]:
        known = metric in reached and metric in nothing
        if known and sign(metric) * (reached[metric].value - nothing[metric].value) > 0:
            if metric != usual:
                said.append(
                    f"gates: better than a model that ignores its input in {label(metric)}, as a quick model is not in "
                    f"{label(usual)}: do not take its probabilities at their word"
                )
            return metric
    said.append(
        f"gates: a quick model is nowhere better than one that ignores its input ({label(usual)} "
        f"{reached[usual].value:.3g}, {nothing[usual].value:.3g}); as it is, the gate `baseline` will refuse it"
    )
    return usual
