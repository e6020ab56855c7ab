"""Makes the configured features of raw columns with the team's code, in training and in serving alike.

Serving imports it only for a model that has such code, as it needs pandas.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lifecycle import InputError
from lifecycle.artifact import code
from lifecycle.artifact.directory import Column

MODULE, FILE = "model.features", "model/features.py"
type Function = Callable[[pd.DataFrame], pd.DataFrame]


class FeatureError(ValueError):
    """What is wrong with the features that the team's code makes, as a sentence without its remedy."""


def rows(values: Mapping[str, Any], raw: Sequence[Column]) -> pd.DataFrame:
    """Raw columns, each of n values, as the team's code gets them: float64 numbers, texts with '' for a missing one,
    times in UTC."""
    made: dict[str, Any] = {}
    for column in raw:
        given = values[column.name]
        if column.type == "number":
            made[column.name] = np.asarray(given, dtype="float64")
        elif column.type == "time":
            made[column.name] = pd.DatetimeIndex(pd.to_datetime(pd.Series(given), utc=True)).as_unit("us")
        else:
            texts = pd.Series(given, dtype="object")
            made[column.name] = texts.where(texts.notna(), "").to_numpy()
    return pd.DataFrame(made)


def sent(frame: pd.DataFrame, raw: Sequence[Column]) -> list[dict[str, Any]]:
    """Raw rows as a request sends them, in JSON values."""
    given = rows(frame, raw)
    columns = {}
    for column in raw:
        values = given[column.name].tolist()
        if column.type == "time":
            columns[column.name] = [None if value is pd.NaT else value.isoformat() for value in values]
        else:
            columns[column.name] = [None if value != value or value == "" else value for value in values]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def features(function: Function, given: pd.DataFrame, columns: Sequence[Column]) -> pd.DataFrame:
    """The features of raw rows, in the form that a served model receives: float32 numbers, text with '' for a missing
    category. Raises FeatureError for what does not fit, and whatever the team's code raises."""
    found = function(given.copy())  # which the function may change
    if not isinstance(found, pd.DataFrame):
        raise FeatureError(f"{FILE} returns {type(found).__name__}, no DataFrame")
    if len(found) != len(given):
        raise FeatureError(f"{FILE} returns {len(found)} rows for {len(given)}")
    if not found.index.equals(given.index):
        raise FeatureError(f"{FILE} returns the rows in another order, or with another index")
    if missing := [column.name for column in columns if column.name not in found]:
        raise FeatureError(f"{FILE} returns no column {', '.join(missing)}, which data.features in config.yaml names")
    return pd.DataFrame({column.name: _canonical(found[column.name], column) for column in columns})


def _canonical(values: Any, column: Column) -> pd.Series:
    what = f"{column.name} of {FILE}"
    if isinstance(values, pd.DataFrame):
        raise FeatureError(f"{what} is there twice")
    empty = values.isna()
    if column.type == "number":
        try:
            made = values.astype("float32")
        except (TypeError, ValueError) as error:
            raise FeatureError(f"{what} holds {values.dtype}, no numbers") from error
        if count := int(np.isinf(made).sum()):
            raise FeatureError(f"{what} is infinite in {count} rows")
    else:
        made = values.astype("object").where(~empty, "")
        if count := sum(not isinstance(value, str) for value in made):
            raise FeatureError(f"{what} holds something else than text in {count} rows")
        empty = made == ""
    if not column.missing and (count := int(empty.sum())):
        raise FeatureError(f"{what} is missing in {count} rows, which data.features does not allow")
    return made


def load(folder: Path) -> Function:
    """The function `features` of a model directory's own code; raises InputError if it cannot be had."""
    with code.carried(folder) as there:
        try:
            if not there:
                raise ImportError("the model directory has no code")
            function: Function = importlib.import_module(MODULE).features
        except Exception as error:  # the team's code may raise anything
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            raise InputError(
                f"{folder / code.FOLDER} does not give {MODULE} ({reason}); train it again, with locks/skops.txt and "
                "locks/model.txt installed."
            ) from error
    return function
