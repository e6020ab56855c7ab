import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fsspec
import pytest

from lifecycle.documents.summary import Summary
from lifecycle.monitoring import gauges
from lifecycle.reporting import findings, kept, pages, runs

RECORD = Path(__file__).parent / "records" / "monitor_regression.json"
NOW = datetime(2026, 3, 1, 3, 17, tzinfo=UTC)


@dataclass
class MLflow:
    """What an MLflow server on loopback is asked, and how it behaves."""

    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    address: str = ""
    scheme: str = "mlflow-artifacts"
    refused: str = "nothing"


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> Iterator[MLflow]:
    told = MLflow()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            told.asked.append((self.path, self.headers["Authorization"], body))
            info = {"run_id": "7f", "artifact_uri": f"{told.scheme}:/3/7f/artifacts"}
            answers = {"runs/create": {"run": {"info": info}}, "experiments/create": {"experiment_id": "3"}}
            found = next((answer for name, answer in answers.items() if self.path.endswith(name)), {})
            missing = "get-by-name" in self.path
            self.send_response(404 if missing else 503 if told.refused in self.path else 200)
            self.end_headers()
            self.wfile.write(json.dumps(found).encode())

        do_GET = do_PUT = do_POST  # noqa: N815 - http.server's names

        def log_message(self, *_: Any) -> None:
            pass

    for name in ("TOKEN", "USERNAME", "PASSWORD"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        told.address = f"http://127.0.0.1:{server.server_port}"
        yield told
        server.shutdown()


@pytest.fixture
def summary() -> Summary:
    return Summary.model_validate_json(RECORD.read_text())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in kept.NAMES:
        (tmp_path / name).write_text(f"the {name}")
    return tmp_path


def test_a_report_becomes_a_run_of_the_models_experiment(mlflow: MLflow, summary: Summary, folder: Path) -> None:
    found = kept.keep(summary, folder, ["predictions"], mlflow.address.replace("//", "//me:secret@") + "/", NOW)
    assert found == ((f"{mlflow.address}/#/experiments/3/runs/7f",), ())
    paths, credentials, bodies = zip(*mlflow.asked, strict=True)
    assert [path.removeprefix("/api/2.0/mlflow") for path in paths] == [
        "/experiments/get-by-name?experiment_name=tiny",
        "/experiments/create",
        "/runs/create",
        *(f"-artifacts/artifacts/3/7f/artifacts/{name}" for name in kept.NAMES),
        "/runs/update",
    ]
    assert set(credentials) == {"Basic bWU6c2VjcmV0"}
    assert {"key": "version", "value": summary.version} in json.loads(bodies[2])["tags"]
    assert bodies[3] == b"the report.html"
    assert json.loads(bodies[5])["status"] == "FINISHED"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"refused": "runs/create"}, "HTTP Error 503"),
        ({"refused": "artifacts"}, "503"),
        ({"scheme": "s3"}, "lie in s3"),
    ],
)
def test_a_server_that_does_not_take_it_ends_nothing(
    change: dict[str, str], reason: str, mlflow: MLflow, summary: Summary, folder: Path
) -> None:
    mlflow.__dict__.update(change)
    store = "memory://acme/tiny"
    found, (sentence,) = kept.keep(summary, folder, [store], mlflow.address.replace("//", "//me:secret@"), NOW)
    assert found == (f"{store}/reports/2026-03-01T03-17-00_{summary.version}/report.html",)
    assert sentence.startswith(f"The report could not be kept at {mlflow.address} (")
    assert reason in sentence
    assert "secret" not in sentence
    ended = [json.loads(body)["status"] for path, _, body in mlflow.asked if path.endswith("runs/update")]
    assert ended == ["FAILED"] * (change.get("refused") != "runs/create")


def test_a_report_lies_beside_the_log_that_was_shipped(summary: Summary, folder: Path) -> None:
    (address,), failed = kept.keep(summary, folder, ["/predictions", "memory://acme/log/"], "sqlite:///mlflow.db", NOW)
    assert failed == ()
    assert address.startswith("memory://acme/log/reports/")
    with fsspec.open(address, "rb") as file:
        assert file.read() == b"the report.html"


def test_a_token_goes_before_a_password(monkeypatch: pytest.MonkeyPatch, mlflow: MLflow) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "right\n")
    runs.add(mlflow.address, "tiny", "monitor", {}, [], NOW)
    assert {credentials for _, credentials, _ in mlflow.asked} == {"Bearer right"}


def test_issue_and_alert_name_the_address(summary: Summary) -> None:
    address = "https://mlflow.example.org/#/experiments/3/runs/7f"
    drift = [one for one in summary.windows if one.kind == "drift" and one.column == "number"]
    many = [one.model_copy(update={"column": f"c{place}"}) for place in range(40) for one in drift]
    told = summary.model_copy(update={"kept": (address, "s3://acme/x"), "warnings": (), "windows": tuple(many)})
    text = findings.markdown(told)
    assert f"The whole report: `{address}`" in text
    assert f"10 more rows are in `{address}`." in text
    assert pages.ours(text)  # else the issue would show it as a block of code
    assert (
        f'model_report{{address="{address}",model="tiny",version="{told.version}"}} 1.0' in gauges.text(told).decode()
    )
