import errno
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tiny import Trained

from lifecycle.artifact import directory
from lifecycle.serving import log

NOW = datetime(2020, 3, 1, 12, tzinfo=UTC)
COLUMNS: dict[str, list[Any]] = {
    "number": [0.5, None],
    "colour": ["red", "blue"],
    "moment": ["2020-02-29T10:00:00+00:00"] * 2,
}
ANSWERS = [{"prediction": "yes", "probabilities": {"no": 0.25, "yes": 0.75}}] * 2


@pytest.fixture
def model(binary: Trained) -> directory.Model:
    return directory.load(binary.build / "model")


def written(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.jsonl"), key=lambda path: path.stat().st_mtime_ns)


def test_each_row_is_one_line_with_its_features_and_its_answer(model: directory.Model, tmp_path: Path) -> None:
    own = log.predictions(tmp_path, model, 1000)
    own.append(log.lines("a", model, COLUMNS, ANSWERS, NOW, 10_000), NOW)
    own.close()
    (path,) = written(tmp_path)
    assert path.parent == tmp_path / f"version={model.version}" / "hour=2020-03-01T12"
    assert path.name.startswith(f"{os.getpid()}-")
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert found[1] == {
        "request": "a",
        "row": 1,
        "logged": "2020-03-01T12:00:00+00:00",
        "version": model.version,
        "context": {"moment": "2020-02-29T10:00:00+00:00"},
        "features": {"number": None, "colour": "blue"},
        "answer": ANSWERS[1],
    }


def test_an_hour_and_a_size_begin_a_new_file(tmp_path: Path) -> None:
    own = log.LogFile(tmp_path, 100)
    own.append(b"x" * 60 + b"\n", NOW)
    own.append(b"y" * 60 + b"\n", NOW)
    assert len(written(tmp_path)) == 1
    own.append(b"z\n", NOW)
    assert len(written(tmp_path)) == 2
    own.append(b"z\n", NOW.replace(hour=13))
    assert {path.parent.name for path in written(tmp_path)} == {"hour=2020-03-01T12", "hour=2020-03-01T13"}
    assert sum(path.stat().st_size for path in written(tmp_path)) == 61 + 61 + 2 + 2


@pytest.mark.parametrize("failure", ["part", "none"])
def test_after_a_disk_that_was_full_lines_begin_a_new_file(
    failure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, write = log.LogFile(tmp_path, 1000), os.write
    own.append(b"first\n", NOW)

    def full(file: int, content: Any) -> int:
        if failure == "none":
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, content[:3])

    with monkeypatch.context() as patch:
        patch.setattr("os.write", full)
        with pytest.raises(OSError, match="fit on the disk|No space left"):
            own.append(b"second\n", NOW)
    own.append(b"third\n", NOW)
    texts = {path.read_text() for path in written(tmp_path)}
    assert texts == {"first\nsec" if failure == "part" else "first\n", "third\n"}


def test_truths_are_lines_under_the_request(tmp_path: Path) -> None:
    own = log.labels(tmp_path, 1000)
    own.append(log.truths("a", ["yes", "no"], NOW), NOW)
    (path,) = written(tmp_path)
    assert path.parent == tmp_path / "labels" / "hour=2020-03-01T12"
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["request"], line["row"], line["label"]) for line in found] == [("a", 0, "yes"), ("a", 1, "no")]
