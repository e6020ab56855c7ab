"""What the bench prints, and when it does not."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from figures import __main__ as bench
from figures import quiet

WORK = "import time\nend = time.process_time() + {}\nwhile time.process_time() < end: pass"


@pytest.mark.parametrize(("others", "code"), [(0.2, 0), (0.6, 1), (None, 0)])
def test_a_figure_of_a_busy_machine_is_not_printed(
    others: float | None, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "FIGURES", {"bakes": lambda runs: [("a bake", 1.5, "s", f"{runs} runs")]})
    monkeypatch.setattr(quiet.Watch, "others", lambda _: others)
    assert bench.main(["5", "bakes"]) == code
    out, err = capsys.readouterr()
    assert ("| a bake | 1.50 s | 5 runs |" in out) == (code == 0)
    assert ("0.20 |" in out) == (others == 0.2)
    assert ("Other processes used 0.6 processors while bakes was measured" in err) == (code == 1)


@pytest.mark.skipif(not quiet.STAT.is_file(), reason="no /proc/stat here")
def test_what_this_process_and_its_children_do_is_not_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's clock ticks a hundred times a second, so what is counted twice is off by a few of them."""
    monkeypatch.setattr(quiet, "busy", quiet.own)
    watch = quiet.Watch()
    subprocess.run([sys.executable, "-c", WORK.format(0.2)], check=True)
    exec(WORK.format(0.1), {})  # noqa: S102 - ours
    assert watch.others() == pytest.approx(0, abs=1e-6)
    start = time.monotonic()
    monkeypatch.setattr(quiet, "busy", lambda: quiet.own() + time.monotonic() - start)
    watch = quiet.Watch()
    time.sleep(0.05)
    assert watch.others() == pytest.approx(1, rel=0.2)


@pytest.mark.skipif(not quiet.STAT.is_file(), reason="no /proc/stat here")
def test_the_systems_count_grows_with_what_is_done() -> None:
    before = quiet.busy()
    subprocess.run([sys.executable, "-c", WORK.format(0.3)], check=True)
    after = quiet.busy()
    assert before is not None
    assert after is not None
    assert after - before > 0.25


def test_a_system_that_says_nothing_is_not_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet, "STAT", tmp_path / "stat")
    assert quiet.Watch().others() is None
    assert quiet.refusal("bakes", None) == ""


def test_an_unknown_figure_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["3", "speed"]) == 1
    assert capsys.readouterr().err.startswith("bench: unknown figures: speed; known: bakes, ")
