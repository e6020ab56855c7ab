"""Seldon's wrapper with our predictor in it: what a caller sees is what `serving/serve.py` answers."""

import copy
import json
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from openapi_spec_validator import validate
from served import Process, client, free_port
from test_fuzz import MESSAGES
from test_serve import ROWS, URL, check_each_answer_is_logged_once, killed_under_load, logged
from tiny import Trained

PYTHON = Path(sys.prefix).parent / "seldon" / "bin" / "python"
pytestmark = pytest.mark.skipif(
    not PYTHON.exists(), reason="seldon-core is not installed, as serve.server is not seldon-core: `make .venv/seldon`"
)


def wrapper(trained: Trained, folder: Path, model: Path | None = None, prefix: Sequence[str] = ()) -> Process:
    folder.mkdir(exist_ok=True)
    document = {**trained.document, "serve": {**trained.document["serve"], "server": "seldon-core"}}
    own, metrics = trained.but(document=document), str(free_port())
    return Process(own, folder, model, str(PYTHON), prefix, PREDICTIVE_UNIT_METRICS_SERVICE_PORT=metrics)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("wrapper")


@pytest.fixture(scope="module")
def process(models: Any, folder: Path) -> Iterator[Process]:
    with wrapper(models("binary_classification"), folder) as made:
        yield made


def post(process: Process, url: str, content: bytes, kind: str = "application/json") -> tuple[int, Any]:
    request = urllib.request.Request(f"http://127.0.0.1:{process.port}{url}", content, {"Content-Type": kind})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_a_durable_answer_is_in_the_log_and_old_hours_go(binary: Trained, tmp_path: Path) -> None:
    document = copy.deepcopy(binary.document)
    document["serve"]["log"]["durable"] = True
    old = tmp_path / "own/predictions/labels/hour=2020-01-01T00/1-a.jsonl"
    old.parent.mkdir(parents=True)
    old.write_text("{}\n")
    with wrapper(binary.but(document=document), tmp_path / "own") as process:
        assert post(process, URL, json.dumps({"jsonData": ROWS}).encode())[0] == 200
        assert len(logged(process.predictions)) == len(ROWS)
        deadline = time.monotonic() + 10
        while old.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
    assert not old.exists()


def test_a_request_is_answered_and_logged_as_our_own_server_does(
    process: Process, binary: Trained, folder: Path, tmp_path: Path
) -> None:
    names = ["colour", "number"]
    for body in (
        {"jsonData": ROWS},
        {"data": {"names": names, "ndarray": [[row[name] for name in names] for row in ROWS]}},
    ):
        status, answer = post(process, URL, json.dumps(body).encode())
        expected = client(binary, tmp_path).post(URL, json=body).json()
        identity = answer["meta"].pop("puid")
        expected["meta"].pop("puid")
        assert (status, answer) == (200, expected)
        assert {line["row"] for line in logged(folder / "predictions") if line["request"] == identity} == {0, 1}


def test_feedback_health_metadata_and_metrics_are_answered(process: Process, folder: Path) -> None:
    truth = {"response": {"meta": {"puid": "a"}}, "truth": {"jsonData": ["yes"]}}
    for url in ("/send-feedback", "/api/v1.0/feedback"):
        assert post(process, url, json.dumps(truth).encode()) == (200, {"meta": {}})
    assert len(list((folder / "predictions").glob("labels/hour=*/*.jsonl"))) == 1
    for url in ("/health/status", "/api/v1.0/health/status", "/ready"):
        assert json.loads(process.get(url)) == {"jsonData": "healthy"}
    assert process.get("/health/ping") == "pong"
    assert json.loads(process.get("/live")) == {"live": True}
    assert json.loads(process.get("/metadata"))["name"] == "tiny"
    for url in ("/openapi.json", "/seldon.json"):
        document = json.loads(process.get(url))
        validate(document)
        assert list(document["paths"]) == [URL, "/api/v1.0/feedback", "/health/status", "/metadata"]
    assert "model_labels_total 2.0" in process.get("/metrics")


@pytest.mark.parametrize(
    ("url", "content", "kind", "status"),
    [
        (URL, b"{", "application/json", 400),
        (URL, b"", "application/json", 400),
        (URL, b"null", "application/json", 400),
        (URL, b'{"jsonData": [{"number": NaN, "colour": "red"}]}', "application/json", 400),
        (URL, b'{"jsonData": [{"number": "1", "colour": "red"}]}', "application/json", 400),
        (URL, b'{"data": {"names": ["number", "colour"], "ndarray": [[1]]}}', "application/json", 400),
        (URL, b'{"strData": "x"}', "application/json", 400),
        (URL, json.dumps({"jsonData": ROWS * 51}).encode(), "application/json", 413),
        (URL, b" " * 100_001, "application/json", 413),
        (URL, b" " * 200_000, "application/json", 413),
        (URL, b"{}", "text/plain", 415),
        (URL, b"{}", "multipart/form-data; boundary=x", 415),
        (URL, b'{"meta": {"puid": 7}, "jsonData": [{"number": 1, "colour": "red"}]}', "application/json", 400),
        ("/nowhere", b"{}", "application/json", 404),
        ("/transform-input", b"{}", "application/json", 404),
        ("/health/ping", b"{}", "application/json", 405),
        ("/send-feedback", b"{}", "application/json", 400),
        ("/send-feedback", b"[", "application/json", 400),
        (
            "/send-feedback",
            b'{"response": {"meta": {"puid": "a"}}, "truth": {"jsonData": [1]}}',
            "application/json",
            400,
        ),
    ],
)
def test_a_request_that_is_wrong_is_told_so_in_one_sentence(
    url: str, content: bytes, kind: str, status: int, process: Process
) -> None:
    found, body = post(process, url, content, kind)
    assert found == body["status"]["code"] == status, body
    assert body["status"]["info"].endswith(".")
    assert "Traceback" not in body["status"]["info"]


def test_a_compressed_body_and_another_method_are_refused_as_http_has_it(process: Process) -> None:
    with process.connection() as connection:
        head = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        connection.request("POST", URL, json.dumps({"jsonData": ROWS}), head)
        answer = connection.getresponse()
        assert (answer.status, json.load(answer)["status"]["reason"]) == (415, "content_type")
    with process.connection() as connection:
        connection.request("PUT", URL)
        answer = connection.getresponse()
        assert (answer.status, json.load(answer)["status"]["reason"]) == (405, "method")
        assert "POST" in answer.headers["Allow"].split(", ")


@settings(max_examples=300)
@given(message=MESSAGES)
def test_any_message_is_answered_or_refused(process: Process, message: Any) -> None:
    status, body = post(process, URL, json.dumps(message).encode())
    assert status == body.get("status", {}).get("code", 200)
    assert status in (200, 400)


def test_a_body_in_chunks_has_the_same_limit(process: Process) -> None:
    for size, status in ((100_000, 200), (100_001, 413)):
        with process.connection() as connection:
            body = json.dumps({"jsonData": ROWS}).encode().ljust(size)
            connection.request("POST", URL, [body], {"Content-Type": "application/json"}, encode_chunked=True)
            assert connection.getresponse().status == status


def workers(process: Process) -> set[int]:
    """Their numbers, which the files of the log bear."""
    return {int(path.name.split("-")[0]) for path in process.predictions.glob("version=*/hour=*/*.jsonl")}


def test_every_answered_row_of_workers_that_are_killed_is_in_the_log_exactly_once(
    binary: Trained, tmp_path: Path
) -> None:
    answered: list[str] = []
    with wrapper(binary, tmp_path) as process:
        killed = set[int]()
        for _ in range(3):
            while not (alive := workers(process) - killed):  # the next one is being started
                time.sleep(0.02)
            killed |= alive
            answered += killed_under_load(process, alive.pop())
    check_each_answer_is_logged_once(answered, process.predictions)


def test_it_ends_soon_after_sigterm_and_answers_what_is_in_flight(binary: Trained, tmp_path: Path) -> None:
    body = json.dumps({"jsonData": ROWS})
    with wrapper(binary, tmp_path) as process, process.connection() as connection:
        connection.putrequest("POST", URL)
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body[:10].encode())
        time.sleep(0.2)
        begin = time.monotonic()
        process.running.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        connection.send(body[10:].encode())
        assert connection.getresponse().status == 200
        process.running.wait(timeout=10)
        assert process.running.returncode == 0
        assert time.monotonic() - begin < 5


def test_a_model_that_cannot_be_loaded_or_answers_otherwise_is_never_served(binary: Trained, tmp_path: Path) -> None:
    from lifecycle import files

    damaged, other = binary.copy(tmp_path / "damaged") / "model", binary.copy(tmp_path / "other") / "model"
    (damaged / "model.onnx").write_bytes(b"broken")
    golden = json.loads((other / "golden.json").read_text())
    golden["answers"][0]["probabilities"]["yes"] += 0.01
    (other / "golden.json").write_text(json.dumps(golden))
    files.seal(other)
    for path, sentence in ((damaged, "damaged: model.onnx was changed"), (other, "to a golden row, not")):
        code, errors = wrapper(binary, tmp_path / path.parent.parent.name, path).ended()
        assert code == 1
        assert sentence in errors
