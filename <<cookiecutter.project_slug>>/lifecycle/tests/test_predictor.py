import json
import math
from pathlib import Path
from typing import Any

import pytest
from tiny import Trained

from lifecycle import InputError, files
from lifecycle.artifact.predictor import Predictor
from lifecycle.artifact.requests import RequestError

GOOD: dict[str, Any] = {"number": 0.5, "colour": "red"}


def table(*rows: dict[str, Any]) -> dict[str, list[Any]]:
    return {name: [row.get(name) for row in rows] for name in dict.fromkeys(name for row in rows for name in row)}


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({**GOOD, "size": 1}, "The request has the unknown column size; leave it out."),
        (dict.fromkeys("abcdefgh", 1), "the unknown column a, b, c, d, e and others; leave it out."),
        ({**GOOD, "a\nb": 1}, 'the unknown column "a\\nb"; leave it out.'),
        ({"number": 1}, "Row 1 lacks the column colour; give it a string."),
        ({**GOOD, "colour": None}, "Row 1 lacks the column colour"),
        ({**GOOD, "colour": 3}, "Row 1 has 3 in the column colour; give it a string."),
        ({**GOOD, "number": "3"}, 'Row 1 has "3" in the column number; give it a finite number.'),
        ({**GOOD, "number": True}, "Row 1 has true in the column number"),
        ({**GOOD, "number": [1]}, "Row 1 has [1] in the column number"),
        ({**GOOD, "number": math.inf}, "Row 1 has Infinity in the column number"),
        ({**GOOD, "number": 1e39}, "Row 1 has 1e+39 in the column number"),
        ({**GOOD, "number": 10**400}, "in the column number; give it a finite number."),
        ({**GOOD, "moment": "yesterday"}, 'Row 1 has "yesterday" in the column moment; give it an ISO 8601 time.'),
        ({**GOOD, "moment": 3}, "Row 1 has 3 in the column moment"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_with_its_place(row: Any, sentence: str, binary: Trained) -> None:
    with pytest.raises(RequestError) as caught:
        Predictor(binary.build / "model").inputs(table(GOOD, row))
    assert sentence in str(caught.value)


def with_a_key(build: Path, name: str = "order") -> Path:
    """The model directory of a build folder, changed so that a column names the row."""
    path = build / "model" / "MLmodel"
    assert "  key: []\n" in path.read_text()
    path.write_text(path.read_text().replace("  key: []\n", f"  key: [{name}]\n"))
    files.seal(build / "model")
    return build / "model"


def test_a_key_is_a_text_or_a_number_as_the_log_must_hold_it(binary: Trained, tmp_path: Path) -> None:
    predictor = Predictor(with_a_key(binary.copy(tmp_path)))
    for good in ("a", 7, 0.5, None):
        assert len(predictor.inputs(table({**GOOD, "order": good}))) == 1
    wrong: list[tuple[Any, str]] = [([1], "[1]"), ({"a": 1}, '{"a": 1}')]
    for key, told in wrong:
        with pytest.raises(RequestError) as caught:
            predictor.inputs(table(GOOD, {**GOOD, "order": key}))
        assert str(caught.value) == f"Row 1 has {told} in the column order; give it a string or a number."


def test_a_number_that_is_needed_is_refused_when_it_is_missing(binary: Trained, tmp_path: Path) -> None:
    model = binary.copy(tmp_path) / "model"
    path = model / "MLmodel"
    assert '"number", "required": false' in path.read_text()
    path.write_text(path.read_text().replace('"number", "required": false', '"number", "required": true'))
    files.seal(model)
    for values in ([1, None], [1.0, math.nan]):
        with pytest.raises(RequestError, match="Row 1 .* the column number"):
            Predictor(model).inputs({"number": values, "colour": ["red", "red"]})


def test_what_may_be_missing_may_be_null_or_left_out_and_the_context_is_ignored(binary: Trained) -> None:
    predictor = Predictor(binary.build / "model")
    rows: list[dict[str, Any]] = [
        {"colour": "red"},
        {"colour": "red", "number": None},
        {"colour": "red", "moment": "2020-01-01"},
    ]
    found = [predictor.answers(predictor.predict(predictor.inputs(table(row))))[0] for row in rows]
    assert found[0] == found[1] == found[2]
    assert sum(found[0]["probabilities"].values()) == pytest.approx(1)


def test_an_unseen_category_is_answered_or_refused_as_configured(trained: Trained) -> None:
    row = table({**GOOD, "colour": "mauve"})
    predictor = Predictor(trained.build / "model")
    answer = predictor.answers(predictor.predict(predictor.inputs(row)))[0]
    assert isinstance(answer["prediction"], float if trained.task == "regression" else str)
    strict = Predictor(trained.build / "model", unknown_categories=False)
    strict.check()
    assert len(strict.inputs(table(GOOD))) == 1
    with pytest.raises(RequestError, match='Row 1 has "mauve" in the column colour, which was not seen in training'):
        strict.inputs(table(GOOD, {**GOOD, "colour": "mauve"}))


def test_many_rows_are_answered_as_each_alone(trained: Trained) -> None:
    predictor = Predictor(trained.build / "model")
    rows: list[dict[str, Any]] = [
        {"number": None if index % 7 == 0 else index / 10, "colour": "red"} for index in range(-30, 30)
    ]
    together = predictor.answers(predictor.predict(predictor.inputs(table(*rows))))
    assert together == [predictor.answers(predictor.predict(predictor.inputs(table(row))))[0] for row in rows]


def damaged(build: Path, name: str) -> Path:
    path = build / "model" / name
    path.write_bytes(path.read_bytes() + b" ")
    return build / "model"


@pytest.mark.parametrize(
    "name", ["model.onnx", "matrix.onnx", "matrix.json", "MLmodel", "reference.parquet", "golden.json"]
)
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
    model = binary.copy(tmp_path) / "model"
    path = model / "MLmodel"
    path.write_text(path.read_text().replace("format: 2", "format: 3"))
    files.seal(model)
    with pytest.raises(InputError, match="has format 3, but this code reads 2"):
        Predictor(model)
    path.write_text("flavors: {}\n")
    files.seal(model)
    with pytest.raises(InputError, match="its MLmodel has no format"):
        Predictor(model)


def test_a_golden_row_that_comes_out_otherwise_is_refused(binary: Trained, tmp_path: Path) -> None:
    model = binary.copy(tmp_path) / "model"
    golden = json.loads((model / "golden.json").read_text())
    golden["answers"][1]["probabilities"]["yes"] += 0.01
    (model / "golden.json").write_text(json.dumps(golden))
    files.seal(model)
    with pytest.raises(InputError, match="to a golden row"):
        Predictor(model).check()


def test_golden_rows_that_the_service_would_refuse_are_told(binary: Trained, tmp_path: Path) -> None:
    model = binary.copy(tmp_path) / "model"
    golden = json.loads((model / "golden.json").read_text())
    golden["rows"][1]["colour"] = "mauve"
    (model / "golden.json").write_text(json.dumps(golden))
    files.seal(model)
    with pytest.raises(InputError, match='refuses its golden rows: Row 1 has "mauve" in the column colour'):
        Predictor(model, unknown_categories=False).check()


def test_the_hashes_are_those_that_sha256sum_checks(binary: Trained) -> None:
    import subprocess

    done = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=binary.build / "model", check=False)
    assert done.returncode == 0
