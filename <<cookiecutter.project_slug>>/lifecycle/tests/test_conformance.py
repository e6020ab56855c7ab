"""Clients that others wrote speak with both servers: Seldon's own, and Triton's for the Open Inference Protocol."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
from served import Process, client
from test_seldon import PYTHON, wrapper
from test_serve import ROWS, URL
from tiny import Trained
from tritonclient.utils import InferenceServerException

SPEAK = """
import json, sys
from google.protobuf.json_format import MessageToDict
from seldon_core.seldon_client import SeldonClient

place, rows, names = sys.argv[1], json.loads(sys.argv[2]), ["colour", "number"]
client = SeldonClient(gateway="seldon", gateway_endpoint=place, microservice_endpoint=place, client_return_type="dict")
table = {"data": {"names": names, "ndarray": [[row[name] for name in names] for row in rows]}}
said = {
    "rows": client.predict(json_data=rows),
    "table": client.predict(raw_data=table),
    "wrong": client.predict(json_data=[{"colour": 1}]),
}
request = {"meta": {"puid": said["rows"].response["meta"]["puid"]}}
said["feedback"] = client.feedback(raw_request={"response": request, "truth": {"jsonData": ["yes", "no"]}})
told = {name: [answer.success, answer.response] for name, answer in said.items()}
form = client.microservice(json_data=rows, method="predict")  # its method for containers sends a form
print(json.dumps(told | {"form": [form.success, MessageToDict(form.response)]}))
"""


@pytest.fixture(scope="module", params=["asgi", "seldon-core"])
def server(request: pytest.FixtureRequest, models: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    if not PYTHON.exists():
        pytest.skip("seldon-core is not installed: `make .venv/seldon`")
    trained, folder = models("binary_classification"), tmp_path_factory.mktemp(request.param)
    with Process(trained, folder) if request.param == "asgi" else wrapper(trained, folder) as process:
        yield process


def test_seldons_client_predicts_and_tells_what_came_true(server: Process, binary: Trained, tmp_path: Path) -> None:
    command = [str(PYTHON), "-W", "ignore", "-c", SPEAK, f"127.0.0.1:{server.port}", json.dumps(ROWS)]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    expected = client(binary, tmp_path).post(URL, json={"jsonData": ROWS}).json()["jsonData"]
    assert told["rows"][0]
    assert told["rows"][1]["jsonData"] == told["form"][1]["jsonData"] == expected
    names = list(expected[0]["probabilities"])
    shares = [[row["probabilities"][name] for name in names] for row in expected]
    assert told["table"][1]["data"] == {"names": names, "ndarray": shares}
    assert told["table"][1]["meta"]["tags"]["predictions"] == [row["prediction"] for row in expected]
    assert told["wrong"][0] is False
    assert told["feedback"] == [True, {"meta": {}}]
    (path,) = server.predictions.glob("labels/hour=*/*.jsonl")
    labels = [json.loads(line) for line in path.read_text().splitlines()]
    identity = told["rows"][1]["meta"]["puid"]
    assert [(line["request"], line["label"]) for line in labels] == [(identity, "yes"), (identity, "no")]


@pytest.fixture
def speaker(binary: Trained, tmp_path: Path) -> Iterator[triton.InferenceServerClient]:
    with Process(binary, tmp_path) as process, triton.InferenceServerClient(f"127.0.0.1:{process.port}") as made:
        yield made


def tensors(binary: bool) -> list[triton.InferInput]:
    number = triton.InferInput("number", [2, 1], "FP32")
    number.set_data_from_numpy(np.array([[0.5], [np.nan if binary else 1]], dtype="float32"), binary_data=binary)
    colour = triton.InferInput("colour", [2, 1], "BYTES")
    colour.set_data_from_numpy(np.array([["red"], ["blue"]], dtype=object), binary_data=binary)
    return [number, colour]


def test_tritons_client_finds_a_live_server_and_what_the_model_takes(speaker: triton.InferenceServerClient) -> None:
    assert speaker.is_server_live()
    assert speaker.is_server_ready()
    assert speaker.is_model_ready("tiny")
    assert not speaker.is_model_ready("another")
    assert speaker.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    told = speaker.get_model_metadata("tiny")
    assert {(tensor["name"], tensor["datatype"]) for tensor in told["inputs"]} == {
        ("number", "FP32"),
        ("colour", "BYTES"),
    }
    assert [tensor["name"] for tensor in told["outputs"]] == ["prediction", "probability_no", "probability_yes"]


@pytest.mark.parametrize("binary_data", [True, False])
def test_tritons_client_infers(
    binary_data: bool, speaker: triton.InferenceServerClient, binary: Trained, tmp_path: Path
) -> None:
    rows = [{"number": 0.5, "colour": "red"}, {"number": None if binary_data else 1, "colour": "blue"}]
    expected = client(binary, tmp_path / "own").post(URL, json={"jsonData": rows}).json()["jsonData"]
    wanted = [triton.InferRequestedOutput(name, binary_data=binary_data) for name in ("prediction", "probability_yes")]
    found = speaker.infer("tiny", tensors(binary_data), outputs=wanted, request_id="mine")
    assert found.get_response()["id"] == "mine"
    labels = [label.decode() if isinstance(label, bytes) else label for label in found.as_numpy("prediction")]
    assert labels == [row["prediction"] for row in expected]
    assert found.as_numpy("probability_yes").tolist() == [row["probabilities"]["yes"] for row in expected]
    assert found.as_numpy("probability_no") is None


def test_tritons_client_is_told_what_is_wrong(speaker: triton.InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException, match="lacks the column colour") as error:
        speaker.infer("tiny", tensors(binary=True)[:1])
    assert error.value.status() == "400"
