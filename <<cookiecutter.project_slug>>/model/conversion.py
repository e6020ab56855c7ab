"""Converts a fitted estimator to ONNX and measures how far the two answers lie apart."""

import numpy as np
import pandas as pd
import skl2onnx
from onnx import ModelProto, TensorProto, checker, helper
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.pipeline import Pipeline

from model import InputError
from model.config import Config
from model.predictor import Predictions


def convert(fitted: Pipeline, settings: Config) -> ModelProto:
    """The fitted pipeline as an ONNX graph whose inputs and outputs are columns of shape (n,), as MLflow feeds them.

    The inputs are the features; the outputs are `prediction`, or `probability_<class>` for each class.
    Raises InputError for what skl2onnx cannot convert.
    """
    types = {"number": FloatTensorType([None, 1]), "category": StringTensorType([None, 1])}
    columns = [(name, types[feature.type]) for name, feature in settings.data.features.items()]
    regression = settings.task == "regression"
    options = {} if regression else {"zipmap": False}
    try:
        model: ModelProto = skl2onnx.to_onnx(fitted, initial_types=columns, options=options)
    except Exception as error:  # skl2onnx raises whatever the part raises that it cannot convert
        raise InputError(
            f"skl2onnx cannot convert the estimator ({' '.join(str(error).split())[:300]}); "
            "use a part that it supports in model/estimator.py."
        ) from error
    graph = model.graph
    names = ["prediction"] if regression else [f"probability_{name}" for name in settings.data.target.classes]

    matrix = {column.name: f"{column.name}/matrix" for column in graph.input}
    for column in graph.input:
        del column.type.tensor_type.shape.dim[1]
    for node in graph.node:
        node.input[:] = [matrix.get(name, name) for name in node.input]
    before = [helper.make_node("Unsqueeze", [name, "column/axis"], [wide]) for name, wide in matrix.items()]

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
    checker.check_model(model)
    return model


def parity(fitted: Pipeline, served: Predictions, rows: pd.DataFrame, tolerance: float) -> float:
    """The largest difference between both models' outputs on the rows; raises InputError above the tolerance.

    Probabilities differ absolutely, values relative to the larger of 1 and their size.
    """
    if served.probabilities is None:
        expected = fitted.predict(rows)
        differences = np.abs(served.labels - expected) / np.maximum(1.0, np.abs(expected))
    else:
        differences = np.abs(served.probabilities - fitted.predict_proba(rows)).max(axis=1)
    largest = float(differences.max())
    if not largest <= tolerance:
        raise InputError(
            f"The ONNX model differs from the scikit-learn model by {largest:.2g} "
            f"(more than {tolerance:g} in {int((~(differences <= tolerance)).sum())} of {len(rows)} rows); "
            "change what model/estimator.py does before the estimator, or raise train.parity."
        )
    return largest
