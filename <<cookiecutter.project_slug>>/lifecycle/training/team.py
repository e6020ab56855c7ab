"""The team's estimator, and what is wrong with one in a sentence; only this module imports it."""

import inspect
import warnings
from typing import Any

import pandas as pd
from sklearn.base import BaseEstimator

from lifecycle import InputError
from lifecycle.config import Config

FILE = "model/estimator.py"


def estimator(settings: Config) -> Any:
    """What `estimator(settings)` in model/estimator.py returns; raises InputError when that is no estimator."""
    try:
        from model import estimator as module
    except Exception as error:  # whatever the team's code raises when it is imported
        raise InputError(f"{FILE} cannot be imported: {_said(error)}; correct it.") from error
    made = getattr(module, "estimator", None)
    if not callable(made):
        raise InputError(f"{FILE} has no function estimator(settings); define one that returns the pipeline.")
    try:
        found = made(settings)
    except Exception as error:
        raise InputError(
            f"estimator() in {FILE} raises {_said(error)}; correct it, or train.parameters in config.yaml."
        ) from error
    if inspect.isclass(found) or not isinstance(found, BaseEstimator) or not hasattr(found, "fit"):
        given = f"the class {found.__name__}" if inspect.isclass(found) else f"a {type(found).__name__}"
        raise InputError(f"estimator() in {FILE} returns {given}; return a scikit-learn estimator or Pipeline.")
    return found


def fit(rows: pd.DataFrame, label: pd.Series, settings: Config) -> Any:
    """The fitted estimator; `rows` (n, features) are as a service receives them, `label` (n,) codes or values.

    Raises InputError when it cannot be fitted, or cannot answer what the task asks.
    """
    unfitted = estimator(settings)
    needed = "predict" if settings.task == "regression" else "predict_proba"
    try:
        with warnings.catch_warnings():
            fitted = unfitted.fit(rows, label)
    except Exception as error:
        raise InputError(f"The estimator of {FILE} cannot be fitted: {_said(error, settings)}") from error
    if not hasattr(fitted, needed):
        raise InputError(
            f"The estimator of {FILE} has no {needed}, which {settings.task} needs; "
            + (
                "use one that gives probabilities, or wrap it in CalibratedClassifierCV."
                if needed != "predict"
                else "use a regressor."
            )
        )
    return fitted


def _said(error: Exception, settings: Config | None = None) -> str:
    """The error in a sentence, with what to change where that can be told from it."""
    said = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    if settings is None:
        return said
    features = settings.data.features
    if isinstance(error, KeyError) or "not in index" in said or "not a column of the dataframe" in said:
        return f"{said}; ask only for columns that data.features of config.yaml names ({', '.join(features)})."
    return f"{said}; correct train.parameters in config.yaml, or the estimator."
