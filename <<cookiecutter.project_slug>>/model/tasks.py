"""The tasks that a model can have, and what each is measured by."""

from typing import Literal

Task = Literal["binary_classification", "multiclass_classification", "regression"]
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
    "regression": ("mae", "rmse", "r2", "median_absolute_error"),
}
# What NannyML estimates without labels (CBPE for classification, DLE for regression).
MONITORED: dict[Task, tuple[str, ...]] = {
    "binary_classification": ("roc_auc", "average_precision", "f1", "precision", "recall", "accuracy"),
    "multiclass_classification": ("roc_auc", "f1", "precision", "recall", "accuracy"),
    "regression": ("mae", "rmse"),
}
