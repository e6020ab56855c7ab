"""Saves a model in MLflow's format, as ONNX or with skops."""

import importlib
import warnings
from collections.abc import Collection
from pathlib import Path
from typing import Any

import mlflow.onnx
import mlflow.sklearn
import pandas as pd
import skops.io
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema, TensorSpec
from onnx import ModelProto

from lifecycle import InputError
from lifecycle.artifact import code
from lifecycle.artifact.runtimes import untrusted
from lifecycle.config import Config


def save(
    model: ModelProto | Any, example: pd.DataFrame, metadata: dict[str, Any], settings: Config, folder: Path
) -> None:
    """Write a model directory: the ONNX graph or the estimator, signature, example, and our metadata in its MLmodel.

    The team's code goes with a model that holds classes of it, or whose features it makes. Raises InputError for types
    that are not trusted.
    """
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
                code_paths=[str(package())] if settings.data.raw else None,
                **common,
            )
            return
        found = _types(model, settings.train.trusted)
        own = bool(settings.data.raw) or any(name.partition(".")[0] == code.PACKAGE for name in found)
        try:
            mlflow.sklearn.save_model(
                model,
                pip_requirements=["pandas", "scikit-learn", "skops"],
                serialization_format="skops",
                skops_trusted_types=found,
                code_paths=[str(package())] if own else None,
                pyfunc_predict_fn="predict" if settings.task == "regression" else "predict_proba",
                **common,
            )
        except MlflowException as error:
            reason = " ".join(str(error.__cause__ or error).split())
            raise InputError(f"skops cannot save the estimator ({reason}); change model/estimator.py.") from error


def package() -> Path:
    """The folder of the team's code."""
    found = importlib.import_module(code.PACKAGE).__file__
    return Path(found or code.PACKAGE).parent


def _types(model: Any, trusted: Collection[str]) -> list[str]:
    """The types in an estimator that skops does not trust by itself; raises InputError for one that no one does."""
    try:
        found: list[str] = skops.io.get_untrusted_types(data=skops.io.dumps(model))
    except Exception as error:  # skops has a different exception for each kind of object that it cannot hold
        reason = " ".join(str(error).split())
        raise InputError(f"skops cannot save the estimator ({reason}); change model/estimator.py.") from error
    if unknown := untrusted(found, trusted):
        raise InputError(
            f"The estimator holds {', '.join(unknown)}, which train.trusted in config.yaml does not name; read what "
            f"the type does when it is loaded, then add `trusted: [{', '.join([*trusted, *unknown])}]` there, or use "
            "another estimator."
        )
    return found
