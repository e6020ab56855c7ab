"""Both protocols are sent what no one thought of: every answer is right or a refusal in one sentence, never a 500."""

import asyncio
import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from served import client
from test_predictor import with_a_key
from tiny import Trained

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**300, max_value=10**320)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["red", "1", "NaN", "", "\x00", "2020-01-01"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
# As deep as JSON is read, and deeper than it is written.
DEEP = st.integers(200, 1100).map(lambda depth: json.loads("[" * depth + "]" * depth))
NAMES = st.sampled_from(["number", "colour", "moment", "order", "size", ""]) | st.text(max_size=5)
GOOD = st.fixed_dictionaries(
    {"number": st.none() | st.floats(-1e6, 1e6), "colour": st.sampled_from(["red", "blue", "mauve"])},
    optional={"order": VALUES | DEEP, "moment": st.sampled_from(["2020-01-01", None, 1])},
)
ROWS = st.lists(GOOD, min_size=1, max_size=3) | st.lists(
    GOOD | st.dictionaries(NAMES, SCALARS, max_size=4) | VALUES, max_size=4
)
TABLES = st.fixed_dictionaries(
    {},
    optional={
        "names": st.permutations(["number", "colour"]) | st.lists(NAMES, max_size=3) | VALUES,
        "ndarray": st.lists(st.lists(SCALARS, min_size=2, max_size=2) | VALUES, max_size=3) | VALUES,
        "tensor": st.fixed_dictionaries(
            {}, optional={"shape": st.lists(st.integers(-1, 3)) | VALUES, "values": VALUES}
        ),
    },
)
MESSAGES = (
    st.fixed_dictionaries({"jsonData": ROWS | st.dictionaries(NAMES, st.lists(SCALARS, max_size=3), max_size=3)})
    | st.fixed_dictionaries({"data": TABLES | VALUES})
    | VALUES
)
TENSORS = st.fixed_dictionaries(
    {},
    optional={
        "name": NAMES,
        "shape": st.lists(st.integers(-1, 3), max_size=3) | st.sampled_from([[1], [2]]) | VALUES,
        "datatype": st.sampled_from(["FP32", "BYTES", "BOOL", "INT8", "FP16"]) | VALUES,
        "data": st.lists(SCALARS, max_size=3) | VALUES,
        "parameters": st.dictionaries(st.sampled_from(["binary_data_size"]), st.integers(-1, 9) | VALUES) | VALUES,
    },
)
GOOD_TENSORS = st.tuples(st.floats(width=32), st.text(max_size=3), SCALARS | DEEP).map(
    lambda values: [
        {"name": "number", "shape": [1], "datatype": "FP32", "data": [values[0]]},
        {"name": "colour", "shape": [1], "datatype": "BYTES", "data": [values[1]]},
        {"name": "order", "shape": [1], "datatype": "BYTES", "data": [values[2]]},
    ]
)
INFERENCES = (
    st.fixed_dictionaries(
        {"inputs": GOOD_TENSORS | st.lists(TENSORS | VALUES, max_size=3)},
        optional={
            "id": VALUES | DEEP,
            "outputs": st.lists(st.fixed_dictionaries({"name": st.sampled_from(["prediction"]) | VALUES}), max_size=2)
            | VALUES,
            "parameters": st.dictionaries(st.sampled_from(["binary_data_output"]), SCALARS) | VALUES,
        },
    )
    | VALUES
)
FEEDBACK = st.fixed_dictionaries(
    {},
    optional={
        "response": st.fixed_dictionaries({"meta": st.fixed_dictionaries({"puid": VALUES}) | VALUES}) | VALUES,
        "truth": st.fixed_dictionaries({}, optional={"jsonData": VALUES, "data": TABLES | VALUES}) | VALUES,
    },
)
URLS = {"seldon": "/api/v1.0/predictions", "v2": "/v2/models/tiny/infer", "feedback": "/send-feedback"}


class Caller:
    """Calls the application without a socket, hundreds of times a second."""

    def __init__(self, application: Any) -> None:
        self._application, self._loop = application, asyncio.new_event_loop()

    def __call__(self, url: str, content: bytes, headers: dict[str, str]) -> tuple[int, str, bytes]:
        """Status, content type and body."""
        sent: list[Any] = []
        named = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        scope = {"type": "http", "method": "POST", "path": url, "headers": named, "query_string": b"", "root_path": ""}

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        self._loop.run_until_complete(self._application(scope, receive, send))
        return sent[0]["status"], dict(sent[0]["headers"])[b"content-type"].decode(), sent[1]["body"]

    def close(self) -> None:
        self._loop.close()


@pytest.fixture(scope="module")
def call(models: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """The application of a model whose rows have a key, as it is configured: what is answered is logged."""
    trained: Trained = models("binary_classification")
    folder = tmp_path_factory.mktemp("fuzz")
    build = trained.copy(folder)
    with_a_key(build)
    service = client(trained.but(build=build), folder)
    caller = Caller(service.app)
    yield caller
    caller.close()
    service.service.close()


def _finite(constant: str) -> float:
    raise AssertionError(f"{constant} is no JSON")


def answered(call: Caller, protocol: str, content: bytes, **headers: str) -> int:
    """Post and check whatever comes back; returns the status."""
    status, kind, answer = call(URLS[protocol], content, headers)
    assert status in (200, 400, 413, 415), (status, content)
    if kind == "application/json":
        body = json.loads(answer, parse_constant=_finite)
        if status != 200:
            told = body["error"] if protocol == "v2" else body["status"]["info"]
            assert told.endswith("."), told
            assert "Traceback" not in told
        elif protocol == "seldon" and "jsonData" in body:
            for row in body["jsonData"]:
                assert math.isclose(sum(row["probabilities"].values()), 1, abs_tol=1e-6)
    return status


@settings(max_examples=500)
@given(message=MESSAGES)
def test_any_message_of_seldons_protocol_is_answered_or_refused(call: Caller, message: Any) -> None:
    answered(call, "seldon", json.dumps(message).encode())


@settings(max_examples=500)
@given(message=INFERENCES, binary=st.binary(max_size=12), whole=st.booleans())
def test_any_inference_is_answered_or_refused(call: Caller, message: Any, binary: bytes, whole: bool) -> None:
    content = json.dumps(message).encode()
    headers = {} if whole else {"Inference-Header-Content-Length": str(len(content))}
    answered(call, "v2", content if whole else content + binary, **headers)


@settings(max_examples=300)
@given(message=FEEDBACK)
def test_any_feedback_is_taken_or_refused(call: Caller, message: Any) -> None:
    answered(call, "feedback", json.dumps(message).encode(), **{"Content-Type": "application/json"})


@settings(max_examples=300)
@given(content=st.binary(max_size=300), protocol=st.sampled_from(sorted(URLS)), header=st.none() | st.integers(-5, 400))
def test_any_bytes_are_refused(call: Caller, content: bytes, protocol: str, header: int | None) -> None:
    headers = {} if header is None else {"Inference-Header-Content-Length": str(header)}
    assert answered(call, protocol, content, **headers) != 200


def test_good_requests_are_among_those_that_are_sent(call: Caller) -> None:
    """What is always refused would prove nothing."""
    counts: dict[str, list[int]] = {"seldon": [], "v2": []}

    @settings(max_examples=300, derandomize=True)
    @given(message=MESSAGES, inference=INFERENCES)
    def send(message: Any, inference: Any) -> None:
        for protocol, body in (("seldon", message), ("v2", inference)):
            counts[protocol].append(answered(call, protocol, json.dumps(body).encode()))

    send()
    assert all(found.count(200) > 10 for found in counts.values()), {p: f.count(200) for p, f in counts.items()}
