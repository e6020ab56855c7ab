"""Walks through the past: estimates each later window of the test rows from those before it, as the monitor would."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from lifecycle.config import Monitor
from lifecycle.documents.summary import FEWEST_WINDOWS
from lifecycle.documents.track import Drop, Track, TrackRecord
from lifecycle.estimation import own, series
from lifecycle.estimation.chances import Array
from lifecycle.tasks import Task, sign

FIRST, FITS, NEEDED = 3, 4, 6  # windows before the first estimate, fits at most, windows to judge at all
MOST = 200_000  # rows to walk through, the newest of more


def recent(known: pd.DataFrame) -> pd.DataFrame:
    """The newest windows that hold together at most MOST rows, but at least those that are needed."""
    newest = known.groupby("chunk").size()[::-1]
    chosen = newest.index[(newest.cumsum() <= MOST) | (np.arange(len(newest)) < NEEDED)]
    return known[known["chunk"].isin(chosen)]


def untold(timed: bool, windows: int) -> str:
    """Why there is no track record, as a sentence; empty if there is one."""
    if not timed:
        return "The rows have no time (data.time), so there is no past to walk through."
    if windows < NEEDED:
        mute = f" With fewer than {FEWEST_WINDOWS} there are no bounds, and performance raises no alert at all."
        return (
            f"The test rows fill {windows} windows, fewer than the {NEEDED} that are needed to walk through the past; "
            "lengthen split.test or shorten monitor.window."
        ) + mute * (windows < FEWEST_WINDOWS)
    return ""


def walk(
    known: pd.DataFrame, task: Task, classes: Sequence[str], watching: Monitor, features: Sequence[str]
) -> TrackRecord:
    """The track record on answered rows with labels that are cut into windows."""
    parts, spans = series.parts(known), series.spans(known)
    places, count = list(parts.values()), len(parts)
    first = max(FIRST, count // 3)
    steps = range(first, count, -(-(count - first) // FITS))
    expected: list[own.Measure] = []
    for begin in steps:
        before = known.iloc[np.concatenate(places[:begin])]
        measure = own.expected(before, task, classes, watching.metrics, features)(known)
        expected += [measure] * (min(begin + steps.step, count) - begin)
    certain, spreads = own.certain(known, task, classes), own.spreads(known, task, classes, watching.metrics)
    tracks = []
    for metric in watching.metrics:
        realised = np.array([certain(metric, rows) for rows in places])
        estimates = [measure(metric, rows) for measure, rows in zip(expected, places[first:], strict=True)]
        estimated = np.concatenate([np.full(first, np.nan), estimates])
        chance = spreads[metric] * np.sqrt(2 / np.pi / np.array([len(rows) for rows in places]))
        ends = [spans[chunk]["end"] for chunk in parts]
        begins = [spans[chunk]["begin"] for chunk in parts]
        if (track := judged(metric, realised, estimated, chance, begins, ends)) is not None:
            tracks.append(track.model_copy(update={"alerts": metric in watching.alert.metrics}))
    return TrackRecord(tracks=tuple(tracks))


def judged(
    metric: str, realised: Array, estimated: Array, chance: Array, begins: Sequence[str], ends: Sequence[str]
) -> Track | None:
    """What the windows with both values say of the estimate; None if there is none."""
    both = np.isfinite(realised) & np.isfinite(estimated)
    if not both.any():
        return None
    usual = np.full(len(realised), np.nan)
    outside = np.zeros((2, len(realised)), dtype=bool)
    bounded = np.zeros(len(realised), dtype=bool)
    for place in np.flatnonzero(both):
        before = realised[:place][np.isfinite(realised[:place])]
        usual[place] = before.mean() if len(before) else realised[both].mean()
        calm = realised[:place][np.isfinite(realised[:place]) & ~outside[0, :place]]  # as a reference is
        if len(calm) >= FEWEST_WINDOWS:
            bounded[place] = True
            low, high = series.bounds(calm, -np.inf, np.inf)
            bound = low if sign(metric) > 0 else high
            outside[:, place] = [(bound - value) * sign(metric) > 0 for value in (realised[place], estimated[place])]
    return Track(
        metric=metric,
        alerts=False,
        windows=int(both.sum()),
        error=float(np.abs(estimated - realised)[both].mean()),
        constant=float(np.abs(usual - realised)[both].mean()),
        chance=float(chance[both].mean()),
        drops=tuple(_drops(metric, realised, outside[0], outside[1], begins, ends)),
        bounded=int(bounded.sum()),
        false=int((outside[1] & ~outside[0]).sum()),
    )


def _drops(
    metric: str, realised: Array, fell: Array, seen: Array, begins: Sequence[str], ends: Sequence[str]
) -> list[Drop]:
    """The runs of windows that fell; seen if the estimate was out of bounds in one, or in the window before."""
    found = []
    starts = [place for place in range(len(fell)) if fell[place] and (place == 0 or not fell[place - 1])]
    for start in starts:
        last = next((place for place in range(start, len(fell)) if not fell[place]), len(fell)) - 1
        early = next((place for place in range(max(0, start - 1), last + 1) if seen[place]), None)
        own = realised[start : last + 1]
        found.append(
            Drop(
                begin=begins[start],
                end=ends[last],
                worst=float(own.min() if sign(metric) > 0 else own.max()),
                days=None if early is None else _days(ends[early], ends[start]),
            )
        )
    return found


def _days(earlier: str, later: str) -> float:
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)) / timedelta(days=1)
