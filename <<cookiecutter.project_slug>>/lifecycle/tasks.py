"""The tasks that a model can have, and the metrics of each."""

from typing import Literal

Task = Literal["binary_classification", "multiclass_classification", "regression"]
# Explanations and charts use the first metric.
METRICS: dict[Task, tuple[str, ...]] = {
    "binary_classification": (
        "roc_auc",
        "average_precision",
        "log_loss",
        "brier",
        "f1",
        "precision",
        "recall",
        "balanced_accuracy",
    ),
    "multiclass_classification": ("roc_auc_ovr", "f1_macro", "f1_weighted", "accuracy", "log_loss"),
    "regression": ("mae", "rmse", "r2", "median_absolute_error", "mape"),
}
# Shares of rows or of pairs of rows, which a few rows change by a few in all.
SHARED = {*METRICS["binary_classification"], *METRICS["multiclass_classification"]} - {"log_loss"}
LOWER_IS_BETTER = {"log_loss", "brier", "mae", "rmse", "median_absolute_error", "mape"}
# Fairness: the largest difference between two groups in any of these rates.
ODDS = {
    "selection_rate_difference": ("selection_rate",),
    "equalized_odds_difference": ("true_positive_rate", "false_positive_rate"),
}
FAIRNESS: dict[Task, dict[str, tuple[str, ...]]] = {
    "binary_classification": ODDS,
    "multiclass_classification": ODDS,
    "regression": {"mean_error_difference": ("mean_error",)},
}
# What NannyML estimates without labels (CBPE for classification, DLE for regression).
MONITORED: dict[Task, tuple[str, ...]] = {
    "binary_classification": ("roc_auc", "average_precision", "f1", "precision", "recall", "accuracy"),
    "multiclass_classification": ("roc_auc", "f1", "precision", "recall", "accuracy"),
    "regression": ("mae", "rmse"),
}

# What people read; the team's own metrics are called as config.yaml calls them.
LABELS = {
    "roc_auc": "ROC AUC",
    "roc_auc_ovr": "ROC AUC one-vs-rest",
    "average_precision": "average precision",
    "log_loss": "log loss",
    "brier": "Brier score",
    "f1": "F1",
    "f1_macro": "macro F1",
    "f1_weighted": "weighted F1",
    "precision": "precision",
    "recall": "recall",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "mae": "MAE",
    "rmse": "RMSE",
    "r2": "R²",
    "median_absolute_error": "median absolute error",
    "mape": "MAPE",
    "selection_rate": "selection rate",
    "true_positive_rate": "true positive rate",
    "false_positive_rate": "false positive rate",
    "mean_error": "mean error",
    "selection_rate_difference": "difference of selection rates",
    "equalized_odds_difference": "difference of odds",
    "mean_error_difference": "difference of mean errors",
}


def label(metric: str) -> str:
    """A metric's name for people; a rate of one class keeps the class."""
    name, of, group = metric.partition(" of ")
    return LABELS.get(name, name) + of + group


TARGET = "unit of the target"
UNITS = {"log_loss": "nats", "mae": TARGET, "rmse": TARGET, "median_absolute_error": TARGET}


def unit(metric: str) -> str:
    """What a metric counts; the team's own are in their own unit."""
    return UNITS.get(metric, "share") if metric in LABELS else f"unit of {metric}"


def sign(metric: str) -> int:
    """1 when a higher value is better, -1 when a lower one is."""
    return -1 if metric in LOWER_IS_BETTER else 1
