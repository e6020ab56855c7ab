"""Bounds the parts of slices, which are many, so that together they raise no more false alerts than all rows do."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from lifecycle.config import AlertRule, Config
from lifecycle.documents.summary import Sliced, Window
from lifecycle.estimation import series, target
from lifecycle.estimation.chances import Array
from lifecycle.monitoring import slices, sound
from lifecycle.monitoring.slices import LEAST, shown
from lifecycle.tasks import label, sign


def _usual(windows: Sequence[Window]) -> dict[tuple[str, str], tuple[Array, float]]:
    """The reference's values of each kind and metric that tell how much it varies, and the mean rows of a window."""
    found: dict[tuple[str, str], list[Window]] = {}
    for one in windows:
        if one.reference and one.value is not None:
            found.setdefault((one.kind, one.metric), []).append(one)
    values = {key: np.array([one.value for one in group]) for key, group in found.items()}
    return {
        key: (values[key], float(np.mean([one.rows for one in group])))
        for key, group in found.items()
        if target.enough(values[key])
    }


def bounded(sliced: Sequence[Sliced], rule: AlertRule, windows: int, many: int) -> tuple[list[Sliced], list[str]]:
    """The parts with the bounds that follow from the reference's number of windows, and a sentence on those without."""
    usual = [_usual(one.windows) for one in sliced]
    counts = pd.Series([key for own_usual in usual for key in own_usual], dtype="object").value_counts()
    rules = {key: target.parted(rule, windows, int(count)) for key, count in counts.items()}
    found, mute = [], dict[str, list[str]]()
    for one, own_usual in zip(sliced, usual, strict=True):
        limited = []
        for window in one.windows:
            key = window.kind, window.metric
            limited.append(_limited(window, *own_usual[key], rules[key], many) if key in own_usual else window)
        found.append(one.model_copy(update={"windows": tuple(limited)}))
        if not own_usual or all(own.low is not None and own.low <= 0 for own in limited if sign(own.metric) > 0):
            mute.setdefault(one.slice, []).append(one.part)
    return found, [
        f"Of the slice {name} these raise no alert, as too few windows of the reference have {LEAST} of their rows, as "
        f"nothing varies in them, or as their bound is 0: {shown(names)}."
        for name, names in mute.items()
    ]


def _limited(window: Window, values: Array, rows: float, rule: AlertRule, many: int) -> Window:
    """A window with its bound; one of fewer rows than the reference's have varies more."""
    wider = max(1.0, (rows / window.rows) ** 0.5)
    better = sign(window.metric)
    reach = wider * target.reach(len(values), rule, many) * values.std(ddof=1)
    limit = float(max(0.0, values.mean() - better * reach))
    outside = series.outside(window.value, limit, better)
    return window.model_copy(update={"low" if better > 0 else "high": limit, "outside": outside})


class Watched:
    """The slices of `evaluate.slices` in the reference and, a piece at a time, in the log; none once that fails."""

    def __init__(self, settings: Config, known: pd.DataFrame, classes: Sequence[str], features: Sequence[str]) -> None:
        self._known, self._failed = known, list[str]()
        about = settings.task, classes, settings.monitor.alert.metrics, features
        every = settings.evaluate.slices
        self._slices = self._attempted(lambda: slices.Slices(known, every, *about)) if every else None

    def _attempted[T](self, call: Callable[[], T]) -> T | None:
        found, failed = sound.attempted("Performance by slice", lambda: [call()])
        self._failed += failed
        return found[0] if found else None

    def add(self, rows: pd.DataFrame) -> None:
        own = self._slices
        if own is not None and not self._failed:
            self._attempted(lambda: own.add(rows))

    def found(self, told: pd.DataFrame, rule: AlertRule) -> tuple[list[Sliced], list[str]]:
        """The parts with their bounds, and what to know of them; `told` are the log's rows with labels.

        The rule has the windows that were chosen for all rows, and as its target what is left to slices.
        """
        own = self._slices
        if own is None or self._failed:
            return [], self._failed
        bound = self._attempted(lambda: self._bounded(*own.found(told), rule))
        return bound or ([], self._failed)

    def _bounded(self, found: list[Sliced], said: list[str], rule: AlertRule) -> tuple[list[Sliced], list[str]]:
        usual, many = self._known.groupby("chunk")["time"], target.COUNTED
        if rule.quiet is not None:
            many = target.yearly(usual.ngroups, usual.max().max() - usual.min().min())
        limited, mute = bounded(found, rule, usual.ngroups, many)
        return limited, [*said, *_undefined(limited), *mute]


def _undefined(sliced: Sequence[Sliced]) -> list[str]:
    """A sentence for each metric that is undefined in some windows of the log."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for one in sliced:
        none = [(own.kind, own.metric) for own in one.windows if own.value is None and not own.reference]
        for (kind, metric), count in pd.Series(none, dtype="object").value_counts().items():
            found.setdefault((kind, metric, one.slice), []).append(f"{one.part} in {count}")
    return [
        f"The {kind} {label(metric)} of the slice {name} is undefined in windows whose rows have only one class: "
        f"{shown(parts)}."
        for (kind, metric, name), parts in found.items()
    ]
