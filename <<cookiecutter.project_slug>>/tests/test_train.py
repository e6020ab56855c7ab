import json
import warnings
from collections.abc import Callable
from pathlib import Path

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
from conftest import LOCK, Trained, pipeline
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from model import InputError, config, conversion, data, train
from model.predictor import Predictions, Predictor
from model.tasks import Task


def test_the_model_directory_is_an_mlflow_model_that_answers_as_it_is_served(trained: Trained) -> None:
    reference = pd.read_parquet(trained.build / "model/reference.parquet")
    predictor = Predictor(trained.build / "model")
    features = reference[[column.name for column in predictor.model.columns]].head(20)
    served = predictor.predict({name: features[name].to_numpy() for name in features})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answered = mlflow.pyfunc.load_model(str(trained.build / "model")).predict(features)
    expected = served.labels if served.probabilities is None else served.probabilities
    assert np.allclose(answered.to_numpy().squeeze(), expected)


def test_the_reference_is_the_test_rows_with_label_and_prediction(trained: Trained) -> None:
    test, _ = data.read(trained.build / "data/test.parquet", trained.settings)
    reference = pd.read_parquet(trained.build / "model/reference.parquet")
    assert reference["label"].tolist() == test["label"].tolist()
    assert reference["time"].tolist() == test["moment"].tolist()
    if trained.task == "binary_classification":
        assert (reference["prediction"] == (reference["probability_yes"] >= 0.5)).all()


def test_the_golden_rows_come_out_as_recorded(trained: Trained) -> None:
    Predictor(trained.build / "model").check()
    golden = json.loads((trained.build / "model/golden.json").read_text())
    assert len(golden["rows"]) == len(golden["answers"]) == train.GOLDEN_ROWS


def test_the_run_is_logged_with_its_parameters_and_its_model(binary: Trained) -> None:
    found = Predictor(binary.build / "model").model.metadata
    run = mlflow.get_run(found["run"])
    assert run.data.params == {name: str(value) for name, value in found["parameters"].items()}
    assert run.data.tags["version"] == found["version"]
    logged = Path(mlflow.artifacts.download_artifacts(run_id=found["run"], artifact_path="model"))
    assert Predictor(logged).model.sha256 == Predictor(binary.build / "model").model.sha256


def test_a_conversion_that_answers_otherwise_is_refused_and_leaves_the_earlier_model(
    binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = binary.copy(tmp_path)
    before = (build / "model/SHA256SUMS").read_bytes()

    def ordinal(_: config.Config) -> Pipeline:
        """Known to convert without a complaint into a model that answers wrongly (sklearn-onnx issue 1051)."""
        encode = ColumnTransformer([("n", "passthrough", ["number"]), ("c", OrdinalEncoder(), ["colour"])])
        boost = HistGradientBoostingClassifier(categorical_features=[1], max_iter=10, random_state=0)
        return Pipeline([("encode", encode), ("boost", boost)])

    monkeypatch.setattr(train, "estimator", ordinal)
    with pytest.raises(InputError, match="ONNX model differs from the scikit-learn model by"):
        train.run(binary.settings, build, LOCK)
    assert (build / "model/SHA256SUMS").read_bytes() == before
    assert not list(build.glob(".model*"))
    run = mlflow.last_active_run()
    assert run
    assert run.info.status == "FAILED"


def test_parity_is_the_largest_difference_and_nan_is_not_within_it(binary: Trained) -> None:
    class Fitted:
        def predict_proba(self, rows: pd.DataFrame) -> np.ndarray:
            return np.array([[0.5, 0.5], [0.1, 0.9]])

    rows = pd.DataFrame({"number": [0, 1]})
    near = Predictions(np.array([1, 1]), np.array([[0.5, 0.5], [0.1001, 0.8999]]))
    assert conversion.parity(Fitted(), near, rows, 1e-3) == pytest.approx(1e-4)
    with pytest.raises(InputError, match="in 1 of 2 rows"):
        conversion.parity(Fitted(), near, rows, 1e-5)
    broken = Predictions(np.array([1, 1]), np.array([[0.5, 0.5], [np.nan, np.nan]]))
    with pytest.raises(InputError, match="in 1 of 2 rows"):
        conversion.parity(Fitted(), broken, rows, 1e-5)


def test_data_that_are_out_of_date_or_damaged_are_refused(binary: Trained, tmp_path: Path) -> None:
    build = binary.copy(tmp_path)
    for changed in (
        {"data": binary.settings.data.model_copy(update={"sha256": "0" * 64})},
        {"split": binary.settings.split.model_copy(update={"test": binary.settings.split.train})},
        {"task": "regression"},
    ):
        with pytest.raises(InputError, match="another task, data or split than config.yaml has; run `make data` again"):
            train.run(binary.settings.model_copy(update=changed), build, LOCK)
    (build / "data/train.parquet").write_bytes(b"broken")
    with pytest.raises(InputError, match="train.parquet is damaged"):
        train.run(binary.settings, build, LOCK)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"max_itr": 10}, r"Invalid parameter 'max_itr'.* Valid parameters are: .*'max_iter'"),
        ({"max_iter": -1}, r"The 'max_iter' parameter .* must be an int in the range \[1, inf\)"),
    ],
)
def test_parameters_that_the_estimator_refuses_are_named(
    parameters: dict[str, int], sentence: str, binary: Trained
) -> None:
    changed = binary.settings.train.model_copy(update={"parameters": parameters})
    with pytest.raises(InputError, match=sentence):
        train.run(binary.settings.model_copy(update={"train": changed}), binary.build, LOCK)


def encoded(numbers: object, last: object) -> Callable[[config.Config], Pipeline]:
    one_hot = OneHotEncoder(handle_unknown="ignore")
    encode = ColumnTransformer([("numbers", numbers, ["number"]), ("categories", one_hot, ["colour"])])
    return lambda _: Pipeline([("encode", encode), ("last", last)])


SCALED = make_pipeline(SimpleImputer(), StandardScaler())


@pytest.mark.parametrize(
    ("task", "numbers", "last"),
    [
        ("binary_classification", SCALED, LogisticRegression()),
        ("multiclass_classification", SCALED, LogisticRegression()),
        ("regression", SCALED, LinearRegression()),
        ("binary_classification", SimpleImputer(), RandomForestClassifier(10, max_depth=5, random_state=0)),
        ("regression", SimpleImputer(), RandomForestRegressor(10, max_depth=5, random_state=0)),
    ],
)
def test_other_estimators_are_trained_explained_and_decided(
    task: Task,
    numbers: object,
    last: object,
    models: Callable[[Task], Trained],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trained = models(task)
    monkeypatch.setattr(train, "estimator", encoded(numbers, last))
    found = pipeline(trained.settings, tmp_path / "build", trained.build / "model").evaluation
    assert found.champion
    assert {part.feature for part in found.shap} == {"number", "colour"}


def test_an_estimator_that_cannot_be_converted_is_refused(
    binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unknown(DummyClassifier):  # type: ignore[misc]
        pass

    encode = ColumnTransformer([("n", "passthrough", ["number"])])
    monkeypatch.setattr(train, "estimator", lambda _: Pipeline([("encode", encode), ("guess", Unknown())]))
    with pytest.raises(InputError, match="skl2onnx cannot convert the estimator"):
        train.run(binary.settings, binary.copy(tmp_path), LOCK)


def test_a_tracking_server_that_cannot_be_used_is_named(
    binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense://here")
    with pytest.raises(InputError, match="MLflow at nonsense://here cannot be used"):
        train.run(binary.settings, binary.copy(tmp_path), LOCK)


def test_training_before_the_data_step_names_the_step(binary: Trained, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="run `make data` first"):
        train.run(binary.settings, tmp_path, LOCK)
