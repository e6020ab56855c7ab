"""Whatever scikit-learn, LightGBM or XGBoost offer is served as it answers; `docs/estimators.md` says how."""

import importlib
import importlib.util
import json
import re
import sys
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import tiny
from conftest import forget
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    RandomizedSearchCV,
    TimeSeriesSplit,
    TunedThresholdClassifierCV,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    SplineTransformer,
    StandardScaler,
)
from sklearn.preprocessing import TargetEncoder as ByTarget
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier
from steps import pipeline
from tiny import LOCK, Trained
from xgboost import XGBClassifier

from lifecycle import InputError
from lifecycle.artifact import directory, frames
from lifecycle.artifact.predictor import Predictor
from lifecycle.config import Config
from lifecycle.rows import data
from lifecycle.training import serveable, team, train

pytestmark = pytest.mark.filterwarnings("ignore")  # libraries' own

catboost: Any = importlib.import_module("catboost") if importlib.util.find_spec("catboost") else None
PAGE = tiny.ROOT / "docs/estimators.md"
ROW = re.compile(r"^\| ([^|]+) \| .*\n", re.MULTILINE)


def enc(numbers: Any = None, categories: Any = None) -> ColumnTransformer:
    """The number filled, the category one-hot encoded, unless told otherwise."""
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype="float32")
    return ColumnTransformer([("n", numbers or SimpleImputer(), ["number"]), ("c", categories or one_hot, ["colour"])])


def after(*steps: Any) -> Pipeline:
    return make_pipeline(enc(make_pipeline(SimpleImputer(), StandardScaler())), *steps)


ESTIMATORS: dict[str, Callable[[], Any]] = {
    "LogisticRegression": lambda: after(LogisticRegression()),
    "SGDClassifier": lambda: after(SGDClassifier(loss="log_loss", random_state=0)),
    "LinearDiscriminantAnalysis": lambda: after(LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1)),
    "GaussianNB": lambda: after(GaussianNB()),
    "SVC": lambda: after(SVC(probability=True, random_state=0)),
    "KNeighborsClassifier": lambda: after(KNeighborsClassifier()),
    "MLPClassifier": lambda: after(MLPClassifier((4,), max_iter=20, random_state=0)),
    "DecisionTreeClassifier": lambda: make_pipeline(enc(), DecisionTreeClassifier(max_depth=4)),
    "RandomForestClassifier": lambda: make_pipeline(enc(), RandomForestClassifier(10, max_depth=6, random_state=0)),
    "ExtraTreesClassifier": lambda: make_pipeline(enc(), ExtraTreesClassifier(10, max_depth=6, random_state=0)),
    "GradientBoostingClassifier": lambda: make_pipeline(enc(), GradientBoostingClassifier(n_estimators=10)),
    "HistGradientBoostingClassifier": lambda: make_pipeline(
        enc("passthrough"), HistGradientBoostingClassifier(max_iter=10)
    ),
    "the same with native categories": lambda: make_pipeline(
        enc("passthrough", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)),
        HistGradientBoostingClassifier(max_iter=10, categorical_features=[1]),
    ),
    "AdaBoostClassifier": lambda: after(AdaBoostClassifier(n_estimators=5, random_state=0)),
    "BaggingClassifier": lambda: after(BaggingClassifier(LogisticRegression(), n_estimators=5, random_state=0)),
    "CalibratedClassifierCV": lambda: after(CalibratedClassifierCV(LinearSVC(), cv=3)),
    "CalibratedClassifierCV around a pipeline": lambda: CalibratedClassifierCV(
        make_pipeline(enc(), RandomForestClassifier(5, max_depth=4, random_state=0)), method="isotonic", cv=3
    ),
    "StackingClassifier": lambda: after(
        StackingClassifier([("a", LogisticRegression()), ("b", DecisionTreeClassifier(max_depth=3))], cv=3)
    ),
    "VotingClassifier": lambda: after(
        VotingClassifier([("a", LogisticRegression()), ("b", GaussianNB())], voting="soft")
    ),
    "GridSearchCV": lambda: GridSearchCV(
        after(LogisticRegression()), {"logisticregression__C": [0.1, 1]}, cv=TimeSeriesSplit(3)
    ),
    "RandomizedSearchCV": lambda: RandomizedSearchCV(
        after(LogisticRegression()), {"logisticregression__C": [0.1, 1]}, n_iter=2, cv=TimeSeriesSplit(3)
    ),
    "TunedThresholdClassifierCV": lambda: TunedThresholdClassifierCV(after(LogisticRegression()), cv=0.3),
    "FixedThresholdClassifier": lambda: FixedThresholdClassifier(after(LogisticRegression()), threshold=0.3),
    "SelectKBest": lambda: after(SelectKBest(k=2), LogisticRegression()),
    "PCA": lambda: after(PCA(2), LogisticRegression()),
    "PolynomialFeatures": lambda: after(PolynomialFeatures(2), LogisticRegression()),
    "SplineTransformer": lambda: after(SplineTransformer(), LogisticRegression()),
    "TargetEncoder": lambda: make_pipeline(enc(categories=ByTarget(random_state=0)), LogisticRegression()),
    "TfidfVectorizer": lambda: make_pipeline(
        ColumnTransformer([("n", SimpleImputer(), ["number"]), ("t", TfidfVectorizer(), "colour")]),
        LogisticRegression(),
    ),
    "XGBClassifier": lambda: make_pipeline(enc("passthrough"), XGBClassifier(n_estimators=10)),
    "LGBMClassifier": lambda: make_pipeline(
        enc("passthrough"), lightgbm.sklearn.LGBMClassifier(n_estimators=10, verbose=-1)
    ),
    "CatBoostClassifier": lambda: make_pipeline(
        enc("passthrough"), catboost.CatBoostClassifier(iterations=10, verbose=0, allow_writing_files=False)
    ),
}
TRUSTED = {
    "XGBClassifier": ("xgboost.core.Booster", "xgboost.sklearn.XGBClassifier"),
    "LGBMClassifier": ("lightgbm.basic.Booster", "lightgbm.sklearn.LGBMClassifier"),
    "CatBoostClassifier": ("catboost.core.CatBoostClassifier",),
}
# NannyML holds LightGBM below 4.6, which does not work with this scikit-learn; no one here needs CatBoost. Both are
# tested in an environment that has them.
ABSENT = [
    name
    for name, there in {"LGBMClassifier": version("lightgbm") >= "4.6", "CatBoostClassifier": catboost}.items()
    if not there
]


@pytest.fixture(scope="module")
def table(binary: Trained) -> pd.DataFrame:
    return data.read(binary.build / "data/train.parquet", binary.settings)[0].head(600)


@pytest.fixture(scope="module")
def binary(models: Callable[[Any], Trained]) -> Trained:
    return models("binary_classification")


def trusting(settings: Config, *types: str) -> Config:
    return settings.model_copy(update={"train": settings.train.model_copy(update={"trusted": types})})


def served(
    make: Callable[[], Any], table: pd.DataFrame, settings: Config, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> serveable.Serveable:
    monkeypatch.setattr("model.estimator.estimator", lambda _: make())
    rows = train.inputs(table, settings)
    fitted = team.fit(rows, table[frames.LABEL], settings)
    threshold = team.threshold(fitted, settings)
    metadata = {
        "format": directory.FORMAT, "name": "tiny", "version": "1", "task": settings.task, "time": None, "key": [],
        "classes": list(settings.data.target.classes), "threshold": threshold, "data": {},
    }  # fmt: skip
    return serveable.choose(team.answering(fitted), table, rows, metadata, settings, folder)


def short(reason: str) -> str:
    """What a converter said, without the names of nodes and values that differ from run to run."""
    if "as onnx" in reason:
        return "it would answer otherwise" if "differ" in reason else "onnxruntime cannot run it"
    return "skl2onnx cannot convert it" if reason else ""


def some(names: Iterable[str]) -> list[Any]:
    """The names as parameters, of which those are skipped whose package is not there."""
    reason = "its package is not here, or too old"
    return [pytest.param(name, marks=pytest.mark.skipif(name in ABSENT, reason=reason)) for name in names]


@pytest.mark.parametrize("name", some(ESTIMATORS))
def test_it_is_served_as_it_answers(
    name: str,
    table: pd.DataFrame,
    binary: Trained,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    trusted = TRUSTED.get(name, ())
    found = served(ESTIMATORS[name], table, trusting(binary.settings, *trusted), tmp_path, monkeypatch)
    types = ", ".join(f"`{one}`" for one in trusted)
    as_said = {"onnx": "onnx, columns" if found.by_column else "onnx, a matrix"}.get(found.runtime, found.runtime)
    line = f"| {name} | {as_said} | {short(found.refused)} | {types} |\n"
    if request.config.getoption("--refresh"):
        _refreshed(name, line)
    assert line in PAGE.read_text()


def _refreshed(name: str, line: str) -> None:
    """Write the page with one line of its table made anew; the first two lines are its head."""
    text = PAGE.read_text()
    rows = [(row[1], row[0]) for row in ROW.finditer(text)]
    lines = dict(rows[2:]) | {name: line}
    known = "".join(row for _, row in rows)
    made = "".join(row for _, row in rows[:2]) + "".join(lines[one] for one in ESTIMATORS if one in lines)
    PAGE.write_text(text.replace(known, made))


def test_the_page_has_every_estimator_and_no_other() -> None:
    assert [row[1] for row in ROW.finditer(PAGE.read_text())][2:] == list(ESTIMATORS)


@pytest.mark.parametrize("name", some(TRUSTED))
def test_a_type_of_a_package_must_be_trusted_in_the_teams_file(
    name: str, table: pd.DataFrame, binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = re.escape(f"add `trusted: [{', '.join(TRUSTED[name])}]` there")
    with pytest.raises(InputError, match=f"{line}.* It is not served as ONNX, because skl2onnx cannot convert"):
        served(ESTIMATORS[name], table, binary.settings, tmp_path, monkeypatch)


def test_categories_of_the_boosting_beyond_255_never_reach_a_caller_wrong(
    table: pd.DataFrame, binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """skl2onnx converts native categories without a word into a graph that answers otherwise."""
    native = ESTIMATORS["the same with native categories"]
    found = served(native, table, binary.settings, tmp_path, monkeypatch)
    assert found.runtime == "skops"
    assert "as onnx it would differ from scikit-learn" in found.refused
    many = table.assign(colour=[f"colour {number % 300}" for number in range(len(table))])
    with pytest.raises(InputError, match="cardinality <= 255"):
        served(native, many, binary.settings, tmp_path, monkeypatch)


def test_a_dense_one_hot_of_thousands_of_categories_is_refused_before_it_takes_all_memory(
    table: pd.DataFrame, binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = pd.concat([table] * 3, ignore_index=True)
    many["colour"] = [f"colour {number % 1200}" for number in range(len(many))]
    monkeypatch.setattr(Pipeline, "fit", lambda *_: pytest.fail("it was fitted"))
    with pytest.raises(
        InputError, match=r"colour, which has 1,200 categories, in a dense table of 0\.0 GB; use .*Target"
    ):
        served(ESTIMATORS["LogisticRegression"], many, binary.settings, tmp_path, monkeypatch)


def test_a_tuned_threshold_decides_in_serving_and_is_said(
    binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.estimator.estimator", lambda _: ESTIMATORS["FixedThresholdClassifier"]())
    build = binary.copy(tmp_path)
    assert "; its own threshold is 0.3; MLflow run" in train.run(binary.settings, build, LOCK)
    reference = pd.read_parquet(build / "model/reference.parquet")
    assert (reference["prediction"] == (reference["probability_yes"] >= 0.3)).all()
    assert Predictor(build / "model").model.threshold == 0.3


@pytest.mark.parametrize("options", [{"response_method": "decision_function"}, {"pos_label": 0}])
def test_a_threshold_of_something_else_than_the_second_class_is_refused(
    options: dict[str, Any], table: pd.DataFrame, binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="leave out response_method and pos_label"):
        served(
            lambda: FixedThresholdClassifier(after(LogisticRegression()), threshold=0.3, **options),
            table,
            binary.settings,
            tmp_path,
            monkeypatch,
        )


def weighted(binary: Trained, folder: Path, weights: Any) -> Config:
    frame = tiny.rows().assign(heavy=weights)
    document = tiny.document(binary.task, folder / "heavy.parquet", tiny.save(frame, folder / "heavy.parquet"))
    document["data"]["weight"] = "heavy"
    return tiny.settings(document)


@pytest.mark.parametrize("make", [ESTIMATORS["HistGradientBoostingClassifier"], ESTIMATORS["GridSearchCV"]])
def test_rows_count_as_much_as_their_weight(
    make: Callable[[], Any], binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where red rows of one class count almost nothing, red is almost never that class."""
    monkeypatch.setattr("model.estimator.estimator", lambda _: make())
    frame = tiny.rows()
    settings = weighted(binary, tmp_path, np.where((frame["colour"] == "red") & (frame["outcome"] > 0), 0.01, 1.0))
    build = tmp_path / "build"
    data.run(settings, build)
    train.run(settings, build, LOCK)
    reference = pd.read_parquet(build / "model/reference.parquet")
    red = reference[reference["colour"] == "red"]
    assert red["prediction"].mean() < red["label"].mean() - 0.3


def test_weights_that_are_none_are_refused(binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = np.ones(tiny.ROWS)
    odd[:3] = -1, np.nan, np.inf
    with pytest.raises(InputError, match="The column heavy .* is not a finite number of at least 0 in 3 rows"):
        data.run(weighted(binary, tmp_path, odd), tmp_path / "build")
    with pytest.raises(InputError, match="is not a finite number of at least 0 in 4000 rows"):
        data.run(weighted(binary, tmp_path, "much"), tmp_path / "build")
    settings = weighted(binary, tmp_path, 1.0)
    data.run(settings, tmp_path / "build")
    monkeypatch.setattr("model.estimator.estimator", lambda _: after(KNeighborsClassifier()))
    with pytest.raises(InputError, match="a KNeighborsClassifier in model/estimator.py takes no sample_weight"):
        train.run(settings, tmp_path / "build", LOCK)


CLIP = '''"""A class of the team."""

from sklearn.base import BaseEstimator, TransformerMixin


class Clip(TransformerMixin, BaseEstimator):
    """Cuts numbers off at a limit."""

    def __init__(self, limit=1.0):
        self.limit = limit

    def fit(self, rows, label=None):
        self.n_features_in_ = rows.shape[1]
        return self

    def transform(self, rows):
        return rows.clip(-self.limit, self.limit)
'''


@pytest.fixture
def own(package: Path) -> Path:
    """A package with a class of its own."""
    (package / "estimator.py").write_text("def estimator(settings): ...\n")
    (package / "clip.py").write_text(CLIP)
    return package


def test_a_class_of_the_teams_own_travels_with_the_model_and_may_change_afterwards(
    own: Path, binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = importlib.import_module("model.clip").Clip
    numbers = make_pipeline(SimpleImputer(), clip(0.5))
    monkeypatch.setattr("model.estimator.estimator", lambda _: make_pipeline(enc(numbers), LogisticRegression()))
    build = binary.copy(tmp_path)
    assert "skops differs by at most 0" in train.run(binary.settings, build, LOCK)
    assert (build / "model/code/model/clip.py").read_text() == CLIP
    assert "model/clip.py" in (build / "model/SHA256SUMS").read_text()
    # The champion answers with its own code, whatever the repository says now.
    (own / "clip.py").write_text(CLIP.replace("rows.clip(-self.limit, self.limit)", "rows * 0"))
    forget()
    changed = importlib.import_module("model.clip")
    Predictor(build / "model").check()
    assert sys.modules["model.clip"] is changed
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path != str(own.parent)])
    forget()
    Predictor(build / "model").check()  # as in an image, which has no package `model` of its own


@pytest.mark.parametrize("name", ["TfidfVectorizer", "XGBClassifier", "StackingClassifier"])
def test_it_goes_all_the_way_to_a_report(
    name: str, binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.estimator.estimator", lambda _: ESTIMATORS[name]())
    settings = trusting(binary.settings, *TRUSTED.get(name, ()))
    decision = pipeline(settings, tmp_path / "build", binary.build / "model")
    assert decision.evaluation.champion
    assert set(decision.evaluation.importance) == {"number", "colour"}
    assert decision.evaluation.dependence
    told = json.loads((tmp_path / "build/model/parity.json").read_text())
    assert (told["runtime"] == "onnx") == (told["why"] == "")


def test_an_estimator_that_skops_cannot_hold_is_refused_in_a_sentence(
    table: pd.DataFrame, binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixed = make_pipeline(FunctionTransformer(lambda rows: rows), ESTIMATORS["LogisticRegression"]())
    with pytest.raises(InputError, match="The estimator holds|skops cannot save"):
        served(lambda: mixed, table, binary.settings, tmp_path, monkeypatch)
