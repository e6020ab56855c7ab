"""How many threads training takes."""

import os
import time
from pathlib import Path

import pytest

from lifecycle import __main__ as command
from lifecycle.training import threads


@pytest.mark.parametrize(
    ("processors", "quota", "idle", "expected"),
    [
        (8, None, None, 8),
        (8, None, 8.0, 8),
        (8, "max 100000", 5.6, 6),
        (8, "250000 100000", 8.0, 2),
        (8, "50000 100000", 8.0, 1),
        (2, "not a quota", 0.0, 1),
    ],
)
def test_training_takes_the_processors_that_are_left(
    processors: int,
    quota: str | None,
    idle: float | None,
    expected: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stat = tmp_path / "stat"
    now = [0.0]

    def slept(seconds: float) -> None:
        now[0] += seconds
        if idle is not None:
            ticks = round(idle * seconds * os.sysconf("SC_CLK_TCK"))
            stat.write_text(f"cpu  9 9 9 {100 + ticks // 2} {ticks - ticks // 2} 9 9\n")

    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(processors)), raising=False)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", slept)
    if idle is not None:
        stat.write_text("cpu  9 9 9 100 0 9 9\n")
    if quota is not None:
        (tmp_path / "cpu.max").write_text(f"{quota}\n")
    assert threads.free(tmp_path / "cpu.max", stat) == expected


def test_a_number_that_is_given_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "free", lambda: 3)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert command.threaded() == "7"
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert command.threaded() == "3"
    assert os.environ.pop("OMP_NUM_THREADS") == "3"
