import http.server
import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lifecycle import InputError
from lifecycle import __main__ as command
from lifecycle.github import degraded

SUMMARY = {"alert": True, "raised": "2020-02-01T00:00:00Z", "since": "2020-01-29", "version": "2020.01.01-aaaaaaa"}
HELD = {"kind": "estimated", "metric": "f1", "column": None, "holds": True}
QUIET = SUMMARY | {"alert": False, "raised": None}


@dataclass
class GitHub:
    """What a GitHub on loopback is asked, and what it answers next; it knows one token."""

    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    next: list[tuple[int, dict[str, str]]] = field(default_factory=list)


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """What the monitor wrote when an alert held."""
    (tmp_path / "build/monitor").mkdir(parents=True)
    (tmp_path / "build/monitor/report.md").write_text("## It fell\n" + "x" * 90_000)
    (tmp_path / "build/monitor/summary.json").write_text(json.dumps(SUMMARY))
    return tmp_path / "build"


def serve(told: GitHub) -> http.server.ThreadingHTTPServer:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(length)) if length else None
            told.asked.append((self.command, self.path, body))
            right = self.headers["Authorization"] == "Bearer right"
            code, head = told.next.pop(0) if told.next else (204 if right else 403, {})
            self.send_response(code)
            for name, value in head.items():
                self.send_header(name, value)
            self.end_headers()

        do_GET = do_POST  # noqa: N815 - http.server's name

        def log_message(self, *_: Any) -> None:
            pass

    return http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)


@pytest.fixture
def got(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHub]:
    told = GitHub()
    monkeypatch.setattr("lifecycle.github.degraded.time.sleep", lambda _: None)
    with serve(told) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("GITHUB_API_URL", f"http://127.0.0.1:{server.server_port}/api/v3/")
        monkeypatch.setenv("GITHUB_REPOSITORY", "acme/tiny")
        monkeypatch.setenv("GITHUB_TOKEN", "right\n")  # as a Secret has it that was made from a file
        yield told
        server.shutdown()


def told(build: Path) -> int:
    return command.main(["--build", str(build), "degraded", "--environment", "production"])


def test_an_alert_starts_the_retraining(build: Path, got: GitHub, capsys: pytest.CaptureFixture[str]) -> None:
    alerts = [HELD, HELD | {"metric": "roc_auc"}, HELD | {"column": "x"}, HELD | {"column": "y", "holds": False}]
    (build / "monitor/summary.json").write_text(json.dumps(SUMMARY | {"alerts": alerts}))
    assert told(build) == 0
    ((verb, path, body),) = got.asked
    assert (verb, path, body["event_type"]) == ("POST", "/api/v3/repos/acme/tiny/dispatches", "degraded")
    assert body["client_payload"]["environment"] == "production"
    assert {name: body["client_payload"][name] for name in ("raised", "since", "version")} == {
        name: SUMMARY[name] for name in ("raised", "since", "version")
    }
    assert len(set(body["client_payload"]["series"].split())) == 3
    assert "was sent to acme/tiny" in capsys.readouterr().out


def test_an_event_names_the_slice_and_the_series_of_a_slice_is_another(build: Path, got: GitHub) -> None:
    whole = degraded._short(HELD)
    alerts = [HELD | {"slice": "origin", "part": part} for part in ("EWR", "JFK")] + [HELD | {"column": "x"}]
    (build / "monitor/summary.json").write_text(json.dumps(SUMMARY | {"alerts": alerts}))
    assert told(build) == 0
    payload = got.asked[0][2]["client_payload"]
    assert payload["about"] == "estimated F1 of origin EWR, estimated F1 of origin JFK, estimated F1 of x"
    assert len(set(payload["series"].split()) - {whole}) == 3
    alerts = [HELD | {"slice": "origin", "part": f"{part:02}" + "x" * 200} for part in range(12)]
    (build / "monitor/summary.json").write_text(json.dumps(SUMMARY | {"alerts": alerts}))
    assert told(build) == 0
    assert got.asked[1][2]["client_payload"]["about"].endswith(" and 2 more")
    assert len(got.asked[1][2]["client_payload"]["about"]) < 1_000


def test_an_event_of_a_wide_model_fits(build: Path, got: GitHub) -> None:
    alerts = [HELD | {"column": f"column {number}"} for number in range(3_000)]
    (build / "monitor/summary.json").write_text(json.dumps(SUMMARY | {"alerts": alerts}))
    assert told(build) == 0
    assert len(json.dumps(got.asked[0][2])) < 65_535
    assert len(got.asked[0][2]["client_payload"]) <= 10


def test_a_summary_of_an_older_image_is_told(build: Path, got: GitHub) -> None:
    old = {name: value for name, value in SUMMARY.items() if name != "since"}
    (build / "monitor/summary.json").write_text(json.dumps(old))
    assert told(build) == 0
    assert got.asked[0][2]["client_payload"]["since"] == SUMMARY["raised"]


def test_without_an_alert_it_is_only_checked_that_one_can_be_told(
    build: Path, got: GitHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (build / "monitor/summary.json").write_text(json.dumps(QUIET))
    assert told(build) == 0
    assert got.asked == [("GET", "/api/v3/repos/acme/tiny", None)]
    assert "no alert holds; acme/tiny can be told of one" in capsys.readouterr().out
    for token, sentence in (
        ("", "GITHUB_TOKEN is not set, so no alert can be told"),
        ("old", "refused the token (403"),
    ):
        monkeypatch.setenv("GITHUB_TOKEN", token)
        assert told(build) == 1
        assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    "busy", [(502, {}), (429, {}), (403, {"Retry-After": "60"}), (403, {"X-RateLimit-Remaining": "0"})]
)
def test_a_github_that_is_down_is_asked_again_for_minutes_and_then_blamed(
    busy: tuple[int, dict[str, str]], build: Path, got: GitHub, capsys: pytest.CaptureFixture[str]
) -> None:
    got.next = [busy] * 3
    assert told(build) == 0
    assert len(got.asked) == 4
    assert sum(degraded.PAUSES) >= 180
    got.next = [busy] * 4
    assert told(build) == 1
    said = capsys.readouterr().err
    assert f"GitHub is down or asks for fewer calls ({busy[0]}" in said
    assert "token" not in said


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (401, "refused the token (401: ); put one that is valid and has `contents: write` on acme/tiny"),
        (403, "refused the token (403: )"),
        (404, "refused the token (404: )"),
        (307, "GitHub answered 307 at http://127.0.0.1:"),
        (422, "GitHub answered 422 at http://127.0.0.1:"),
    ],
)
def test_what_a_person_must_correct_is_told_at_once(
    code: int, sentence: str, build: Path, got: GitHub, capsys: pytest.CaptureFixture[str]
) -> None:
    got.next = [(code, {})]
    assert told(build) == 1
    assert sentence in capsys.readouterr().err
    assert len(got.asked) == 1


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("http://127.0.0.1:1", "cannot be reached at http://127.0.0.1:1/repos/acme/tiny/dispatches"),
        ("x", "is not valid"),
    ],
)
def test_an_address_without_a_github_is_named(
    address: str,
    sentence: str,
    build: Path,
    got: GitHub,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GITHUB_API_URL", address)
    assert told(build) == 1
    assert sentence in capsys.readouterr().err


def test_a_certificate_of_ones_own_is_trusted_when_it_is_mounted(
    build: Path, got: GitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem, key = tmp_path / "ca.crt", tmp_path / "ca.key"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        *subject,
        "-keyout",
        str(key),
        "-out",
        str(pem),
    ]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    with serve(got) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("GITHUB_API_URL", f"https://127.0.0.1:{server.server_port}/api/v3")
        with pytest.raises(InputError, match="CERTIFICATE_VERIFY_FAILED"):
            degraded.run(build, "production", ())
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        monkeypatch.setattr("urllib.request._opener", None)  # it is read once for each process
        assert "was sent to acme/tiny" in degraded.run(build, "production", ())
        server.shutdown()


def test_a_monitor_that_wrote_nothing_is_a_failure(
    tmp_path: Path, got: GitHub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(tmp_path) == 1
    assert "summary.json does not exist" in capsys.readouterr().err
    assert got.asked == []
