"""The demo on a machine with the packages, and its parts' behaviour on failure."""

import os
import re
import signal
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from browser import browser, sound
from conftest import IDENTITY, PROJECT, ROOT, run, unrendered

sys.path.insert(0, str(ROOT / "scripts/life"))
import console
import days
import story
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
        "6. Serve",
        "7. A byte",
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
    assert re.search(r"make monitor without labels +\S+ ALERT on 2\d,\d+ predictions, 0 of them labelled", said)
    assert re.search(r"Seen +estimated average precision fell .* alert \d+ days before the labels, which said", said)
    assert re.search(r"Not seen +realised F1 fell .* no alert until labels came on 2014-01-01, as the report had", said)
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
        (checkout / "demo" / link).exists() for link in re.findall(r'<a href="((?:reports|pull-requests)[^"#]+)', page)
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


OUT = {"estimated average_precision": 3, "realised average_precision": 4, "estimated f1": 9, "realised f1": 2}


def summary(begin: str, **places: int) -> dict[str, Any]:
    """Windows of a week from a day on; each series is out of bounds from a place on."""
    starts = [date.fromisoformat(begin) + timedelta(weeks=week) for week in range(9)]
    return {
        "rule": {"windows": 2, "of": 3},
        "windows": [
            {"kind": kind, "metric": metric, "reference": False, "end": f"{day}T12:00:00+00:00", "outside": place >= at}
            for (kind, metric), at in ((name.split(), at) for name, at in {**OUT, **places}.items())
            for place, day in enumerate(starts)
        ],
    }


@pytest.mark.parametrize(
    ("places", "warned", "lead"),
    [
        ({}, "", 11),  # the alert of 21 August, confirmed by the labels of 1 September
        ({}, "no better than a constant", None),
        ({"estimated average_precision": 9}, "", None),
        ({"realised average_precision": 9}, "", None),
        ({"realised average_precision": 0}, "", None),  # it fell before anything changed
        ({"estimated f1": 0}, "", None),
    ],
)
def test_a_drop_counts_as_seen_ahead_only_if_labels_confirm_it_later(
    places: dict[str, int], warned: str, lead: int | None
) -> None:
    assert story.ahead(summary("2013-07-24", **places), warned) == lead


@pytest.mark.parametrize(
    ("places", "warned", "day"),
    [
        ({}, "no better", "2014-01-01"),
        ({}, "", None),
        ({"estimated f1": 7}, "no better", None),
        ({"estimated average_precision": 7}, "no better", None),
        ({"realised f1": 9}, "no better", None),
        ({"realised f1": 0}, "no better", None),
    ],
)
def test_a_drop_counts_as_not_seen_only_if_the_report_warned_and_no_estimate_alerts(
    places: dict[str, int], warned: str, day: str | None
) -> None:
    assert story.unseen(summary("2013-11-20", **{"estimated average_precision": 9, **places}), warned) == day


def test_the_traffic_is_made_of_drawn_days_of_flights_little_late_and_of_deiced_ones() -> None:
    flights: list[days.Row] = [
        {
            **{"departed_at": f"2013-{day}T0{hour}:00:00+00:00", "day": day},
            **{"departure_delay": 20.0 * hour - 40, "arrival_delay": 7.0},
        }
        for day in ("07-30", "07-31", "08-01", "08-02", "12-01")
        for hour in range(9)
    ]
    found = story.requests(flights, 0)
    assert [row["departed_at"][:10] for row in found] == [row["departed_at"][:10] for row in flights]
    assert found == story.requests(flights, 0) != story.requests(flights, 1)
    assert any(row["day"] != str(row["departed_at"])[5:10] for row in found)
    assert found == sorted(found, key=lambda row: str(row["departed_at"]))
    asked = {row["departure_delay"] for row in found if row["departed_at"][:7] == "2013-08"}
    assert asked == {0.0, 20.0}
    assert {row["departed_at"][:7]: row["arrival_delay"] for row in found} == {
        **{"2013-07": 7.0, "2013-08": 7.0},
        "2013-12": 7.0 + days.DEICING,
    }
    assert [days.told(day) for day in ("2013-08-01", "2013-08-31", "2013-12-31T23:59:00")] == [
        *("2013-09-01", "2013-09-01", "2014-01-01")
    ]


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
