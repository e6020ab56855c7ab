"""Measures the performance of each slice by itself, so that a group that suffers alone is seen.

What is expected of each row is learnt from all rows, by the template's own estimator whoever estimates the whole, and
is then gathered by slice. A slice may be predicted better or worse than that says, so its bounds come from its own
reference windows, for estimated and realised values apart.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Rows:
    """Answered rows in windows, and what is expected of them or came true; `usual` are those of the reference."""

    kind: Kind
    usual: bool
    frame: pd.DataFrame
    measure: own.Measure


def rows(
    frames: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame],
    task: Task,
    classes: Sequence[str],
    metrics: Sequence[str],
    features: Sequence[str],
) -> list[Rows]:
    """The reference's rows, the log's and those of the log that have labels, to be measured by slice."""
    known, asked, told = frames
    expected = own.expected(known, (known, asked), task, classes, metrics, features)
    certain = [own.certain(frame, task, classes) for frame in ((known, told) if len(told) else ())]
    pairs: list[tuple[Kind, list[own.Measure], pd.DataFrame]] = [("estimated", expected, asked)]
    pairs += [("realised", certain, told)] if certain else []
    return [
        Rows(kind, frame is known, frame, measure)
        for kind, measures, other in pairs
        for frame, measure in zip((known, other), measures, strict=True)
    ]


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


def measured(
    given: Sequence[Rows], slices: Sequence[Slice], task: Task, classes: Sequence[str], metrics: Sequence[str]
) -> tuple[list[Sliced], list[str]]:
    """The windows of each part, without bounds yet, and a sentence for each slice that is not wholly measured."""
    found, said = list[Sliced](), list[str]()
    for part in slices:
        if part.column not in given[0].frame:
            said.append(
                f"The slice {part.column} is not measured: it is no feature that the log shows; judge groups that "
                "matter by a feature (evaluate.slices)."
            )
        elif part.cuts and not is_numeric_dtype(given[0].frame[part.column]):
            said.append(f"The slice {part.column} is not measured: it has cuts, and the column holds no numbers.")
        else:
            own_found, own_said = _slice(given, part, task, classes, metrics)
            found, said = found + own_found, said + own_said
    return found, said


def _slice(
    given: Sequence[Rows], part: Slice, task: Task, classes: Sequence[str], metrics: Sequence[str]
) -> tuple[list[Sliced], list[str]]:
    names = [_named(one.frame, part) for one in given]
    every = pd.Series(names[0]).value_counts().index.tolist()
    chosen, said = every[:MOST], []
    if len(every) > MOST:
        said.append(f"Of the {len(every)} parts of the slice {part.column} the {MOST} with the most rows are measured.")
    for one, own_names in zip(given, names, strict=True):
        unknown = pd.Series(own_names[~np.isin(own_names, every)]).value_counts()
        if one.kind == "estimated" and len(unknown):
            said.append(
                f"{unknown.sum():,} rows are in no part of the slice {part.column} that the reference has: "
                f"{shown(unknown.index.tolist())}."
            )
    found, small = [], dict[str, tuple[int, int]]()
    for name in chosen:
        windows: list[Window] = []
        for one, own_names in zip(given, names, strict=True):
            inside = {chunk: places[own_names[places] == name] for chunk, places in series.parts(one.frame).items()}
            whole = {chunk: places for chunk, places in inside.items() if len(places) >= LEAST}
            if one.kind == "estimated" and not one.usual and len(whole) < len(inside):
                small[name] = len(inside) - len(whole), len(inside)
            windows += _windows(one, whole, metrics)
        usual = given[0].frame[names[0] == name]
        windows = own.errors(windows, usual, task, classes, metrics)
        found.append(Sliced(slice=part.column, part=name, windows=tuple(windows)))
    if small:
        told = shown([f"{name} in {few} of {all_of_them}" for name, (few, all_of_them) in small.items()])
        said.append(f"Parts of the slice {part.column} with fewer than {LEAST} rows in a window do not count: {told}.")
    return found, said


def _windows(one: Rows, whole: Mapping[int, Array], metrics: Sequence[str]) -> Iterator[Window]:
    spans = series.spans(one.frame)
    for metric in metrics:
        for chunk, places in whole.items():
            span = {**spans[chunk], "rows": len(places)}
            value = one.measure(metric, places)
            yield series.window(one.kind, metric, None, one.usual, span, value, (None, None), sign(metric))
