"""Loads a model directory and answers rows, without a server, pandas or scikit-learn."""

import json
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from lifecycle import InputError, files
from lifecycle.artifact import directory, golden, runtimes
from lifecycle.artifact.directory import Column
from lifecycle.documents import log

type Array = np.ndarray[Any, Any]
type Columns = Mapping[str, Sequence[Any]]
LARGEST = 3.4e38  # a larger number would reach the model as infinity, in float32
LONGEST = 10_000  # characters of a text: five pages; one may take six times its bytes in the log


class RequestError(ValueError):
    """A request that cannot be answered, as one sentence; `reason` is its label in the metrics."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


@dataclass(frozen=True)
class Predictions:
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
        sent = {
            kind: [one for one in self.model.requests if one.type == kind] for kind in ("number", "category", "time")
        }
        self._numbers, self._texts, self._times = sent.values()
        self._number_names = [column.name for column in self._numbers]
        self._width = "float64" if self.model.raw else "float32"
        self._needed = np.array([not column.missing for column in self._numbers], dtype=bool)
        self._seen = None if unknown_categories else self.model.categories
        requested = {column.name for column in self.model.requests}
        self._key = [name for name in self.model.metadata["key"] if name not in requested]
        self._known = {*requested, *self.model.context}
        self._golden = files.read_json(path / "golden.json")
        if not isinstance(self._golden, dict) or not {"rows", "answers"} <= self._golden.keys():
            raise InputError(f"{path / 'golden.json'} has no rows and answers; copy the model or train it again.")
        names = [column.name for column in self.model.columns]
        self._run = runtimes.load(self.runtime, path, names, self.model.task, trusted)
        self.derived = _derived(path, self.model) if self.model.raw else None

    def inputs(self, columns: Columns) -> dict[str, Array]:
        """The model's inputs, each (n,), from columns of n JSON values; raises RequestError where one does not fit.

        Optional columns may be left out; None and NaN are missing values.
        """
        self.known(columns)
        count = len(next(iter(columns.values())))
        self._check_context(columns)
        absent = [None] * count
        numbers = [columns.get(column.name, absent) for column in self._numbers]
        texts = [columns.get(column.name, absent) for column in self._texts]
        found: dict[str, Array] = {}
        if numbers:
            found = dict(zip(self._number_names, self._matrix(numbers), strict=True))
        kinds = set(map(type, chain.from_iterable(texts)))
        longest = max(map(len, chain.from_iterable(texts)), default=0) if kinds == {str} else 0
        for column, values in zip(self._texts, texts, strict=True):
            if kinds != {str} or longest > LONGEST:
                values = [self._text(value, column, index) for index, value in enumerate(values)]
            found[column.name] = np.array(values, dtype="object")
        for column in self._times:
            values = columns.get(column.name, absent)
            moments = [_moment(value, column, index) for index, value in enumerate(values)]
            found[column.name] = np.array(moments, dtype="object")
        if self.derived:
            found = self.derived(found)
        if self._seen is not None:
            for column in self.model.columns:
                if column.type == "category" and not self._seen[column.name].issuperset(found[column.name]):
                    self._refuse_unseen(found[column.name], column)
        return found

    def known(self, names: Iterable[str]) -> None:
        """Raises RequestError unless all are columns that a request may have."""
        if unknown := list(islice((name for name in names if name not in self._known), 6)):
            some = ", ".join(map(named, sorted(unknown)[:5])) + (" and others" if len(unknown) > 5 else "")
            raise RequestError("column", f"The request has the unknown column {some}; leave it out.")

    def is_golden(self, columns: Columns) -> bool:
        """Whether a request holds the golden rows and nothing else, as the smoke test's do."""
        return {name: list(values) for name, values in columns.items()} == golden.columns(self._golden["rows"])

    def logged(self, columns: Columns, inputs: Mapping[str, Array]) -> Columns:
        """What the log keeps of a request: the model's features, and what tells its rows apart."""
        if not self.model.raw:
            return columns
        made = {
            column.name: [None if value != value or value == "" else value for value in inputs[column.name].tolist()]
            for column in self.model.columns
        }
        return {name: columns[name] for name in self.model.context if name in columns} | made

    def _matrix(self, numbers: Sequence[Sequence[Any]]) -> Array:
        """Number columns as one (columns, n) array: one conversion is much faster than many."""
        if set(map(type, chain.from_iterable(numbers))) <= {float, int, type(None)}:
            try:
                matrix = np.array(numbers, dtype="float64")
                if np.vdot(matrix, matrix) < LARGEST * LARGEST:  # none is missing, infinite or too large
                    return matrix.astype(self._width)
            except OverflowError:  # an integer too large for a float
                matrix = np.full((len(numbers), 1), math.inf)
            odd = ~(np.abs(matrix) < LARGEST)
            if not odd.any() or (np.isnan(matrix[odd]).all() and not odd[self._needed].any()):
                return matrix.astype(self._width)
        return np.array(
            [
                [_number(value, column, index) for index, value in enumerate(values)]
                for column, values in zip(self._numbers, numbers, strict=True)
            ],
            dtype=self._width,
        )

    def _text(self, value: Any, column: Column, index: int) -> str:
        if isinstance(value, str):
            return _short(value, column.name, index)
        if value is None and column.missing:
            return ""
        raise _unfit(value, column.name, index, "a string")

    def _refuse_unseen(self, values: Array, column: Column) -> None:
        seen = self._seen[column.name] if self._seen else frozenset()
        for index, value in enumerate(values):
            if value not in seen and not (value == "" and column.missing):
                raise RequestError(
                    "category",
                    f"Row {index} has {shown(value)} in the column {column.name}, which was not seen in training; "
                    "correct it, or set serve.unknown_categories to accept.",
                )

    def _check_context(self, columns: Columns) -> None:
        """Check time and key: the model does not use them, but the monitor must be able to read them from the log."""
        time = self.model.time or ""
        for index, value in enumerate(columns.get(time, ())):
            try:
                if value is not None:
                    log.moment(value)
            except (TypeError, ValueError, OverflowError):
                raise _unfit(value, time, index, "an ISO 8601 time") from None
        for name in self._key:
            for index, value in enumerate(columns.get(name, ())):
                if isinstance(value, list | dict):
                    raise _unfit(value, name, index, "a string or a number")
                if isinstance(value, str):
                    _short(value, name, index)

    def predict(self, columns: Mapping[str, Array]) -> Predictions:
        """Predict n rows from arrays of shape (n,): float32 with NaN for a missing number, text for a category.

        Raises RequestError for what the model itself refuses, such as a category that its encoder does not know.
        """
        try:
            outputs = self._run(columns)
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


def _short(text: str, name: str, index: int) -> str:
    if len(text) > LONGEST:
        raise RequestError(
            "value", f"Row {index} has a text of {len(text)} characters in the column {name}; send at most {LONGEST}."
        )
    return text


def _moment(value: Any, column: Column, index: int) -> datetime | None:
    if value is None and column.missing:
        return None
    try:
        return log.moment(value)
    except (TypeError, ValueError, OverflowError):
        raise _unfit(value, column.name, index, "an ISO 8601 time") from None


def _number(value: Any, column: Column, index: int) -> Any:
    if value is None or value != value:
        if column.missing:
            return math.nan
    elif isinstance(value, int | float) and (column.boolean or not isinstance(value, bool)) and abs(value) < LARGEST:
        return value
    raise _unfit(value, column.name, index, "true or false" if column.boolean else "a finite number")


def _unfit(value: Any, name: str, index: int, wanted: str) -> RequestError:
    if value is None:
        return RequestError("column", f"Row {index} lacks the column {name}; give it {wanted}.")
    return RequestError("value", f"Row {index} has {shown(value)} in the column {name}; give it {wanted}.")


def shown(value: Any) -> str:
    """A sent value, shortened to fit in a sentence; of a long one only the beginning is read."""
    text = "".join(islice(json.JSONEncoder().iterencode(value[:41] if isinstance(value, str) else value), 41))
    return text if len(text) <= 40 else f"{text[:40]}…"


def named(name: str) -> str:
    """A sent name, quoted and shortened if it is long or unprintable."""
    return name if name.isprintable() and len(name) <= 80 else shown(name)
