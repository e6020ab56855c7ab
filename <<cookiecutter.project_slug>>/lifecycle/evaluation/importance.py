"""Explains the served model as a black box: which features matter, and how each moves the prediction.

Source: Breiman, Random Forests, Machine Learning 45 (2001), permutation importance; Friedman, Greedy Function
Approximation, Annals of Statistics 29 (2001), partial dependence. Both come from scikit-learn's `inspection`.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.inspection import partial_dependence, permutation_importance

from lifecycle.artifact import frames
from lifecycle.artifact.predictor import Predictions, Predictor
from lifecycle.artifact.runtimes import Array
from lifecycle.config import Evaluate
from lifecycle.documents.record import Dependence, Importance
from lifecycle.evaluation.metrics import value
from lifecycle.tasks import METRICS, sign

GRID = 20
DEPENDENCE_ROWS = 1000  # enough for a mean


class ServedEstimator(BaseEstimator):  # type: ignore[misc]
    """The served model, presented to scikit-learn as a fitted estimator."""

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor
        self.classes_ = np.arange(len(predictor.model.classes))

    def fit(self, rows: pd.DataFrame, truth: Array) -> "ServedEstimator":
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.estimator_type = "classifier" if self.predictor.model.classes else "regressor"
        return tags

    def predict(self, rows: pd.DataFrame) -> Array:
        return self(rows).labels

    def predict_proba(self, rows: pd.DataFrame) -> Array | None:
        return self(rows).probabilities

    def __call__(self, rows: pd.DataFrame) -> Predictions:
        return self.predictor.predict(frames.arrays(rows))


def sample(rows: pd.DataFrame, truth: Array, count: int, seed: int) -> tuple[pd.DataFrame, Array]:
    """A seeded sample of at most `count` rows, in their original order."""
    chosen = np.sort(np.random.default_rng(seed).permutation(len(rows))[:count])
    return rows.iloc[chosen], truth[chosen]


def importances(served: ServedEstimator, rows: pd.DataFrame, truth: Array, plan: Evaluate) -> dict[str, Importance]:
    """How much shuffling each feature worsens the task's first metric, most important first.

    Empty if the metric is undefined on the rows.
    """
    metric = METRICS[served.predictor.model.task][0]
    found = permutation_importance(
        served,
        rows,
        truth,
        scoring=lambda model, inputs, known: sign(metric) * value(metric, known, model(inputs)),
        n_repeats=plan.explain.repeats,
        random_state=plan.seed,
    )
    order = np.argsort(-found.importances_mean)
    return {
        rows.columns[index]: Importance(mean=found.importances_mean[index], deviation=found.importances_std[index])
        for index in order
        if not np.isnan(found.importances_mean[index])
    }


def dependence(served: ServedEstimator, rows: pd.DataFrame, features: list[str]) -> Iterator[Dependence]:
    """The mean prediction with a feature set to each of up to 20 values: quantiles, or frequent categories."""
    for name in features:
        known = rows[name].dropna()
        if known.empty:
            continue
        if pd.api.types.is_numeric_dtype(known):
            values = np.unique(np.quantile(known, np.linspace(0.05, 0.95, GRID)))
        else:
            values = np.sort(known.value_counts().index[:GRID].to_numpy())
        few = rows.head(DEPENDENCE_ROWS)
        found = partial_dependence(served, few, [name], custom_values={name: values}, kind="average")
        yield Dependence(feature=name, values=tuple(values.tolist()), predictions=tuple(found["average"][-1]))
