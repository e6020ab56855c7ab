import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from served import client
from tiny import Trained

INFER = "/v2/models/tiny/infer"
NUMBER = {"name": "number", "shape": [2], "datatype": "FP32", "data": [0.5, None]}
COLOUR = {"name": "colour", "shape": [2], "datatype": "BYTES", "data": ["red", "blue"]}


def packed(*texts: str) -> bytes:
    return b"".join(len(text.encode()).to_bytes(4, "little") + text.encode() for text in texts)


def sent(body: dict[str, Any], *binary: bytes) -> dict[str, Any]:
    """What a client posts for a request with binary tensors."""
    head = json.dumps(body).encode()
    return {"content": head + b"".join(binary), "headers": {"Inference-Header-Content-Length": str(len(head))}}


def test_a_request_is_answered_with_its_id_and_the_models_version(trained: Trained, tmp_path: Path) -> None:
    body = client(trained, tmp_path).post(INFER, json={"id": "7", "inputs": [COLOUR, NUMBER]}).json()
    assert (body["id"], body["model_name"]) == ("7", "tiny")
    assert body["parameters"]["puid"] != "7"
    assert all(tensor["shape"] == [2] and len(tensor["data"]) == 2 for tensor in body["outputs"])


@pytest.mark.parametrize("datatype", ["FP64", "FP32", "INT64", "UINT8"])
def test_binary_tensors_are_read_and_written_as_the_json_ones(datatype: str, trained: Trained, tmp_path: Path) -> None:
    service = client(trained, tmp_path)
    values = np.array([1, 2], {"FP64": "f8", "FP32": "f4", "INT64": "i8", "UINT8": "u1"}[datatype])
    plain = service.post(INFER, json={"inputs": [{**NUMBER, "data": [1, 2]}, COLOUR]}).json()["outputs"]
    number, colour = values.tobytes(), packed("red", "blue")
    inputs = [
        {"name": "number", "shape": [2], "datatype": datatype, "parameters": {"binary_data_size": len(number)}},
        {"name": "colour", "shape": [2], "datatype": "BYTES", "parameters": {"binary_data_size": len(colour)}},
    ]
    request = sent({"inputs": inputs, "parameters": {"binary_data_output": True}}, number, colour)
    answer = service.post(INFER, **request)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/octet-stream"
    size = int(answer.headers["Inference-Header-Content-Length"])
    rest = answer.content[size:]
    for tensor, expected in zip(json.loads(answer.content[:size])["outputs"], plain, strict=True):
        length = tensor["parameters"]["binary_data_size"]
        content, rest = rest[:length], rest[length:]
        if tensor["datatype"] == "BYTES":
            assert content == packed(*expected["data"])
        else:
            assert np.frombuffer(content, "f8").tolist() == expected["data"]
    assert not rest


def test_a_binary_nan_is_a_missing_value(binary: Trained, tmp_path: Path) -> None:
    service = client(binary, tmp_path)
    content = np.array([0.5, np.nan], "f4").tobytes()
    number = {"name": "number", "shape": [2], "datatype": "FP32", "parameters": {"binary_data_size": 8}}
    answer = service.post(INFER, **sent({"inputs": [number, COLOUR]}, content))
    assert answer.json()["outputs"] == service.post(INFER, json={"inputs": [NUMBER, COLOUR]}).json()["outputs"]


def test_only_the_outputs_that_are_asked_for_are_sent(binary: Trained, tmp_path: Path) -> None:
    outputs = [{"name": "probability_yes", "parameters": {"binary_data": False}}]
    body = client(binary, tmp_path).post(INFER, json={"inputs": [NUMBER, COLOUR], "outputs": outputs}).json()
    assert [tensor["name"] for tensor in body["outputs"]] == ["probability_yes"]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "no inputs"),
        ({"inputs": []}, "no inputs"),
        ({"inputs": [1]}, "has no name, or a repeated one"),
        ({"inputs": [NUMBER, NUMBER]}, "has no name, or a repeated one"),
        ({"inputs": [{**NUMBER, "shape": None}]}, "The input number has no shape"),
        ({"inputs": [{**NUMBER, "shape": [1, 2]}]}, "The input number has the shape [1, 2]"),
        ({"inputs": [{**NUMBER, "shape": [-2]}]}, "has no shape"),
        ({"inputs": [{**NUMBER, "shape": [3]}]}, "has 2 values, but the shape [3]"),
        ({"inputs": [{**NUMBER, "datatype": "FP8"}]}, "unknown datatype"),
        ({"inputs": [{**NUMBER, "data": None}]}, "The input number has no data"),
        ({"inputs": [{**NUMBER, "data": ["a", "b"]}, COLOUR]}, 'Row 0 has "a" in the column number'),
        ({"inputs": [NUMBER]}, "Row 0 lacks the column colour"),
        ({"inputs": [NUMBER, {**COLOUR, "shape": [1], "data": ["red"]}]}, "different numbers of rows"),
        ({"inputs": [{**NUMBER, "shape": [0], "data": []}]}, "different numbers of rows, or none"),
        ({"inputs": [{**NUMBER, "name": "size"}, COLOUR]}, "unknown column size"),
        ({"inputs": [NUMBER, COLOUR], "id": 7}, "The id is not a string"),
        ({"inputs": [NUMBER, COLOUR], "parameters": 7}, "parameters is not an object"),
        ({"inputs": [NUMBER, COLOUR], "outputs": [1]}, "outputs is not a list of objects"),
        ({"inputs": [NUMBER, COLOUR], "outputs": [{"name": "x"}]}, 'The output "x" is unknown'),
    ],
)
def test_a_request_that_is_wrong_is_told_why(
    body: dict[str, Any], sentence: str, binary: Trained, tmp_path: Path
) -> None:
    answer = client(binary, tmp_path).post(INFER, json=body)
    assert answer.status_code == 400
    assert sentence in answer.json()["error"]


@pytest.mark.parametrize(
    ("datatype", "size", "content", "sentence"),
    [
        ("FP32", 9, b"12345678", "binary_data_size that is invalid or longer than the body"),
        ("FP32", "8", b"12345678", "binary_data_size that is invalid or longer than the body"),
        ("FP32", 7, b"1234567", "not a whole number of FP32 values"),
        ("FP32", 8, b"123456789", "1 bytes more than its tensors"),
        ("BYTES", 6, b"\x08\x00\x00\x00ab", "truncated or not UTF-8"),
        ("BYTES", 2, b"\x08\x00", "truncated or not UTF-8"),
        ("BYTES", 5, b"\x01\x00\x00\x00\xff", "truncated or not UTF-8"),
    ],
)
def test_binary_data_that_do_not_fit_are_told(
    datatype: str, size: Any, content: bytes, sentence: str, binary: Trained, tmp_path: Path
) -> None:
    number = {"name": "number", "shape": [2], "datatype": datatype, "parameters": {"binary_data_size": size}}
    answer = client(binary, tmp_path).post(INFER, **sent({"inputs": [number]}, content))
    assert answer.status_code == 400
    assert sentence in answer.json()["error"]


@pytest.mark.parametrize("header", ["x", "-1", "²", "1e3", "99999999999999999999", "10000"])
def test_a_length_of_the_json_that_is_none_is_told(header: str, binary: Trained, tmp_path: Path) -> None:
    headers = {b"Inference-Header-Content-Length": header.encode("latin-1")}
    answer = client(binary, tmp_path).post(INFER, content=b"{}", headers=headers)
    assert answer.status_code == 400
    assert "Inference-Header-Content-Length" in answer.json()["error"]
