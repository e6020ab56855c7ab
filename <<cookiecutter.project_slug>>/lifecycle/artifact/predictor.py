"""Loads a model directory and answers rows, without a server, pandas or scikit-learn."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lifecycle import InputError, files
from lifecycle.artifact import directory, golden, matrix, runtimes
from lifecycle.artifact.requests import Columns, Reader, RequestError
from lifecycle.artifact.runtimes import Array, Inputs


class Predictions(NamedTuple):
    """Predictions of n rows: `labels` (n,) are class codes or values; `probabilities` (n, classes) or None."""

    labels: Array
    probabilities: Array | None


class Predictor:
    """A model directory in memory; raises InputError when it is damaged, foreign or of another format.

    `unknown_categories` accepts categories unseen in training; otherwise they are refused. `trusted` are the types of
    the team's packages that the model may hold.
    """

    def __init__(self, path: Path, unknown_categories: bool = True, trusted: Collection[str] = ()) -> None:
        self.model = directory.load(path)
        self.runtime = self.model.metadata["runtime"]
        self._golden = files.read_json(path / "golden.json")
        if not isinstance(self._golden, dict) or not {"rows", "answers"} <= self._golden.keys():
            raise InputError(f"{path / 'golden.json'} has no rows and answers; copy the model or train it again.")
        self._numbers = [column.name for column in self.model.columns if column.type == "number"]
        self._coded = matrix.read(path, set(self.model.features) - set(self._numbers))
        self.run = runtimes.load(self.runtime, path, self.model.features, self.model.task, trusted)
        self.derived = _derived(path, self.model) if self.model.raw else None
        coded, seen = None if self.derived else self._coded, None if unknown_categories else self.model.categories
        reader = Reader(self.model, coded, self.derived, seen)
        self.inputs, self.known = reader.read, reader.known

    def is_golden(self, columns: Columns) -> bool:
        """Whether a request holds the golden rows and nothing else, as the smoke test's do."""
        return {name: list(values) for name, values in columns.items()} == golden.columns(self._golden["rows"])

    def logged(self, columns: Columns, inputs: Inputs) -> Columns:
        """What the log keeps of a request: the model's features, and what tells its rows apart."""
        if not self.model.raw:
            return columns
        made = {
            column.name: [None if value != value or value == "" else value for value in inputs[column.name].tolist()]
            for column in self.model.columns
        }
        return {name: columns[name] for name in self.model.context if name in columns} | made

    def predict(self, inputs: Inputs) -> Predictions:
        """Predict n rows from what `inputs` makes, or from arrays (n,) by name: float32 with NaN for a missing number,
        text for a category.

        Raises RequestError for what the model itself refuses, such as a category that its encoder does not know.
        """
        if self._coded is not None and not isinstance(inputs, np.ndarray):
            inputs = matrix.made(inputs, self._numbers, self._coded)
        try:
            outputs = self.run(inputs)
        except Exception as error:  # onnxruntime and scikit-learn raise their own
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            raise RequestError("model_error", f"The model fails on these rows ({reason}); correct them.") from error
        if self.model.task == "regression":
            return Predictions(outputs.astype("float64"), None)
        probabilities = outputs.astype("float64", copy=False)
        if self.model.task == "binary_classification":
            return Predictions((probabilities[:, 1] >= self.model.threshold).astype("int64"), probabilities)
        return Predictions(probabilities.argmax(axis=1), probabilities)

    def answers(self, predictions: Predictions) -> list[dict[str, Any]]:
        """Predictions as JSON values: the value, or the class and the probability of every class."""
        if predictions.probabilities is None:
            return [{"prediction": value} for value in predictions.labels.tolist()]
        classes = self.model.classes
        return [
            {"prediction": classes[code], "probabilities": dict(zip(classes, row, strict=True))}
            for code, row in zip(predictions.labels.tolist(), predictions.probabilities.tolist(), strict=True)
        ]

    def check(self) -> None:
        """Answer the golden rows that were recorded at training; raises InputError when an answer differs."""
        columns = golden.columns(self._golden["rows"])
        try:
            inputs = self.inputs(columns)
        except RequestError as error:
            raise InputError(f"The model {self.model.version} refuses its golden rows: {error}") from error
        features = self.logged(columns, inputs)
        for name, wanted in self._golden.get("features", {}).items():
            if list(features[name]) != wanted:
                raise InputError(
                    f"The model {self.model.version} makes {name} of its golden rows as {list(features[name])}, not "
                    f"{wanted} as training did; serve it with the versions in its lock files."
                )
        try:
            answers = self.answers(self.predict(inputs))
        except RequestError as error:
            raise InputError(f"The model {self.model.version} fails on its golden rows: {error}") from error
        if found := golden.difference(answers, self._golden["answers"]):
            raise InputError(
                f"The model {self.model.version} answers {found}; serve it with the versions in its lock file."
            )


def _derived(path: Path, model: directory.Model) -> Callable[[Any], dict[str, Array]]:
    """What makes the model's inputs of raw columns by name, with the code of its directory; raises RequestError."""
    from lifecycle.artifact import derive

    function = derive.load(path)

    def made(values: Any) -> dict[str, Array]:
        try:
            found = derive.features(function, derive.rows(values, model.raw), model.columns)
        except Exception as error:  # the team's code may raise anything
            reason = str(error) if isinstance(error, derive.FeatureError) else f"{type(error).__name__}: {error}"
            raise RequestError(
                "value", f"No features can be made of these rows ({' '.join(reason.split())[:300]}); correct them."
            ) from error
        return {name: found[name].to_numpy() for name in found}

    return made
