"""Converts a fitted estimator to an ONNX graph, and lets it have one input and one output for each column."""

from typing import Any

import skl2onnx
from onnx import ModelProto, TensorProto, checker, helper
from skl2onnx.common.data_types import FloatTensorType, StringTensorType

from lifecycle.config import Config

# The operator set. Without it skl2onnx takes the oldest that its own nodes need, and those added below need 13.
OPERATORS = 21


class ConversionError(ValueError):
    """The reason why an estimator cannot become an ONNX graph."""


def convert(fitted: Any, settings: Config) -> ModelProto:
    """The fitted estimator as an ONNX graph with an input (n, 1) for each feature; its last output is (n, classes) or,
    of a regression, (n, 1).

    Raises ConversionError if skl2onnx cannot convert the estimator.
    """
    types = {"number": FloatTensorType([None, 1]), "category": StringTensorType([None, 1])}
    columns = [(name, types[feature.type]) for name, feature in settings.data.features.items()]
    options = {} if settings.task == "regression" else {"zipmap": False}
    try:
        model: ModelProto = skl2onnx.to_onnx(fitted, initial_types=columns, options=options, target_opset=OPERATORS)
    except Exception as error:  # skl2onnx passes on any exception of its converters
        raise ConversionError(" ".join(str(error).split())) from error
    if len(model.graph.input) != len(columns):
        raise ConversionError(f"the graph has {len(model.graph.input)} inputs for {len(columns)} columns")
    return model


def by_column(converted: ModelProto, settings: Config) -> ModelProto:
    """The graph with inputs and outputs that are columns of shape (n,), as MLflow feeds them.

    The inputs are the features; the outputs are `prediction`, or `probability_<class>` for each class.
    Raises ConversionError where a column is called like an edge of the graph.
    """
    model = ModelProto()
    model.CopyFrom(converted)
    graph, columns = model.graph, list(settings.data.features)
    regression = settings.task == "regression"
    names = ["prediction"] if regression else [f"probability_{name}" for name in settings.data.target.classes]

    # Each input becomes (n,), an Unsqueeze makes it (n, 1) again under a new name, and the old nodes read that name. At
    # the end a Split cuts the output into columns, and a Squeeze makes each of them (n,).
    # The inputs get the columns' own names, as skl2onnx has replaced all signs that no identifier has.
    matrix = {column.name: f"{name}/matrix" for column, name in zip(graph.input, columns, strict=True)}
    for column, name in zip(graph.input, columns, strict=True):
        del column.type.tensor_type.shape.dim[1]
        column.name = name
    for node in graph.node:
        node.input[:] = [matrix.get(name, name) for name in node.input]
    before = [helper.make_node("Unsqueeze", [name, "column/axis"], [f"{name}/matrix"]) for name in columns]

    parts = [f"{name}/matrix" for name in names]
    after = [helper.make_node("Split", [graph.output[-1].name, "column/widths"], parts, axis=1)]
    after += [
        helper.make_node("Squeeze", [wide, "column/axis"], [name]) for wide, name in zip(parts, names, strict=True)
    ]
    nodes = [*before, *graph.node, *after]
    del graph.node[:], graph.output[:]
    graph.node.extend(nodes)
    graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, [None]) for name in names)
    graph.initializer.append(helper.make_tensor("column/axis", TensorProto.INT64, [1], [1]))
    graph.initializer.append(helper.make_tensor("column/widths", TensorProto.INT64, [len(parts)], [1] * len(parts)))
    try:
        checker.check_model(model)
    except checker.ValidationError as error:
        raise ConversionError(" ".join(str(error).split())) from error
    return model
