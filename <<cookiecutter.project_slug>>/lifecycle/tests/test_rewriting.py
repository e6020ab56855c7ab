"""The graph that reads a matrix answers bit for bit like the one with named columns, whatever a category is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import tiny
from onnx import ModelProto, helper
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder

from lifecycle.artifact import matrix
from lifecycle.config import Config
from lifecycle.training import rewriting, trees
from lifecycle.training.conversion import ConversionError, convert

pytestmark = pytest.mark.filterwarnings("ignore")  # libraries' own

COLUMNS = {"colour": "category", "high": "number", "low": "number", "shape": "category"}
NUMBERS = [name for name, kind in COLUMNS.items() if kind == "number"]
TEXTS = [name for name, kind in COLUMNS.items() if kind == "category"]


def one_hot(**given: Any) -> OneHotEncoder:
    return OneHotEncoder(**({"handle_unknown": "ignore", "sparse_output": False, "dtype": "float32"} | given))


def model(last: Any, texts: Any = None, numbers: Any = "passthrough") -> Pipeline:
    return make_pipeline(ColumnTransformer([("n", numbers, NUMBERS), ("t", texts or one_hot(), TEXTS)]), last)


FOREST = RandomForestClassifier(5, max_depth=5, random_state=0)
NAMED = SimpleImputer(strategy="constant", fill_value="none", missing_values="")
CODES = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)

# By the nodes that are left.
MODELS: dict[str, tuple[Callable[[], Any], list[str]]] = {
    "one-hot columns under boosted trees": (
        lambda: model(HistGradientBoostingClassifier(max_iter=5)),
        ["TreeEnsembleClassifier"],
    ),
    "one-hot columns of which the first is dropped": (
        lambda: model(FOREST, one_hot(drop="first")),
        ["TreeEnsembleClassifier"],
    ),
    "codes in an order": (lambda: model(FOREST, CODES), ["TreeEnsembleClassifier"]),
    "means of the target": (lambda: model(FOREST, TargetEncoder(random_state=0)), ["TreeEnsembleClassifier"]),
    "a text in place of a missing one": (
        lambda: model(FOREST, make_pipeline(NAMED, one_hot())),
        ["TreeEnsembleClassifier"],
    ),
    "scaled numbers beside one-hot columns, under trees": (
        lambda: model(FOREST, numbers=StandardScaler()),
        ["Concat", "Gather", "Scaler", "TreeEnsembleClassifier"],
    ),
    "a linear model": (
        lambda: model(LogisticRegression(), numbers=make_pipeline(SimpleImputer(), StandardScaler())),
        ["Cast", "Concat", "Equal", "Gather", "Imputer", "LinearClassifier", "Scaler"],
    ),
}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    random, count = np.random.default_rng(0), 300
    numbers = {name: random.normal(size=count).astype("float32") for name in NUMBERS}
    texts = {
        "colour": random.choice(["red", "green", "blue", ""], count),
        "shape": random.choice(["a", "%b", "ü"], count),
    }
    return pd.DataFrame(numbers | texts).astype(dict.fromkeys(TEXTS, "object"))


@pytest.fixture(scope="module")
def settings() -> Config:
    document = tiny.document("binary_classification", Path("x"), "0" * 64)
    document["data"]["features"] = {name: {"type": kind} for name, kind in COLUMNS.items()}
    return tiny.settings(document | {"evaluate": document["evaluate"] | {"slices": []}})


def converted(fitted: Any, table: pd.DataFrame, settings: Config) -> ModelProto:
    truth = (table["low"] + (table["colour"] == "red") + (table["shape"] == "ü") > 1).astype(int)
    return convert(fitted.fit(table, truth), settings)


def answers(graph: ModelProto, inputs: dict[str, Any], output: int = -1) -> np.ndarray[Any, Any]:
    found: np.ndarray[Any, Any] = onnxruntime.InferenceSession(graph.SerializeToString()).run(None, inputs)[output]
    return found


@pytest.mark.parametrize("name", MODELS)
def test_it_answers_like_the_graph_with_columns(name: str, table: pd.DataFrame, settings: Config) -> None:
    make, left = MODELS[name]
    given = converted(make(), table, settings)
    graph, coded = rewriting.rewrite(given, list(COLUMNS.items()))
    assert sorted({node.op_type for node in graph.graph.node} - {"Identity"}) == left
    odd = table.copy()
    odd.loc[:50, "colour"], odd.loc[25:75, "shape"] = "mauve", ""
    odd.loc[60:80, "colour"], odd.loc[70:90, "low"] = "none", np.nan if "Imputer" in left else 1e30
    read = matrix.made({name: odd[name].to_numpy() for name in odd}, NUMBERS, coded)
    columns = {name: odd[[name]].to_numpy() for name in odd}
    assert np.array_equal(answers(graph, {matrix.INPUT: read}), answers(given, columns))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (
            lambda: make_pipeline(
                ColumnTransformer([("n", "passthrough", NUMBERS), ("t", TfidfVectorizer(), "colour")]),
                LogisticRegression(),
            ),
            "the text of colour is more than a category",
        ),
        (lambda: model(KNeighborsClassifier()), "Scan holds a graph of its own"),
    ],
)
def test_what_is_more_than_a_category_keeps_its_columns(
    make: Callable[[], Any], reason: str, table: pd.DataFrame, settings: Config
) -> None:
    words = table.assign(colour=table["colour"] + " thing")
    with pytest.raises(ConversionError, match=reason):
        rewriting.rewrite(converted(make(), words, settings), list(COLUMNS.items()))


@pytest.mark.parametrize(
    ("mode", "bound", "taken"),
    [
        ("BRANCH_LEQ", 0.5, True),
        ("BRANCH_LEQ", 0.0, True),
        ("BRANCH_LT", 1.0, True),
        ("BRANCH_LEQ", 1.0, False),
        ("BRANCH_LT", 0.0, False),
        ("BRANCH_GT", 0.5, False),
    ],
)
def test_a_split_becomes_a_question_for_a_code_only_where_it_tells_0_from_1(
    mode: str, bound: float, taken: bool
) -> None:
    node = helper.make_node(
        "TreeEnsembleRegressor",
        ["x"],
        ["y"],
        domain="ai.onnx.ml",
        nodes_modes=[mode, "LEAF", "LEAF"],
        nodes_featureids=[3, 0, 0],
        nodes_values=[bound, 0.0, 0.0],
    )
    if not taken:
        with pytest.raises(ConversionError, match=f"a tree splits a one-hot column by {mode}"):
            trees.reading(node, "matrix", lambda _: (7, 2))
        return
    found = {one.name: helper.get_attribute_value(one) for one in trees.reading(node, "m", lambda _: (7, 2)).attribute}
    assert found["nodes_modes"] == [b"BRANCH_NEQ", b"LEAF", b"LEAF"]
    assert found["nodes_featureids"] == [7, 0, 0]
    assert found["nodes_values"] == [2, 0, 0]
