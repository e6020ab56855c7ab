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

from lifecycle.artifact.predictor import Array

ROWS, FEATURES = 100, 8


def _owners(encode: ColumnTransformer) -> list[str] | None:
    """The feature behind each encoded column, or None if that is unknown."""
    owners: list[str] = []
    for name, part, columns in encode.transformers_:
        width = encode.output_indices_[name].stop - encode.output_indices_[name].start
        if width == len(columns):
            owners += columns
        elif hasattr(part, "categories_") and width == sum(map(len, part.categories_)):
            owners += [column for column, found in zip(columns, part.categories_, strict=True) for _ in found]
        else:
            return None
    return owners


def _explained(fitted: Pipeline, rows: pd.DataFrame) -> tuple[list[str], Array] | None:
    """The feature behind each encoded column, and SHAP values (n, columns), of the last class if there are classes."""
    if not isinstance(fitted, Pipeline) or len(fitted) != 2 or not isinstance(fitted[0], ColumnTransformer):
        return None
    try:
        owners = _owners(fitted[0])
        if owners is None or not set(owners) <= set(rows):
            return None
        encoded = fitted[0].transform(rows)
        linear = hasattr(fitted[-1], "coef_")
        explainer = shap.LinearExplainer(fitted[-1], encoded) if linear else shap.TreeExplainer(fitted[-1])
        effects = explainer(encoded).values
    except Exception:  # shap has a different exception for each kind of unsupported estimator
        return None
    return owners, effects[:, :, -1] if effects.ndim == 3 else effects


def _plain(value: Any) -> Any:
    """A value for JSON, with as many digits as a plot shows."""
    return value if isinstance(value, str) else None if pd.isna(value) else float(f"{value:.4g}")


def values(fitted: Pipeline, rows: pd.DataFrame, seed: int) -> list[dict[str, Any]]:
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
