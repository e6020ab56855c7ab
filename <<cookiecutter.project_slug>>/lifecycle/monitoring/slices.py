"""Measures the performance of each slice by itself, so that a group that suffers alone is seen.

What is expected of each row is learnt from all rows, by the template's own estimator whoever estimates the whole, and
is then gathered by slice. A slice may be predicted better or worse than that says, so its bounds come from its own
reference windows, for estimated and realised values apart.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from lifecycle.config import Slice
from lifecycle.documents.summary import Sliced, Window
from lifecycle.estimation import own, series
from lifecycle.estimation.chances import Array
from lifecycle.rows import parts
from lifecycle.tasks import Task, sign

LEAST = series.SMALLEST  # rows of a part in a window
MOST = 30  # parts of a slice, the largest in the reference
NAMED, LONGEST = 10, 40  # parts that a sentence names, and characters of a name
type Kind = Literal["estimated", "realised"]


def _named(frame: pd.DataFrame, part: Slice) -> Array:
    """The part of each row; numbers look the same whatever their width, and no text is what is missing."""
    column = frame[part.column]
    if not is_numeric_dtype(column):
        column = column.where(column != "", None)
    elif not part.cuts:
        column = column.map("{:g}".format, na_action="ignore").astype("object")
    return parts.named(column, part.cuts)[0]


def shown(names: Sequence[str]) -> str:
    """Names from data in a sentence."""
    plain = ["".join(sign if sign.isprintable() else "·" for sign in name)[:LONGEST] for name in names[:NAMED]]
    return ", ".join(plain) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


class Slices:
    """The windows of every part of some slices, a piece of the log at a time, without bounds yet."""

    def __init__(
        self,
        known: pd.DataFrame,
        slices: Sequence[Slice],
        task: Task,
        classes: Sequence[str],
        metrics: Sequence[str],
        features: Sequence[str],
    ) -> None:
        self._known, self._about = known, (task, classes, metrics)
        self._expected = own.expected(known, task, classes, metrics, features)
        self._parts, self._said = list[Parts](), list[str]()
        for part in slices:
            if part.column not in known:
                self._said.append(
                    f"The slice {part.column} is not measured: it is no feature that the log shows; judge groups that "
                    "matter by a feature (evaluate.slices)."
                )
            elif part.cuts and not is_numeric_dtype(known[part.column]):
                self._said.append(
                    f"The slice {part.column} is not measured: it has cuts, and the column holds no numbers."
                )
            else:
                self._parts.append(Parts(part, known, metrics))
        self._add("estimated", known, self._expected(known))

    def add(self, rows: pd.DataFrame) -> None:
        """Estimate the windows of rows of the log."""
        self._add("estimated", rows, self._expected(rows))

    def _add(self, kind: Kind, rows: pd.DataFrame, measure: own.Measure) -> None:
        for part in self._parts:
            part.add(kind, rows, measure)

    def found(self, told: pd.DataFrame) -> tuple[list[Sliced], list[str]]:
        """The parts with what came true of the rows with labels, and what to know of the slices."""
        task, classes, metrics = self._about
        for frame in (self._known, told) if len(told) else ():
            self._add("realised", frame, own.certain(frame, task, classes))
        found, said = list[Sliced](), list(self._said)
        for part in self._parts:
            said += part.said()
            for name, (windows, usual) in part.windows.items():
                every = own.errors(windows, usual, task, classes, metrics)
                found.append(Sliced(slice=part.slice.column, part=name, windows=tuple(every)))
        return found, said


class Parts:
    """The parts of one slice, the largest in the reference, with their windows and their rows in the reference."""

    def __init__(self, part: Slice, known: pd.DataFrame, metrics: Sequence[str]) -> None:
        self.slice, self._known, self._metrics = part, known, metrics
        names = _named(known, part)
        self._every = pd.Series(names).value_counts().index.tolist()
        self.windows = {name: (list[Window](), known[names == name]) for name in self._every[:MOST]}
        self._unknown, self._small = Counter[str](), dict[str, tuple[int, int]]()

    def add(self, kind: Kind, rows: pd.DataFrame, measure: own.Measure) -> None:
        names, places, spans = _named(rows, self.slice), series.parts(rows), series.spans(rows)
        asked = kind == "estimated" and rows is not self._known
        if asked:
            self._unknown.update(names[~np.isin(names, self._every)].tolist())
        for name, (windows, _) in self.windows.items():
            inside = {chunk: own_places[names[own_places] == name] for chunk, own_places in places.items()}
            whole = {chunk: own_places for chunk, own_places in inside.items() if len(own_places) >= LEAST}
            if asked:
                few, every = self._small.get(name, (0, 0))
                self._small[name] = few + len(inside) - len(whole), every + len(inside)
            for metric in self._metrics:
                for chunk, own_places in whole.items():
                    span, value = {**spans[chunk], "rows": len(own_places)}, measure(metric, own_places)
                    usual = rows is self._known
                    windows.append(series.window(kind, metric, None, usual, span, value, (None, None), sign(metric)))

    def said(self) -> list[str]:
        """A sentence for each way in which the slice is not wholly measured."""
        column, found = self.slice.column, []
        if len(self._every) > MOST:
            found.append(
                f"Of the {len(self._every)} parts of the slice {column} the {MOST} with the most rows are measured."
            )
        if self._unknown:
            names = [name for name, _ in self._unknown.most_common()]
            found.append(
                f"{self._unknown.total():,} rows are in no part of the slice {column} that the reference has: "
                f"{shown(names)}."
            )
        if small := [f"{name} in {few} of {every}" for name, (few, every) in self._small.items() if few]:
            found.append(
                f"Parts of the slice {column} with fewer than {LEAST} rows in a window do not count: {shown(small)}."
            )
        return found
