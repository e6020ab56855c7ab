"""Keeps a measure that fails, and bounds that say nothing, from taking the rest of the report with them."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from lifecycle import InputError
from lifecycle.documents.summary import FEWEST_WINDOWS, SPREAD, Window
from lifecycle.estimation.own import Watch
from lifecycle.tasks import label

PERFORMANCE = ("estimated", "realised")


def attempted[T](name: str, measure: Callable[[], list[T]]) -> tuple[list[T], list[str]]:
    """The windows, or others, of a measure or, if it fails on these rows, none and a sentence."""
    try:
        with np.errstate(all="ignore"):  # what is no number is undefined, and is said
            return measure(), []
    except (InputError, MemoryError):
        raise
    except Exception as error:  # NannyML has its own exception for each input that it cannot use
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        return [], [f"{name} could not be measured on these rows ({reason}); see what of them is empty or constant."]


class Measured:
    """The windows of a measure, a piece of the log at a time: none, and a sentence, once it fails."""

    def __init__(self, name: str, begun: Callable[[], Watch]) -> None:
        self._name, self._begun = name, begun
        self._watch: Watch | None = None
        self.windows, self.told = list[Window](), list[str]()

    def add(self, rows: pd.DataFrame) -> None:
        """Measure the windows of these rows; those of the reference count once."""
        if self.told:
            return
        first, (found, self.told) = self._watch is None, attempted(self._name, lambda: self._begin()(rows))
        self.windows += found if first else [one for one in found if not one.reference]
        if self.told:
            self.windows = []

    def _begin(self) -> Watch:
        self._watch = self._watch or self._begun()
        return self._watch


def bounded(windows: Sequence[Window]) -> tuple[list[Window], list[str]]:
    """Windows without the bounds of a series whose reference does not vary: every other value would be outside."""
    values: dict[tuple[str, str, str | None], list[float]] = {}
    for window in windows:
        if window.reference and window.value is not None:
            values.setdefault((window.kind, window.metric, window.column), []).append(window.value)
    flat = {key for key, own in values.items() if len(own) > 1 and max(own) - min(own) < SPREAD}
    flat &= {(one.kind, one.metric, one.column) for one in windows if one.low is not None or one.high is not None}
    unknown = [
        f"{kind} {label(metric)}"
        for kind, metric in dict.fromkeys((one.kind, one.metric) for one in windows if one.kind in PERFORMANCE)
        if _unknown([one for one in windows if (one.kind, one.metric) == (kind, metric)])
    ]
    none = {"low": None, "high": None, "outside": False}
    found = [one.model_copy(update=none) if (one.kind, one.metric, one.column) in flat else one for one in windows]
    named = [
        f"{kind} {label(metric)}{f' of {column}' if column else ''}" for kind, metric, column in sorted(flat, key=str)
    ]
    said = {
        "In the reference these do not vary, so they have no bounds and raise no alert": named,
        "In the reference, what came true of these is undefined in each window, so they raise no alert": unknown,
    }
    return found, [f"{why}: {', '.join(names)}." for why, names in said.items() if names]


def _unknown(windows: Sequence[Window]) -> bool:
    """Whether enough windows of the reference give a series no bounds."""
    usual = [one for one in windows if one.reference]
    return len(usual) >= FEWEST_WINDOWS and all(one.low is None and one.high is None for one in usual)
