"""What alerts on each metric would do, by simulation from the test rows: in a quiet year, and after a drop."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from lifecycle.config import Monitor
from lifecycle.documents.summary import FEWEST_WINDOWS, SPREAD
from lifecycle.documents.track import Operating
from lifecycle.estimation import own, series, target
from lifecycle.estimation.chances import Array
from lifecycle.estimation.simulation import simulated
from lifecycle.tasks import Task, sign

type Kind = Literal["estimated", "realised"]


def _never(values: Array, bound: float, better: int) -> str:
    """Why no value of a metric can raise an alert; empty if one can."""
    if not np.isfinite(bound):
        return "it has no bound, as what came true is undefined in each window of the reference"
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
    rule, parts = watching.alert, series.parts(known)
    yearly = target.yearly(len(parts), known["time"].max() - known["time"].min())
    certain = own.certain(known, task, classes)
    expected = own.expected(known, task, classes, rule.metrics, features)(known)
    values, bounds = dict[tuple[str, Kind], Array](), dict[tuple[str, Kind], float]()
    for metric in rule.metrics:
        values[metric, "estimated"] = _defined([expected(metric, places) for places in parts.values()])
        values[metric, "realised"] = _defined([certain(metric, places) for places in parts.values()])
        low, high = series.bounds(values[metric, "realised"], 0.0, np.inf)
        bounds |= {(metric, kind): low if sign(metric) > 0 else high for kind in ("estimated", "realised")}
    told = {key: (key[0], told_of) for key, told_of in values.items() if target.enough(told_of)}
    if rule.quiet is not None and told:
        rule, chosen = target.chosen(told, rule, yearly)
        bounds |= chosen
    found = []
    for (metric, kind), own_values in values.items():
        bound, better = bounds[metric, kind], sign(metric)
        never = _never(own_values, bound, better)
        quiet, seen = (0.0, []) if never else simulated(own_values, bound, better, rule, yearly)
        found.append(
            Operating(
                metric=metric,
                kind=kind,
                windows=len(own_values),
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
