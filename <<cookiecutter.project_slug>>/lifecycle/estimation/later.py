"""Continues the track record by what labels say in production of windows that the reference's rows estimate."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lifecycle.config import Monitor
from lifecycle.documents.track import Track
from lifecycle.estimation import own, past, series
from lifecycle.tasks import Task

INTERVAL = 1.96  # standard errors to each side, for 95 of 100


def since(
    known: pd.DataFrame,
    told: pd.DataFrame,
    task: Task,
    classes: Sequence[str],
    watching: Monitor,
    features: Sequence[str],
) -> tuple[Track, ...]:
    """The record continued by later windows with labels: estimated from the known rows, compared with what came true.

    The constant is again the mean of all windows before. The interval of an estimate is that of 95 of 100, with its own
    error, as the known rows are not many either.
    """
    places = [[*series.parts(frame).values()] for frame in (known, told)]
    spans = [span for frame in (known, told) for span in series.spans(frame).values()]
    measure = own.expected(known, task, classes, watching.metrics, features)(told)
    certain, spreads = (
        [own.certain(frame, task, classes) for frame in (known, told)],
        own.spreads(known, task, classes, watching.metrics),
    )
    found = []
    for metric in watching.metrics:
        realised = np.array(
            [real(metric, rows) for real, own_places in zip(certain, places, strict=True) for rows in own_places]
        )
        estimated = np.array([np.nan] * len(places[0]) + [measure(metric, rows) for rows in places[1]])
        count = np.array([span["rows"] for span in spans])
        chance = spreads[metric] * np.sqrt(2 / np.pi / count)
        begins, ends = ([span[name] for span in spans] for name in ("begin", "end"))
        track = past.judged(metric, realised, estimated, chance, begins, ends)
        if track is not None:
            reach = INTERVAL * spreads[metric] * own.spread("estimated", count, len(known))
            outside = int((np.abs(realised - estimated) > reach).sum())
            found.append(track.model_copy(update={"alerts": metric in watching.alert.metrics, "outside": outside}))
    return tuple(found)
