"""Saves a model in MLflow's format and logs its training as a run; no other module knows MLflow."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
import mlflow.onnx
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema, TensorSpec
from onnx import ModelProto

from model import InputError
from model.config import Config


@contextmanager
def run(settings: Config, version: str, build: Path) -> Iterator[str]:
    """Log what happens inside as one run, failed when it raises; yields the run's id.

    The server is MLFLOW_TRACKING_URI, or an SQLite file under `build`. Raises InputError when it cannot be reached.
    """
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(build / 'mlflow.db').resolve()}"
    try:
        mlflow.set_tracking_uri(uri)
        if mlflow.get_experiment_by_name(settings.name) is None:
            artifacts = (build / "mlflow").resolve().as_uri() if uri.startswith("sqlite:") else None
            mlflow.create_experiment(settings.name, artifact_location=artifacts)
        mlflow.set_experiment(settings.name)
        active = mlflow.start_run(run_name=version)
    except MlflowException as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"MLflow at {uri} cannot be used ({reason}); correct MLFLOW_TRACKING_URI.") from error
    with active:
        yield active.info.run_id


def save(model: ModelProto, example: pd.DataFrame, metadata: dict[str, Any], settings: Config, folder: Path) -> None:
    """Write a model directory: ONNX, signature, input example, and our metadata in its MLmodel file."""
    columns: list[ColSpec | TensorSpec] = [
        ColSpec("float" if feature.type == "number" else "string", name, required=not feature.missing)
        for name, feature in settings.data.features.items()
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow.onnx.save_model(
            model,
            folder,
            signature=ModelSignature(inputs=Schema(columns)),
            input_example=example,
            metadata=metadata,
            pip_requirements=["onnxruntime"],
            onnx_execution_providers=["CPUExecutionProvider"],
        )


def log(folder: Path, metadata: dict[str, Any]) -> None:
    """Add the parameters, what names the model, and the sealed model directory to the present run."""
    mlflow.log_params(metadata["parameters"])
    mlflow.set_tags({key: metadata[key] for key in ("version", "commit", "lock")})
    mlflow.log_artifacts(str(folder), "model")
