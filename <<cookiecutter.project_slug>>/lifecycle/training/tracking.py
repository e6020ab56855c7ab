"""Logs a training as an MLflow run, on the server at MLFLOW_TRACKING_URI or in a file in the build folder."""

import json
import logging
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import mlflow
import pandas as pd
from alembic.util.exc import CommandError
from mlflow.data.pandas_dataset import from_pandas
from mlflow.entities import Dataset, DatasetInput, InputTag
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT
from sqlalchemy.exc import SQLAlchemyError

from lifecycle import InputError
from lifecycle.artifact.frames import LABEL
from lifecycle.config import Config

# What to do, by what MLflow says; the first that is found.
REMEDIES = {
    "database is locked": "end the other process that writes to it, or wait for it, and try again",
    "out-of-date database schema": "back it up and run `.venv/train/bin/mlflow db upgrade {uri}`; if a newer MLflow "
    "wrote it, name another in MLFLOW_TRACKING_URI",
    "maintenance mode": "name a server, or a database such as sqlite:///mlflow.db, in MLFLOW_TRACKING_URI",
    r"error code 40[13]|PERMISSION_DENIED|credential": "correct the credentials, such as MLFLOW_TRACKING_USERNAME and "
    "MLFLOW_TRACKING_PASSWORD",
    "No module named": "add the package to the group train in pyproject.toml and run `make lock`, or correct "
    "MLFLOW_TRACKING_URI",
    "^API request": "start the server, or correct MLFLOW_TRACKING_URI",
    "": "correct MLFLOW_TRACKING_URI, or move a damaged file away and run `FORCE=1 make pipeline`",
}


@contextmanager
def server(build: Path) -> Iterator[str]:
    """Use MLFLOW_TRACKING_URI, or an SQLite file under `build`; yields its address.

    Raises InputError when MLflow fails inside the block.
    """
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow").setLevel(logging.CRITICAL)  # the sentence below says what it would
    # MLflow's defaults take four minutes for a server that is not there, ten for one that does not answer.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    uri = os.environ.get("MLFLOW_TRACKING_URI", "").strip() or f"sqlite:///{quote(str(build / 'mlflow.db'))}"
    try:
        mlflow.set_tracking_uri(uri)
        yield uri
    except (MlflowException, SQLAlchemyError, CommandError, ImportError) as error:
        raise InputError(_sentence(uri, " ".join(str(error).split()))) from error


def _sentence(uri: str, reason: str) -> str:
    """What is wrong with MLflow and what to do, without a password that its address holds."""
    remedy = next(remedy for found, remedy in REMEDIES.items() if re.search(found, reason))
    uri, reason = (re.sub(r"//[^/@\s]+@", "//…@", text) for text in (uri, reason))
    return f"MLflow at {uri} cannot be used ({reason[:200]}); {remedy.format(uri=uri)}."


@contextmanager
def run(settings: Config, version: str, build: Path) -> Iterator[str]:
    """Log the block as one run, marked as failed if it raises; yields the run's id."""
    with server(build) as uri:
        experiment(settings.name, uri, build)
        with mlflow.start_run(run_name=version) as active:
            yield active.info.run_id


def experiment(name: str, uri: str, build: Path) -> str:
    """Let the runs that follow belong to a model, and return the id of its experiment."""
    if mlflow.get_experiment_by_name(name) is None:
        artifacts = (build / "mlflow").resolve().as_uri() if uri.startswith("sqlite:") else None
        mlflow.create_experiment(name, artifact_location=artifacts)
    found: str = mlflow.set_experiment(name).experiment_id
    return found


def log(folder: Path, metadata: dict[str, Any], frames: dict[str, pd.DataFrame], source: str) -> None:
    """Add parameters, data, tags that identify the model, and the sealed model directory to the current run."""
    digest = metadata["data"]["sha256"][:36]  # MLflow keeps no more
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for context, frame in frames.items():
            # The first rows have the schema; from all of them, text by text, MLflow takes seconds to work it out.
            few = from_pandas(frame.head(100), source=source, targets=LABEL, name=context, digest=digest).to_dict()
            profile = json.dumps({"num_rows": len(frame), "num_elements": frame.size})
            given = DatasetInput(Dataset(**few | {"profile": profile}), [InputTag(MLFLOW_DATASET_CONTEXT, context)])
            mlflow.MlflowClient().log_inputs(metadata["run"], [given])
    mlflow.log_params(metadata["parameters"])
    mlflow.set_tags({key: metadata[key] for key in ("version", "commit", "lock")})
    mlflow.log_artifacts(str(folder), "model")
