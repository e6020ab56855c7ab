"""Imports, checks and fits the team's estimator; no other module imports it."""

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
ROWS = 1000  # rows to predict after the fit, to check that the answers can be served
ABSENT = re.compile(
    "^KeyError|not columns of the dataframe|not in index|not found in axis|in the .columns|DataFrame. object has no"
)


def estimator(settings: Config) -> Any:
    """What `estimator(settings)` in model/estimator.py returns; raises InputError if that is not an estimator."""
    with _checked(f"{FILE} cannot be imported", "correct it; add any package that it needs to the lock file"):
        from model import estimator as module
    made = getattr(module, "estimator", None)
    if not callable(made):
        raise InputError(f"{FILE} has no function estimator(settings); define one that returns the pipeline.")
    with _checked(f"estimator() in {FILE} fails", "correct it, or train.parameters in config.yaml"):
        found = made(settings)
    if inspect.isclass(found):
        raise InputError(f"estimator() in {FILE} returns the class {found.__name__}; return {found.__name__}(...).")
    if not (hasattr(found, "fit") and hasattr(found, "predict")):
        raise InputError(
            f"estimator() in {FILE} returns {_kind(found)}, which has no fit and predict; return a scikit-learn "
            "estimator, or a Pipeline that ends with one."
        )
    return found


def fit(rows: pd.DataFrame, label: pd.Series, settings: Config) -> Any:
    """The fitted estimator; `rows` (n, features) are as a service receives them, `label` (n,) codes or values.

    Raises InputError when it cannot be fitted, or its answers do not fit the task.
    """
    unfitted = estimator(settings)
    columns = f"use only the columns that data.features in config.yaml names ({', '.join(settings.data.features)})"
    remedy = "correct it, or train.parameters in config.yaml"
    with _checked(f"The estimator of {FILE} cannot be fitted", remedy, columns), _warnings_once():
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
    with (
        _checked(f"The estimator of {FILE} cannot answer the rows that it was fitted on", remedy, columns),
        _warnings_once(),
    ):
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
def _checked(what: str, remedy: str, columns: str = "") -> Iterator[None]:
    """Turn any error of the team's code into an InputError; `columns` is the remedy for an unknown column."""
    try:
        yield
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300].rstrip('.;')}"
        own = [
            frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).parent.name == "model"
        ]
        place = f" in line {own[-1].lineno} of model/{Path(own[-1].filename).name}" if own else ""
        raise InputError(
            f"{what} ({reason}{place}); {columns if columns and ABSENT.search(reason) else remedy}."
        ) from error


@contextmanager
def _warnings_once() -> Iterator[None]:
    """Print each library warning once, on one line; ignores announcements of changes in later versions."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    lines = [
        f"{one.category.__name__}: {' '.join(str(one.message).split())[:200]}"
        for one in caught
        if not issubclass(one.category, DeprecationWarning | PendingDeprecationWarning | FutureWarning)
    ]
    for line in dict.fromkeys(lines):
        count = lines.count(line)
        print(f"{FILE} warns: {line}" + (f" ({count} times)" if count > 1 else ""), file=sys.stderr)


def _kind(thing: Any) -> str:
    return "None" if thing is None else f"a {type(thing).__name__}"
