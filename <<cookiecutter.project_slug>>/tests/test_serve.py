import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import Trained
from starlette.testclient import TestClient

from model import InputError, config, predictions, serve
from model.predictor import Predictor

ROWS: list[dict[str, Any]] = [{"number": 0.5, "colour": "red"}, {"number": None, "colour": "blue"}]
URL = "/api/v1.0/predictions"


def client(trained: Trained, log: Path, **environment: str) -> TestClient:
    service = serve.Service(
        Predictor(trained.build / "model"), predictions.Log(log), trained.settings.serve, environment
    )
    return TestClient(service.application())


@pytest.mark.parametrize("url", [URL, "/predict"])
def test_rows_are_answered_in_seldons_form_and_logged(url: str, trained: Trained, tmp_path: Path) -> None:
    answer = client(trained, tmp_path, PREDICTIVE_UNIT_ID="model", PREDICTIVE_UNIT_IMAGE="x@sha256:1").post(
        url, json={"jsonData": ROWS}, headers={"Seldon-Puid": "request-1"}
    )
    assert answer.status_code == 200
    body = answer.json()
    assert len(body["jsonData"]) == 2
    assert body["meta"]["requestPath"] == {"model": "x@sha256:1"}
    version = Predictor(trained.build / "model").model.version
    assert body["meta"]["tags"] == {"version": version}
    found = predictions.read(tmp_path, version)
    assert list(zip(found["request"], found["row"], strict=True)) == [("request-1", 0), ("request-1", 1)]
    assert [json.loads(text) for text in found["answer"]] == body["jsonData"]


def test_an_array_with_names_in_any_order_is_answered_as_rows_are(trained: Trained, tmp_path: Path) -> None:
    service = client(trained, tmp_path)
    rows = service.post(URL, json={"jsonData": ROWS}).json()["jsonData"]
    data = {"names": ["colour", "number"], "ndarray": [[row["colour"], row["number"]] for row in ROWS]}
    answer = service.post(URL, json={"data": data}).json()["data"]
    if trained.task == "regression":
        assert answer == {"names": ["prediction"], "ndarray": [[row["prediction"]] for row in rows]}
    else:
        assert answer["ndarray"] == [list(row["probabilities"].values()) for row in rows]
        assert answer["names"] == list(rows[0]["probabilities"])


def test_requests_without_an_identity_get_one_of_their_own(binary: Trained, tmp_path: Path) -> None:
    service = client(binary, tmp_path)
    found = {service.post(URL, json={"jsonData": ROWS}).json()["meta"]["puid"] for _ in range(3)}
    assert len(found) == 3


def test_health_and_metadata_are_told(binary: Trained, tmp_path: Path) -> None:
    service = client(binary, tmp_path)
    assert service.get("/health/ping").text == "pong"
    assert service.get("/health/status").status_code == 200
    assert service.get("/metadata").json()["name"] == "tiny"
    inputs = {column["name"]: column["datatype"] for column in service.get("/metadata").json()["inputs"]}
    assert inputs == {"number": "FP32", "colour": "BYTES"}


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        (b"{", 400, "not valid JSON"),
        (b"", 400, "not valid JSON"),
        (b"\xff", 400, "not valid JSON"),
        (b"[" * 50_000, 400, "not valid JSON"),
        (b'{"jsonData": [{"number": NaN, "colour": "red"}]}', 400, "not valid JSON"),
        (b'{"jsonData": [{"number": 1e400, "colour": "red"}]}', 400, ""),
        (b"[]", 400, "not a JSON object"),
        (b"{}", 400, "neither jsonData"),
        (b'{"data": 1}', 400, "neither jsonData"),
        (b'{"data": {"ndarray": [[1]]}}', 400, "neither jsonData"),
        (b'{"data": {"names": ["number", "number"], "ndarray": [[1, 1]]}}', 400, "a column twice"),
        (b'{"data": {"names": ["number", "colour"], "ndarray": [[1]]}}', 400, "Row 0 of data.ndarray"),
        (b'{"data": {"names": ["number", "colour"], "ndarray": [1]}}', 400, "Row 0 of data.ndarray"),
        (b'{"jsonData": []}', 400, "at least one row"),
        (b'{"jsonData": "x"}', 400, "at least one row"),
        (b'{"jsonData": [1]}', 400, "Row 0 is not an object"),
        (b'{"jsonData": [{"colour": "red", "size": 1}]}', 400, "unknown column size"),
        (json.dumps({"jsonData": ROWS * 51}).encode(), 413, "102 rows; send at most 100"),
        (b" " * 100_001, 413, "larger than 100000 bytes"),
    ],
)
def test_a_request_that_is_wrong_is_told_why_and_not_logged(
    body: bytes, status: int, sentence: str, binary: Trained, tmp_path: Path
) -> None:
    answer = client(binary, tmp_path).post(URL, content=body)
    assert answer.status_code == status
    told = answer.json()["status"]
    assert sentence in told["info"]
    assert told["code"] == status
    assert "Traceback" not in answer.text
    assert predictions.read(tmp_path, Predictor(binary.build / "model").model.version).empty


def test_unknown_places_and_verbs_are_told_in_the_same_form(binary: Trained, tmp_path: Path) -> None:
    service = client(binary, tmp_path)
    assert service.get("/nowhere").json()["status"]["code"] == 404
    assert service.get(URL).status_code == 405


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def process(binary: Trained, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The service as a process of its own, ready."""
    port = free_port()
    made = start(binary, tmp_path, port)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health/status", timeout=5).close()
            break
        except OSError:
            assert made.poll() is None, made.communicate()
            time.sleep(0.05)
    yield made, port
    made.kill()
    made.communicate()


def start(trained: Trained, folder: Path, port: int, model: Path | None = None) -> subprocess.Popen[str]:
    settings = folder / "config.yaml"
    settings.write_text(yaml.safe_dump(trained.document))
    command = [sys.executable, "-m", "model", "--config", str(settings), "serve"]
    command += ["--model", str(model or trained.build / "model"), "--predictions", str(folder / "predictions")]
    return subprocess.Popen(
        command,
        cwd=Path(serve.__file__).parents[1],
        env={**os.environ, "PREDICTIVE_UNIT_HTTP_SERVICE_PORT": str(port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def post(port: int, rows: list[dict[str, Any]]) -> dict[str, Any]:
    body = json.dumps({"jsonData": rows}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}{URL}", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        content: dict[str, Any] = json.load(answer)
        return content


def test_an_answered_row_is_in_the_log_of_a_service_that_is_killed(
    process: tuple[subprocess.Popen[str], int], binary: Trained, tmp_path: Path
) -> None:
    running, port = process
    answered = [post(port, ROWS)["meta"]["puid"] for _ in range(20)]
    running.kill()
    running.wait()
    found = predictions.read(tmp_path / "predictions", Predictor(binary.build / "model").model.version)
    assert sorted(zip(found["request"], found["row"], strict=True)) == sorted((p, r) for p in answered for r in (0, 1))


def test_sigterm_ends_an_idle_service_at_once(process: tuple[subprocess.Popen[str], int]) -> None:
    running, _ = process
    begin = time.monotonic()
    running.send_signal(signal.SIGTERM)
    running.wait(timeout=5)
    assert time.monotonic() - begin < 1


def test_a_missing_or_damaged_model_is_never_served(binary: Trained, tmp_path: Path) -> None:
    model = binary.copy(tmp_path) / "model"
    (model / "model.onnx").write_bytes(b"broken")
    for path, sentence in [(model, "damaged: model.onnx was changed"), (tmp_path / "none", "is not a model directory")]:
        made = start(binary, tmp_path, free_port(), path)
        _, errors = made.communicate(timeout=30)
        assert made.returncode == 1
        assert sentence in errors
        assert "Traceback" not in errors


def test_a_taken_port_and_a_log_that_cannot_be_written_are_refused(
    binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", 0))  # noqa: S104
        listener.listen()
        monkeypatch.setenv("PREDICTIVE_UNIT_HTTP_SERVICE_PORT", str(listener.getsockname()[1]))
        with pytest.raises(InputError, match="is taken"):
            serve.run(config.Config.model_validate(binary.settings), binary.build / "model", tmp_path / "log")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        serve.run(binary.settings, binary.build / "model", tmp_path / "file" / "log")
