"""Saves a model in MLflow's format, logs its training and its decision as a run, and registers it.

No other module knows MLflow.
"""

import io
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

import mlflow
import mlflow.onnx
import mlflow.sklearn
import pandas as pd
from mlflow.data.pandas_dataset import from_pandas
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema, TensorSpec
from onnx import ModelProto
from sklearn.pipeline import Pipeline

from model import InputError
from model.config import Config
from model.data import LABEL
from model.record import Decision, Evaluation
from model.runtimes import TRUSTED


@contextmanager
def _server(build: Path) -> Iterator[str]:
    """Use MLFLOW_TRACKING_URI, or an SQLite file under `build`; raises InputError when it refuses what is done inside.

    Yields its address.
    """
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # MLflow's own seven take four minutes
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(build / 'mlflow.db').resolve()}"
    try:
        mlflow.set_tracking_uri(uri)
        yield uri
    except MlflowException as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"MLflow at {uri} cannot be used ({reason}); correct MLFLOW_TRACKING_URI.") from error


@contextmanager
def run(settings: Config, version: str, build: Path) -> Iterator[str]:
    """Log what happens inside as one run, failed when it raises; yields the run's id."""
    with _server(build) as uri:
        if mlflow.get_experiment_by_name(settings.name) is None:
            artifacts = (build / "mlflow").resolve().as_uri() if uri.startswith("sqlite:") else None
            mlflow.create_experiment(settings.name, artifact_location=artifacts)
        mlflow.set_experiment(settings.name)
        with mlflow.start_run(run_name=version) as active:
            yield active.info.run_id


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
                "change model/estimator.py, or read the type and add it to TRUSTED in model/runtimes.py."
            ) from error


def log(folder: Path, metadata: dict[str, Any], frames: dict[str, pd.DataFrame], source: str) -> None:
    """Add the parameters, the data, what names the model, and the sealed model directory to the present run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for context, frame in frames.items():
            digest = metadata["data"]["sha256"][:36]  # as many as MLflow keeps
            rows = from_pandas(frame, source=source, targets=LABEL, name=context, digest=digest)
            mlflow.log_input(rows, context=context)
    mlflow.log_params(metadata["parameters"])
    mlflow.set_tags({key: metadata[key] for key in ("version", "commit", "lock")})
    mlflow.log_artifacts(str(folder), "model")


def _metrics(evaluation: Evaluation) -> dict[str, float]:
    """Every metric by its name, its interval's ends below it, and what it is compared with."""
    columns = {"": evaluation.metrics, "baseline/": evaluation.baseline}
    if evaluation.champion:
        columns |= {"champion/": evaluation.champion.metrics, "difference/": evaluation.champion.differences}
    found: dict[str, float] = {}
    for place, measures in columns.items():
        for name, measure in measures.items():
            found |= {f"{place}{name}": measure.value}
            found |= {f"{place}{name}/low": measure.low, f"{place}{name}/high": measure.high}
    return found


def register(decision: Decision, documents: list[Path], build: Path) -> str:
    """Add metrics, verdict and documents to the model's run; an accepted model becomes a version in the registry.

    Doing it again changes nothing. Returns what the registry has; raises InputError when the run is not there.
    """
    evaluation, origin = decision.evaluation, decision.evaluation.origin
    tags = {
        "version": origin.version,
        "verdict": "accepted" if decision.passed else "refused",
        "policy": decision.policy,
        "commit": origin.commit,
        "data": origin.data,
        "lock": origin.lock,
        "model": origin.model,
    }
    with _server(build):
        with mlflow.start_run(run_id=origin.run):
            mlflow.log_metrics(_metrics(evaluation))
            mlflow.set_tags(tags)
            for document in documents:
                mlflow.log_artifact(str(document), "decision")
        if not decision.passed:
            return "not registered, because it was refused"
        client = mlflow.MlflowClient()
        known = client.search_model_versions(f"name='{evaluation.name}'")
        same = [version for version in known if version.tags.get("model") == origin.model]
        tags |= {name: f"{measure.value:.4g}" for name, measure in evaluation.metrics.items()}
        with redirect_stderr(io.StringIO()):  # it says what we say ourselves
            found = same[0] if same else mlflow.register_model(f"runs:/{origin.run}/model", evaluation.name, tags=tags)
        return f"version {found.version} of {evaluation.name} in the registry"
