import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from tiny import LOCK, Trained

from lifecycle import InputError, config
from lifecycle import __main__ as command
from lifecycle.artifact import frames, runtimes
from lifecycle.rows import data
from lifecycle.training import explanation, team, train


class Answers(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier that answers what it is told to, for n rows."""

    def __init__(self, answers: Callable[[Any], Any]) -> None:
        self.answers = answers

    def fit(self, rows: pd.DataFrame, label: pd.Series) -> "Answers":
        self.classes_ = np.unique(label)
        return self

    def predict(self, rows: pd.DataFrame) -> Any:
        return self.predict_proba(rows)

    def predict_proba(self, rows: pd.DataFrame) -> Any:
        return self.answers(len(rows))


class Forgetful(Answers):
    def fit(self, rows: pd.DataFrame, label: pd.Series) -> None:  # type: ignore[override]
        pass


class Asking(Answers):
    """A classifier that reads a column in a way of its own."""

    def fit(self, rows: pd.DataFrame, label: pd.Series) -> "Asking":
        self.answers(rows)
        return self


class Warning_(Answers):  # noqa: N801 - a Warning is another thing
    def fit(self, rows: pd.DataFrame, label: pd.Series) -> "Warning_":
        for _ in range(2):
            warnings.warn("not converged", ConvergenceWarning, stacklevel=1)
        warnings.warn("will change", FutureWarning, stacklevel=1)
        return self


class Zeros(BaseEstimator):  # type: ignore[misc]
    def fit(self, rows: pd.DataFrame, label: object = None) -> "Zeros":
        return self

    def transform(self, rows: pd.DataFrame) -> Any:
        return rows.fillna(0)


def half(rows: int) -> Any:
    return np.full((rows, 2), 0.5)


def some(values: Any) -> Callable[[int], Any]:
    return lambda rows: np.full((rows, 2), 0.5) * values


def raises(_: config.Config) -> Any:
    raise ValueError("depth is\nnot known.")


def fitted(binary: Trained, estimator: object, monkeypatch: pytest.MonkeyPatch) -> Any:
    rows, _ = data.read(binary.build / "data/train.parquet", binary.settings)
    monkeypatch.setattr("model.estimator.estimator", estimator)
    return team.fit(train.inputs(rows, binary.settings), rows[frames.LABEL], binary.settings)


def returns(found: object) -> Callable[[config.Config], object]:
    return lambda _: found


ABSENT = "use only the columns that data.features in config.yaml names (colour, number)."


@pytest.mark.parametrize(
    ("estimator", "sentence"),
    [
        (None, "has no function estimator(settings); define one"),
        (returns(None), "returns None, which has no fit; return a scikit-learn estimator"),
        (returns({"a": 1}), "returns a dict, which has no fit"),
        (returns(LogisticRegression), "returns the class LogisticRegression; return LogisticRegression(...)"),
        (returns(Zeros()), "a Zeros, has no predict; use a classifier or a regressor."),
        (raises, "fails (ValueError: depth is not known); correct it, or train.parameters in config.yaml"),
        (lambda: None, "fails (TypeError: <lambda>() takes 0 positional arguments but 1 was given)"),
        (lambda _: sys.exit(3), "fails (SystemExit: 3)"),
        (returns(RidgeClassifier()), "cannot be fitted (ValueError: could not convert string to float: "),
        (returns(make_pipeline(ColumnTransformer([("n", "passthrough", ["age"])]), LinearRegression())), ABSENT),
        (returns(Asking(lambda rows: rows["age"])), f"cannot be fitted (KeyError: 'age'); {ABSENT}"),
        (returns(Asking(lambda rows: rows[["age", "number"]])), ABSENT),
        (returns(Asking(lambda rows: rows[["age"]])), ABSENT),
        (returns(Asking(lambda rows: rows.age)), ABSENT),
        (returns(Asking(lambda rows: rows.drop(columns="age"))), ABSENT),
        (returns(Forgetful(half)), "returns None from fit; let its fit return self"),
        (
            returns(make_pipeline(ColumnTransformer([("n", "drop", ["number"])], remainder="drop"), Answers(half))),
            "",
        ),
        (
            returns(Answers(lambda rows: np.full((rows, 3), 0.3))),
            "with the shape (1000, 3), not (1000, 2); let it give",
        ),
        (returns(Answers(lambda rows: [half(rows)])), "with the shape (1, 1000, 2), not (1000, 2)"),
        (returns(Answers(some([np.nan, 1]))), "answers 1000 of 1000 rows with NaN or infinity; correct it"),
        (returns(Answers(some([np.inf, 1]))), "rows with NaN or infinity"),
        (
            returns(Answers(lambda _: "yes")),
            "cannot answer the rows that it was fitted on (ValueError: could not convert",
        ),
        (
            returns(Answers(lambda _: 1 / 0)),
            "cannot answer the rows that it was fitted on (ZeroDivisionError: division",
        ),
    ],
)
def test_an_estimator_that_cannot_be_used_is_refused_in_a_sentence(
    estimator: object, sentence: str, binary: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not sentence:
        assert fitted(binary, estimator, monkeypatch)
        return
    with pytest.raises(InputError, match=re.escape(sentence)) as caught:
        fitted(binary, estimator, monkeypatch)
    assert "model/estimator.py" in str(caught.value)
    assert str(caught.value).endswith(".")


def test_a_classifier_without_probabilities_is_refused(binary: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    ridge = make_pipeline(ColumnTransformer([("n", Zeros(), ["number"])]), RidgeClassifier())
    with pytest.raises(
        InputError, match="a Pipeline, has no predict_proba, which binary_classification needs; use one"
    ):
        fitted(binary, returns(ridge), monkeypatch)


def test_a_regressor_that_gives_two_numbers_is_refused(
    models: Callable[[str], Trained], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=re.escape("shape (1000, 2), not (1000,); let it give one number a row")):
        fitted(models("regression"), returns(Answers(half)), monkeypatch)


def test_what_libraries_warn_of_is_a_line_and_no_error(
    binary: Trained, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fitted(binary, returns(Warning_(half)), monkeypatch)
    assert capsys.readouterr().err == "model/estimator.py warns: ConvergenceWarning: not converged (2 times)\n"


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("def estimator(:\n", "cannot be imported (SyntaxError: invalid syntax (estimator.py, line 1)); correct it"),
        (
            "import absent_package\n",
            "(ModuleNotFoundError: No module named 'absent_package' in line 1 of model/estimator.py)",
        ),
        ("\n1 / 0\n", "(ZeroDivisionError: division by zero in line 2 of model/estimator.py)"),
        ("raise SystemExit('no')\n", "(SystemExit: no in line 1 of model/estimator.py)"),
        (
            "def estimator(settings):\n    return settings.absent\n",
            "in line 2 of model/estimator.py); correct it, or train",
        ),
        (None, "cannot be imported (ImportError: cannot import name 'estimator' from 'model'"),
    ],
)
def test_a_file_that_python_refuses_is_named_with_its_line_on_the_command_line(
    source: str | None,
    sentence: str,
    binary: Trained,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    build = binary.copy(tmp_path)
    (tmp_path / "model").mkdir()
    (tmp_path / "model/__init__.py").write_text("")
    if source is not None:
        (tmp_path / "model/estimator.py").write_text(source)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(binary.document))
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "model"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(command, "LOCKS", (LOCK,))
    assert command.main(["--config", str(tmp_path / "config.yaml"), "--build", str(build), "train"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("train: ")
    assert sentence in told
    assert told.count("\n") == 1
    for name in [name for name in sys.modules if name.partition(".")[0] == "model"]:
        del sys.modules[name]


def test_a_graph_that_onnxruntime_cannot_run_is_served_with_skops(
    binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> Any:
        raise RuntimeError("Non-zero status code returned while running OneHotEncoder node.")

    monkeypatch.setitem(runtimes.RUNTIMES, "onnx", lambda *_: broken)
    said = train.run(binary.settings, binary.copy(tmp_path), LOCK)
    assert "skops differs by at most 0 (as onnx it fails: RuntimeError: Non-zero status code" in said


def test_an_estimator_without_a_known_explainer_has_no_explanation(binary: Trained) -> None:
    rows = pd.DataFrame({"number": [0.0, 1.0] * 10, "colour": ["red", "blue"] * 10})
    bare = Answers(half).fit(rows, rows["number"])
    assert explanation.values(bare, rows, 0) == []
    by_place = make_pipeline(ColumnTransformer([("n", "passthrough", [0])]), LogisticRegression())
    assert explanation.values(by_place.fit(rows, rows["number"]), rows, 0) == []
