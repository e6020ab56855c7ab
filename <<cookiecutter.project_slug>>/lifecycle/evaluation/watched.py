"""How well the monitor's estimate would have followed a candidate through its test rows."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lifecycle.artifact.frames import LABEL
from lifecycle.artifact.predictor import Predictions
from lifecycle.config import Config
from lifecycle.documents.track import TrackRecord
from lifecycle.estimation import operating, past, series, target


def track(
    settings: Config, test: pd.DataFrame, rows: pd.DataFrame, served: Predictions, unseen: Sequence[str]
) -> TrackRecord:
    """Walk through the test rows in the monitor's windows; `unseen` are the features that the log does not show."""
    time, classes = settings.data.time, settings.data.target.classes
    rule = target.shared(settings.monitor.alert, settings.evaluate.slices)
    watching = settings.monitor.model_copy(update={"alert": rule})
    if time is None:
        return TrackRecord(why=past.untold(False, 0))
    columns = {"time": pd.to_datetime(test[time], utc=True), "label": test[LABEL], "prediction": served.labels}
    if served.probabilities is not None:
        columns |= {f"probability_{name}": served.probabilities[:, code] for code, name in enumerate(classes)}
    known = rows.assign(**columns)
    if len(classes) > 2:
        known[["prediction", "label"]] = np.array(classes)[known[["prediction", "label"]].to_numpy()]
    cut = past.recent(series.cut(known.sort_values("time", kind="stable"), watching.window, watching.sample))
    if why := past.untold(True, cut["chunk"].nunique()):
        return TrackRecord(why=why)
    about = (settings.task, classes, watching, [name for name in rows if name not in unseen])
    return past.walk(cut, *about).model_copy(update={"operating": operating.characteristic(cut, *about)})
