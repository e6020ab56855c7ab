"""Explains single predictions by exact SHAP values, if shap has a fast exact explainer for the estimator.

Source: Lundberg et al., From Local Explanations to Global Understanding with Explainable AI for Trees, Nature Machine
Intelligence 2 (2020).
"""

from typing import Any

import numpy as np
import pandas as pd
import shap
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

from lifecycle.artifact.runtimes import Array

ROWS, FEATURES = 100, 8


def _owners(step: Any, names: list[str]) -> list[str] | None:
    """The feature behind each column that a step makes of columns of these features, or None if that is unknown."""
    if step == "passthrough":
        return names
    if isinstance(step, Pipeline):
        return _through([part for _, part in step.steps], names)
    if not isinstance(step, ColumnTransformer):
        unnamed = [f"x{place}" for place in range(len(names))]  # scikit-learn's names for the columns of an array
        if list(step.get_feature_names_out()) == list(getattr(step, "feature_names_in_", unnamed)):
            return names
        if isinstance(step, OneHotEncoder):
            return [name for name, found in zip(names, step.categories_, strict=True) for _ in found]
        return None
    owners: list[str] = []
    for name, part, columns in step.transformers_:
        width = step.output_indices_[name].stop - step.output_indices_[name].start
        found = _owners(part, list(columns)) if width else []
        if found is None or len(found) != width:
            return None
        owners += found
    return owners


def _through(steps: list[Any], names: list[str]) -> list[str] | None:
    """The feature behind each column after all the steps."""
    owners: list[str] | None = names
    for step in steps:
        owners = None if owners is None else _owners(step, owners)
    return owners


def _explained(fitted: Any, rows: pd.DataFrame) -> tuple[list[str], Array] | None:
    """The feature behind each encoded column, and SHAP values (n, columns), of the last class if there are classes."""
    *before, last = [step for _, step in fitted.steps] if isinstance(fitted, Pipeline) else [fitted]
    try:
        encoded = fitted[:-1].transform(rows) if before else rows
        owners = _through(before, list(rows))
        if owners is None or not set(owners) <= set(rows):
            return None
        linear = hasattr(last, "coef_")
        explainer = shap.LinearExplainer(last, encoded) if linear else shap.TreeExplainer(last)
        effects = explainer(encoded).values
        if effects.shape[:2] != (len(rows), len(owners)):
            return None
    except Exception:  # shap has a different exception for each kind of unsupported estimator
        return None
    return owners, effects[:, :, -1] if effects.ndim == 3 else effects


def _plain(value: Any) -> Any:
    """A value for JSON, with as many digits as a plot shows."""
    return value if isinstance(value, str) else None if pd.isna(value) else float(f"{value:.4g}")


def values(fitted: Any, rows: pd.DataFrame, seed: int) -> list[dict[str, Any]]:
    """The features with the largest mean effect, each with its values on a few rows and their effects.

    Empty for an estimator without an exact explainer. One-hot encoded columns are summed: SHAP values are additive.
    """
    few = rows.iloc[np.sort(np.random.default_rng(seed).permutation(len(rows))[:ROWS])]
    found = _explained(fitted, few)
    if found is None:
        return []
    owners, effects = found
    columns = {name: effects[:, [owner == name for owner in owners]].sum(axis=1) for name in dict.fromkeys(owners)}
    largest = sorted(columns, key=lambda name: -np.abs(columns[name]).mean())[:FEATURES]
    return [
        {
            "feature": name,
            "values": [_plain(value) for value in few[name].tolist()],
            "effects": [_plain(effect) for effect in columns[name]],
        }
        for name in largest
    ]
