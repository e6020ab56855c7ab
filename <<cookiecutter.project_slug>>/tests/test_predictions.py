import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import Trained

from model import directory, predictions

NOW = datetime(2020, 3, 1, 12, tzinfo=UTC)
ROW = {"number": 0.5, "colour": "red", "moment": "2020-02-29T10:00:00+00:00"}
ANSWER = {"prediction": "yes", "probabilities": {"no": 0.25, "yes": 0.75}}


@pytest.fixture
def model(binary: Trained) -> directory.Model:
    return directory.load(binary.build / "model")


def logged(model: directory.Model, request: str, count: int = 1) -> bytes:
    return predictions.lines(request, model, [ROW] * count, [ANSWER] * count, NOW)


def test_each_row_is_one_line_with_its_features_and_its_answer(model: directory.Model, tmp_path: Path) -> None:
    log = predictions.Log(tmp_path)
    log.append(logged(model, "a", 2), NOW)
    log.append(logged(model, "b"), NOW)
    log.close()
    (path,) = tmp_path.iterdir()
    assert path.name.startswith("2020-03-01T12-")
    found = predictions.read(tmp_path, model.version)
    assert list(zip(found["request"], found["row"], strict=True)) == [("a", 0), ("a", 1), ("b", 0)]
    assert json.loads(found["context"][0]) == {"moment": "2020-02-29T10:00:00+00:00"}
    assert json.loads(found["features"][0]) == {"number": 0.5, "colour": "red"}
    assert json.loads(found["answer"][0]) == ANSWER


def test_every_hour_has_a_file(model: directory.Model, tmp_path: Path) -> None:
    log = predictions.Log(tmp_path)
    log.append(logged(model, "a"), NOW)
    log.append(logged(model, "b"), NOW.replace(hour=13))
    assert len(list(tmp_path.iterdir())) == 2
    assert len(predictions.read(tmp_path, model.version)) == 2


def test_a_torn_line_is_skipped_and_a_repeated_row_counts_once(model: directory.Model, tmp_path: Path) -> None:
    whole = logged(model, "a", 3)
    (tmp_path / "one.jsonl").write_bytes(whole + logged(model, "torn")[:40])
    (tmp_path / "two.jsonl").write_bytes(whole)
    assert predictions.read(tmp_path, model.version)["row"].tolist() == [0, 1, 2]


def test_rows_of_another_version_are_left_out(model: directory.Model, tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_bytes(logged(model, "a"))
    assert predictions.read(tmp_path, "another").empty
    assert predictions.read(tmp_path / "empty", model.version).empty


def test_a_disk_that_takes_only_a_part_is_an_error(
    model: directory.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = predictions.Log(tmp_path)

    def part(_: int, content: Any) -> int:
        return len(content) - 1

    monkeypatch.setattr("os.write", part)
    with pytest.raises(OSError, match="bytes fit on the disk"):
        log.append(logged(model, "a"), NOW)
