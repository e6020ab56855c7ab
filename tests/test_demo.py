"""The demo on a machine with the packages, and its parts' behaviour on failure."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from browser import browser, sound
from conftest import IDENTITY, PROJECT, ROOT, run, unrendered

sys.path.insert(0, str(ROOT / "scripts/life"))
import console
import traffic


def test_the_demo_plays_the_whole_life_and_leaves_nothing_elsewhere(checkout: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    unrendered("train", "serve", "monitor")
    (checkout / ".tools").symlink_to(ROOT / ".tools")
    before = {path.name for path in checkout.iterdir()}
    environment = {
        "HOME": str(home),
        "PYENV_ROOT": os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv")),
        "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(ROOT / ".tools/cache")),
        "GIT_CONFIG_COUNT": "0",
    }
    said = run(["scripts/demo"], checkout, **environment)

    for act in (
        "Create a model repository",
        "1. Train",
        "2. Serve",
        "3. Monitor",
        "4. Block",
        "5. Retrain",
        "6. A byte",
    ):
        assert act in said
    verbs = re.findall(r"^ +[0-9.]+ s  make ([a-z]+)", said, flags=re.M)
    assert verbs.count("gate") == 3
    assert set(verbs) == {
        *("data", "train", "evaluate", "gate", "report", "register"),
        *("release", "promote", "rollback", "serve", "monitor"),
    }
    assert re.search(
        r"make gate +stopped, as it must: \S+ is refused by 2 gates: ROC AUC fell .+, allowed 0.01; F1 fell", said
    )
    assert len(re.findall(r"make register +\S+ is version [12] of flight-delay in the registry", said)) == 2
    assert re.search(r"make register +\S+ is not registered, because it was refused", said)
    assert re.search(r"make monitor without labels +\S+ ALERT on 30,\d+ predictions, 0 of them labelled", said)
    assert "the same bytes as before the second release" in said
    damaged = "The model directory build/model is damaged: model.onnx was changed"
    assert f"byte for byte, since {damaged}" in said
    assert re.search(r"Total: \d+ s. The page with plots: .*/demo/index.html", said)

    assert (checkout / PROJECT / ".venv").is_symlink()
    if browser():
        sound(checkout / "demo/index.html", "demo")
    page = (checkout / "demo/index.html").read_text()
    assert page.count('class="plotly-graph-div"') == 4
    assert all(
        (checkout / "demo" / link).exists() for link in re.findall(r'<a href="((?:reports|pull-requests)[^"]+)"', page)
    )
    assert len(list((checkout / "demo/pull-requests").glob("*.md"))) == 9
    shown = (checkout / "demo/pull-requests/index.html").read_text()
    assert shown.count('<article class="pull"') == 9
    assert re.findall(r"checks are red</span>\s*<code>(.*?)</code>", shown) == ["train-faster"]
    assert re.search(r"<p><code>[\w.-]+</code> failed in <code>production</code>", shown)
    assert damaged in shown
    assert list(home.iterdir()) == []
    assert {path.name for path in checkout.iterdir()} - before == {"demo"}
    assert str(checkout) not in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout


def test_a_command_that_does_not_end_as_expected_fails_with_what_it_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(console.Failed, match="ended with 3 in .*:\nwhy"):
        console.run("step", ["sh", "-c", "echo why; exit 3"], tmp_path)
    with pytest.raises(console.Failed, match="ended with 0"):
        console.run("step", ["true"], tmp_path, fails=True)
    console.run("step", ["sh", "-c", "echo gate: refused; exit 1"], tmp_path, fails=True)
    console.run("step", ["sh", "-c", "echo 'monitor: ALERT'; echo '  A warning.'; echo 'x, 10 s so far'"], tmp_path)
    said = capsys.readouterr().out
    assert "stopped, as it must: refused" in said
    assert re.search(r"step +ALERT\n", said)


def test_long_work_gives_a_sign_of_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(console, "QUIET_SECONDS", 0.1)
    console.run("slow", ["sh", "-c", "sleep 0.4; echo done: well"], tmp_path)
    said = capsys.readouterr().out
    assert "slow, 0 s so far" in said
    assert re.search(r"0\.\d s  slow +well", said)


TWO = """
import signal, sys, pathlib
from concurrent.futures import ThreadPoolExecutor
import console
signal.signal(signal.SIGINT, console.interrupted)
with ThreadPoolExecutor() as pool:
    other = pool.submit(console.run, "one", ["sleep", sys.argv[1]], pathlib.Path("."))
    console.run("two", ["sleep", sys.argv[1]], pathlib.Path("."))
"""


def test_an_interruption_ends_what_runs_in_every_thread_at_once_and_a_second_one_leaves_nothing(tmp_path: Path) -> None:
    seconds = f"60.{os.getpid()}"  # which tells these from all other processes

    def running() -> int:
        listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
        return listed.splitlines().count(f"sleep {seconds}")

    environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts/life")}
    demo = subprocess.Popen([sys.executable, "-c", TWO, seconds], env=environment, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while running() < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    begin = time.monotonic()
    demo.send_signal(signal.SIGINT)
    demo.send_signal(signal.SIGINT)
    demo.communicate(timeout=30)
    assert time.monotonic() - begin < 8
    assert demo.returncode
    assert running() == 0


SERVER = """serve:
\tpython -c 'import http.server, os; h = http.server.SimpleHTTPRequestHandler; \\
\t  h.do_GET = lambda s: (s.send_response(200), s.end_headers()); \\
\t  http.server.HTTPServer(("127.0.0.1", int(os.environ["PREDICTIVE_UNIT_HTTP_SERVICE_PORT"])), h).serve_forever()'
"""


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, console.Failed, SystemExit])
def test_the_service_is_stopped_however_the_demo_ends(interruption: type[BaseException], tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text(SERVER)
    with (
        pytest.raises(interruption),
        traffic.service(tmp_path, tmp_path, tmp_path, dict(os.environ)) as port,
    ):
        assert traffic._ready(port)
        raise interruption
    deadline = time.monotonic() + 5
    while traffic._ready(port) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not traffic._ready(port)


def test_a_service_that_does_not_start_fails_with_what_it_said(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("serve:\n\t@echo no model >&2; exit 1\n")
    with (
        pytest.raises(console.Failed, match="did not start: no model"),
        traffic.service(tmp_path, tmp_path, tmp_path, dict(os.environ)),
    ):
        pass


def test_a_missing_tool_is_named_in_one_sentence(tmp_path: Path) -> None:
    for tool in ("dirname", "git", "python3"):
        (tmp_path / tool).symlink_to(f"/usr/bin/{tool}")
    done = subprocess.run(
        ["/bin/sh", str(ROOT / "scripts/install")],
        env={**IDENTITY, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "install: make is not installed; install it with your system's packages, then try again.\n"
