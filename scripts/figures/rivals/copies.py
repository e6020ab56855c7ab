"""Saves the model in other servers' formats: the same pipeline, fitted again with the same seed.

Runs in the model repository's training environment: `copies.py CONFIG BUILD FOLDER`.
"""

import json
import sys
from pathlib import Path

import joblib
import mlflow.sklearn
from lifecycle import config
from lifecycle.artifact import frames
from lifecycle.rows import data
from lifecycle.training import team, train
from mlflow.models import infer_signature

ROWS = 100


def main(configuration: Path, build: Path, folder: Path) -> None:
    settings = config.load(configuration)
    learnt, _ = data.read(build / "data/train.parquet", settings)
    tested, _ = data.read(build / "data/test.parquet", settings)
    fitted = team.fit(train.inputs(learnt, settings), learnt[frames.LABEL], settings)
    fitted["boost"]._feature_subsample_rng = None  # only for fitting; unreadable for the numpy of Seldon's wrapper
    joblib.dump(fitted, folder / "model.joblib")
    # Complete rows only: not every server's format can express a missing value.
    features = settings.data.features
    full = tested[tested[list(features)].notna().all(axis=1)]
    rows = train.inputs(full, settings).head(ROWS)
    numbers = [name for name, feature in features.items() if feature.type == "number"]
    mlflow.sklearn.save_model(
        fitted,
        folder / "mlflow",
        signature=infer_signature(rows.astype(dict.fromkeys(numbers, "float64")), fitted.predict_proba(rows)),
        pip_requirements=[],
        pyfunc_predict_fn="predict_proba",
        serialization_format="cloudpickle",
    )
    sample = {
        "names": list(rows),
        "numbers": numbers,
        "rows": json.loads(rows.to_json(orient="values", double_precision=15)),
        "expected": fitted.predict_proba(rows)[:, 1].tolist(),
    }
    (folder / "sample.json").write_text(json.dumps(sample))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
