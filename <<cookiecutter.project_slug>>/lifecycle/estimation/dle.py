"""Estimates the error of a regression without labels: a second model learns how large the first one's errors are.

Source: direct loss estimation (DLE), https://nannyml.readthedocs.io/en/stable/how_it_works/performance_estimation.html.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.preprocessing import OrdinalEncoder

from lifecycle.estimation.chances import Array, Measured, ratio

LEARNT = 50_000  # rows to learn losses from, drawn of more
VALUES = 254  # most values of a category that the regressor tells apart
LOSSES: dict[str, Callable[[Array], Array]] = {"mae": np.abs, "rmse": np.square}


def losses(frame: pd.DataFrame, metric: str) -> Array:
    """Each row's loss, whose mean is the metric or, of RMSE, its square."""
    return LOSSES[metric]((frame["label"] - frame["prediction"]).to_numpy("float64"))


def measure(metric: str, loss: Array) -> Measured:
    value, influence = ratio(loss, np.ones(len(loss)))
    if metric == "rmse":
        root = np.sqrt(value)
        return float(root), influence / (2 * root) if root else influence
    return value, influence


def regressor(categories: Sequence[int]) -> Any:
    """What learns the losses; `categories` are the places of columns with codes in place of numbers."""
    return HistGradientBoostingRegressor(categorical_features=list(categories), early_stopping=False, random_state=0)


def taught(
    known: pd.DataFrame, metrics: Sequence[str], features: Sequence[str]
) -> Callable[[pd.DataFrame], dict[str, Array]]:
    """Gives by metric each row's expected loss, from its features and its prediction; never below 0."""
    if len(known) > LEARNT:
        known = known.sample(LEARNT, random_state=0)
    features = [name for name in features if known[name].notna().any()]  # an empty column would end the fit
    texts = [name for name in features if not pd.api.types.is_numeric_dtype(known[name])]
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, max_categories=VALUES)
    encoder.fit(known[texts].astype("object"))

    def inputs(frame: pd.DataFrame) -> Array:
        codes = dict(zip(texts, encoder.transform(frame[texts].astype("object")).T, strict=True))
        columns = [codes[name] if name in codes else frame[name].to_numpy("float64") for name in features]
        return np.column_stack([*columns, frame["prediction"].to_numpy("float64")])

    given, places = inputs(known), [place for place, name in enumerate(features) if name in texts]
    models = {metric: regressor(places).fit(given, losses(known, metric)) for metric in metrics}

    def estimated(frame: pd.DataFrame) -> dict[str, Array]:
        rows = inputs(frame)
        return {metric: np.maximum(model.predict(rows), 0) for metric, model in models.items()}

    return estimated
