import json
import math
from pathlib import Path
from typing import Any

import pytest
from conftest import Trained
from hypothesis import given, settings
from hypothesis import strategies as st

from model import InputError
from model.predictor import Predictor, RowError

GOOD: dict[str, Any] = {"number": 0.5, "colour": "red"}


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({**GOOD, "size": 1}, "Row 1 has the unknown column size; leave it out."),
        ({"number": 1}, "Row 1 lacks the column colour; give it a category."),
        ({**GOOD, "colour": None}, "Row 1 lacks the column colour"),
        ({**GOOD, "colour": 3}, "Row 1 has 3 in the column colour; give it a text."),
        ({**GOOD, "number": "3"}, 'Row 1 has "3" in the column number; give it a finite number.'),
        ({**GOOD, "number": True}, "Row 1 has true in the column number"),
        ({**GOOD, "number": [1]}, "Row 1 has [1] in the column number"),
        ({**GOOD, "number": math.inf}, "Row 1 has Infinity in the column number"),
        ({**GOOD, "number": math.nan}, "Row 1 has NaN in the column number"),
        ({**GOOD, "number": 1e39}, "Row 1 has 1e+39 in the column number"),
        ({**GOOD, "number": 10**400}, "in the column number; give it a finite number."),
        ({**GOOD, "moment": "yesterday"}, 'Row 1 has "yesterday" in the column moment; give it an ISO 8601 time.'),
        ({**GOOD, "moment": 3}, "Row 1 has 3 in the column moment"),
        ([1, 2], "Row 1 is not an object"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_with_its_place(row: Any, sentence: str, binary: Trained) -> None:
    with pytest.raises(RowError) as caught:
        Predictor(binary.build / "model").columns_of([GOOD, row])
    assert sentence in str(caught.value)


def test_what_may_be_missing_may_be_null_or_left_out_and_the_context_is_ignored(binary: Trained) -> None:
    predictor = Predictor(binary.build / "model")
    rows = [{"colour": "red"}, {"colour": "red", "number": None}, {"colour": "red", "moment": "2020-01-01"}]
    answers = predictor.answers(predictor.predict(predictor.columns_of(rows)))
    assert answers[0] == answers[1] == answers[2]
    assert sum(answers[0]["probabilities"].values()) == pytest.approx(1)


def test_an_unseen_category_is_answered(trained: Trained) -> None:
    predictor = Predictor(trained.build / "model")
    answer = predictor.answers(predictor.predict(predictor.columns_of([{**GOOD, "colour": "mauve"}])))[0]
    assert isinstance(answer["prediction"], float if trained.task == "regression" else str)


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers(), max_size=2)


@given(st.lists(st.dictionaries(st.sampled_from(["number", "colour", "moment", "other"]), VALUES) | VALUES, max_size=4))
@settings(max_examples=200)
def test_any_rows_are_answered_or_refused(binary_path: Path, rows: list[Any]) -> None:
    predictor = _loaded(binary_path)
    try:
        columns = predictor.columns_of(rows)
    except RowError as error:
        assert str(error).startswith("Row ")
        return
    if rows:
        answers = predictor.answers(predictor.predict(columns))
        assert all(0 <= p <= 1 for answer in answers for p in answer["probabilities"].values())


_CACHE: dict[Path, Predictor] = {}


def _loaded(path: Path) -> Predictor:
    if path not in _CACHE:
        _CACHE[path] = Predictor(path)
    return _CACHE[path]


@pytest.fixture(scope="module")
def binary_path(models: Any) -> Path:
    path: Path = models("binary_classification").build / "model"
    return path


def damaged(build: Path, name: str) -> Path:
    path = build / "model" / name
    path.write_bytes(path.read_bytes() + b" ")
    return build / "model"


@pytest.mark.parametrize("name", ["model.onnx", "MLmodel", "reference.parquet", "golden.json"])
def test_a_changed_file_is_refused(name: str, binary: Trained, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"damaged: {name} was changed"):
        Predictor(damaged(binary.copy(tmp_path), name))


def test_a_missing_file_and_a_folder_that_is_no_model_are_refused(binary: Trained, tmp_path: Path) -> None:
    model = binary.copy(tmp_path) / "model"
    (model / "model.onnx").unlink()
    with pytest.raises(InputError, match=r"damaged: model\.onnx is missing"):
        Predictor(model)
    with pytest.raises(InputError, match="is not a model directory"):
        Predictor(tmp_path)


def test_another_format_is_refused(binary: Trained, tmp_path: Path) -> None:
    from model import files

    model = binary.copy(tmp_path) / "model"
    path = model / "MLmodel"
    path.write_text(path.read_text().replace("format: 1", "format: 2"))
    files.seal(model)
    with pytest.raises(InputError, match="has format 2, this code reads 1"):
        Predictor(model)
    path.write_text("flavors: {}\n")
    files.seal(model)
    with pytest.raises(InputError, match="its MLmodel has no format"):
        Predictor(model)


def test_a_golden_row_that_comes_out_otherwise_is_refused(binary: Trained, tmp_path: Path) -> None:
    from model import files

    model = binary.copy(tmp_path) / "model"
    golden = json.loads((model / "golden.json").read_text())
    golden["answers"][1]["probabilities"]["yes"] += 0.01
    (model / "golden.json").write_text(json.dumps(golden))
    files.seal(model)
    with pytest.raises(InputError, match="to a golden row"):
        Predictor(model).check()


def test_the_hashes_are_those_that_sha256sum_checks(binary: Trained) -> None:
    import subprocess

    done = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=binary.build / "model", check=False)
    assert done.returncode == 0
