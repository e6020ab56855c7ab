import contextlib
import http.client
import json
import os
import signal
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import validate
from served import Process, client, free_port
from test_predictor import with_a_key
from tiny import Trained

from lifecycle import files
from lifecycle.artifact import directory

ROWS: list[dict[str, Any]] = [{"number": 0.5, "colour": "red"}, {"number": None, "colour": "blue"}]
URL = "/api/v1.0/predictions"
INFER = "/v2/models/tiny/infer"
TENSORS = [
    {"name": "number", "shape": [2], "datatype": "FP32", "data": [0.5, None]},
    {"name": "colour", "shape": [2, 1], "datatype": "BYTES", "data": ["red", "blue"]},
]


def logged(folder: Path) -> list[dict[str, Any]]:
    """What stands in the log of a folder; no line is torn."""
    paths = sorted(folder.glob("version=*/hour=*/*.jsonl"))
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


@pytest.mark.parametrize("url", [URL, "/predict", "/api/v0.1/predictions"])
def test_rows_are_answered_in_seldons_form_and_logged(url: str, trained: Trained, tmp_path: Path) -> None:
    operator = {"PREDICTIVE_UNIT_ID": "main", "PREDICTIVE_UNIT_IMAGE": "x@sha256:1"}
    answer = client(trained, tmp_path, operator).post(
        url, json={"jsonData": ROWS}, headers={"Seldon-Puid": "request-1"}
    )
    assert answer.status_code == 200
    body = answer.json()
    version = directory.load(trained.build / "model").version
    tags = {"version": version} | ({"positive": "yes"} if trained.task == "binary_classification" else {})
    assert body["meta"] == {"puid": "request-1", "requestPath": {"main": "x@sha256:1"}, "tags": tags}
    found = logged(tmp_path)
    assert [(line["request"], line["row"], line["version"]) for line in found] == [
        ("request-1", 0, version),
        ("request-1", 1, version),
    ]
    assert [line["answer"] for line in found] == body["jsonData"]
    assert [line["features"] for line in found] == ROWS


def test_every_form_of_a_request_gets_the_same_answer(trained: Trained, tmp_path: Path) -> None:
    service = client(trained, tmp_path)
    rows = service.post(URL, json={"jsonData": ROWS}).json()["jsonData"]
    columns = {name: [row[name] for row in ROWS] for name in ("colour", "number")}
    assert service.post(URL, json={"jsonData": columns}).json()["jsonData"] == rows
    labels = [row["prediction"] for row in rows]
    table = [list(row.get("probabilities", {"": row["prediction"]}).values()) for row in rows]
    names = ["colour", "number"]
    body = service.post(URL, json={"data": {"names": names, "ndarray": [[r[n] for n in names] for r in ROWS]}}).json()
    assert body["data"] == {"names": list(rows[0].get("probabilities", ["prediction"])), "ndarray": table}
    tensor = {"shape": [2, 2], "values": [row[name] for row in ROWS for name in names]}
    flat = service.post(URL, json={"data": {"names": names, "tensor": tensor}}).json()
    assert flat["data"]["tensor"] == {
        "shape": [2, len(table[0])],
        "values": [value for row in table for value in row],
    }
    if trained.task != "regression":
        assert body["meta"]["tags"]["predictions"] == flat["meta"]["tags"]["predictions"] == labels
    inferred = {tensor["name"]: tensor for tensor in service.post(INFER, json={"inputs": TENSORS}).json()["outputs"]}
    assert inferred["prediction"]["data"] == labels
    assert inferred["prediction"]["shape"] == [2]
    if trained.task != "regression":
        assert [[t["data"][row] for name, t in inferred.items() if name != "prediction"] for row in (0, 1)] == table


def test_a_form_as_seldons_own_client_sends_it_is_answered(binary: Trained, tmp_path: Path) -> None:
    service = client(binary, tmp_path)
    answer = service.post("/predict", data={"json": json.dumps({"jsonData": ROWS})})
    assert len(answer.json()["jsonData"]) == 2
    # What curl calls a form, unless it is told otherwise, is JSON.
    content = json.dumps({"jsonData": ROWS, "meta": {"puid": "a&json=b"}}).encode()
    answer = service.post(URL, content=content, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.json()["meta"]["puid"] == "a&json=b"


def test_requests_without_an_identity_get_one_of_their_own(binary: Trained, tmp_path: Path) -> None:
    service = client(binary, tmp_path)
    found = {service.post(URL, json={"jsonData": ROWS}).json()["meta"]["puid"] for _ in range(3)}
    assert len(found) == 3
    assert service.post(URL, json={"jsonData": ROWS}, headers={"Seldon-Puid": "x" * 201}).status_code == 400


def test_the_identity_in_a_message_comes_before_the_one_in_its_head(binary: Trained, tmp_path: Path) -> None:
    """As Seldon's wrapper has it, so that a caller finds its own again behind the executor, which sets the head."""
    service, head = client(binary, tmp_path), {"Seldon-Puid": "head"}
    for meta, identity in (({"puid": "mine"}, "mine"), ({"puid": ""}, "head"), ({}, "head"), (None, "head")):
        answer = service.post(URL, json={"jsonData": ROWS, "meta": meta}, headers=head).json()
        assert answer["meta"]["puid"] == identity
    assert {line["request"] for line in logged(tmp_path)} == {"mine", "head"}
    for puid, sentence in ((7, "meta.puid is not a string"), ("x" * 201, "more than 200 characters")):
        wrong = service.post(URL, json={"jsonData": ROWS, "meta": {"puid": puid}})
        assert wrong.status_code == 400
        assert sentence in wrong.json()["status"]["info"]


def test_feedback_is_logged_under_its_request(trained: Trained, tmp_path: Path) -> None:
    service = client(trained, tmp_path)
    response = service.post(URL, json={"jsonData": ROWS}).json()
    truth = [row["prediction"] for row in response["jsonData"]]
    for url in ("/api/v1.0/feedback", "/send-feedback", "/api/v0.1/feedback"):
        sent = {"request": {"jsonData": ROWS}, "response": response, "truth": {"jsonData": truth}, "reward": 1}
        answer = service.post(url, json=sent)
        assert (answer.status_code, answer.json()) == (200, {"meta": {}})
    (path,) = tmp_path.glob("labels/hour=*/*.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    told = [(line["request"], line["row"], line["label"]) for line in lines]
    assert told == [(response["meta"]["puid"], row, label) for row, label in enumerate(truth)] * 3
    for changed, status, sentence in (
        ({"truth": {"jsonData": [[1, 2]]}}, 400, "Row 0 of truth is"),
        ({"truth": {"jsonData": truth[:1] * 101}}, 413, "101 rows; send at most 100"),
        ({"response": {"meta": {"puid": "x" * 201}}}, 400, "more than 200 characters"),
    ):
        wrong = service.post("/send-feedback", json={**sent, **changed})
        assert wrong.status_code == status
        assert sentence in wrong.json()["status"]["info"]


def test_health_and_metadata_are_told_in_both_protocols(binary: Trained, tmp_path: Path) -> None:
    service = client(binary, tmp_path)
    version = directory.load(binary.build / "model").version
    assert service.get("/health/ping").text == "pong"
    ready = [
        "/health/status",
        "/ready",
        "/v2/health/ready",
        "/v2/models/tiny/ready",
        f"/v2/models/tiny/versions/{version}/ready",
    ]
    for url in [*ready, "/live", "/v2/health/live"]:
        assert service.get(url).status_code == 200, url
    assert service.get("/metadata").json()["name"] == "tiny"
    assert service.get("/v2").json()["extensions"] == ["binary_tensor_data"]
    for name in ("tiny", "model"):  # its own name, and that of the operator's unit
        found = service.get(f"/v2/models/{name}").json()
        assert (found["name"], found["versions"], found["platform"]) == ("tiny", [version], "onnx")
    inputs = {column["name"]: column["datatype"] for column in found["inputs"]}
    assert inputs == {"number": "FP32", "colour": "BYTES"}
    assert [output["name"] for output in found["outputs"]] == ["prediction", "probability_no", "probability_yes"]


def test_the_description_is_valid_openapi_and_answers_fit_it(trained: Trained, tmp_path: Path) -> None:
    service = client(trained, tmp_path)
    document = service.get("/openapi.json").json()
    validate(document)
    schemas = {"components": document["components"]}
    for name, body in [("Rows", {"jsonData": ROWS}), ("Answers", service.post(URL, json={"jsonData": ROWS}).json())]:
        jsonschema.validate(body, {"$ref": f"#/components/schemas/{name}", **schemas})
    table = {"names": ["colour", "number"], "ndarray": [["red", None]]}
    tensor = {"names": ["colour", "number"], "tensor": {"shape": [1, 2], "values": ["red", 0.5]}}
    for body in ({"jsonData": {"colour": ["red"]}}, {"data": table, "meta": {"puid": "a"}}, {"data": tensor}):
        jsonschema.validate(body, {"$ref": "#/components/schemas/Rows", **schemas})
        answer = service.post(URL, json=body)
        assert answer.status_code == 200
        jsonschema.validate(answer.json(), {"$ref": "#/components/schemas/Answers", **schemas})
    for body in ({"jsonData": [{"size": 1}]}, {"jsonData": {"number": [1]}}, {"data": {"ndarray": [[1]]}}, {}):
        assert service.post(URL, json=body).status_code == 400
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(body, {"$ref": "#/components/schemas/Rows", **schemas})


def test_a_key_that_is_a_feature_is_described_as_the_feature(binary: Trained, tmp_path: Path) -> None:
    build = binary.copy(tmp_path)
    with_a_key(build, "colour")
    row = client(binary.but(build=build), tmp_path).get("/openapi.json").json()["components"]["schemas"]["Row"]
    assert row["properties"]["colour"] == {"type": "string"}
    assert row["properties"]["moment"] == {"type": ["string", "number", "null"]}
    assert row["required"] == ["colour"]


def test_what_is_answered_and_refused_is_counted(trained: Trained, tmp_path: Path) -> None:
    service = client(trained, tmp_path, {"PREDICTIVE_UNIT_METRICS_ENDPOINT": "/own"})
    service.post(URL, json={"jsonData": ROWS})
    service.post(INFER, json={"inputs": TENSORS})
    service.post(URL, json={"jsonData": [{"size": 1}]})
    service.post(URL, content=b"{")
    service.get("/nowhere")
    service.get("/v2/models/other")
    service.get(URL)
    text = service.get("/metrics").text
    assert service.get("/own").status_code == 200
    for line in (
        'model_requests_total{code="200",protocol="seldon"} 1.0',
        'model_requests_total{code="200",protocol="v2"} 1.0',
        'model_requests_total{code="400",protocol="seldon"} 2.0',
        "model_rows_total 4.0",
        'model_refusals_total{reason="column"} 1.0',
        'model_refusals_total{reason="json"} 1.0',
        'model_refusals_total{reason="path"} 1.0',
        'model_refusals_total{reason="method"} 1.0',
        'model_requests_total{code="404",protocol="v2"} 1.0',
        'model_request_seconds_count{protocol="seldon"} 1.0',
        "model_log_failures_total 0.0",
        "process_resident_memory_bytes",
        f'model_info{{name="tiny",runtime="onnx",sha256="{directory.load(trained.build / "model").sha256}"',
    ):
        assert line in text, line
    if trained.task == "regression":
        assert "model_prediction_count 4.0" in text
    else:
        counts = [line.rsplit(" ", 1)[1] for line in text.splitlines() if line.startswith("model_predictions_total{")]
        assert sum(map(float, counts)) == 4


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        (b"{", 400, "not valid JSON"),
        (b"", 400, "The body is empty; send jsonData"),
        (b"null", 400, "not a JSON object"),
        (b"\xff", 400, "not valid JSON"),
        (b"[" * 50_000, 400, "not valid JSON"),
        (b'{"jsonData": [{"number": NaN, "colour": "red"}]}', 400, "not valid JSON"),
        (b'{"jsonData": [{"number": Infinity, "colour": "red"}]}', 400, "not valid JSON"),
        (b'{"jsonData": [{"number": 1e400, "colour": "red"}]}', 400, ""),
        (b'{"jsonData": [{"number": 1%s, "colour": "red"}]}' % (b"0" * 400), 400, ""),
        (b'{"jsonData": [{"number": "1", "colour": "red"}]}', 400, 'Row 0 has "1" in the column number'),
        (b'{"jsonData": [{"colour": "red", "size": 1}]}', 400, "unknown column size"),
        (b'{"jsonData": [{"number": 1}]}', 400, "Row 0 lacks the column colour"),
        (b'{"jsonData": []}', 400, "no row"),
        (b"{}", 400, "neither jsonData"),
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
    assert not logged(tmp_path)


@pytest.mark.parametrize(
    ("kind", "encoding", "status"),
    [
        ("application/json", None, 200),
        ("Application/JSON; charset=utf-8", None, 200),
        ("text/plain", None, 415),
        ("multipart/form-data; boundary=x", None, 415),
        ("application/json", "gzip", 415),
    ],
)
def test_another_content_type_is_refused(
    kind: str, encoding: str | None, status: int, binary: Trained, tmp_path: Path
) -> None:
    headers = {"Content-Type": kind} | ({"Content-Encoding": encoding} if encoding else {})
    service = client(binary, tmp_path)
    answer = service.post(URL, content=json.dumps({"jsonData": ROWS}), headers=headers)
    assert answer.status_code == status
    other = service.post(INFER, content=json.dumps({"inputs": TENSORS}), headers=headers)
    assert other.status_code == status
    if status == 415:
        assert answer.json()["status"]["code"] == 415
        assert "application/json" in other.json()["error"]


def test_unknown_places_and_verbs_are_told_in_the_protocols_form(binary: Trained, tmp_path: Path) -> None:
    service = client(binary, tmp_path)
    for url, status, sentence in (("/nowhere", 404, "path does not exist"), (URL, 405, "not accept this method")):
        told = service.get(url).json()["status"]
        assert told["code"] == status
        assert sentence in told["info"]
    assert service.get(URL).headers["Allow"] == "POST"
    assert "path does not exist" in service.get("/v2/nowhere").json()["error"]
    for url in ("/v2/models/other", "/v2/models/other/ready", "/v2/models/tiny/versions/3"):
        assert service.get(url).status_code == 404
        assert "ask for tiny" in service.get(url).json()["error"]
    other = service.post("/v2/models/other/infer", json={"inputs": TENSORS})
    assert other.status_code == 404
    assert "ask for tiny" in other.json()["error"]


def test_a_log_that_fails_refuses_or_serves_as_configured(
    binary: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = {}
    for failure in ("refuse", "serve"):
        folder = tmp_path / failure
        log = binary.settings.serve.log.model_copy(update={"failure": failure})
        service = client(binary, folder, log=log)
        service.post(URL, json={"jsonData": ROWS})
        (hour,) = folder.glob("version=*/hour=*")
        hour.parent.rename(folder / "kept")
        (folder / hour.parent.name).write_text("in the way of the folder")
        service.service.close()
        answers[failure] = [service.post(URL, json={"jsonData": ROWS}) for _ in range(3)]
        assert "model_log_failures_total 3.0" in service.get("/metrics").text
        (folder / hour.parent.name).unlink()
        assert service.post(URL, json={"jsonData": ROWS}).status_code == 200
        assert len(logged(folder)) == 2
    assert [answer.status_code for answer in answers["refuse"]] == [503] * 3
    assert "could not be logged" in answers["refuse"][0].json()["status"]["info"]
    assert [answer.status_code for answer in answers["serve"]] == [200] * 3
    said = capsys.readouterr().err
    assert said.count("the prediction log cannot be written") == 2
    assert said.count("works again after 3 failures") == 2


def test_a_log_that_cannot_be_looked_at_leaves_the_other_metrics(
    binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files may be taken away while they are counted."""

    def gone(*_: object) -> None:
        raise FileNotFoundError

    service = client(binary, tmp_path)
    monkeypatch.setattr("shutil.disk_usage", gone)
    text = service.get("/metrics").text
    assert "model_log_free_bytes NaN" in text
    assert "model_info{" in text


def test_a_log_that_is_off_writes_nothing(binary: Trained, tmp_path: Path) -> None:
    log = binary.settings.serve.log.model_copy(update={"enabled": False})
    assert client(binary, tmp_path, log=log).post(URL, json={"jsonData": ROWS}).status_code == 200
    assert not list(tmp_path.iterdir())


def test_readiness_is_lost_when_a_golden_row_comes_out_otherwise(
    binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = client(binary, tmp_path)
    predictor = service.service.predictor
    golden = json.loads((binary.build / "model/golden.json").read_text())
    golden["answers"][0]["probabilities"]["yes"] += 0.01
    monkeypatch.setattr(predictor, "_golden", golden)
    for url in ("/health/status", "/ready", "/v2/health/ready", "/v2/models/tiny/ready"):
        answer = service.get(url)
        assert answer.status_code == 503, url
        assert "to a golden row, not" in answer.text
    assert service.get("/live").status_code == 200


def ask(connection: http.client.HTTPConnection, rows: list[dict[str, Any]]) -> str:
    """The identity of an answered request."""
    connection.request("POST", URL, json.dumps({"jsonData": rows}), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = json.loads(answer.read())
    assert answer.status == 200
    identity: str = content["meta"]["puid"]
    return identity


def killed_under_load(process: Process, worker: int) -> list[str]:
    """Kill a worker with -9 while four callers ask without a pause; returns the identities that were answered."""
    answered, over = list[str](), threading.Event()

    def load() -> None:
        with contextlib.suppress(OSError, http.client.HTTPException), process.connection() as connection:
            while not over.is_set():
                answered.append(ask(connection, ROWS))

    callers = [threading.Thread(target=load) for _ in range(4)]
    for caller in callers:
        caller.start()
    time.sleep(0.5)
    os.kill(worker, signal.SIGKILL)
    over.set()
    for caller in callers:
        caller.join()
    return answered


def check_each_answer_is_logged_once(answered: list[str], folder: Path) -> None:
    """A killed worker may leave a line that is torn, or one whose answer did not leave any more."""
    assert len(answered) > 100
    whole = [line for path in folder.glob("version=*/hour=*/*.jsonl") for line in path.read_text().split("\n")[:-1]]
    found = Counter((record["request"], record["row"]) for record in map(json.loads, whole))
    assert [found[identity, row] for identity in answered for row in range(len(ROWS))] == [1] * 2 * len(answered)
    assert set(found.values()) == {1}


def test_every_answered_row_of_services_that_are_killed_is_in_the_log_exactly_once(
    binary: Trained, tmp_path: Path
) -> None:
    answered: list[str] = []
    for _ in range(3):
        with Process(binary, tmp_path) as process:
            answered += killed_under_load(process, process.running.pid)
    check_each_answer_is_logged_once(answered, process.predictions)


def test_sigterm_ends_an_idle_service_at_once(binary: Trained, tmp_path: Path) -> None:
    with Process(binary, tmp_path) as process, process.connection() as idle:
        ask(idle, ROWS)
        begin = time.monotonic()
        process.running.send_signal(signal.SIGTERM)
        process.running.wait(timeout=5)
        assert time.monotonic() - begin < 1
        assert process.running.returncode == 0


def test_a_request_in_flight_is_answered_after_sigterm(binary: Trained, tmp_path: Path) -> None:
    body = json.dumps({"jsonData": ROWS})
    with Process(binary, tmp_path) as process, contextlib.ExitStack() as stack:
        connections = [stack.enter_context(process.connection()) for _ in range(3)]
        for connection in connections:
            connection.putrequest("POST", URL)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body[:10].encode())
        time.sleep(0.2)
        process.running.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        for connection in connections:
            connection.send(body[10:].encode())
        assert [connection.getresponse().status for connection in connections] == [200] * 3
        process.running.wait(timeout=5)
    assert len(logged(tmp_path / "predictions")) == 6


def test_a_body_that_will_be_too_large_is_refused_before_it_has_come(binary: Trained, tmp_path: Path) -> None:
    with Process(binary, tmp_path) as process, process.connection() as connection:
        connection.putrequest("POST", URL)
        connection.putheader("Content-Length", "99999999999")
        connection.endheaders(b"{")
        assert connection.getresponse().status == 413


def test_metrics_are_also_on_the_operators_port(binary: Trained, tmp_path: Path) -> None:
    metrics = free_port()
    with Process(binary, tmp_path, PREDICTIVE_UNIT_METRICS_SERVICE_PORT=str(metrics)) as process:
        assert "model_info{" in process.get("/prometheus", metrics)
        assert "model_info{" in process.get("/prometheus")


def test_a_model_that_is_missing_damaged_or_answers_otherwise_is_never_served(binary: Trained, tmp_path: Path) -> None:
    damaged = binary.copy(tmp_path / "damaged") / "model"
    (damaged / "model.onnx").write_bytes(b"broken")
    foreign = binary.copy(tmp_path / "foreign") / "model"
    (foreign / "matrix.onnx").write_bytes(b"broken")
    files.seal(foreign)
    other = binary.copy(tmp_path / "other") / "model"
    golden = json.loads((other / "golden.json").read_text())
    golden["answers"][0]["probabilities"]["yes"] += 0.01
    (other / "golden.json").write_text(json.dumps(golden))
    files.seal(other)
    for path, sentence in [
        (damaged, "damaged: model.onnx was changed"),
        (foreign, "cannot be loaded"),
        (other, "to a golden row, not"),
        (tmp_path / "none", "is not a model directory"),
    ]:
        code, errors = Process(binary, tmp_path, path).ended()
        assert code == 1, path
        assert sentence in errors
        assert "Traceback" not in errors


def test_a_text_is_bounded_at_the_door_and_so_is_what_a_request_writes_to_the_log(
    binary: Trained, tmp_path: Path
) -> None:
    """A binary tensor of control characters takes six times its bytes in the log."""

    def sent(text: str, count: int) -> tuple[int, str]:
        texts = [text.encode()] * count
        colours = b"".join(len(one).to_bytes(4, "little") + one for one in texts)
        sizes = {"number": 4 * count, "colour": len(colours)}
        tensors = [
            {"name": name, "shape": [count], "datatype": kind, "parameters": {"binary_data_size": sizes[name]}}
            for name, kind in (("number", "FP32"), ("colour", "BYTES"))
        ]
        head = json.dumps({"inputs": tensors}).encode()
        headers = {"Inference-Header-Content-Length": str(len(head)), "Content-Type": "application/octet-stream"}
        answer = service.post(INFER, content=head + bytes(4 * count) + colours, headers=headers)
        return answer.status_code, answer.text

    service = client(binary, tmp_path, bytes=8_000_000)
    assert sent("\x01" * 10_000, 1)[0] == 200
    status, sentence = sent("\x01" * 7_900_000, 1)
    assert (status, "a text of 7900000 characters in the column colour; send at most 10000." in sentence) == (400, True)
    status, sentence = sent("\x01" * 9_999, 100)
    assert status == 200
    service = client(binary, tmp_path / "small", bytes=1_100_000)
    status, sentence = sent("\x01" * 9_999, 100)
    assert (status, "in the prediction log; send fewer rows." in sentence) == (413, True)
    assert not logged(tmp_path / "small")


@pytest.mark.parametrize("kind", [None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_feedback_is_json_and_no_form_that_a_page_of_another_site_sends(
    kind: str | None, binary: Trained, tmp_path: Path
) -> None:
    content = b'{"response": {"meta": {"puid": "a"}}, "truth": {"jsonData": ["yes"]}}'
    headers = {} if kind is None else {"Content-Type": kind}
    service = client(binary, tmp_path)
    for sent in (content, b"json=" + content):
        assert service.post("/send-feedback", content=sent, headers=headers).status_code == 415
    assert service.post("/send-feedback", content=content, headers={"Content-Type": "application/json"}).is_success


def test_no_caller_hides_rows_as_those_of_the_smoke_test(binary: Trained, tmp_path: Path) -> None:
    golden = files.read_json(binary.build / "model" / "golden.json")["rows"]
    service = client(binary, tmp_path)
    for url, identity in ((URL, {"puid": "smoke-1"}), (URL, {})):
        answer = service.post(url, json={"meta": identity, "jsonData": ROWS}, headers={"Seldon-Puid": "smoke-1"})
        assert (answer.status_code, "hides golden rows; choose another." in answer.text) == (400, True)
    for rows in (golden[:-1], golden * 2, [{**golden[0], "number": 7.5}, *golden[1:]]):
        assert service.post(URL, json={"meta": {"puid": "smoke-1"}, "jsonData": rows}).status_code == 400
    assert service.post(URL, json={"meta": {"puid": "smoke-1"}, "jsonData": golden}).status_code == 200
    assert len(logged(tmp_path)) == len(golden)
