"""Prints for each model the CPU microseconds of a request of 100 rows to the service, of its own call of the graph, and
of the bare call of the graph with named columns, its inputs ready."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
from lifecycle import files
from lifecycle.artifact import directory, frames
from lifecycle.artifact.predictor import Predictor
from lifecycle.config import Config
from lifecycle.serving.service import Service
from lifecycle.training import serveable, train
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler, TargetEncoder
from spent import microseconds  # type: ignore[import-not-found]
from tiny import document, settings  # type: ignore[import-not-found]  # the tests' data

ROWS, LEARNT, CATEGORIES = 100, 5_000, 20
ONE_HOT = OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype="float32")


@dataclass(frozen=True)
class Model:
    """An estimator behind an encoding, and how many number and category columns it has."""

    last: Any
    texts: Any = ONE_HOT
    numbers: Any = "passthrough"
    width: tuple[int, int] = (10, 5)


MODELS = {
    "60 boosted trees, one-hot": Model(HistGradientBoostingClassifier(max_iter=60, random_state=0)),
    "500 boosted trees, one-hot": Model(HistGradientBoostingClassifier(max_iter=500, random_state=0)),
    "500 trees of a forest, target encoding": Model(
        RandomForestClassifier(500, max_depth=6, random_state=0), TargetEncoder(random_state=0)
    ),
    "logistic regression, scaled, one-hot": Model(LogisticRegression(max_iter=500), numbers=StandardScaler()),
    "logistic regression, scaled, target encoding": Model(
        LogisticRegression(max_iter=500), TargetEncoder(random_state=0), StandardScaler()
    ),
    "60 boosted trees, 200 columns": Model(
        HistGradientBoostingClassifier(max_iter=60, random_state=0), width=(180, 20)
    ),
}


def table(numbers: int, texts: int) -> pd.DataFrame:
    random = np.random.default_rng(0)
    found: dict[str, Any] = {
        f"number_{place}": random.normal(size=LEARNT).astype("float32") for place in range(numbers)
    }
    names = np.array([f"name {place}" for place in range(CATEGORIES)], "object")
    found |= {f"text_{place}": names[random.integers(0, CATEGORIES, LEARNT)] for place in range(texts)}
    return pd.DataFrame(found)


def configured(rows: pd.DataFrame) -> Config:
    """The tests' settings with these columns; features in the order of their names, as the file is written."""
    made = document("binary_classification", "x.parquet", "0" * 64)
    kinds = {name: "number" if rows[name].dtype == "float32" else "category" for name in rows}
    made["data"] |= {"features": {name: {"type": kind} for name, kind in kinds.items()}}
    made["evaluate"] |= {"slices": []}
    made["serve"] |= {"log": {"enabled": False, "bytes": 1_000_000, "failure": "serve"}, "bytes": 8_000_000}
    found: Config = settings(made)
    return found


def measured(model: Model, folder: Path) -> dict[str, float]:
    rows = table(*model.width)
    given = configured(rows)
    rows = rows[list(given.data.features)]
    texts = [name for name, feature in given.data.features.items() if feature.type == "category"]
    numbers = [name for name in rows if name not in texts]
    truth = ((rows[numbers[0]] + (rows[texts[0]] == "name 1") + (rows[texts[-1]] < "name 3")) > 0.5).astype(int)
    encode = ColumnTransformer([("numbers", model.numbers, numbers), ("texts", model.texts, texts)])
    fitted = make_pipeline(encode, model.last).fit(rows, truth)
    metadata = {
        "format": directory.FORMAT, "name": "model", "version": "1", "task": given.task, "time": None, "key": [],
        "classes": list(given.data.target.classes), "threshold": 0.5, "data": {},
    }  # fmt: skip
    found = serveable.choose(fitted, rows, rows.head(1000), metadata, given, folder)
    files.write_json(folder / "golden.json", train._golden(rows.head(3), rows.head(3), found.predictor))
    files.seal(folder)
    few = rows.head(ROWS)
    body = json.dumps({"data": {"names": list(few), "ndarray": json.loads(few.to_json(orient="values"))}}).encode()
    service, own = Service(folder, folder / "log", given, {}), Predictor(folder)
    if service.predict(body, None).status != 200:
        raise SystemExit(service.predict(body, None).content.decode())
    columns = {name: few[name].tolist() for name in few}
    inputs = own.inputs(columns)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session, feed = onnxruntime.InferenceSession(folder / "model.onnx", options), frames.arrays(few)
    return {
        "request": microseconds(lambda: service.predict(body, None)),
        "call": microseconds(lambda: own.run(inputs)),
        "bare": microseconds(lambda: session.run(None, feed)),
    }


def main() -> None:
    found = {}
    for name, model in MODELS.items():
        with tempfile.TemporaryDirectory() as folder:
            found[name] = measured(model, Path(folder))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
