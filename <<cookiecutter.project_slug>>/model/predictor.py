"""Loads a model directory and answers rows; it knows no server, and needs neither pandas nor scikit-learn."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from model import InputError, directory
from model.directory import Column


class RowError(ValueError):
    """A row that the model cannot take, as one sentence with the row and the column."""


@dataclass(frozen=True)
class Predictions:
    """For n rows: `labels` (n,) holds the codes of classes or the values; `probabilities` (n, classes) or None."""

    labels: np.ndarray[Any, Any]
    probabilities: np.ndarray[Any, Any] | None


class Predictor:
    """A model directory in memory; raises InputError when it is damaged, foreign or of another format."""

    def __init__(self, path: Path) -> None:
        self.model = directory.load(path)
        self._known = {column.name for column in self.model.columns} | set(self.model.context)
        self._golden = json.loads((path / "golden.json").read_text())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            (path / "model.onnx").read_bytes(), options, providers=["CPUExecutionProvider"]
        )

    def columns_of(self, rows: Sequence[Any]) -> dict[str, np.ndarray[Any, Any]]:
        """The model's inputs from rows of JSON values, each (n,); raises RowError where one does not fit."""
        for index, row in enumerate(rows):
            if not isinstance(row, Mapping):
                raise RowError(f"Row {index} is not an object of column names and values.")
            if unknown := row.keys() - self._known:
                raise RowError(f"Row {index} has the unknown column {', '.join(sorted(unknown))}; leave it out.")
            _check_time(row.get(self.model.metadata["time"]), self.model.metadata["time"], index)
        return {
            column.name: np.array(
                [_value(row.get(column.name), column, index) for index, row in enumerate(rows)],
                dtype="object" if column.type == "category" else "float32",
            )
            for column in self.model.columns
        }

    def predict(self, columns: Mapping[str, np.ndarray[Any, Any]]) -> Predictions:
        """Predict n rows from arrays of shape (n,): float32 with NaN for a missing number, text for a category."""
        outputs = self._session.run(None, {column.name: columns[column.name] for column in self.model.columns})
        if self.model.task == "regression":
            return Predictions(outputs[0].astype("float64"), None)
        probabilities = np.column_stack(outputs).astype("float64")
        if self.model.task == "binary_classification":
            return Predictions((probabilities[:, 1] >= self.model.metadata["threshold"]).astype("int64"), probabilities)
        return Predictions(probabilities.argmax(axis=1), probabilities)

    def answers(self, predictions: Predictions) -> list[dict[str, Any]]:
        """Predictions as JSON values: the value, or the class with the probability of each."""
        if predictions.probabilities is None:
            return [{"prediction": value} for value in predictions.labels.tolist()]
        return [
            {"prediction": self.model.classes[code], "probabilities": dict(zip(self.model.classes, row, strict=True))}
            for code, row in zip(predictions.labels.tolist(), predictions.probabilities.tolist(), strict=True)
        ]

    def check(self) -> None:
        """Answer the golden rows that were recorded at training; raises InputError when an answer differs."""
        answers = self.answers(self.predict(self.columns_of(self._golden["rows"])))
        for answer, expected in zip(answers, self._golden["answers"], strict=True):
            pairs = [(answer["prediction"], expected["prediction"])]
            pairs += [(answer["probabilities"][name], p) for name, p in expected.get("probabilities", {}).items()]
            if not all(a == b if isinstance(b, str) else math.isclose(a, b, abs_tol=1e-4) for a, b in pairs):
                raise InputError(
                    f"The model {self.model.version} answers {answer} to a golden row, not {expected}; "
                    "serve it with the versions in locks/serve.txt."
                )

    def describe(self) -> dict[str, Any]:
        """Name, version and inputs, as Seldon's metadata has them."""
        return {
            "name": self.model.metadata["name"],
            "versions": [self.model.version],
            "platform": "onnxruntime",
            "inputs": [
                {"name": column.name, "datatype": "BYTES" if column.type == "category" else "FP32", "shape": [-1]}
                for column in self.model.columns
            ],
            "outputs": [
                {"name": name, "datatype": "FP64", "shape": [-1]} for name in self.model.classes or ("prediction",)
            ],
            "custom": {"task": self.model.task, "sha256": self.model.sha256},
        }


def _value(value: Any, column: Column, index: int) -> Any:
    if value is None:
        if column.missing:
            return math.nan if column.type == "number" else ""
        raise RowError(f"Row {index} lacks the column {column.name}; give it a {column.type}.")
    if column.type == "category":
        if isinstance(value, str):
            return value
        raise RowError(f"Row {index} has {_shown(value)} in the column {column.name}; give it a text.")
    # Beyond float32 the model would see infinity.
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 3.4e38:
        return value
    raise RowError(f"Row {index} has {_shown(value)} in the column {column.name}; give it a finite number.")


def _check_time(value: Any, name: str, index: int) -> None:
    """A row's own moment is logged and not predicted from, but the monitor must be able to read it."""
    if value is None:
        return
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise RowError(f"Row {index} has {_shown(value)} in the column {name}; give it an ISO 8601 time.") from None


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:40]}…"
