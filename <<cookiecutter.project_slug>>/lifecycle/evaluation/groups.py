"""Draws what gates on parts of the rows and on calibration judge, on the resamples that move every other metric."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lifecycle import policy
from lifecycle.artifact.predictor import Predictions
from lifecycle.artifact.runtimes import Array
from lifecycle.config import Config
from lifecycle.evaluation import calibration, metrics, slices
from lifecycle.evaluation.intervals import taken
from lifecycle.evaluation.power import key
from lifecycle.tasks import FAIRNESS, sign

type Valued = tuple[float, Array]  # and each row's influence on it, (n,)

type Measure = Callable[[Array, Predictions, Sequence[Array]], list[Valued]]


@dataclass(frozen=True)
class Rule:
    """What a gate makes of the values of parts of the rows, whose masks it knows.

    `measure` finds k of them for truth, answers and masks, all of the same rows. `good` says of values, (r, k), how
    good they are, (r,). `toward` says of values, (k,), and of moves, (r, k), how these change that at the bound.
    """

    masks: Sequence[Array]
    measure: Measure
    good: Callable[[Array], Array]
    toward: Callable[[Array, Array], Array]


@dataclass(frozen=True)
class Judged:
    """A rule with the values of the candidate and of the champion, (k,), and the influences of m rows, (m, k)."""

    rule: Rule
    values: Array
    champion: Array | None
    influences: Array

    def told(self, moved: Array) -> dict[str, Array]:
        """How resamples move the candidate, and what they find of a model that is as good as the champion."""
        found = {"moved": self.rule.toward(self.values, moved)}
        return found if self.champion is None else found | {"equal": self.rule.good(self.champion + moved)}


def _mean(given: Array, mask: Array) -> Valued:
    """The mean over a part of the rows."""
    value = float(given[mask].mean()) if mask.any() else float("nan")
    return value, np.where(mask, given - value, 0) / max(mask.mean(), 1 / len(mask))


def _metric(name: str, truth: Array, served: Predictions, mask: Array) -> Valued:
    """A metric of a part of the rows."""
    rows, own, found = truth[mask], taken(served, mask), np.zeros(len(truth))
    if name in metrics.LINEAR:
        value, moved = metrics.LINEAR[name](rows, own)
    elif len(rows):
        classes = np.asarray(served.probabilities).shape[1]
        value, moved = metrics.value(name, rows, own), metrics.influence(name, rows, own.labels, classes)
    else:
        return float("nan"), found
    found[mask] = moved / max(mask.mean(), 1 / len(mask))
    return value, found


def _differing(masks: Sequence[Array], measure: Measure, good: Callable[[Array], Array], bound: float) -> Rule:
    """The rule of a gate on a difference, which at its bound is as large, and in all else like the one found."""

    def toward(values: Array, moved: Array) -> Array:
        found = -good(values[None])[0]
        return good((values * bound / found if found else values) + moved) + (bound if found else 0)

    return Rule(masks, measure, good, toward)


def _parted(gate: policy.SliceGate | policy.GapGate, settings: Config, test: pd.DataFrame) -> Rule | None:
    if gate.metric not in metrics.LINEAR | metrics.COUNTED:
        return None
    own = next(one for one in settings.evaluate.slices if one.column == gate.slice)
    masks = [mask for mask in slices.parts(test, own).values() if mask.sum() >= gate.rows]
    better = sign(gate.metric)

    def measure(truth: Array, served: Predictions, masks: Sequence[Array]) -> list[Valued]:
        return [_metric(gate.metric, truth, served, mask) for mask in masks]

    if isinstance(gate, policy.GapGate):
        return (
            _differing(masks, measure, lambda values: -np.ptp(values, axis=1), gate.bound) if len(masks) > 1 else None
        )
    if not masks:
        return None
    # What it sees in any part, it sees in the one that varies most.
    return Rule(
        masks,
        measure,
        lambda values: (better * values).min(axis=1),
        lambda _, moved: better * moved[:, moved.std(axis=0).argmax()],
    )


def _fairness(gate: policy.FairnessGate, settings: Config, test: pd.DataFrame) -> Rule | None:
    own = next(one for one in settings.evaluate.slices if one.column == gate.slice)
    masks = [mask for mask in slices.parts(test, own).values() if own.fairness and mask.sum() >= own.fairness.rows]
    if len(masks) < 2:
        return None

    def measure(truth: Array, served: Predictions, masks: Sequence[Array]) -> list[Valued]:
        found = []
        for _, known, called in slices.views(settings, truth, served):
            of = {"true_positive_rate": known, "false_positive_rate": ~known}
            for rate in FAIRNESS[settings.task][gate.metric]:
                found += [_mean(called.astype("float64"), mask & of.get(rate, True)) for mask in masks]
        return found

    def good(values: Array) -> Array:
        by_rate = values.reshape(len(values), -1, len(masks))
        return np.asarray(-np.ptp(by_rate, axis=2).max(axis=1))

    return _differing(masks, measure, good, gate.bound)


def _calibration(gate: policy.CalibrationGate) -> Rule:
    def measure(truth: Array, served: Predictions, _: Sequence[Array]) -> list[Valued]:
        probability, held, codes = calibration.coded(truth, np.asarray(served.probabilities))
        every = np.full(len(truth), True)
        return [_mean(np.where(codes == code, probability - held, 0), every) for code in range(calibration.BINS)]

    return _differing((), measure, lambda values: -np.abs(values).sum(axis=1), gate.bound)


def rule(gate: policy.AnyGate, settings: Config, test: pd.DataFrame) -> Rule | None:
    """The rule of a gate; None where it judges no parts, or by a metric of which rows have no influence."""
    match gate:
        case policy.SliceGate() | policy.GapGate():
            return _parted(gate, settings, test)
        case policy.FairnessGate():
            return _fairness(gate, settings, test)
        case policy.CalibrationGate():
            return _calibration(gate)
    return None


def judged(
    settings: Config, truth: Array, models: dict[str, Predictions], test: pd.DataFrame, places: Array
) -> dict[str, Judged]:
    """By key, what each gate of this kind judges; the influences are those of the rows at m places."""
    found = {}
    for gate in settings.gates:
        if own := rule(gate, settings, test):
            values = {
                name: np.array([value for value, _ in own.measure(truth, served, own.masks)])
                for name, served in models.items()
                if name != "baseline"
            }
            few = truth[places], taken(models["candidate"], places), [mask[places] for mask in own.masks]
            influences = np.column_stack([one for _, one in own.measure(*few)])
            if all(np.isfinite(one).all() for one in (*values.values(), influences)):
                found[key(gate)] = Judged(own, values["candidate"], values.get("champion"), influences)
    return found
