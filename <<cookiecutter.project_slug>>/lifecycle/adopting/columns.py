"""Decides for each column whether it can be a feature, of which type and within which bounds, and says why."""

import math
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from lifecycle.config import RESERVED

CATEGORIES = 200  # more are too many to be one-hot encoded
WORDS = 4  # words of a text that is no category, on average
HEADROOM = 0.2  # of the range that was seen, on either side


@dataclass(frozen=True)
class Choice:
    """What a column becomes: its name as a feature and the keys of `data.features`, none if it is left out."""

    column: str
    name: str
    why: str
    feature: dict[str, Any] | None = None
    values: pd.Series = field(default_factory=pd.Series, compare=False)


def _outward(value: float, up: bool) -> float | int:
    """A value rounded outward to two digits."""
    if value == 0 or not math.isfinite(value):
        return 0
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    found = (math.ceil if up else math.floor)(value / step) * step
    return int(found) if float(found).is_integer() else float(f"{found:.12g}")


def moments(column: pd.Series) -> pd.Series | None:
    """A column of times as UTC timestamps, or None if it holds something else."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return column.dt.tz_convert("UTC")
    if types.is_datetime64_any_dtype(column):
        return column.dt.tz_localize("UTC")
    if not (types.is_object_dtype(column) or types.is_string_dtype(column)):
        return None
    filled = column.dropna()
    if filled.empty or not all(isinstance(value, str) for value in filled) or not filled.str.contains(r"\d{4}").all():
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = pd.to_datetime(filled, utc=True, errors="coerce", format="ISO8601")
        if found.isna().any():
            # With points the day comes first. With slashes either may, so it must show.
            first = filled.str.fullmatch(r"\d{1,2}\.\d{1,2}\.\d{4}.*").all()
            found, other = (
                pd.to_datetime(filled, utc=True, errors="coerce", dayfirst=one) for one in (first, not first)
            )
            if not first and not found.equals(other) and not found.isna().any() and not other.isna().any():
                return None
    return None if found.isna().any() else found.reindex(column.index)


def _number(column: pd.Series, missing: bool) -> tuple[dict[str, Any], str, pd.Series]:
    values = pd.to_numeric(column, errors="coerce").astype("float64")
    values = values.where(np.isfinite(values))
    low, high = float(values.min()), float(values.max())
    room = (high - low) * HEADROOM
    bottom = 0 if low >= 0 else _outward(low - room, up=False)
    top = 0 if high <= 0 else _outward(high + room, up=True)
    feature = {"type": "number", "min": bottom, "max": top}
    why = f"a number; {bottom} to {top} leaves room around {low:g} to {high:g}"
    return feature | ({"missing": True} if missing or values.isna().any() else {}), why, values


def text(column: pd.Series) -> pd.Series:
    """A column's values as a request sends them: whole numbers without a point, true and false in lower case."""
    if types.is_bool_dtype(column.dropna().infer_objects()):
        column = column.map({True: "true", False: "false"}, na_action="ignore")
    elif types.is_float_dtype(column) and (column.dropna() % 1 == 0).all():
        column = column.astype("Int64")
    found = column.astype("object")
    return found.where(found.isna(), found.astype("str")).where(found.notna(), None)


def _text(column: pd.Series, missing: bool) -> tuple[dict[str, Any] | None, str, pd.Series]:
    values = text(column)
    count, filled = values.nunique(), values.dropna()
    if count > CATEGORIES and filled.str.split().str.len().mean() >= WORDS:
        return None, "free text; to use it, add a TfidfVectorizer to model/estimator.py and the column here", values
    if count > 0.9 * len(filled) and count > CATEGORIES:
        return (
            None,
            f"almost every row has another value ({count:,}), so it says who the row is, not what follows",
            values,
        )
    feature: dict[str, Any] = {"type": "category"}
    why = f"a category with {count:,} values"
    if count > CATEGORIES:
        feature["encoding"] = "target"
        why += f": more than {CATEGORIES}, so each becomes the mean of its target instead of a column"
    return feature | ({"missing": True} if missing else {}), why, values


def named(column: str, taken: set[str]) -> str:
    """The name of a feature: the column's, unless the steps reserve it or another differs from it in case only."""
    name = f"feature_{column}" if column.startswith("probability_") else column
    while name in RESERVED or name.lower() in taken:
        name += "_"
    taken.add(name.lower())
    return name


def choose(frame: pd.DataFrame, without: set[str]) -> list[Choice]:
    """A choice for every column but those in `without`, in their order."""
    found, taken = [], {name.lower() for name in without}
    for column in frame.columns:
        if column not in without:
            name = named(column, taken)
            feature, why, values = _choice(frame[column])
            renamed = f"{why}; called {name}, as {column} is taken" if feature and name != column else why
            found.append(Choice(column, name, renamed, feature, values))
    return found


def _choice(column: pd.Series) -> tuple[dict[str, Any] | None, str, pd.Series]:
    filled, missing = column.dropna(), bool(column.isna().any())
    if filled.empty:
        return None, "empty in every row", column
    if filled.map(lambda value: isinstance(value, list | dict | np.ndarray | bytes)).any():
        return None, "lists or objects, which no request can send; give each part a column", column
    if filled.nunique() == 1:
        return None, f"{str(filled.iloc[0])[:40]!r} in every row", column
    if moments(column) is not None:
        why = f"a moment; TIME={column.name} would split by it, and what it tells, such as an age, needs a column"
        return None, why, column
    if types.is_bool_dtype(filled.infer_objects()):
        feature = {"type": "number", "min": 0, "max": 1} | ({"missing": True} if missing else {})
        return feature, "true or false; 1 or 0 to the model", column.astype("boolean")
    if types.is_integer_dtype(filled.infer_objects()) and filled.nunique() == len(filled) > 100:
        return None, "a whole number that no two rows share, so it says which row it is", column
    if types.is_numeric_dtype(column):
        return _number(column, missing)
    return _text(column, missing)
