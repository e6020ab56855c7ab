import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import mlflow.pyfunc
import numpy as np
import onnxruntime
import pandas as pd
import pytest
import skops.io
from conftest import STORE
from served import Process
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from steps import pipeline
from tiny import LOCK, Trained, document, periods, rows

from lifecycle import InputError, config, files
from lifecycle.artifact import frames
from lifecycle.artifact.predictor import Predictions, Predictor
from lifecycle.rows import data
from lifecycle.tasks import Task
from lifecycle.training import conversion, parity, serveable, train

SKOPS, SERVE = (Path(sys.prefix).parent / name / "bin/python" for name in ("skops", "serve"))


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


def test_the_run_is_logged_with_its_parameters_and_its_model(binary: Trained, shared: Path) -> None:
    found = Predictor(binary.build / "model").model.metadata
    uri = f"sqlite:///{shared / STORE}"
    run = mlflow.MlflowClient(uri).get_run(found["run"])
    assert run.data.params == {name: str(value) for name, value in found["parameters"].items()}
    assert run.data.tags["version"] == found["version"]
    logged = Path(mlflow.artifacts.download_artifacts(run_id=found["run"], artifact_path="model", tracking_uri=uri))
    assert Predictor(logged).model.sha256 == Predictor(binary.build / "model").model.sha256


def ordinal(_: config.Config) -> Pipeline:
    """Known to convert without a complaint into a model that answers wrongly (sklearn-onnx issue 1051)."""
    encode = ColumnTransformer([("n", "passthrough", ["number"]), ("c", OrdinalEncoder(), ["colour"])])
    boost = HistGradientBoostingClassifier(categorical_features=[1], max_iter=10, random_state=0)
    return Pipeline([("encode", encode), ("boost", boost)])


class Unknown(DummyClassifier):  # type: ignore[misc]
    """No one can convert it, and no one trusts it."""


def unknown(_: config.Config) -> Pipeline:
    return Pipeline([("encode", ColumnTransformer([("n", "passthrough", ["number"])])), ("guess", Unknown())])


def test_a_conversion_that_answers_otherwise_is_served_with_skops(
    binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.estimator.estimator", ordinal)
    found = pipeline(binary.settings, tmp_path / "build", binary.build / "model").evaluation
    model = tmp_path / "build/model"
    told = json.loads((model / "parity.json").read_text())
    assert (told["runtime"], told["largest"], told["flips"]) == ("skops", 0, 0)
    assert "as onnx it would differ from scikit-learn by" in told["why"]
    assert not (model / "model.onnx").exists()
    assert found.bytes == (model / "model.skops").stat().st_size
    predictor = Predictor(model)
    assert predictor.runtime == "skops"
    predictor.check()
    reference = pd.read_parquet(model / "reference.parquet").head(20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answered = mlflow.pyfunc.load_model(str(model)).predict(reference[["number", "colour"]])
    assert np.allclose(answered, reference[["probability_no", "probability_yes"]])


@pytest.mark.skipif(
    not (SKOPS.exists() and SERVE.exists()), reason="what serves is not installed: `make .venv/skops .venv/serve`"
)
def test_a_model_without_onnx_is_served_from_an_environment_of_its_own(
    binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.estimator.estimator", ordinal)
    build = binary.copy(tmp_path)
    train.run(binary.settings, build, LOCK)
    with Process(binary, tmp_path, build / "model", str(SKOPS)) as process:
        assert 'runtime="skops"' in process.get("/metrics")
    code, errors = Process(binary, tmp_path, build / "model", str(SERVE)).ended()
    assert code == 1
    assert "which is not installed; install locks/skops.txt" in errors


def test_a_scaler_before_trees_is_noticed() -> None:
    """In float32, as ONNX computes, it moves a few of many rows across a threshold."""
    frame = rows(count=20_000)
    settings = config.Config.model_validate(document("binary_classification", Path("x"), "0" * 64))
    features, truth = train.inputs(frame, settings), (frame["outcome"] > 0).astype(int)
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    for numbers, holds in (("passthrough", True), (StandardScaler(), False)):
        encode = ColumnTransformer([("n", numbers, ["number"]), ("c", one_hot, ["colour"])])
        boost = HistGradientBoostingClassifier(max_iter=100, min_samples_leaf=2, max_leaf_nodes=63, random_state=0)
        fitted = Pipeline([("encode", encode), ("boost", boost)]).fit(features, truth)
        graph = conversion.by_column(conversion.convert(fitted, settings), settings)
        session = onnxruntime.InferenceSession(graph.SerializeToString())
        outputs = np.array(session.run(None, frames.arrays(features))).T.astype("float64")
        served = Predictions((outputs[:, 1] >= 0.5).astype(int), outputs)
        found = parity.measure(fitted, served, features, 0.5)
        assert found.rows == 20_000
        assert found.holds(1e-5) is holds, found


@pytest.mark.parametrize("sparse", [False, True])
def test_an_estimator_that_needs_only_old_operators_is_converted(binary: Trained, sparse: bool) -> None:
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=sparse, dtype="float32")
    encode = ColumnTransformer([("numbers", SCALED, ["number"]), ("categories", one_hot, ["colour"])])
    table = rows()
    fitted = Pipeline([("encode", encode), ("last", LogisticRegression())])
    fitted.fit(table[["number", "colour"]], table["outcome"] > 0)
    versions = {one.domain: one.version for one in conversion.convert(fitted, binary.settings).opset_import}
    assert versions[""] == conversion.OPERATORS


def test_an_estimator_that_can_be_served_in_no_way_is_refused_and_leaves_the_earlier_model(
    binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = binary.copy(tmp_path)
    before = (build / "model/SHA256SUMS").read_bytes()
    monkeypatch.setattr("model.estimator.estimator", unknown)
    with pytest.raises(
        InputError,
        match=r"holds test_train\.Unknown, which .* add `trusted: \[test_train\.Unknown\]` .* not served as ONNX",
    ):
        train.run(binary.settings, build, LOCK)
    assert (build / "model/SHA256SUMS").read_bytes() == before
    assert not list(build.glob(".model*"))
    run = mlflow.last_active_run()
    assert run
    assert run.info.status == "FAILED"


def test_a_model_that_differs_in_every_format_is_refused(
    binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = binary.settings.train.model_copy(update={"parity": 1e-300})
    monkeypatch.setattr(parity, "measure", lambda *_: parity.Parity(0.5, 3, 1000))
    with pytest.raises(
        InputError, match="as skops it would differ from scikit-learn by 0.5, with 3 different labels in 1000"
    ):
        train.run(binary.settings.model_copy(update={"train": changed}), binary.copy(tmp_path), LOCK)


def test_a_type_that_is_not_trusted_is_never_loaded(
    binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.estimator.estimator", ordinal)
    build = binary.copy(tmp_path)
    train.run(binary.settings, build, LOCK)
    skops.io.dump(Unknown(), build / "model/model.skops")
    files.seal(build / "model")
    with pytest.raises(InputError, match=r"holds .*Unknown, which train\.trusted in config\.yaml does not name"):
        Predictor(build / "model")


def test_parity_is_the_largest_difference_and_neither_nan_nor_a_flipped_label_holds(binary: Trained) -> None:
    class Fitted:
        def predict_proba(self, rows: pd.DataFrame) -> np.ndarray:
            return np.array([[0.5, 0.5], [0.1, 0.9]])

    frame = pd.DataFrame({"number": [0, 1]})
    near = Predictions(np.array([1, 1]), np.array([[0.5, 0.5], [0.1001, 0.8999]]))
    found = parity.measure(Fitted(), near, frame, 0.5)
    assert found.largest == pytest.approx(1e-4)
    assert found.holds(1e-3)
    assert not found.holds(1e-5)
    flipped = Predictions(np.array([0, 1]), np.array([[0.500001, 0.499999], [0.1, 0.9]]))
    assert parity.measure(Fitted(), flipped, frame, 0.5).flips == 1
    assert not parity.measure(Fitted(), flipped, frame, 0.5).holds(1e-3)
    broken = Predictions(np.array([1, 1]), np.array([[0.5, 0.5], [np.nan, np.nan]]))
    assert not parity.measure(Fitted(), broken, frame, 0.5).holds(1e-3)


def test_the_golden_rows_hold_no_category_that_training_has_not_seen(
    binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serveable, "_categories", lambda *_: {"colour": ["red"]})
    build = binary.copy(tmp_path)
    train.run(binary.settings, build, LOCK)
    golden = json.loads((build / "model/golden.json").read_text())["rows"]
    assert [row["colour"] for row in golden] == ["red"] * train.GOLDEN_ROWS
    Predictor(build / "model", unknown_categories=False).check()


def test_where_training_has_seen_no_category_of_the_test_rows_any_rows_are_golden(
    binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serveable, "_categories", lambda *_: {"colour": []})
    build = binary.copy(tmp_path)
    train.run(binary.settings, build, LOCK)
    predictor = Predictor(build / "model")
    predictor.check()
    assert len(json.loads((build / "model/golden.json").read_text())["rows"]) == train.GOLDEN_ROWS


def test_data_that_are_out_of_date_or_damaged_are_refused(binary: Trained, tmp_path: Path) -> None:
    build = binary.copy(tmp_path)
    for changed in (
        {"data": binary.settings.data.model_copy(update={"sha256": "0" * 64})},
        {"split": binary.settings.split.model_copy(update={"test": periods(binary.settings).train})},
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
    monkeypatch.setattr("model.estimator.estimator", encoded(numbers, last))
    found = pipeline(trained.settings, tmp_path / "build", trained.build / "model").evaluation
    assert found.champion
    assert {part.feature for part in found.shap} == {"number", "colour"}


def test_a_tracking_server_that_cannot_be_used_is_named(
    binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense://here")
    with pytest.raises(InputError, match="MLflow at nonsense://here cannot be used"):
        train.run(binary.settings, binary.copy(tmp_path), LOCK)


def test_training_before_the_data_step_names_the_step(binary: Trained, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="run `make data` first"):
        train.run(binary.settings, tmp_path, LOCK)
