import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lifecycle import __main__ as command
from lifecycle.github import degraded

SUMMARY = {"alert": True, "raised": "2020-02-01T00:00:00Z", "version": "2020.01.01-aaaaaaa"}


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """What the monitor wrote when an alert held."""
    (tmp_path / "build/monitor").mkdir(parents=True)
    (tmp_path / "build/monitor/report.md").write_text("## It fell\n" + "x" * 90_000)
    (tmp_path / "build/monitor/summary.json").write_text(json.dumps(SUMMARY))
    return tmp_path / "build"


@pytest.fixture
def got(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, str, Any]]]:
    """What a GitHub on loopback is told; it knows one token."""
    told: list[tuple[str, str, Any]] = []

    class GitHub(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told.append((self.path, self.headers["Authorization"], body))
            self.send_response(204 if self.headers["Authorization"] == "Bearer right" else 403)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), GitHub) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("GITHUB_API_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("GITHUB_REPOSITORY", "acme/tiny")
        monkeypatch.setenv("GITHUB_TOKEN", "right\n")  # as a Secret has it that was made from a file
        yield told
        server.shutdown()


def told(build: Path) -> int:
    return command.main(["--build", str(build), "degraded", "--environment", "production"])


def test_an_alert_starts_the_retraining(
    build: Path, got: list[tuple[str, str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(build) == 0
    ((path, token, body),) = got
    assert (path, token, body["event_type"]) == ("/repos/acme/tiny/dispatches", "Bearer right", "degraded")
    assert body["client_payload"]["environment"] == "production"
    assert {body["client_payload"][name] for name in ("raised", "version")} == {SUMMARY["raised"], SUMMARY["version"]}
    assert len(json.dumps(body)) < 65_535
    assert "was sent to acme/tiny" in capsys.readouterr().out


@pytest.mark.parametrize("change", [{"alert": False}, {"raised": None}])
def test_without_an_alert_nothing_is_told(
    change: dict[str, Any], build: Path, got: list[tuple[str, str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    (build / "monitor/summary.json").write_text(json.dumps(SUMMARY | change))
    assert told(build) == 0
    assert got == []
    assert "no alert holds" in capsys.readouterr().out


def test_what_github_refuses_and_what_is_missing_is_told(
    build: Path,
    got: list[tuple[str, str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for token, sentence in (("wrong", "refused the alert with 403"), ("", "GITHUB_TOKEN is not set")):
        monkeypatch.setenv("GITHUB_TOKEN", token)
        assert told(build) == 1
        assert sentence in capsys.readouterr().err
    monkeypatch.setenv("GITHUB_TOKEN", "right")
    monkeypatch.setenv("GITHUB_API_URL", "http://127.0.0.1:1")
    assert told(build) == 1
    assert "cannot be reached" in capsys.readouterr().err


def test_it_waits_for_the_monitor_and_not_for_ever(build: Path, got: list[tuple[str, str, Any]]) -> None:
    path = build / "monitor/summary.json"
    text = path.read_text()
    path.unlink()
    assert "wrote no summary within 0.05 seconds" in degraded.run(build, "production", 0.05, pause=0.01)
    late = threading.Timer(0.1, path.write_text, [text])
    late.start()
    assert "was sent to" in degraded.run(build, "production", 10, pause=0.01)
    late.join()
    assert len(got) == 1
