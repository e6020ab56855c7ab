"""Imports, checks and fits the team's estimator; no other module imports it."""

import inspect
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils.validation import has_fit_parameter

from lifecycle import InputError
from lifecycle.config import Config
from lifecycle.rows.checked import checked

FILE = "model/estimator.py"
ROWS = 1000  # rows to predict after the fit, to check that the answers can be served
WIDE = 1000  # columns that one category may become in a dense table: 7,000 took 8 minutes and 4 GB for 25,000 rows
THRESHOLDS = (TunedThresholdClassifierCV, FixedThresholdClassifier)


def estimator(settings: Config) -> Any:
    """What `estimator(settings)` in model/estimator.py returns; raises InputError if that is not an estimator."""
    with checked(f"{FILE} cannot be imported", "correct it; add any package that it needs to model/pyproject.toml"):
        from model import estimator as module
    made = getattr(module, "estimator", None)
    if not callable(made):
        raise InputError(f"{FILE} has no function estimator(settings); define one that returns the pipeline.")
    with checked(f"estimator() in {FILE} fails", "correct it, or train.parameters in config.yaml"):
        found = made(settings)
    if inspect.isclass(found):
        raise InputError(f"estimator() in {FILE} returns the class {found.__name__}; return {found.__name__}(...).")
    if not hasattr(found, "fit"):
        raise InputError(
            f"estimator() in {FILE} returns {_kind(found)}, which has no fit; return a scikit-learn estimator, or a "
            "Pipeline that ends with one."
        )
    return found


def fit(rows: pd.DataFrame, label: pd.Series, settings: Config, weight: pd.Series | None = None) -> Any:
    """The fitted estimator; `rows` (n, features) are as a service receives them, `label` (n,) codes or values, `weight`
    (n,) how much each row counts.

    Raises InputError when it cannot be fitted, or its answers do not fit the task.
    """
    unfitted = estimator(settings)
    _check_width(unfitted, rows)
    weights = {} if weight is None else {_weight(unfitted): weight.to_numpy("float64")}
    columns = f"use only the columns that data.features in config.yaml names ({', '.join(settings.data.features)})"
    remedy = "correct it, or train.parameters in config.yaml"
    with checked(f"The estimator of {FILE} cannot be fitted", remedy, columns), _warnings_once():
        fitted = unfitted.fit(rows, label, **weights)
    if fitted is None:
        raise InputError(f"The estimator of {FILE} returns None from fit; let its fit return self.")
    regression, classes = settings.task == "regression", settings.data.target.classes
    if not hasattr(fitted, "predict"):  # some get it only when they are fitted
        raise InputError(f"The estimator of {FILE}, {_kind(fitted)}, has no predict; use a classifier or a regressor.")
    if not regression and not hasattr(fitted, "predict_proba"):
        raise InputError(
            f"The estimator of {FILE}, {_kind(fitted)}, has no predict_proba, which {settings.task} needs; use one "
            "that gives probabilities, or wrap it in CalibratedClassifierCV."
        )
    some = rows.tail(ROWS)
    with (
        checked(f"The estimator of {FILE} cannot answer the rows that it was fitted on", remedy, columns),
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


def answering(fitted: Any) -> Any:
    """The estimator that answers, inside a search or around which a threshold was tuned."""
    fitted = _best(fitted)
    return answering(fitted.estimator_) if isinstance(fitted, THRESHOLDS) else fitted


def _best(fitted: Any) -> Any:
    """What a search found, or any other estimator itself."""
    while hasattr(fitted, "best_estimator_"):
        fitted = fitted.best_estimator_
    return fitted


def threshold(fitted: Any, settings: Config) -> float:
    """The probability from which the second of two classes is predicted: the estimator's own, or `train.threshold`.

    Raises InputError for one that is not a probability of the second class.
    """
    fitted = _best(fitted)
    if not isinstance(fitted, THRESHOLDS):
        return settings.train.threshold
    label = getattr(fitted, "pos_label", None)
    if fitted.response_method not in ("auto", "predict_proba") or label not in (None, 1):
        raise InputError(
            f"The threshold of {FILE} is of {fitted.response_method} for the class {label}; leave out response_method "
            "and pos_label, so that it is of the probability of the second class."
        )
    found = fitted.best_threshold_ if isinstance(fitted, TunedThresholdClassifierCV) else fitted.threshold
    return settings.train.threshold if found == "auto" else float(found)


def _weight(unfitted: Any) -> str:
    """The name under which `fit` takes the rows' weights; raises InputError where it does not take any."""
    inner, prefix = unfitted, ""
    while True:
        if isinstance(inner, Pipeline):
            name, inner = inner.steps[-1]
            prefix += f"{name}__"
        elif isinstance(inner, GridSearchCV | RandomizedSearchCV):
            inner = inner.estimator  # a search hands on what it is given
        else:
            break
    if not has_fit_parameter(inner, "sample_weight"):
        raise InputError(
            f"data.weight is set, but {_kind(inner)} in {FILE} takes no sample_weight; use another estimator, or "
            "remove data.weight from config.yaml."
        )
    return f"{prefix}sample_weight"


def _check_width(unfitted: Any, rows: pd.DataFrame) -> None:
    """Raise InputError for a category of so many values that one-hot encoding it densely would take all memory."""
    parts = [unfitted, *(unfitted.get_params().values() if hasattr(unfitted, "get_params") else ())]
    for _, encode, columns in (
        step for part in parts if isinstance(part, ColumnTransformer) for step in part.transformers
    ):
        last = encode.steps[-1][1] if isinstance(encode, Pipeline) else encode
        if not isinstance(last, OneHotEncoder) or last.sparse_output or last.max_categories or last.min_frequency:
            continue
        for name in columns if isinstance(columns, list) else [columns]:
            count = rows[name].nunique() if name in rows else 0
            if count > WIDE:
                raise InputError(
                    f"{FILE} one-hot encodes {name}, which has {count:,} categories, in a dense table of "
                    f"{count * len(rows) * 8 / 1e9:.1f} GB; use scikit-learn's TargetEncoder for it, as "
                    "lifecycle/adopting/example.py does where a feature has `encoding: target`, or max_categories."
                )


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
