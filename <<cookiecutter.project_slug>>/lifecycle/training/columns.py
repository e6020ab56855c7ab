"""Follows the columns of a table through nodes of an ONNX graph that take them together, pick, or encode them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper

from lifecycle.artifact.matrix import Coded
from lifecycle.training.conversion import ConversionError

UNKNOWN = object()  # stands for any text that the graph does not name


@dataclass(frozen=True)
class Number:
    """A column of numbers as they are sent."""

    index: int


@dataclass(frozen=True, eq=False)
class Category:
    """What follows from the text of a column: `of` tells it, and for all texts that are not `known` it is the same."""

    column: str
    known: frozenset[str] = frozenset()
    of: Callable[[Any], Any] = lambda text: text

    def then(self, function: Callable[[Any], Any], names: Iterable[Any] = ()) -> "Category":
        """What a function makes of it that names some texts."""
        known = self.known.union(name for name in names if isinstance(name, str))
        return Category(self.column, known, lambda text: function(self.of(text)))

    def coded(self) -> Coded:
        """Its column of the matrix; raises ConversionError when it is a text and no number."""
        try:
            numbers = {text: float(self.of(text)) for text in sorted(self.known)}
            return Coded(self.column, numbers, float(self.of(UNKNOWN)))
        except (TypeError, ValueError) as error:
            raise ConversionError(f"the text of {self.column} is more than a category") from error


@dataclass(frozen=True)
class Is:
    """1 where a category has this code and 0 elsewhere: one column of a one-hot encoding."""

    category: Category
    code: int


@dataclass(frozen=True)
class Made:
    """A column of a tensor that the graph computes."""

    tensor: str
    index: int


type Entry = Number | Category | Is | Made
type Inputs = list[list[Entry] | None]  # the columns of each input of a node, None where they are not known
type Given = Mapping[str, np.ndarray[Any, Any]]  # the graph's constants


def _together(node: NodeProto, inputs: Inputs, _: Given) -> list[Entry] | None:
    if _attributes(node)["axis"] == 0 or None in inputs:
        return None
    return [one for columns in inputs for one in columns or ()]


def _cast(node: NodeProto, inputs: Inputs, _: Given) -> list[Entry] | None:
    columns, to = inputs[0], _attributes(node)["to"]
    if columns is None or to not in TYPES or any(isinstance(one, Made) for one in columns):
        return None
    if all(isinstance(one, Category) for one in columns):
        return [one.then(TYPES[to]) for one in columns if isinstance(one, Category)]
    return columns if to == TensorProto.FLOAT else None


def _reshaped(node: NodeProto, inputs: Inputs, given: Given) -> list[Entry] | None:
    columns = inputs[0]
    return columns if columns and given[node.input[1]].tolist() == [-1, len(columns)] else None


def _picked(node: NodeProto, inputs: Inputs, given: Given) -> list[Entry] | None:
    columns, places = inputs[0], given.get(node.input[1])
    axis = _attributes(node).get("axis", 0 if node.op_type == "Gather" else -1)
    if columns is None or places is None or axis == 0:
        return None
    return [columns[place] for place in places.ravel()]


def _same(_: NodeProto, inputs: Inputs, __: Given) -> list[Entry] | None:
    return inputs[0]


def _one_hot(node: NodeProto, inputs: Inputs, _: Given) -> list[Entry] | None:
    """One column for each code; a category that has none is 0 in all of them."""
    attributes = _attributes(node)
    names = _texts(attributes.get("cats_strings") or attributes.get("cats_int64s", []))
    columns = inputs[0] or []
    if len(columns) != 1 or not isinstance(columns[0], Category) or not attributes.get("zeros"):
        return None
    codes = {name: code for code, name in enumerate(names)}
    category = columns[0].then(lambda value: codes.get(value, -1), names)
    return [Is(category, code) for code in range(len(names))]


def _looked_up(node: NodeProto, inputs: Inputs, given: Given) -> list[Entry] | None:
    attributes = _attributes(node)
    keys, values, default = (
        next((_texts(value) for name, value in attributes.items() if name.startswith(start)), None)
        for start in ("keys_", "values_", "default_")
    )
    if node.input[0] in given:  # the same text for every row
        columns: list[Entry] = [Category("", of=lambda _: given[node.input[0]].item())]
    else:
        columns = inputs[0] or []
    if keys is None or values is None or not columns or not all(isinstance(one, Category) for one in columns):
        return None
    table = dict(zip(keys, values, strict=True))
    return [one.then(lambda value: table.get(value, default), keys) for one in columns if isinstance(one, Category)]


def _chosen(_: NodeProto, inputs: Inputs, __: Given) -> list[Entry] | None:
    """Where one category says so, another, else a third: all of one column."""
    if any(columns is None or len(columns) != 1 or not isinstance(columns[0], Category) for columns in inputs):
        return None
    where, yes, no = (columns[0] for columns in inputs if columns and isinstance(columns[0], Category))
    names = {one.column for one in (where, yes, no)} - {""}
    if len(names) != 1:
        return None
    known = where.known | yes.known | no.known
    return [Category(names.pop(), known, lambda text: yes.of(text) if where.of(text) else no.of(text))]


TYPES: dict[int, Callable[[Any], Any]] = {
    TensorProto.FLOAT: float,
    TensorProto.INT64: int,
    TensorProto.BOOL: bool,
}
FOLLOWED: dict[str, Callable[[NodeProto, Inputs, Given], list[Entry] | None]] = {
    "ArrayFeatureExtractor": _picked,
    "Cast": _cast,
    "Concat": _together,
    "Gather": _picked,
    "Identity": _same,
    "LabelEncoder": _looked_up,
    "OneHotEncoder": _one_hot,
    "Reshape": _reshaped,
    "Where": _chosen,
}


def _attributes(node: NodeProto) -> dict[str, Any]:
    return {one.name: helper.get_attribute_value(one) for one in node.attribute}


def _texts(values: Any) -> Any:
    if isinstance(values, bytes):
        return values.decode()
    return [_texts(value) for value in values] if isinstance(values, list | tuple) else values
