import dataclasses
import errno
import json
import os
import shutil
import tempfile
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from tiny import Trained

from lifecycle.artifact import directory
from lifecycle.serving import log, writer

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
    own.append(log.lines("a", model, COLUMNS, [orjson.dumps(one) for one in ANSWERS], NOW, 10_000), NOW)
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


def test_a_text_may_have_a_comma_and_a_name_the_signs_of_a_form(model: directory.Model, tmp_path: Path) -> None:
    odd = ['a, "b"}', "},{", "ü %b", "line\nbreak", "]"]
    one = directory.Column("50% off", "number", missing=True)
    other = dataclasses.replace(model, columns=(*model.columns, one))
    numbers = [1, None, 2.5, 1e300, -0.0]
    columns: dict[str, list[Any]] = {"number": [0.5] * 5, "colour": odd, "50% off": numbers}
    answers = [b'{"prediction":"a, b"}'] * 5
    found = [json.loads(line) for line in log.lines("x,%b", other, columns, answers, NOW, 10_000).splitlines()]
    assert [record["features"] for record in found] == [
        {"number": 0.5, "colour": text, "50% off": number} for text, number in zip(odd, numbers, strict=True)
    ]
    assert {record["request"] for record in found} == {"x,%b"}


def test_an_hour_and_a_size_begin_a_new_file(tmp_path: Path) -> None:
    own = writer.LogFile(tmp_path, 100)
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
    own, write = writer.LogFile(tmp_path, 1000), os.write
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


def gone(folder: Path, way: str) -> None:
    """Take a log's folder away from whoever writes it."""
    if way == "moved":
        folder.rename(folder.with_name("elsewhere"))
    elif way == "replaced":
        (path,) = written(folder)
        path.rename(path.with_suffix(".old"))
        path.write_bytes(b"")
    else:
        shutil.rmtree(folder)


@pytest.mark.parametrize("way", ["removed", "moved", "replaced"])
def test_lines_that_do_not_arrive_are_noticed_at_once(way: str, tmp_path: Path) -> None:
    own = writer.LogFile(tmp_path / "log" / "version=1", 1000)
    own.append(b"first\n", NOW)
    gone(tmp_path / "log", way)
    with pytest.raises(OSError, match="is gone"):
        own.append(b"second\n", NOW)
    own.append(b"third\n", NOW)
    assert written(tmp_path / "log")[-1].read_text() == "third\n"


def test_no_line_goes_to_a_disk_that_took_the_place_of_the_logs_own(tmp_path: Path) -> None:
    other = Path("/dev/shm")  # noqa: S108 - a disk of its own
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second disk")
    (tmp_path / "mine").mkdir()
    (tmp_path / "log").symlink_to(tmp_path / "mine")
    own = writer.LogFile(tmp_path / "log" / "version=1", 1000)
    own.append(b"first\n", NOW)
    with tempfile.TemporaryDirectory(dir=other) as folder:
        (tmp_path / "log").unlink()
        (tmp_path / "log").symlink_to(folder)
        for reason in ("is gone", "another disk", "another disk"):
            with pytest.raises(OSError, match=reason):
                own.append(b"lost\n", NOW)
        assert list(Path(folder).iterdir()) == []
    (tmp_path / "log").unlink()
    (tmp_path / "log").symlink_to(tmp_path / "mine")
    own.append(b"back\n", NOW)


def test_many_that_wait_for_the_disk_share_its_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, commit, sync = writer.LogFile(tmp_path / "log", 10**6, durable=True), writer.Together(), os.fsync
    own.append(b"", NOW)
    count, slow = 0, threading.Event()

    def counted(file: int) -> None:
        nonlocal count
        count += 1
        slow.wait(10)
        sync(file)

    monkeypatch.setattr("os.fsync", counted)
    futures = []
    for place in range(50):
        own.append(f"{place}\n".encode(), NOW)
        futures.append(commit.wait(own))
    slow.set()
    assert [future.result(10) for future in futures] == [None] * 50
    assert count <= 3
    commit.close()
    own.close()


def test_what_a_file_had_before_the_next_is_on_the_disk_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, sync, synced = writer.LogFile(tmp_path / "log", 1, durable=True), os.fsync, set()

    def noted(file: int) -> None:
        synced.add(os.stat(file).st_ino)
        sync(file)

    monkeypatch.setattr("os.fsync", noted)
    own.append(b"first\n", NOW)
    own.append(b"second\n", NOW)
    own.sync()
    assert {path.stat().st_ino for path in [*written(tmp_path), tmp_path / "log", tmp_path]} <= synced
    own.close()


def test_a_disk_that_refuses_is_told_to_whoever_waits_and_its_file_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, commit = writer.LogFile(tmp_path / "log", 1000, durable=True), writer.Together()
    own.append(b"first\n", NOW)
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(errno.EIO, "Input/output error")))
        found = commit.wait(own).result(10)
    assert found is not None
    assert found.errno == errno.EIO
    own.append(b"second\n", NOW)
    assert commit.wait(own).result(10) is None
    assert len(written(tmp_path)) == 2
    commit.close()
    own.close()


def test_truths_are_lines_under_the_request(tmp_path: Path) -> None:
    own = log.labels(tmp_path, 1000)
    own.append(log.truths("a", ["yes", "no"], NOW), NOW)
    (path,) = written(tmp_path)
    assert path.parent == tmp_path / "labels" / "hour=2020-03-01T12"
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["request"], line["row"], line["label"]) for line in found] == [("a", 0, "yes"), ("a", 1, "no")]
