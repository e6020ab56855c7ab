"""Reads what a request sends: checks every value, and makes the model's inputs of them."""

import json
import math
from array import array
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain, islice
from operator import itemgetter
from typing import Any

import numpy as np

from lifecycle.artifact.directory import Column, Model
from lifecycle.artifact.matrix import Coded
from lifecycle.artifact.runtimes import Array, Inputs
from lifecycle.documents import log

type Columns = Mapping[str, Sequence[Any]]
LARGEST = 3.4e38  # a larger number would reach the model as infinity, in float32
LONGEST = 10_000  # characters of a text: five pages; one may take six times its bytes in the log
PLAIN = frozenset((float, int, type(None)))  # true and false are numbers only where training had them


class RequestError(ValueError):
    """A request that cannot be answered, as one sentence; `reason` is its label in the metrics."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


class Reader:
    """Reads requests for one model: as a matrix with `coded` columns, or as arrays by name if they are None.

    `derived` makes features of the arrays. With `seen`, categories that are not in it are refused.
    """

    def __init__(
        self,
        model: Model,
        coded: Sequence[Coded] | None,
        derived: Callable[[Any], dict[str, Array]] | None,
        seen: Mapping[str, frozenset[str]] | None,
    ) -> None:
        self._model, self._coded, self._derived, self._seen = model, coded, derived, seen
        kinds = [[one for one in model.requests if one.type == kind] for kind in ("number", "category", "time")]
        self._numbers, self._texts, self._times = kinds
        self._sent = _getter([column.name for column in self._numbers])
        self._tabled = {column.name for column in self._texts} <= {one.column for one in coded or ()}
        self._needed = np.array([not column.missing for column in self._numbers], dtype=bool)
        requested = {column.name for column in model.requests}
        self._key = [name for name in model.metadata["key"] if name not in requested]
        self._known = {*requested, *model.context}
        self._context = {*self._key, *filter(None, [model.time])}

    def read(self, columns: Columns) -> Inputs:
        """The model's inputs from columns of n JSON values; raises RequestError where one does not fit.

        Optional columns may be left out; None and NaN are missing values.
        """
        self.known(columns)
        count = len(next(iter(columns.values())))
        if not self._context.isdisjoint(columns):
            self._check_context(columns)
        absent = [None] * count
        try:
            numbers = self._sent(columns)
        except KeyError:
            numbers = [columns.get(column.name, absent) for column in self._numbers]
        if self._coded is not None:
            made = self._matrix(numbers, self._codes(columns, absent), len(numbers) + len(self._coded), count)
            return made.T.astype("float32", order="C")
        matrix = self._matrix(numbers, [], len(numbers), count).astype("float64" if self._derived else "float32")
        found: dict[str, Array] = {column.name: values for column, values in zip(self._numbers, matrix, strict=True)}
        found |= {name: np.array(values, dtype="object") for name, values in self._checked(columns, absent).items()}
        for column in self._times:
            values = columns.get(column.name, absent)
            moments = [_moment(value, column, index) for index, value in enumerate(values)]
            found[column.name] = np.array(moments, dtype="object")
        if self._derived:
            found = self._derived(found)
        self._check_seen(found)
        return found

    def known(self, names: Collection[str]) -> None:
        """Raises RequestError unless all are columns that a request may have."""
        if not self._known.issuperset(names):
            unknown = list(islice((name for name in names if name not in self._known), 6))
            some = ", ".join(map(named, sorted(unknown)[:5])) + (" and others" if len(unknown) > 5 else "")
            raise RequestError("column", f"The request has the unknown column {some}; leave it out.")

    def _matrix(self, numbers: Sequence[Sequence[Any]], codes: Sequence[float], width: int, count: int) -> Array:
        """Number columns, and codes below them, as one (width, count) array: one conversion is faster than many."""
        values = list(chain.from_iterable(numbers))
        kinds = set(map(type, values))
        if kinds <= PLAIN:
            if type(None) in kinds:
                values = [math.nan if value is None else value for value in values]
            values += codes
            try:
                made = np.frombuffer(array("d", values)).reshape(width, count)
                if np.vdot(made, made) < LARGEST * LARGEST:  # none is missing, infinite or too large
                    return made
                own = made[: len(numbers)]
                odd = ~(np.abs(own) < LARGEST)
                if np.isnan(own[odd]).all() and not odd[self._needed].any():
                    return made
            except OverflowError:  # an integer too large for a float
                pass
        checked = [
            _number(value, column, index)
            for column, some in zip(self._numbers, numbers, strict=True)
            for index, value in enumerate(some)
        ]
        return np.array([*checked, *codes], "float64").reshape(width, count)

    def _codes(self, columns: Columns, absent: Sequence[None]) -> list[float]:
        """The codes of all coded columns, one after the other; a text that is in no table is looked at with care."""
        coded = self._coded or ()
        try:
            if self._tabled:
                found = [one.numbers[text] for one in coded for text in columns[one.column]]
                self._check_seen(columns)
                return found
        except (KeyError, TypeError):  # TypeError: of a list, which no table can have
            pass
        texts = self._checked(columns, absent)
        self._check_seen(texts)
        return [code for one in coded for code in one.of(texts[one.column])]

    def _checked(self, columns: Columns, absent: Sequence[None]) -> dict[str, Sequence[str]]:
        """Category columns by name, '' for a missing one."""
        found: dict[str, Sequence[str]] = {}
        for column in self._texts:
            texts = columns.get(column.name, absent)
            if set(map(type, texts)) != {str} or max(map(len, texts)) > LONGEST:
                texts = [self._text(value, column, index) for index, value in enumerate(texts)]
            found[column.name] = texts
        return found

    def _text(self, value: Any, column: Column, index: int) -> str:
        if isinstance(value, str):
            return _short(value, column.name, index)
        if value is None and column.missing:
            return ""
        raise _unfit(value, column.name, index, "a string")

    def _check_seen(self, columns: Mapping[str, Iterable[Any]]) -> None:
        """Refuse categories that training did not see, where they are refused."""
        if self._seen is None:
            return
        for column in self._model.columns:
            if column.type == "category" and not self._seen[column.name].issuperset(columns[column.name]):
                self._refuse_unseen(columns[column.name], column, self._seen[column.name])

    def _refuse_unseen(self, values: Iterable[Any], column: Column, seen: frozenset[str]) -> None:
        for index, value in enumerate(values):
            if value not in seen and not (value == "" and column.missing):
                raise RequestError(
                    "category",
                    f"Row {index} has {shown(value)} in the column {column.name}, which was not seen in training; "
                    "correct it, or set serve.unknown_categories to accept.",
                )

    def _check_context(self, columns: Columns) -> None:
        """Check time and key: the model does not use them, but the monitor must be able to read them from the log."""
        time = self._model.time or ""
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


def _getter(names: Sequence[str]) -> Callable[[Columns], Sequence[Sequence[Any]]]:
    """A function that gives the columns of these names; it raises KeyError where one is absent."""
    if len(names) > 1:
        return itemgetter(*names)
    return lambda columns: [columns[name] for name in names]


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
