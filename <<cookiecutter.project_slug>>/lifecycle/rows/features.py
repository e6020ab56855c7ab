"""Makes the features with the team's code, if it has any, and refuses what serving could not repeat."""

from collections.abc import Iterable
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from lifecycle import InputError
from lifecycle.artifact import derive
from lifecycle.artifact.derive import FILE
from lifecycle.artifact.directory import Column
from lifecycle.config import Data
from lifecycle.rows.checked import checked, module

ALONE = 20  # rows whose features are made once more, each alone


def code() -> ModuleType | None:
    """The module, or None if the team has none; raises InputError if it cannot be imported."""
    return module("features")


def loads() -> bool:
    """Whether the team reads the data files itself."""
    return hasattr(code(), "load")


def load(paths: Iterable[Any], location: str) -> pd.DataFrame:
    """The rows that the team's `load` reads, file by file; raises InputError for anything but DataFrames."""
    read, parts = code().load, []  # type: ignore[union-attr]
    for path in paths:
        with checked(f"load() in {FILE} cannot read {path.name} of {location}", "correct it, or the file"):
            parts.append(read(path))
        if not isinstance(parts[-1], pd.DataFrame):
            raise InputError(f"load() in {FILE} returns {type(parts[-1]).__name__}; let it return a DataFrame.")
    return pd.concat(parts, ignore_index=True)


def raw(section: Data, booleans: Iterable[str]) -> list[Column]:
    """The columns of `data.raw`."""
    sent = set(booleans)
    return [Column(name, one.type, one.missing, name in sent) for name, one in section.raw.items()]


def columns(section: Data) -> list[Column]:
    """The features of `data.features`."""
    return [Column(name, one.type, one.missing) for name, one in section.features.items()]


def check(section: Data) -> None:
    """Raise InputError unless `data.raw` and `features` in the team's code come together."""
    there = hasattr(code(), "features")
    if there and not section.raw:
        raise InputError(
            f"{FILE} has features(), but config.yaml does not say of which columns; name them under data, such as "
            "`raw: {bought_at: {type: time}, price: {type: number}}`."
        )
    if section.raw and not there:
        raise InputError(f"data.raw is set, but there is no features() in {FILE}; write it, or remove data.raw.")


def made(frame: pd.DataFrame, section: Data) -> pd.DataFrame:
    """The features of all rows; raises InputError if the code fails, loses or mixes rows, or needs what no request has.

    It gets the columns of `data.raw` alone, so it cannot read the target.
    """
    function, wanted = code().features, columns(section)  # type: ignore[union-attr]
    given = derive.rows(frame, raw(section, ()))
    found = _features(function, given, wanted, section)
    places = np.unique(np.linspace(0, len(given) - 1, ALONE).astype("int64"))
    backwards = given.iloc[places[::-1]].reset_index(drop=True)
    few = [given.iloc[[place]].reset_index(drop=True) for place in places]
    for parts, order in ((few, places), ([backwards], places[::-1])):
        again = pd.concat([_features(function, part, wanted, section) for part in parts], ignore_index=True)
        before = found.iloc[order].reset_index(drop=True)
        if odd := [name for name in found if not again[name].equals(before[name])]:
            raise InputError(
                f"features() in {FILE} gives a row another {', '.join(odd)} when it is asked alone or in another order;"
                " let each row's features depend on that row only, and learn from many rows in the estimator."
            )
    return found


def _features(function: derive.Function, given: pd.DataFrame, wanted: list[Column], section: Data) -> pd.DataFrame:
    asked = f"read only the columns that data.raw in config.yaml names ({', '.join(section.raw)})"
    with checked(f"features() in {FILE} fails", "correct it", asked):
        try:
            return derive.features(function, given, wanted)
        except derive.FeatureError as error:
            raise InputError(f"{error}; correct it.") from error
