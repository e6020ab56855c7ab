"""Saves a fitted estimator in the quickest form that answers like it: ONNX that reads a matrix or columns, or skops."""

import shutil
import textwrap
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from onnx import ModelProto

from lifecycle import InputError, files
from lifecycle.artifact import frames, matrix
from lifecycle.artifact.predictor import Predictions, Predictor
from lifecycle.artifact.requests import RequestError
from lifecycle.artifact.runtimes import RUNTIMES
from lifecycle.config import Config
from lifecycle.training import formats, parity, rewriting
from lifecycle.training.conversion import ConversionError, by_column, convert

EXAMPLE = 3  # rows that MLflow shows
SHOWN = 300  # characters of the reason why a model is not ONNX; parity.json has all of it


@dataclass(frozen=True)
class Serveable:
    """A saved model with its answers to the test rows; why it is not ONNX, or why its graph reads no matrix."""

    runtime: str
    predictor: Predictor
    rows: pd.DataFrame
    answers: Predictions
    parity: parity.Parity
    refused: str
    by_column: str = ""


class UnequalError(ValueError):
    """How a saved model does not answer like the estimator."""


def choose(
    fitted: Any, train: pd.DataFrame, rows: pd.DataFrame, metadata: dict[str, Any], settings: Config, folder: Path
) -> Serveable:
    """Save the model as ONNX, or with skops if ONNX fails or answers any test row differently.

    Raises InputError when neither answers like the fitted estimator, with the reason of each.
    """
    refused: list[str] = []
    for runtime in RUNTIMES:
        for path in folder.iterdir():
            path.unlink() if path.is_file() else shutil.rmtree(path)
        try:
            converted = convert(fitted, settings) if runtime == "onnx" else None
            model = by_column(converted, settings) if converted else fitted
            formats.save(model, rows.head(EXAMPLE), metadata | {"runtime": runtime}, settings, folder)
        except ConversionError as error:
            refused.append(f"skl2onnx cannot convert the estimator: {error}")
            continue
        except InputError as error:
            raise InputError(f"{error} It is not served as ONNX, because {short('; '.join(refused))}.") from error
        files.write_json(folder / "categories.json", _categories(train, settings))
        files.write_json(folder / "golden.json", {"rows": [], "answers": []})
        try:
            predictor, answers, equal = _proved(fitted, rows, settings, folder)
            found = Serveable(runtime, predictor, rows, answers, equal, "; ".join(refused))
            return _quicker(found, converted, fitted, settings, folder) if converted else found
        except UnequalError as error:
            refused.append(f"as {runtime} it {error}")
    reasons = "; ".join(short(reason) for reason in refused)
    raise InputError(f"The model cannot be served ({reasons}); change model/estimator.py, or raise train.parity.")


def _quicker(found: Serveable, converted: ModelProto, fitted: Any, settings: Config, folder: Path) -> Serveable:
    """Add a graph that reads a matrix, if it answers like the estimator, too; MLflow keeps the one with columns."""
    columns = [(name, feature.type) for name, feature in settings.data.features.items()]
    try:
        graph, coded = rewriting.rewrite(converted, columns)
        files.write(folder / matrix.GRAPH, graph.SerializeToString())
        matrix.write(folder, coded)
        predictor, answers, own = _proved(fitted, found.rows, settings, folder)
        return replace(found, predictor=predictor, answers=answers, parity=found.parity.and_of(own))
    except (ConversionError, UnequalError) as error:
        for name in (matrix.GRAPH, matrix.TABLES):
            (folder / name).unlink(missing_ok=True)
        files.seal(folder)
        return replace(found, by_column=str(error))


def _proved(
    fitted: Any, rows: pd.DataFrame, settings: Config, folder: Path
) -> tuple[Predictor, Predictions, parity.Parity]:
    """The saved model and its answers to the rows; raises UnequalError unless they are the estimator's."""
    files.seal(folder)
    try:
        predictor = Predictor(folder, trusted=settings.train.trusted)
        answers = predictor.predict(frames.arrays(rows))
    except (InputError, RequestError) as error:
        reason = error.__cause__ or error
        raise UnequalError(f"fails: {type(reason).__name__}: {' '.join(str(reason).split())}") from error
    found = parity.measure(fitted, answers, rows, predictor.model.threshold)
    if not found.holds(settings.train.parity):
        raise UnequalError(
            f"would differ from scikit-learn by {found.largest:.2g}, with {found.flips} different labels in "
            f"{found.rows} rows"
        )
    return predictor, answers, found


def _categories(train: pd.DataFrame, settings: Config) -> dict[str, list[str]]:
    """The categories seen in training, by column."""
    names = [name for name, feature in settings.data.features.items() if feature.type == "category"]
    return {name: sorted(map(str, train[name].dropna().unique())) for name in names}


def short(reason: str) -> str:
    """The first sentences of a reason, as many as fit into a line."""
    return textwrap.shorten(reason, SHOWN, placeholder=" …").rstrip(".")
