import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from tiny import Trained

from lifecycle.artifact.predictor import Predictor
from lifecycle.documents import record
from lifecycle.evaluation import importance
from lifecycle.evaluation.importance import ServedEstimator
from lifecycle.rows import data
from lifecycle.training import explanation as shapley
from lifecycle.training import train


def inputs(trained: Trained) -> tuple[ServedEstimator, pd.DataFrame, np.ndarray]:
    test, _ = data.read(trained.build / "data/test.parquet", trained.settings)
    rows = train.inputs(test, trained.settings)
    return ServedEstimator(Predictor(trained.build / "model")), rows, test["label"].to_numpy()


def test_a_feature_that_the_model_does_not_use_has_no_importance(binary: Trained) -> None:
    served, rows, truth = inputs(binary)
    found = importance.importances(served, rows.assign(noise=rows["number"]), truth, binary.settings.evaluate)
    assert list(found)[-1] == "noise"
    assert found["noise"] == record.Importance(mean=0, deviation=0)
    assert all(found[name].mean > 0.02 for name in ("number", "colour"))


def test_importance_is_empty_where_the_metric_is_undefined(binary: Trained) -> None:
    served, rows, truth = inputs(binary)
    assert importance.importances(served, rows, np.ones_like(truth), binary.settings.evaluate) == {}


def test_a_sample_is_seeded_and_keeps_the_order(binary: Trained) -> None:
    _, rows, truth = inputs(binary)
    few, known = importance.sample(rows, truth, 100, 0)
    assert few.index.is_monotonic_increasing
    assert (known == truth[few.index]).all()
    assert few.equals(importance.sample(rows, truth, 100, 0)[0])
    assert len(importance.sample(rows, truth, 10_000, 0)[0]) == len(rows)


def test_dependence_follows_the_feature(trained: Trained) -> None:
    """The outcome grows with the number, and is larger for red."""
    served, rows, _ = inputs(trained)
    number, colour = importance.dependence(served, rows, ["number", "colour"])
    assert number.predictions[-1] > number.predictions[0] + 0.2
    assert colour.values == ("blue", "green", "red")
    assert colour.predictions[2] > max(colour.predictions[:2])
    by_hand = served(rows.assign(colour="red"))
    answers = by_hand.labels if by_hand.probabilities is None else by_hand.probabilities[:, -1]
    assert colour.predictions[2] == pytest.approx(answers.mean(), abs=1e-6)


def test_a_feature_without_a_value_has_no_dependence(binary: Trained) -> None:
    served, rows, _ = inputs(binary)
    assert [part.feature for part in importance.dependence(served, rows.assign(number=np.nan), list(rows))] == [
        "colour"
    ]


def pipeline(scale: object, last: object) -> Pipeline:
    encode = [("numbers", scale, ["number"]), ("categories", OneHotEncoder(sparse_output=False), ["colour"])]
    return Pipeline([("encode", ColumnTransformer(encode)), ("last", last)])


@pytest.mark.parametrize(
    "fitted",
    [
        pipeline("passthrough", HistGradientBoostingClassifier(max_iter=10)),
        pipeline(StandardScaler(), LogisticRegression()),
    ],
    ids=["trees", "linear"],
)
def test_shap_values_add_up_to_the_prediction(fitted: Pipeline, binary: Trained) -> None:
    _, rows, truth = inputs(binary)
    rows["number"] = rows["number"].fillna(0)
    fitted.fit(rows, truth)
    found = {part["feature"]: part for part in shapley.values(fitted, rows, 0)}
    assert set(found) == {"number", "colour"}
    few = rows.iloc[np.sort(np.random.default_rng(0).permutation(len(rows))[: shapley.ROWS])]
    assert found["colour"]["values"] == few["colour"].tolist()
    rest = fitted.decision_function(few) - np.sum([part["effects"] for part in found.values()], axis=0)
    assert np.ptp(rest) < 5e-3, "what is left is the mean prediction, alike for all rows"


def test_there_are_no_shap_values_where_no_exact_explainer_is_known(binary: Trained) -> None:
    _, rows, truth = inputs(binary)
    rows["number"] = rows["number"].fillna(0)
    neighbours = pipeline("passthrough", KNeighborsClassifier()).fit(rows, truth)
    assert shapley.values(neighbours, rows, 0) == []
    mixed = Pipeline([("mix", PCA()), ("last", LogisticRegression())]).fit(rows[["number"]], truth)
    assert shapley.values(mixed, rows[["number"]], 0) == []


@pytest.mark.parametrize("wrapped", [True, False])
def test_an_estimator_without_an_encoder_is_explained_by_its_features(wrapped: bool, binary: Trained) -> None:
    _, rows, truth = inputs(binary)
    boost = HistGradientBoostingClassifier(max_iter=2)
    alone = (Pipeline([("last", boost)]) if wrapped else boost).fit(rows[["number"]], truth)
    assert [part["feature"] for part in shapley.values(alone, rows[["number"]], 0)] == ["number"]
