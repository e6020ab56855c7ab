"""Makes the windows of a series: what each spans, its value, and bounds from the reference."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from lifecycle.documents.summary import Kind, Window
from lifecycle.estimation.chances import Array

DEVIATIONS = 3  # of the reference windows around their mean, up to each bound


def spans(frame: pd.DataFrame) -> dict[int, dict[str, Any]]:
    """By chunk: `begin` and `end`, its first and last time, and `rows`, the number of rows read."""
    times = frame.groupby("chunk")["time"].agg(["min", "max", "size"])
    return {
        int(chunk): {"begin": begin.isoformat(), "end": end.isoformat(), "rows": int(rows)}
        for chunk, begin, end, rows in times.itertuples()
    }


PERIODS = {"hour": "h", "day": "D", "week": "W", "month": "M"}
SMALLEST = 100  # fewest rows of a period that is worth measuring


def cut(frame: pd.DataFrame, window: int | str, sample: int) -> pd.DataFrame:
    """The rows, in order of time, that lie in whole windows, with each one's `chunk`; larger windows are sampled."""
    if isinstance(window, int):
        whole = frame.iloc[: len(frame) // window * window]
        frame = whole.assign(chunk=np.arange(len(whole)) // window)
    else:
        periods = frame["time"].dt.tz_localize(None).dt.to_period(PERIODS[window])
        size = periods.map(periods.value_counts())
        inside = (periods > periods.min()) & (periods < periods.max()) & (size >= SMALLEST)
        frame = frame[inside].assign(chunk=pd.factorize(periods[inside])[0])
    parts = (part if len(part) <= sample else part.sample(sample, random_state=0) for _, part in frame.groupby("chunk"))
    return pd.concat([frame.head(0), *parts])


def parts(frame: pd.DataFrame) -> dict[int, Array]:
    """The places of each chunk's rows, in order of chunk."""
    return {int(chunk): places for chunk, places in sorted(frame.groupby("chunk").indices.items())}


def bounds(values: Iterable[float], least: float, most: float) -> tuple[float, float]:
    """Both bounds around the reference's values, none of them beyond what a value can be; NaN if all are undefined."""
    known = np.array([value for value in values if np.isfinite(value)])
    if not len(known):
        return float("nan"), float("nan")
    middle, reach = known.mean(), DEVIATIONS * known.std()
    return max(least, float(middle - reach)), min(most, float(middle + reach))


def finite(value: Any) -> float | None:
    return float(value) if value is not None and np.isfinite(value) else None


def outside(value: float | None, bound: float | None, better: int) -> bool:
    """Whether a value is beyond its worse bound; beyond the other one it needs no action."""
    return value is not None and bound is not None and (bound - value) * better > 0


def window(
    kind: Kind,
    metric: str,
    column: str | None,
    reference: bool,
    span: Mapping[str, Any],
    value: Any,
    limits: tuple[Any, Any],
    better: int,
) -> Window:
    """One window with its bounds."""
    found, (low, high) = finite(value), map(finite, limits)
    return Window(
        kind=kind,
        metric=metric,
        column=column,
        reference=reference,
        **span,
        value=found,
        low=low,
        high=high,
        outside=outside(found, low if better > 0 else high, better),
    )
