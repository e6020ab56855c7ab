"""Saves a model in MLflow's format, as ONNX or with skops."""

import warnings
from pathlib import Path
from typing import Any

import mlflow.onnx
import mlflow.sklearn
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema, TensorSpec
from onnx import ModelProto
from sklearn.pipeline import Pipeline

from lifecycle import InputError
from lifecycle.artifact.runtimes import TRUSTED
from lifecycle.config import Config


def save(
    model: ModelProto | Pipeline, example: pd.DataFrame, metadata: dict[str, Any], settings: Config, folder: Path
) -> None:
    """Write a model directory: the ONNX graph or the estimator, signature, example, and our metadata in its MLmodel."""
    columns: list[ColSpec | TensorSpec] = [
        ColSpec("float" if feature.type == "number" else "string", name, required=not feature.missing)
        for name, feature in settings.data.features.items()
    ]
    common = {
        "path": folder,
        "signature": ModelSignature(inputs=Schema(columns)),
        "input_example": example,
        "metadata": metadata,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if isinstance(model, ModelProto):
            mlflow.onnx.save_model(
                model,
                pip_requirements=["onnxruntime"],
                onnx_execution_providers=["CPUExecutionProvider"],
                **common,
            )
            return
        try:
            mlflow.sklearn.save_model(
                model,
                pip_requirements=["pandas", "scikit-learn", "skops"],
                serialization_format="skops",
                skops_trusted_types=list(TRUSTED),
                pyfunc_predict_fn="predict" if settings.task == "regression" else "predict_proba",
                **common,
            )
        except MlflowException as error:
            reason = " ".join(str(error.__cause__ or error).split())[:300]
            raise InputError(
                f"The estimator can be served neither as ONNX nor with skops ({reason}); "
                "change model/estimator.py, or read the type and add it to TRUSTED in lifecycle/artifact/runtimes.py."
            ) from error
