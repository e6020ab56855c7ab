"""How long the prediction log is kept, and what is foreseen of its disk."""

import json
import math
import multiprocessing
import re
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from served import Process, client
from test_serve import ROWS, URL
from tiny import Trained

from lifecycle.documents import log
from lifecycle.serving import retention, shipped
from lifecycle.serving.retention import Retention

NOW = datetime(2020, 6, 1, 12, 30, tzinfo=UTC)
LINES = b'{"request":"a","row":0}\n{"request":"a","row":1}\n'


def put(folder: Path, age: timedelta, name: str = "1-a", version: str = "version=1", lines: bytes = LINES) -> Path:
    """A file of the log that was begun so long before now; its first line differs from those of others."""
    path = folder / version / log.hour(NOW - age) / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(lines and f'{{"request":"{path}"}}\n'.encode() + lines)
    return path


def tell(folder: Path, *paths: Path, short: int = 0) -> None:
    """Let the shipper say that the store has these files, but for the last `short` bytes."""
    lines = [(path.read_bytes().splitlines(keepends=True)[0], path.stat().st_size - short) for path in paths]
    found = [
        {"fingerprint": {"first_lines_checksum": shipped.fingerprint(line)}, "position": end, "modified": "2020-06-01"}
        for line, end in lines
    ]
    (folder / log.POSITIONS).parent.mkdir(exist_ok=True)
    (folder / log.POSITIONS).write_text(json.dumps({"version": "1", "checkpoints": found}))


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A disk whose free bytes a test sets."""
    disk = SimpleNamespace(free=10 * retention.SHORT)
    monkeypatch.setattr("shutil.disk_usage", lambda _: disk)
    return disk


def test_hours_that_are_too_old_go_and_nothing_else(tmp_path: Path) -> None:
    old = [put(tmp_path, timedelta(days=91), version=place) for place in ("version=1", "version=2", "labels")]
    kept = [put(tmp_path, timedelta(days=days), version=place) for days in (0, 89) for place in ("version=1", "labels")]
    assert Retention(tmp_path, 90, ships=False).sweep(NOW) == 3
    assert sorted(tmp_path.rglob("*.jsonl")) == sorted(kept)
    assert not any(path.exists() for path in old)
    Retention(tmp_path, 90, ships=False).sweep(NOW)
    assert not old[0].parent.exists()
    Retention(tmp_path, 90, ships=False).sweep(NOW)
    assert not (tmp_path / "version=2").exists()


def test_the_present_hour_and_the_one_before_are_never_touched(tmp_path: Path, full: SimpleNamespace) -> None:
    paths = [put(tmp_path, timedelta(hours=age)) for age in (0, 1)] + [put(tmp_path, -timedelta(hours=1))]
    tell(tmp_path, *paths)
    full.free = 0
    assert Retention(tmp_path, 0, ships=True).sweep(NOW) == 0
    assert all(path.exists() for path in paths)


def test_what_should_be_shipped_and_is_not_stays_for_ever(tmp_path: Path, full: SimpleNamespace) -> None:
    path, other = put(tmp_path, timedelta(days=400)), put(tmp_path, timedelta(days=400), "1-b")
    full.free = 0
    own = Retention(tmp_path, 90, ships=True)
    assert own.sweep(NOW) == 0  # the shipper never ran
    (tmp_path / "shipping").mkdir()
    for text in ("", "{", "[]", '{"checkpoints": [{}]}', '{"version": "2", "positions": {}}'):
        (tmp_path / log.POSITIONS).write_text(text)
        assert own.sweep(NOW) == 0
    tell(tmp_path, path, short=1)
    assert own.sweep(NOW) == 0
    tell(tmp_path, path)
    assert own.sweep(NOW) == 1
    assert [path.exists(), other.exists()] == [False, True]


def test_what_is_shipped_goes_after_a_week_or_at_once_when_space_is_short(
    tmp_path: Path, full: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    ages = (timedelta(days=8), timedelta(days=3), timedelta(days=2), timedelta(hours=5))
    paths = [put(tmp_path, age) for age in ages]
    tell(tmp_path, *paths)
    own = Retention(tmp_path, 90, ships=True)
    own.sweep(NOW)
    assert [path.exists() for path in paths] == [False, True, True, True]
    full.free, unlink = retention.SHORT - 1, Path.unlink

    def freed(path: Path) -> None:
        unlink(path)
        full.free += 1

    monkeypatch.setattr(Path, "unlink", freed)
    own.sweep(NOW)
    assert [path.exists() for path in paths] == [False, False, True, True]  # no more than needed, the oldest first


def test_a_line_that_a_killed_process_left_waits_for_no_shipper(tmp_path: Path, full: SimpleNamespace) -> None:
    torn, empty = put(tmp_path, timedelta(days=100), "1-a"), put(tmp_path, timedelta(days=100), "1-b", lines=b"")
    tell(tmp_path, torn)
    torn.write_bytes(torn.read_bytes() + b'{"reque')
    begun = put(tmp_path, timedelta(days=100), "1-c")
    begun.write_bytes(b'{"reque')
    assert Retention(tmp_path, 90, ships=True).sweep(NOW) == 3
    assert not torn.exists()
    assert not empty.exists()


def test_a_file_is_known_by_what_vector_calls_it() -> None:
    """The check value of CRC-64/ECMA-182 in the catalogue of parametrised CRC algorithms."""
    assert shipped.fingerprint(b"123456789") == 0x6C40DF5F0B497347


def swept(folder: str) -> None:
    own = Retention(Path(folder), 90, ships=False)
    for _ in range(5):
        own.sweep(NOW)


def test_many_servers_delete_at_once_and_one_may_be_killed(tmp_path: Path) -> None:
    for day in range(91, 121):
        for name in range(20):
            put(tmp_path, timedelta(days=day), str(name))
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=swept, args=(str(tmp_path),)) for _ in range(4)]
    for process in processes:
        process.start()
    processes[0].kill()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes[1:]] == [0, 0, 0]
    assert list(tmp_path.rglob("*.jsonl")) == []


@pytest.fixture
def day(tmp_path: Path) -> tuple[Path, int]:
    """A log of the last day, and the bytes that came in an hour of it."""
    paths = [put(tmp_path, timedelta(hours=age), lines=b"x" * 3570 + b"\n") for age in range(2, 30)]
    return tmp_path, paths[0].stat().st_size


def test_it_is_foreseen_when_the_disk_will_be_full(day: tuple[Path, int], full: SimpleNamespace) -> None:
    folder, hour = day
    own = Retention(folder, 90, ships=False)
    assert math.isnan(own.full())  # nothing is known yet
    full.free = 10 * hour
    own.sweep(NOW)
    assert own.full() == pytest.approx(10 * 3600, rel=0.01)
    assert "enough for 90 days at up to" in own.said()
    assert "the disk is full in 10 hours" in own.said()
    full.free = 90 * 24 * hour
    own.sweep(NOW)
    assert own.full() == math.inf  # old hours go as new ones come
    assert "the disk will not be full" in own.said()


def test_a_shipper_that_keeps_pace_lets_no_disk_be_full(day: tuple[Path, int], full: SimpleNamespace) -> None:
    folder, hour = day
    own, paths = Retention(folder, 90, ships=True), sorted(folder.rglob("*.jsonl"))
    tell(folder, *paths)
    own.sweep(NOW)
    assert own.full() == math.inf
    tell(folder, *paths[:-2])
    full.free = 2 * retention.SHORT
    own.sweep(NOW)
    assert own.full() == pytest.approx((full.free + 26 * hour) / hour * 3600, rel=0.01)
    assert "wait to be shipped" in own.said()


@pytest.mark.parametrize(("failure", "ready"), [("refuse", 503), ("serve", 200)])
def test_a_service_that_will_refuse_is_not_ready_before(
    failure: str, ready: int, binary: Trained, tmp_path: Path, full: SimpleNamespace
) -> None:
    own = binary.settings.serve.log.model_copy(update={"failure": failure})
    service = client(binary, tmp_path, log=own)
    assert service.get("/health/status").status_code == 200
    full.free = 1_000_000
    found = service.get("/health/status")
    assert found.status_code == ready
    assert ("nearly full" in found.text) == (ready == 503)
    assert service.get("/health/ping").status_code == 200
    assert service.post(URL, json={"jsonData": ROWS}).status_code == 200
    assert "model_log_free_bytes 1e+06" in service.get("/metrics").text
    assert "model_log_full_seconds NaN" in service.get("/metrics").text


@pytest.mark.parametrize(("failure", "status"), [("refuse", 503), ("serve", 200)])
def test_a_folder_that_is_gone_is_counted_with_the_next_request(
    failure: str, status: int, binary: Trained, tmp_path: Path
) -> None:
    own = binary.settings.serve.log.model_copy(update={"failure": failure})
    service = client(binary, tmp_path / "log", log=own)
    service.post(URL, json={"jsonData": ROWS})
    shutil.rmtree(tmp_path / "log")
    assert service.post(URL, json={"jsonData": ROWS}).status_code == status
    assert "model_log_failures_total 1.0" in service.get("/metrics").text
    assert service.post(URL, json={"jsonData": ROWS}).status_code == 200
    assert len(list((tmp_path / "log").rglob("*.jsonl"))) == 1


@pytest.mark.parametrize(("failure", "status"), [("refuse", 503), ("serve", 200)])
def test_a_durable_answer_waits_for_the_disk(
    failure: str, status: int, binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = binary.settings.serve.log.model_copy(update={"failure": failure, "durable": True})
    service, synced = client(binary, tmp_path, log=own), []

    def sync(file: int) -> None:
        synced.append(file)

    def broken(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.fsync", sync)
    asked: list[tuple[str, Any]] = [(URL, {"jsonData": ROWS})]
    asked.append(
        ("/v2/models/tiny/infer", {"inputs": [{"name": "colour", "shape": [1], "datatype": "BYTES", "data": ["red"]}]})
    )
    asked.append(("/send-feedback", {"response": {"meta": {"puid": "a"}}, "truth": {"jsonData": ["yes"]}}))
    for url, body in asked:
        synced.clear()
        assert service.post(url, json=body).status_code == 200
        assert synced
    monkeypatch.setattr("os.fsync", broken)
    for url, body in asked:
        assert service.post(url, json=body).status_code == status
    text = service.get("/metrics").text
    assert "model_log_failures_total 3.0" in text
    assert ('model_refusals_total{reason="log"} 3.0' in text) == (status == 503)


def test_a_server_deletes_old_hours_by_itself(binary: Trained, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    old, late = (put(tmp_path / "predictions", NOW - now + timedelta(days=days)) for days in (91, 1))
    with Process(binary, tmp_path) as running:
        deadline = time.monotonic() + 20
        while old.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        while "model_log_full_seconds NaN" in running.get("/metrics") and time.monotonic() < deadline:
            time.sleep(0.05)
    assert late.exists()
    assert not old.exists()


def test_it_says_what_it_deleted_and_when_the_disk_is_full(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, timedelta(days=91))
    monkeypatch.setattr(retention, "utc_now", lambda: NOW)
    own = Retention(tmp_path, 90, ships=False)
    own.start()
    own.close()
    deleted, space = capsys.readouterr().out.splitlines()
    assert deleted == "serve: deleted 1 file of the log, which no one needs any more."
    assert re.fullmatch(r"serve: .*B are free for the log: enough for 90 days at up to .*B a second.*\.", space)


def test_what_goes_wrong_is_told_and_does_not_end_the_service(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Retention(tmp_path, 90, ships=False)
    monkeypatch.setattr(retention, "MINUTE", 0.01)
    monkeypatch.setattr(retention, "TURNS", 1)
    monkeypatch.setattr(own, "sweep", lambda _: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    own.start()
    time.sleep(0.1)
    own.close()
    told = capsys.readouterr().err.splitlines()
    assert len(told) > 1
    assert "old hours of the log cannot be deleted ([Errno 13] Permission denied); permit it." in told[0]
