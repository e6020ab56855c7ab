"""The matrix that a served graph reads: every number column, then for each use of a category a number for its text."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lifecycle import InputError, files

type Array = np.ndarray[Any, Any]

GRAPH, TABLES = "matrix.onnx", "matrix.json"  # in a model directory, beside the graph with named columns
INPUT, OUTPUT = "matrix", "answers"  # of the graph


@dataclass(frozen=True)
class Coded:
    """A column of the matrix: the number for each text of a category column, and that for any other text."""

    column: str
    numbers: Mapping[str, float]
    other: float

    def of(self, texts: Sequence[Any]) -> list[float]:
        get, other = self.numbers.get, self.other
        return [get(text, other) for text in texts]


def write(folder: Path, coded: Sequence[Coded]) -> None:
    files.write_json(folder / TABLES, [vars(one) for one in coded])


def read(folder: Path, categories: Collection[str]) -> tuple[Coded, ...] | None:
    """The coded columns of a model directory, None if its graph has named columns.

    Raises InputError unless each is made of one of the `categories`.
    """
    path = folder / TABLES
    if not path.exists():
        return None
    try:
        found = tuple(Coded(**one) for one in files.read_json(path))
        if all(one.column in categories and isinstance(one.numbers, dict) for one in found):
            return found
    except TypeError:
        pass
    raise InputError(f"{path} has no tables of the model's categories; copy the model or train it again.")


def made(columns: Mapping[str, Array], numbers: Sequence[str], coded: Sequence[Coded]) -> Array:
    """The matrix (n, numbers + coded) in float32, of columns (n,) that hold numbers or texts."""
    parts = [columns[name] for name in numbers] + [one.of(columns[one.column].tolist()) for one in coded]
    return np.array(parts, dtype="float64").T.astype("float32", order="C")
