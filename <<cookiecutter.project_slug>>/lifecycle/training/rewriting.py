"""Rewrites a converted estimator to read one matrix, in which each category is a number.

A graph with an input for each column spends most of a call on taking columns together and on texts. Here texts are
looked up before the call, and trees compare codes where they compared one-hot columns.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

from lifecycle.artifact.matrix import INPUT, OUTPUT, Coded
from lifecycle.training import trees
from lifecycle.training.columns import FOLLOWED, Category, Entry, Is, Made, Number
from lifecycle.training.conversion import ConversionError

SAME_WIDTH = {"Cast", "Imputer", "Scaler"}  # nodes that make as many columns as they read


def rewrite(model: ModelProto, columns: Sequence[tuple[str, str]]) -> tuple[ModelProto, list[Coded]]:
    """The graph with one input (n, numbers + coded) and the answers (n, classes) or (n, 1), and the coded columns.

    `columns` has the name and type of each input of `model`. Raises ConversionError where a text is more than a
    category.
    """
    walk = _Walk(model, columns)
    for node in model.graph.node:
        walk.take(node)
    nodes = _needed([*walk.nodes, helper.make_node("Identity", [walk.there(model.graph.output[-1].name)], [OUTPUT])])
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        INPUT,
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [None, walk.numbers + len(walk.coded)])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [None, None])],
        [one for one in (*model.graph.initializer, *walk.constants) if one.name in used],
    )
    made = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    try:
        checker.check_model(made)
    except checker.ValidationError as error:
        raise ConversionError(" ".join(str(error).split())) from error
    return made, walk.coded


class _Walk:
    """One walk through a graph. A tensor whose columns are known is made in the new one only where a node reads it."""

    def __init__(self, model: ModelProto, columns: Sequence[tuple[str, str]]) -> None:
        names = [name for name, kind in columns if kind == "number"]
        self.numbers, self.coded = len(names), list[Coded]()
        self.nodes, self.constants = list[NodeProto](), list[TensorProto]()
        self._given = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
        self._places: dict[Category, int] = {}
        self._known: dict[str, list[Entry]] = {
            tensor.name: [Number(names.index(name)) if kind == "number" else Category(name)]
            for tensor, (name, kind) in zip(model.graph.input, columns, strict=True)
        }

    def take(self, node: NodeProto) -> None:
        """Follow the columns through a node, or copy it with what it reads."""
        if any(one.type == one.GRAPH for one in node.attribute):
            raise ConversionError(f"{node.op_type} holds a graph of its own")
        found = self._known.get(node.input[0])
        if node.op_type in trees.KINDS and found:
            self._trees(node, found)
        elif node.op_type in FOLLOWED and (
            after := FOLLOWED[node.op_type](node, [self._known.get(name) for name in node.input], self._given)
        ):
            self._known[node.output[0]] = after
        else:
            for name in node.input:
                self.there(name)
            self.nodes.append(node)
            if node.op_type in SAME_WIDTH and found:
                self._known[node.output[0]] = _columns(node.output[0], len(found))

    def there(self, name: str) -> str:
        """Make a tensor of its columns, unless it is there already."""
        found = self._known.get(name, [])
        if found and found != _columns(name, len(found)):
            parts = [part for kind, run in groupby(found, type) for part in self._parts(kind, list(run))]
            self._node("Concat", parts, name, axis=1) if len(parts) > 1 else self._node("Identity", parts, name)
            self._known[name] = _columns(name, len(found))
        return name

    def _parts(self, kind: type, run: list[Any]) -> Iterator[str]:
        """Columns of one kind that stand beside each other, as tensors."""
        if kind is Made:
            for tensor, some in groupby(run, lambda one: one.tensor):
                yield self._picked(tensor, [one.index for one in some])
        elif kind is Is:
            codes = self._constant(np.array([[one.code for one in run]], "float32"))
            same = self._node("Equal", [self._picked(INPUT, [self._place(one.category) for one in run]), codes])
            yield self._node("Cast", [same], to=TensorProto.FLOAT)
        else:
            yield self._picked(INPUT, [self._place(one) for one in run])

    def _place(self, one: Number | Category) -> int:
        """The column of the matrix that holds a number, or the value of a category."""
        if isinstance(one, Number):
            return one.index
        if one not in self._places:
            coded = one.coded()
            if coded not in self.coded:
                self.coded.append(coded)
            self._places[one] = self.numbers + self.coded.index(coded)
        return self._places[one]

    def _trees(self, node: NodeProto, found: list[Entry]) -> None:
        """Let trees read the matrix itself, beside those columns that are computed."""
        starts, width = dict[str, int](), 0
        for tensor in dict.fromkeys(one.tensor for one in found if isinstance(one, Made)):
            starts[tensor], width = width, width + len(self._known[tensor])

        def column(feature: int) -> tuple[int, int | None]:
            one = found[feature]
            if isinstance(one, Made):
                return starts[one.tensor] + one.index, None
            if isinstance(one, Is):
                return width + self._place(one.category), one.code
            return width + self._place(one), None

        tensor = self._node("Concat", [*starts, INPUT], axis=1) if starts else INPUT
        self.nodes.append(trees.reading(node, tensor, column))

    def _picked(self, tensor: str, places: list[int]) -> str:
        return self._node("Gather", [tensor, self._constant(np.array(places, "int64"))], axis=1)

    def _node(self, kind: str, inputs: list[str], name: str = "", **attributes: Any) -> str:
        name = name or f"{INPUT}/{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def _constant(self, values: np.ndarray[Any, Any]) -> str:
        self.constants.append(numpy_helper.from_array(values, f"{INPUT}/constant/{len(self.constants)}"))
        return self.constants[-1].name


def _columns(tensor: str, width: int) -> list[Entry]:
    return [Made(tensor, index) for index in range(width)]


def _needed(nodes: list[NodeProto]) -> list[NodeProto]:
    """The nodes on which the last one depends."""
    found, read = [nodes[-1]], set(nodes[-1].input)
    for node in reversed(nodes[:-1]):
        if read.intersection(node.output):
            found.append(node)
            read.update(node.input)
    return found[::-1]
