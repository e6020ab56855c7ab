"""Fits the estimator, converts it to ONNX, and refuses a conversion that answers otherwise."""

import io
import json
import logging
import os
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
from onnx import ModelProto

from model import InputError, data, files, git
from model.config import Config
from model.conversion import convert, parity
from model.directory import FORMAT
from model.estimator import estimator
from model.predictor import Predictions, Predictor

GOLDEN_ROWS = 3


def inputs(frame: pd.DataFrame, settings: Config) -> pd.DataFrame:
    """The features as the model receives them when served: float32 numbers, text with '' for a missing category."""
    missing = set(settings.data.features) - set(frame)
    if missing:
        raise InputError(f"build/data lacks the feature {', '.join(sorted(missing))}; run `make data` again.")
    return pd.DataFrame(
        {
            name: frame[name].astype("float32")
            if feature.type == "number"
            else frame[name].astype("object").where(frame[name].notna(), "")
            for name, feature in settings.data.features.items()
        }
    )


def run(settings: Config, build: Path, lock: Path) -> str:
    """Write `model/` under `build`: an MLflow model (ONNX, signature, example) with its reference and golden rows.

    The test rows are scored, for the reference and the parity, and never learnt from.
    """
    train, origin = data.read(build / "data" / "train.parquet")
    test, test_origin = data.read(build / "data" / "test.parquet")
    if origin["sha256"] != settings.data.sha256:
        raise InputError("build/data was made from another data file than config.yaml pins; run `make data` again.")
    fitted = estimator(settings).fit(inputs(train, settings), train[data.LABEL])
    commit = git.head()
    metadata = {
        "format": FORMAT,
        "name": settings.name,
        "version": commit.version,
        "commit": commit.sha,
        "dirty": commit.dirty,
        "task": settings.task,
        "classes": list(settings.data.target.classes),
        "threshold": settings.train.threshold,
        "time": settings.data.time,
        "key": list(settings.data.key),
        "data": {"sha256": origin["sha256"], "train": origin["period"], "test": test_origin["period"]},
        "lock": files.sha256(lock.read_bytes()),
        "parameters": settings.train.parameters,
    }
    rows = inputs(test, settings)
    with files.replaced(build / "model") as folder:
        run_id = _save(convert(fitted, settings), rows, metadata, settings, folder, build)
        write_json(folder / "golden.json", {"rows": [], "answers": []})
        files.seal(folder)
        predictor = Predictor(folder)
        served = predictor.predict({name: rows[name].to_numpy() for name in rows})
        largest = parity(fitted, served, rows, settings.train.parity)
        _reference(test, rows, served, settings.data.time, predictor.model.classes, folder / "reference.parquet")
        golden = json.loads(rows.head(GOLDEN_ROWS).to_json(orient="records", double_precision=15))
        answers = predictor.answers(predictor.predict(predictor.columns_of(golden)))
        write_json(folder / "golden.json", {"rows": golden, "answers": answers})
        write_json(folder / "parity.json", {"largest": largest, "tolerance": settings.train.parity, "rows": len(rows)})
        files.seal(folder)
    return f"{commit.version} on {len(train):,} rows; ONNX differs by at most {largest:.1g}; MLflow run {run_id}"


def read_json(path: Path) -> Any:
    return json.loads(path.read_text())


def write_json(path: Path, content: Any) -> None:
    files.write(path, json.dumps(content, indent=1) + "\n")


def _reference(
    test: pd.DataFrame, rows: pd.DataFrame, served: Predictions, time: str, classes: tuple[str, ...], path: Path
) -> None:
    """What the monitor compares with: the test rows' time, inputs, label and prediction."""
    frame = rows.assign(**{"time": test[time], data.LABEL: test[data.LABEL], "prediction": served.labels})
    if served.probabilities is not None:
        for code, name in enumerate(classes):
            frame[f"probability_{name}"] = served.probabilities[:, code]
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False, compression="zstd")
    files.write(path, buffer.getvalue())


def _save(
    model: ModelProto, rows: pd.DataFrame, metadata: dict[str, Any], settings: Config, folder: Path, build: Path
) -> str:
    """Save the model in MLflow's format and log it as a run; returns the run's id."""
    import mlflow.onnx
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    os.environ.setdefault("MLFLOW_TRACKING_URI", f"sqlite:///{(build / 'mlflow.db').resolve()}")
    mlflow.set_tracking_uri(os.environ["MLFLOW_TRACKING_URI"])
    experiment = mlflow.get_experiment_by_name(settings.name)
    if experiment is None:
        local = os.environ["MLFLOW_TRACKING_URI"].startswith("sqlite:")
        location = (build / "mlflow").resolve().as_uri() if local else None
        mlflow.create_experiment(settings.name, artifact_location=location)
    mlflow.set_experiment(settings.name)
    signature = ModelSignature(
        inputs=Schema(
            [
                ColSpec("float" if feature.type == "number" else "string", name, required=not feature.missing)
                for name, feature in settings.data.features.items()
            ]
        )
    )
    with mlflow.start_run(run_name=metadata["version"]) as active, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run_id: str = active.info.run_id
        mlflow.onnx.save_model(
            model,
            folder,
            signature=signature,
            input_example=rows.head(GOLDEN_ROWS),
            metadata={**metadata, "run": run_id},
            pip_requirements=["onnxruntime"],
            onnx_execution_providers=["CPUExecutionProvider"],
        )
        mlflow.log_params(settings.train.parameters)
        mlflow.set_tags({key: metadata[key] for key in ("version", "commit", "lock")})
        mlflow.log_artifacts(str(folder), "model")
    return run_id
