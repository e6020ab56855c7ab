"""Fits the estimator, converts it to ONNX, and refuses a conversion that answers otherwise."""

import io
import json
from pathlib import Path

import pandas as pd
from sklearn.pipeline import Pipeline

from model import InputError, data, files, git, shapley, tracking
from model.config import Config
from model.conversion import convert, parity
from model.directory import FORMAT
from model.estimator import estimator
from model.predictor import Predictions, Predictor

GOLDEN_ROWS = 3


def inputs(frame: pd.DataFrame, settings: Config) -> pd.DataFrame:
    """The configured features as the model receives them when served."""
    return data.inputs(frame, {name: feature.type for name, feature in settings.data.features.items()})


def fit(train: pd.DataFrame, settings: Config) -> Pipeline:
    """The fitted estimator; raises InputError when scikit-learn refuses the parameters or the rows."""
    try:
        return estimator(settings).fit(inputs(train, settings), train[data.LABEL])
    except (TypeError, ValueError) as error:
        said = " ".join(str(error).split())
        raise InputError(
            f"scikit-learn refuses the training: {said}; correct train.parameters or the estimator."
        ) from error


def run(settings: Config, build: Path, lock: Path) -> str:
    """Write `model/` under `build`: an MLflow model (ONNX, signature, example) with its reference and golden rows.

    The test rows are scored, for the reference and the parity, and never learnt from.
    """
    train, learnt = data.read(build / "data" / "train.parquet", settings)
    test, tested = data.read(build / "data" / "test.parquet", settings)
    commit, locked = git.head(), files.sha256(files.read(lock, "lock"))
    fitted = fit(train, settings)
    rows = inputs(test, settings)
    with tracking.run(settings, commit.version, build) as run_id, files.replaced(build / "model") as folder:
        metadata = {
            "format": FORMAT,
            "name": settings.name,
            "version": commit.version,
            "commit": commit.sha,
            "dirty": commit.dirty,
            "run": run_id,
            "task": settings.task,
            "classes": list(settings.data.target.classes),
            "threshold": settings.train.threshold,
            "time": settings.data.time,
            "key": list(settings.data.key),
            "data": {"sha256": settings.data.sha256, "train": learnt, "test": tested},
            "contract": data.contract(settings),
            "lock": locked,
            "parameters": settings.train.parameters,
        }
        tracking.save(convert(fitted, settings), rows.head(GOLDEN_ROWS), metadata, settings, folder)
        largest = _score(fitted, test, rows, settings, folder)
        tracking.log(folder, metadata, {"train": train, "test": test}, settings.data.path)
    return f"{commit.version} on {len(train):,} rows; ONNX differs by at most {largest:.1g}; MLflow run {run_id}"


def _score(fitted: Pipeline, test: pd.DataFrame, rows: pd.DataFrame, settings: Config, folder: Path) -> float:
    """Add what the served model says of the test rows to its directory and seal it; returns the parity."""
    files.write_json(folder / "golden.json", {"rows": [], "answers": []})
    files.seal(folder)
    predictor = Predictor(folder)
    served = predictor.predict(data.arrays(rows))
    largest = parity(fitted, served, rows, settings.train.parity)
    _reference(test, rows, served, settings.data.time, predictor.model.classes, folder / "reference.parquet")
    golden = json.loads(rows.head(GOLDEN_ROWS).to_json(orient="records", double_precision=15))
    answers = predictor.answers(predictor.predict(predictor.columns_of(golden)))
    files.write_json(folder / "golden.json", {"rows": golden, "answers": answers})
    files.write_json(
        folder / "parity.json", {"largest": largest, "tolerance": settings.train.parity, "rows": len(rows)}
    )
    files.write_json(folder / "shap.json", shapley.values(fitted, rows, settings.train.seed))
    files.seal(folder)
    return largest


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
