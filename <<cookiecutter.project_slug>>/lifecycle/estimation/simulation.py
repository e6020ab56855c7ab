"""Simulates windows of a metric: how many alerts a quiet year raises, and which drop is seen.

Windows are drawn as if independent and normal. Their mean and deviation are known only as well as the reference's
windows tell, so each simulated world has its own: Gelman and others, Bayesian Data Analysis, section 3.2.
"""

import numpy as np

from lifecycle.config import AlertRule
from lifecycle.documents.track import SHARES, Seen
from lifecycle.estimation.chances import Array

WORLDS, DRAWS, SEED = 1000, 1_000_000, 0  # worlds, fewer where a year has more than a thousand windows
FEWEST, LONGEST = 100, 10_000  # worlds, and windows that stand for a year of more
LIKELY, SURE = 0.8, 0.95


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


def worlds(values: Array, windows: int) -> Array:
    """Windows in which nothing happens, in many worlds that the reference's values allow: (worlds, windows)."""
    found: Array = values.mean() + values.std(ddof=1) * standard(len(values), windows)
    return found


def standard(count: int, windows: int) -> Array:
    """Such worlds of `count` values with the mean 0 and the deviation 1, to which all others are in proportion."""
    generator, many = np.random.default_rng(SEED), max(FEWEST, min(WORLDS, DRAWS // windows))
    deviation = np.sqrt((count - 1) / generator.chisquare(count - 1, many))
    middle = deviation * generator.normal(size=many) / np.sqrt(count)
    found: Array = middle[:, None] + deviation[:, None] * generator.normal(size=(many, windows))
    return found


def simulated(values: Array, bound: float, better: int, rule: AlertRule, yearly: int) -> tuple[float, list[Seen]]:
    """The mean number of alerts in a quiet year, and the drop that is seen within a few windows."""
    horizons = sorted({rule.windows, rule.of, 2 * rule.of, 4 * rule.of})
    year = min(yearly, LONGEST)
    inside = (worlds(values, max(year, horizons[-1])) - bound) * better
    seen = []
    for windows in horizons:
        falls = needed(inside[:, :windows], rule)
        likely, sure = np.quantile(falls, (LIKELY, SURE))
        drops = tuple(float(f"{drop:.4g}") for drop in np.quantile(falls, SHARES))
        seen.append(Seen(windows=windows, likely=float(likely), sure=float(sure), drops=drops))
    return float(alerts(inside[:, :year] < 0, rule).mean()) * yearly / year, seen
