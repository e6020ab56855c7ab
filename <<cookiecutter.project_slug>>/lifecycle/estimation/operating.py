"""Simulates what the alert rule makes of a metric: in a quiet year, and after a drop.

Windows are drawn as if independent and normal. Their mean and deviation are known only as well as the reference's
windows tell, so each simulated world has its own: Gelman and others, Bayesian Data Analysis, section 3.2.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

import numpy as np
import pandas as pd

from lifecycle.config import AlertRule, Monitor
from lifecycle.documents.summary import FEWEST_WINDOWS, SPREAD
from lifecycle.documents.track import Operating, Seen
from lifecycle.estimation import own, series
from lifecycle.estimation.chances import Array
from lifecycle.tasks import Task, sign

WORLDS, DRAWS, SEED = 1000, 1_000_000, 0  # worlds, fewer where a year has more than a thousand windows
FEWEST, LONGEST = 100, 10_000  # worlds, and windows that stand for a year of more
LIKELY, SURE = 0.8, 0.95
YEAR = timedelta(days=365)


def alerts(outside: Array, rule: AlertRule) -> Array:
    """How many alerts each row of windows raises: (worlds, windows) to (worlds,)."""
    count = np.cumsum(np.pad(outside, ((0, 0), (rule.of, 0))), axis=1, dtype=int)
    enough = count[:, rule.of :] - count[:, : -rule.of] >= rule.windows
    raised, last = np.zeros(len(outside), dtype=int), np.full(len(outside), -rule.cooldown - 1)
    for place in range(outside.shape[1]):
        new = enough[:, place] & (place - last > rule.cooldown)
        raised, last = raised + new, np.where(new, place, last)
    return raised


def needed(inside: Array, rule: AlertRule) -> Array:
    """By how much each row of windows must fall to raise an alert; `inside` says how far each is inside its bound."""
    windows = min(rule.of, inside.shape[1])
    within = np.lib.stride_tricks.sliding_window_view(inside, windows, axis=1)
    found: Array = np.partition(within, rule.windows - 1, axis=2)[:, :, rule.windows - 1].min(axis=1)
    return np.maximum(found, 0)


def simulated(values: Array, bound: float, better: int, rule: AlertRule, yearly: int) -> tuple[float, list[Seen]]:
    """The mean number of alerts in a quiet year, and the drop that is seen within a few windows."""
    generator, count = np.random.default_rng(SEED), len(values)
    horizons = sorted({rule.windows, rule.of, 2 * rule.of, 4 * rule.of})
    year = min(yearly, LONGEST)
    longest = max(year, horizons[-1])
    worlds = max(FEWEST, min(WORLDS, DRAWS // longest))
    deviation = values.std(ddof=1) * np.sqrt((count - 1) / generator.chisquare(count - 1, worlds))
    middle = values.mean() + deviation * generator.normal(size=worlds) / np.sqrt(count)
    drawn = middle[:, None] + deviation[:, None] * generator.normal(size=(worlds, longest))
    inside = (drawn - bound) * better
    seen = []
    for windows in horizons:
        falls = needed(inside[:, :windows], rule)
        likely, sure = np.quantile(falls, (LIKELY, SURE))
        seen.append(Seen(windows=windows, likely=float(likely), sure=float(sure)))
    return float(alerts(inside[:, :year] < 0, rule).mean()) * yearly / year, seen


def _never(values: Array, bound: float, better: int) -> str:
    """Why no value of a metric can raise an alert; empty if one can."""
    if len(values) < FEWEST_WINDOWS:
        return f"it is defined in {len(values)} windows of the reference, fewer than {FEWEST_WINDOWS}"
    if np.ptp(values) < SPREAD:
        return "it does not vary in the reference"
    if better > 0 and bound <= 0:
        return "its bound is 0, and no value is lower"
    return ""


def characteristic(
    known: pd.DataFrame, task: Task, classes: Sequence[str], watching: Monitor, features: Sequence[str]
) -> tuple[Operating, ...]:
    """What alerts on each of the rule's metrics would do, estimated and realised, with as much traffic as here."""
    rule, metrics = watching.alert, watching.alert.metrics
    parts = series.parts(known)
    yearly = max(1, round(len(parts) * (YEAR / max(known["time"].max() - known["time"].min(), timedelta(hours=1)))))
    certain = own.certain(known, task, classes)
    (expected,) = own.expected(known, [known], task, classes, metrics, features)
    found = []
    for metric in metrics:
        realised = _defined([certain(metric, places) for places in parts.values()])
        low, high = series.bounds(realised, 0.0, np.inf)
        better = sign(metric)
        bound = low if better > 0 else high
        estimated = _defined([expected(metric, places) for places in parts.values()])
        kinds: dict[Literal["estimated", "realised"], Array] = {"estimated": estimated, "realised": realised}
        for kind, values in kinds.items():
            never = _never(realised, bound, better) or _never(values, bound, better)
            quiet, seen = (0.0, []) if never else simulated(values, bound, better, rule, yearly)
            found.append(
                Operating(
                    metric=metric,
                    kind=kind,
                    windows=len(values),
                    rows=len(known) // len(parts),
                    yearly=yearly,
                    bound=series.finite(bound),
                    quiet=quiet,
                    seen=tuple(seen),
                    never=never,
                )
            )
    return tuple(found)


def _defined(values: Sequence[float]) -> Array:
    return np.array([value for value in values if np.isfinite(value)])
