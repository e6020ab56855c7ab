"""The team's estimator, and what is wrong with one in a sentence; only this module imports it."""

import inspect
import re
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lifecycle import InputError
from lifecycle.config import Config

FILE = "model/estimator.py"
ROWS = 1000  # rows that a fitted estimator is asked for, to see that its answers can be served
ABSENT = re.compile(
    "^KeyError|not columns of the dataframe|not in index|not found in axis|in the .columns|DataFrame. object has no"
)


def estimator(settings: Config) -> Any:
    """What `estimator(settings)` in model/estimator.py returns; raises InputError when that is no estimator."""
    with _told(f"{FILE} cannot be imported", "correct it; a package that it needs belongs to the lock file, too"):
        from model import estimator as module
    made = getattr(module, "estimator", None)
    if not callable(made):
        raise InputError(f"{FILE} has no function estimator(settings); define one that returns the pipeline.")
    with _told(f"estimator() in {FILE} fails", "correct it, or train.parameters in config.yaml"):
        found = made(settings)
    if inspect.isclass(found):
        raise InputError(f"estimator() in {FILE} returns the class {found.__name__}; return {found.__name__}(...).")
    if not (hasattr(found, "fit") and hasattr(found, "predict")):
        raise InputError(
            f"estimator() in {FILE} returns {_kind(found)}, which cannot be fitted and asked; return a scikit-learn "
            "estimator, or a Pipeline that ends with one."
        )
    return found


def fit(rows: pd.DataFrame, label: pd.Series, settings: Config) -> Any:
    """The fitted estimator; `rows` (n, features) are as a service receives them, `label` (n,) codes or values.

    Raises InputError when it cannot be fitted, or does not answer what the task asks.
    """
    unfitted = estimator(settings)
    columns = f"use only the columns that data.features in config.yaml names ({', '.join(settings.data.features)})"
    mend = "correct it, or train.parameters in config.yaml"
    with _told(f"The estimator of {FILE} cannot be fitted", mend, columns), _warned():
        fitted = unfitted.fit(rows, label)
    if fitted is None:
        raise InputError(f"The estimator of {FILE} returns None from fit; let its fit return self.")
    regression, classes = settings.task == "regression", settings.data.target.classes
    if not regression and not hasattr(fitted, "predict_proba"):
        raise InputError(
            f"The estimator of {FILE}, {_kind(fitted)}, has no predict_proba, which {settings.task} needs; use one "
            "that gives probabilities, or wrap it in CalibratedClassifierCV."
        )
    some = rows.tail(ROWS)
    with _told(f"The estimator of {FILE} cannot answer the rows that it was fitted on", mend, columns), _warned():
        answers = np.asarray(fitted.predict(some) if regression else fitted.predict_proba(some), dtype="float64")
    wanted = (len(some),) if regression else (len(some), len(classes))
    if answers.shape != wanted:
        what = "one number" if regression else f"one probability for each of {', '.join(classes)}"
        raise InputError(
            f"The estimator of {FILE} answers {len(some)} rows with the shape {answers.shape}, not {wanted}; let it "
            f"give {what} a row."
        )
    if odd := int((~np.isfinite(answers)).reshape(len(some), -1).any(axis=1).sum()):
        raise InputError(
            f"The estimator of {FILE} answers {odd} of {len(some)} rows with NaN or infinity; correct it, or let it "
            "fill missing values."
        )
    return fitted


@contextmanager
def _told(what: str, mend: str, columns: str = "") -> Iterator[None]:
    """Make a sentence of whatever the team's code raises; `columns` is what to do if it asks for one that is absent."""
    try:
        yield
    except (Exception, SystemExit) as error:
        said = f"{type(error).__name__}: {' '.join(str(error).split())[:300].rstrip('.;')}"
        own = [
            frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).parent.name == "model"
        ]
        place = f" in line {own[-1].lineno} of model/{Path(own[-1].filename).name}" if own else ""
        raise InputError(f"{what} ({said}{place}); {columns if columns and ABSENT.search(said) else mend}.") from error


@contextmanager
def _warned() -> Iterator[None]:
    """Say what libraries warn of once, in a line; what they will change in a later version is not the team's."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    said = [
        f"{one.category.__name__}: {' '.join(str(one.message).split())[:200]}"
        for one in caught
        if not issubclass(one.category, DeprecationWarning | PendingDeprecationWarning | FutureWarning)
    ]
    for line in dict.fromkeys(said):
        print(
            f"{FILE} warns: {line}" + (f" ({said.count(line)} times)" if said.count(line) > 1 else ""), file=sys.stderr
        )


def _kind(thing: Any) -> str:
    return "None" if thing is None else f"a {type(thing).__name__}"
