"""Chooses bounds and k of n for a target: at most so many alerts in a quiet year, and the smallest drop seen."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache

import numpy as np

from lifecycle.config import AlertRule
from lifecycle.documents.summary import FEWEST_WINDOWS, SPREAD, Window
from lifecycle.estimation import series, simulation
from lifecycle.estimation.chances import Array
from lifecycle.tasks import sign

CHOICES = ((1, 1), (2, 3), (3, 5))  # k of n
HORIZON = 6  # windows after a drop, within which it should be seen
LONGEST, HALVINGS = 1000, 20  # windows that stand for a year of more, and steps towards a bound
COUNTED = 250  # windows in which alerts are counted where no target says how many a year may have
YEAR = timedelta(days=365)
type Values[K] = Mapping[K, tuple[str, Array]]  # a metric and its values in the reference's windows


def yearly(windows: int, span: timedelta) -> int:
    """How many windows a year has if so many span this time."""
    return max(1, round(windows * (YEAR / max(span, timedelta(hours=1)))))


@cache
def reach(count: int, rule: AlertRule, many: int) -> float:
    """How far a bound lies from the mean of `count` values, in their deviations (of a sample).

    It is the least at which a year of so `many` quiet windows raises at most the rule's `quiet`.
    """
    year = min(many, LONGEST)
    fallen = -simulation.standard(count, year)
    near, far = 0.0, float(fallen.max())
    for _ in range(HALVINGS):
        middle = (near + far) / 2
        raised = float(simulation.alerts(fallen > middle, rule).mean()) * many / year
        near, far = (near, middle) if raised <= (rule.quiet or 0) else (middle, far)
    return far


def bound(values: Array, better: int, rule: AlertRule, many: int) -> float:
    """The bound closest to the values at which a year of so `many` quiet windows raises at most the rule's `quiet`."""
    return float(values.mean() - better * reach(len(values), rule, many) * values.std(ddof=1))


def chosen[K](known: Values[K], rule: AlertRule, many: int) -> tuple[AlertRule, dict[K, float]]:
    """The rule with the k of n that sees the smallest drops, in deviations of each metric, and their bounds."""
    found = []
    for windows, of in CHOICES:
        own = rule.model_copy(update={"windows": windows, "of": of})
        limits = {key: bound(values, sign(metric), own, many) for key, (metric, values) in known.items()}
        drops = []
        for key, (metric, values) in known.items():
            inside = (simulation.worlds(values, HORIZON) - limits[key]) * sign(metric)
            likely = np.quantile(simulation.needed(inside, own), simulation.LIKELY)
            drops.append(float(likely / values.std()))
        found.append((float(np.mean(drops)), own, limits))
    _, own, limits = min(found, key=lambda one: one[0])
    return own, limits


def shared(rule: AlertRule, slices: Sequence[object]) -> AlertRule:
    """The rule for all rows: half of the target, if slices have the other half."""
    return rule if rule.quiet is None or not slices else rule.model_copy(update={"quiet": rule.quiet / 2})


def parted(rule: AlertRule, windows: int, parts: int) -> AlertRule:
    """The rule for each of so many `parts` of slices: together they raise as many alerts as all rows do.

    That is half of the target or, without one, what the usual bounds raise. Expected numbers of false alerts add up,
    however the parts hang together. Source: Bonferroni's correction of the per-family error rate, in Shaffer, Multiple
    Hypothesis Testing, Annual Review of Psychology 46 (1995).
    """
    whole = rule.quiet
    if whole is None:
        usual = series.DEVIATIONS * np.sqrt((windows - 1) / windows)
        whole = float(simulation.alerts(-simulation.standard(windows, COUNTED) > usual, rule).mean())
    return rule.model_copy(update={"quiet": whole / parts})


def followed(windows: Sequence[Window], rule: AlertRule) -> tuple[list[Window], AlertRule]:
    """The windows with the bounds that meet the rule's target, and the rule with its k of n.

    Both are as they were if there is no target; the bounds are, too, of metrics that the reference tells too little of.
    """
    if rule.quiet is None:
        return list(windows), rule
    usual: dict[tuple[str, str], list[Window]] = {}
    for one in windows:
        if one.kind in ("estimated", "realised") and one.metric in rule.metrics and one.reference:
            usual.setdefault((one.kind, one.metric), []).append(one)
    known = {key: (key[1], np.array([one.value for one in own if one.value is not None])) for key, own in usual.items()}
    known = {key: found for key, found in known.items() if enough(found[1])}
    if not known:
        return list(windows), rule.model_copy(update={"quiet": None})
    own = usual[next(iter(known))]
    span = datetime.fromisoformat(max(one.end for one in own)) - datetime.fromisoformat(min(one.begin for one in own))
    found, limits = chosen(known, rule, yearly(len(own), span))
    moved = [_moved(one, limits[one.kind, one.metric]) if (one.kind, one.metric) in limits else one for one in windows]
    return moved, found.model_copy(update={"quiet": None})


def enough(values: Array) -> bool:
    """Whether the reference's values tell how much a metric varies."""
    return len(values) >= FEWEST_WINDOWS and float(np.ptp(values)) >= SPREAD


def _moved(window: Window, limit: float) -> Window:
    better = sign(window.metric)
    outside = series.outside(window.value, limit, better)
    return window.model_copy(update={"low" if better > 0 else "high": limit, "outside": outside})
