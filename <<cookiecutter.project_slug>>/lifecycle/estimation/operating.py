"""What alerts on each metric would do, by simulation from the test rows: in a quiet year, and after a drop."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

import numpy as np
import pandas as pd

from lifecycle.config import Monitor
from lifecycle.documents.summary import FEWEST_WINDOWS, SPREAD
from lifecycle.documents.track import Operating
from lifecycle.estimation import own, series
from lifecycle.estimation.chances import Array
from lifecycle.estimation.simulation import simulated
from lifecycle.tasks import Task, sign

YEAR = timedelta(days=365)


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
