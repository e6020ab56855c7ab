"""Saves a model in MLflow's format, as ONNX or with skops."""

import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow.onnx
import mlflow.sklearn
import pandas as pd
import skops.io
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema, TensorSpec
from onnx import ModelProto

from lifecycle import InputError, imports
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
                code_paths=[str(imports.team())] if settings.data.raw else None,
                **common,
            )
            return
        found = _types(model, settings.train.trusted)
        own = bool(settings.data.raw) or any(map(code.ours, found))
        with _savable():
            mlflow.sklearn.save_model(
                model,
                pip_requirements=["pandas", "scikit-learn", "skops"],
                serialization_format="skops",
                skops_trusted_types=found,
                code_paths=[str(imports.team())] if own else None,
                pyfunc_predict_fn="predict" if settings.task == "regression" else "predict_proba",
                **common,
            )


@contextmanager
def _savable() -> Iterator[None]:
    """Turn what skops, or MLflow for it, raises about an object that it cannot hold into an InputError."""
    try:
        yield
    except Exception as error:  # a different exception for each kind of object
        reason = " ".join(str(error.__cause__ or error).split())
        raise InputError(f"skops cannot save the estimator ({reason}); change model/estimator.py.") from error


def _types(model: Any, trusted: Collection[str]) -> list[str]:
    """The types in an estimator that skops does not trust by itself; raises InputError for one that no one does."""
    with _savable():
        found: list[str] = skops.io.get_untrusted_types(data=skops.io.dumps(model))
    if unknown := untrusted(found, trusted):
        raise InputError(
            f"The estimator holds {', '.join(unknown)}, which train.trusted in config.yaml does not name; read what "
            f"the type does when it is loaded, then add `trusted: [{', '.join([*trusted, *unknown])}]` there, or use "
            "another estimator."
        )
    return found
