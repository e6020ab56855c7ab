"""Prints the milliseconds of one row by ONNX and by scikit-learn, for each estimator, and those of making features."""

import json
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
from lifecycle.artifact import derive, frames
from lifecycle.artifact.directory import Column
from lifecycle.training import conversion, train
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from tiny import document, rows, settings  # type: ignore[import-not-found]  # the tests' data

CALLS = 300
ESTIMATORS = {
    "LogisticRegression": LogisticRegression(),
    "HistGradientBoostingClassifier": HistGradientBoostingClassifier(max_iter=60),
    "RandomForestClassifier": RandomForestClassifier(50, max_depth=8),
    "SVC": SVC(probability=True),
    "MLPClassifier": MLPClassifier((16,), max_iter=50),
}


def milliseconds(call: Callable[[], Any]) -> float:
    spent = []
    for _ in range(CALLS):
        begin = time.perf_counter()
        call()
        spent.append(time.perf_counter() - begin)
    return median(spent) * 1000


def of(estimator: Any) -> tuple[float, float]:
    """By ONNX, and by scikit-learn, as the service calls each."""
    given = settings(document("binary_classification", "x.parquet", "0" * 64))
    frame = rows(count=1000)
    inputs, truth = train.inputs(frame, given), (frame["outcome"] > 0).astype(int)
    encode = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["number"]),
            ("categories", OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["colour"]),
        ]
    )
    fitted = make_pipeline(encode, estimator).fit(inputs, truth)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    graph = conversion.by_column(conversion.convert(fitted, given), given)
    session = onnxruntime.InferenceSession(graph.SerializeToString(), options)
    one, names = frames.arrays(inputs.head(1)), [output.name for output in session.get_outputs()]
    return (
        milliseconds(lambda: np.array(session.run(names, one)).T),
        milliseconds(lambda: fitted.predict_proba(pd.DataFrame(one))),
    )


def features() -> float:
    """Features of one raw row: a logarithm, the hour of a time, a text in lower case."""
    raw = [Column("price", "number", False), Column("at", "time", False), Column("label", "category", False)]
    made = [Column("price", "number", False), Column("hour", "number", False), Column("label", "category", False)]
    one = {"price": [2.5], "at": ["2020-01-01T12:30:00Z"], "label": ["Red"]}

    def function(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(price=np.log1p(frame["price"]), hour=frame["at"].dt.hour, label=frame["label"].str.lower())

    return milliseconds(lambda: derive.features(function, derive.rows(one, raw), made))


if __name__ == "__main__":
    print(json.dumps({name: of(estimator) for name, estimator in ESTIMATORS.items()} | {"features": features()}))
