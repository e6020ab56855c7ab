"""Lets the trees of an ONNX graph read other columns, and compare codes where they compared one-hot columns."""

from collections.abc import Callable
from typing import Any

from onnx import NodeProto, helper

from lifecycle.training.conversion import ConversionError

KINDS = {"TreeEnsembleClassifier", "TreeEnsembleRegressor"}
# A one-hot column is 0 or 1, so any split of it between the two asks whether the category has another code.
BETWEEN = {b"BRANCH_LEQ": lambda bound: 0 <= bound < 1, b"BRANCH_LT": lambda bound: 0 < bound <= 1}


def reading(node: NodeProto, tensor: str, column: Callable[[int], tuple[int, int | None]]) -> NodeProto:
    """The trees with `tensor` as their input, where `column` says for a feature its new index and, if it was a one-hot
    column, the code that it stood for. Raises ConversionError for a split that no code answers.
    """
    given: dict[str, Any] = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    modes, features, bounds = (list(given[f"nodes_{name}"]) for name in ("modes", "featureids", "values"))
    missing = list(given.get("nodes_missing_value_tracks_true") or [0] * len(modes))
    for place, mode in enumerate(modes):
        if mode == b"LEAF":
            features[place] = 0
            continue
        features[place], code = column(features[place])
        if code is not None:
            if mode not in BETWEEN or not BETWEEN[mode](bounds[place]):
                raise ConversionError(f"a tree splits a one-hot column by {mode.decode()} {bounds[place]:g}")
            modes[place], bounds[place], missing[place] = b"BRANCH_NEQ", float(code), 0
    given |= {
        "nodes_modes": modes,
        "nodes_featureids": features,
        "nodes_values": bounds,
        "nodes_missing_value_tracks_true": missing,
    }
    return helper.make_node(node.op_type, [tensor], list(node.output), node.name, domain=node.domain, **given)
