"""Estimated and realised performance for windows of rows, by NannyML; no other module knows it.

Estimation without labels: CBPE for classification, DLE for regression
(https://nannyml.readthedocs.io/en/stable/how_it_works/performance_estimation.html). Both see a change in the inputs,
neither a change in what the inputs mean.
"""

import logging
import os
import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from model.tasks import Task

os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"
Kind = Literal["estimated", "realised"]
LABEL, PREDICTION, TIME = "label", "prediction", "time"


@dataclass(frozen=True)
class Window:
    """A metric of `rows` rows from `begin` to `end`; `alert` when it lies outside of `low` and `high`.

    The bounds lie three standard deviations around the mean of the reference windows; None where there is none.
    """

    kind: Kind
    metric: str
    reference: bool
    begin: str
    end: str
    rows: int
    value: float | None
    low: float | None
    high: float | None
    alert: bool


def _arguments(task: Task, classes: tuple[str, ...], metrics: tuple[str, ...], size: int) -> dict[str, Any]:
    from nannyml import SizeBasedChunker

    kinds = {
        "binary_classification": "classification_binary",
        "multiclass_classification": "classification_multiclass",
        "regression": "regression",
    }
    arguments: dict[str, Any] = {
        "metrics": list(metrics),
        "y_pred": PREDICTION,
        "y_true": LABEL,
        "chunker": SizeBasedChunker(chunk_size=size, incomplete="drop"),
    }
    if task == "binary_classification":
        arguments["y_pred_proba"] = f"probability_{classes[1]}"
    if task == "multiclass_classification":
        arguments["y_pred_proba"] = {name: f"probability_{name}" for name in classes}
    return arguments | {"problem_type": kinds[task]}


def estimated(
    reference: pd.DataFrame,
    analysis: pd.DataFrame,
    task: Task,
    classes: tuple[str, ...],
    metrics: tuple[str, ...],
    size: int,
    features: list[str],
) -> list[Window]:
    """Performance that the predictions let expect; the frames hold features, prediction and probabilities."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import nannyml

        arguments = _arguments(task, classes, metrics, size)
        if task == "regression":
            import lightgbm  # NannyML's estimator of errors

            lightgbm.register_logger(logging.getLogger(__name__))
            del arguments["problem_type"]
            estimator = nannyml.DLE(feature_column_names=features, **arguments)
        else:
            estimator = nannyml.CBPE(**arguments)
        result = estimator.fit(reference).estimate(analysis)
    return _windows("estimated", result.to_df(), reference, analysis, metrics)


def realised(
    reference: pd.DataFrame,
    analysis: pd.DataFrame,
    task: Task,
    classes: tuple[str, ...],
    metrics: tuple[str, ...],
    size: int,
) -> list[Window]:
    """Performance against the labels that have come."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import nannyml

        calculator = nannyml.PerformanceCalculator(**_arguments(task, classes, metrics, size))
        result = calculator.fit(reference).calculate(analysis)
    return _windows("realised", result.to_df(), reference, analysis, metrics)


def _windows(
    kind: Kind, table: pd.DataFrame, reference: pd.DataFrame, analysis: pd.DataFrame, metrics: tuple[str, ...]
) -> list[Window]:
    windows = []
    for _, row in table.iterrows():
        frame = reference if row[("chunk", "period")] == "reference" else analysis
        begin, end = int(row[("chunk", "start_index")]), int(row[("chunk", "end_index")])
        for metric in metrics:
            windows.append(
                Window(
                    kind=kind,
                    metric=metric,
                    reference=frame is reference,
                    begin=frame[TIME].iloc[begin].isoformat(),
                    end=frame[TIME].iloc[end].isoformat(),
                    rows=end - begin + 1,
                    value=_finite(row[(metric, "value")]),
                    low=_finite(row[(metric, "lower_threshold")]),
                    high=_finite(row[(metric, "upper_threshold")]),
                    alert=bool(row[(metric, "alert")]),
                )
            )
    return windows


def _finite(value: Any) -> float | None:
    return float(value) if value is not None and np.isfinite(value) else None
