"""What a person sees while a verb runs, in a terminal and in a log."""

import io
import json
import os
import pty
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tiny import ROOT

from lifecycle import InputError, progress
from lifecycle import __main__ as command
from lifecycle.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands until a test moves it."""
    now = [100.0]
    monkeypatch.setattr("lifecycle.progress.time.monotonic", lambda: now[0])
    return now


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {"SOON": 0.02, "LINES": 0.05, "DRAWN": 0.01}.items():
        monkeypatch.setattr(progress, name, seconds)


def test_the_last_time_says_how_far_it_is_and_how_long_it_will_take(clock: list[float]) -> None:
    one = Progress("train", {"at work": 2.0, "fitting": 6.0, "logging": 2.0})
    assert one.line() == "train: at work, 0 s so far"
    clock[0] += 4.0  # twice as slow as the last time
    one.begin("fitting")
    assert (one.done(), one.line()) == (2.0, "train: fitting, 4 s so far, about 16 s left")
    clock[0] += 4.0
    assert (one.done(), one.line()) == (6.0, "train: fitting, 8 s so far, about 5 s left")
    clock[0] += 100.0
    assert one.done() == 8.0, "a part that takes longer than the last time is not further than its end"
    one.begin("logging")
    one.begin("")
    assert one.spent == {"at work": 4.0, "fitting": 104.0, "logging": 0.0}


def test_what_has_never_run_here_has_no_time_left(clock: list[float]) -> None:
    one = Progress("evaluate", {})
    one.begin("measuring")
    clock[0] += 12.0
    assert one.line() == "evaluate: measuring, 12 s so far"


def test_a_log_gets_a_line_now_and_then_and_no_sign_of_a_terminal(quick: None, tmp_path: Path) -> None:
    out = io.StringIO()
    with progress.shown("train", tmp_path, out):
        progress.part("fitting")
        time.sleep(0.18)
    lines = out.getvalue().splitlines()
    assert 1 <= len(lines) <= 3
    assert lines[0] == "train: fitting, 0 s so far"
    assert "\r" not in out.getvalue()


def test_a_terminal_gets_a_bar_that_leaves_nothing(quick: None, tmp_path: Path) -> None:
    for known in (False, True):
        out = Terminal()
        with progress.shown("train", tmp_path, out):
            progress.part("fitting")
            time.sleep(0.15)
        assert "train: fitting" in out.getvalue()
        assert ("% |" in out.getvalue()) == known
        assert out.getvalue().rpartition("\r")[0].rpartition("\r")[2].strip() == ""
    assert set(json.loads((tmp_path / ".fresh/train.seconds.json").read_text())) == {"at work", "fitting"}


def test_a_verb_of_a_moment_shows_and_keeps_nothing(tmp_path: Path) -> None:
    for out in (io.StringIO(), Terminal()):
        with progress.shown("gate", tmp_path, out):
            progress.part("judging")
        assert out.getvalue() == ""
    assert list(tmp_path.iterdir()) == []


def test_what_fails_is_not_remembered_and_what_is_damaged_is_forgotten(quick: None, tmp_path: Path) -> None:
    kept = tmp_path / ".fresh/train.seconds.json"
    kept.parent.mkdir()
    kept.write_text('{"fitting": [1]}')

    def fails() -> None:
        with progress.shown("train", tmp_path, io.StringIO()):
            time.sleep(0.05)
            raise InputError("No.")

    with pytest.raises(InputError):
        fails()
    assert kept.read_text() == '{"fitting": [1]}'
    with progress.shown("train", tmp_path, io.StringIO()):
        time.sleep(0.05)
    assert set(json.loads(kept.read_text())) == {"at work"}
    progress.part("after the end")


def test_every_verb_is_shown_but_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    @contextmanager
    def shown(verb: str, _: Path) -> Iterator[None]:
        seen.append(verb)
        yield

    monkeypatch.setattr(progress, "shown", shown)
    for verb in ("serve", "monitor"):
        monkeypatch.setattr(command, f"_{verb}", lambda _: "")
        assert command.main(["--build", str(tmp_path), verb]) == 0
    assert seen == ["monitor"]


# Ten seconds are a moment here.
INSTALLING = (
    'sleep() { command sleep 0.03; }; . locks/shown.sh; shown "installing x" command sleep 0.2; '
    'echo "ended with $?, $quiet"'
)


def test_an_installation_gives_a_sign_of_life_in_a_log() -> None:
    done = subprocess.run(["sh", "-c", INSTALLING], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[:2] == ["installing x, 10 s so far", "installing x, 20 s so far"]
    assert done.stdout == "ended with 0, --quiet\n"
    failing = INSTALLING.replace("command sleep 0.2", "false")
    done = subprocess.run(["sh", "-c", failing], cwd=ROOT, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("ended with 1, --quiet\n", "")


def test_an_installation_leaves_a_terminal_to_the_installers_own_progress() -> None:
    ours, theirs = pty.openpty()
    done = subprocess.run(
        ["sh", "-c", INSTALLING], cwd=ROOT, stdout=subprocess.PIPE, stderr=theirs, text=True, check=True
    )
    os.close(theirs)
    assert done.stdout == "ended with 0, \n"
    written = b""
    with suppress(OSError):  # which Linux raises for a terminal that no one wrote to
        written = os.read(ours, 100)
    os.close(ours)
    assert written == b""


def test_nothing_goes_on_when_an_installation_was_killed() -> None:
    words = ["sh", "-c", INSTALLING]
    with subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True) as shell:
        assert shell.stderr
        assert "10 s so far" in shell.stderr.readline()
        shell.kill()
        shell.wait()
        try:
            shell.communicate(timeout=10)  # until no process of it can write
        finally:
            with suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
