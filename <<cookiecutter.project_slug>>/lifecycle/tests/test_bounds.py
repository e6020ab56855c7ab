"""What callers cannot take from each other: the service's memory, its connections and its time."""

import contextlib
import json
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from served import Process, client, free_port
from test_http import BODY, calling, chunked, got, post
from test_serve import INFER, ROWS, TENSORS, URL
from tiny import Trained

from lifecycle.serving import bounds, connections, serve, service, workers

BIG = 8_000_000
HEAD = f"POST {URL} HTTP/1.1\r\nHost: x\r\n".encode()


@pytest.fixture(scope="module")
def process(models: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A service with the example's limits, which stays below 300 MiB whatever the tests send to it."""
    trained = models("binary_classification")
    document = {**trained.document, "serve": {**trained.document["serve"], "rows": 1000, "bytes": BIG}}
    with Process(trained.but(document=document), tmp_path_factory.mktemp("bounds")) as made:
        yield made
        status = Path(f"/proc/{made.running.pid}/status").read_text()
        made.running.send_signal(signal.SIGTERM)
        made.running.wait(timeout=30)
        peak = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert peak
        assert int(peak[1]) < 300 * 1024


def asked(process: Process, body: bytes, path: str = URL, more: bytes = b"") -> tuple[int, str]:
    with calling(process) as (caller, file):
        caller.sendall(post(path, body, more))
        return got(file)


def opened(process: Process) -> socket.socket:
    return socket.create_connection(("127.0.0.1", process.port), timeout=10)


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"jsonData": [{f"c{row}": 1} for row in range(8000)]}).encode(),
        json.dumps({"jsonData": [{"number": 1, "colour": "red"}] + [{f"c{row}": 1} for row in range(999)]}).encode(),
        json.dumps({"jsonData": {f"c{row}": [1] for row in range(500_000)}}).encode(),
        json.dumps({"data": {"names": [f"c{n}" for n in range(400_000)], "ndarray": [[1]]}}).encode(),
        json.dumps({"data": {"names": ["number"], "ndarray": [[1]] * 400_000}}).encode(),
        b'{"jsonData": [' + b'{"":0},' * 1_100_000 + b"0]}",
        b'{"jsonData": [' + b"[]," * 2_600_000 + b"0]}",
        b'{"jsonData": [' + b"{}," * 2_600_000 + b"0]}",
        b'{"jsonData": [{"number": 1, "colour": "' + b"\\u0001" * 1_300_000 + b'"}]}',
        b"{" + b"[" * 7_000_000,
    ],
)
@pytest.mark.parametrize("path", [URL, INFER, "/send-feedback"])
def test_a_body_of_much_work_is_refused_before_it(path: str, body: bytes, process: Process) -> None:
    status, told = asked(process, body, path, b"Content-Type: application/json\r\n")
    assert status in (400, 413)
    assert len(told) < 500


@pytest.mark.parametrize(
    ("kind", "size", "value"), [("UINT8", 1, b"\x07"), ("INT16", 2, b"\x07\x07"), ("BYTES", 6, b"\x02\0\0\0\xc3\xa9")]
)
def test_a_binary_tensor_is_not_unpacked_when_it_has_too_many_rows(
    kind: str, size: int, value: bytes, process: Process
) -> None:
    count = 7_900_000 // size
    tensor = {"name": "number", "shape": [count], "datatype": kind, "parameters": {"binary_data_size": count * size}}
    head = json.dumps({"inputs": [tensor]}).encode()
    more = b"Inference-Header-Content-Length: %d\r\n" % len(head)
    assert asked(process, head + value * count, INFER, more)[0] == 413


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (HEAD + b"X: " + b"a" * 40_000, 431),
        (HEAD + b"X" * 40_000, 431),
        (b"GET /" + b"a" * 40_000, 431),
        (HEAD + b"a: b\r\n" * 101, 431),
        (HEAD + b"a: b\r\n" * 101 + b"\r\n", 431),
        (HEAD + b"X: " + b"a" * 40_000 + b"\r\n\r\n", 431),
        (chunked(BODY).removesuffix(b"\r\n") + b"a: b\r\n" * 101 + b"\r\n", 431),
        (b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n" * 4000, 503),
    ],
)
def test_a_head_without_end_and_a_crowd_of_heads_are_refused(sent: bytes, status: int, process: Process) -> None:
    with calling(process) as (caller, _):
        caller.sendall(sent)
        caller.settimeout(10)
        answers = b""
        with contextlib.suppress(ConnectionError):
            while part := caller.recv(65536):
                answers += part
    assert b"HTTP/1.1 %d " % status in answers
    assert process.get("/live")


def test_thousands_of_headers_that_come_together_are_not_read(process: Process) -> None:
    used = cpu(process)
    for _ in range(30):
        with calling(process) as (caller, file):
            caller.sendall(HEAD + b"a: b\r\n" * 40_000)
            with contextlib.suppress(ConnectionError):
                file.read()
    assert cpu(process) - used < 0.12


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (post(URL, json.dumps({"jsonData": [{f"c{row}": 1} for row in range(8000)]}).encode()), 413),
        (post(INFER, b" " * 40_000), 400),
        (HEAD + b"a: b\r\n" * 101, 431),
        (b"nonsense\r\n\r\n", 400),
    ],
)
def test_who_sends_what_is_refused_without_end_takes_little(sent: bytes, status: int, process: Process) -> None:
    with calling(process) as (caller, file):
        begin = time.monotonic()
        caller.sendall(sent)
        answer = file.read()
        assert time.monotonic() - begin > bounds.PAUSE / 2
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.count(b"HTTP/1.1") == 1


def test_a_small_mistake_is_answered_at_once_and_keeps_the_connection(process: Process) -> None:
    with calling(process) as (caller, file):
        begin = time.monotonic()
        for _ in range(4):
            caller.sendall(post(URL, b"{}"))
            assert got(file)[0] == 400
        assert time.monotonic() - begin < 2 * bounds.PAUSE


def test_a_trailer_without_end_is_refused(process: Process) -> None:
    with calling(process) as (caller, _), contextlib.suppress(ConnectionError):
        caller.sendall(chunked(b"[").removesuffix(b"\r\n"))
        time.sleep(0.1)
        caller.sendall(b"X: ")
        for _ in range(1000):
            caller.sendall(b"a" * 32_000)
            time.sleep(0.001)
        raise AssertionError("32 MB of a trailer were taken")


def test_bodies_that_are_held_leave_a_place_for_small_ones(process: Process) -> None:
    with contextlib.ExitStack() as stack:
        statuses = []
        for _ in range(20):
            caller = stack.enter_context(opened(process))
            with contextlib.suppress(ConnectionError):
                caller.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % BIG + b" " * (BIG - 1))
            statuses.append(caller)
            assert asked(process, BODY)[0] == 200
        refused = 0
        for caller in statuses:
            caller.settimeout(0.2)
            with contextlib.suppress(TimeoutError, ConnectionError):
                refused += caller.recv(12).endswith(b"503")
        assert refused >= 10


def test_half_open_connections_take_no_ones_place(process: Process) -> None:
    with contextlib.ExitStack() as stack:
        callers = []
        for sent in [b"", HEAD, post()[:-1]] * 200:
            callers.append(stack.enter_context(opened(process)))
            callers[-1].sendall(sent)
        begin = time.monotonic()
        assert asked(process, BODY)[0] == 200
        assert time.monotonic() - begin < 1
        assert callers[0].recv(100).startswith(b"HTTP/1.1 503 ")


def test_a_caller_in_the_crowd_keeps_its_connection(process: Process) -> None:
    """The one that got no answer for longest has to leave."""
    with calling(process) as (good, file), contextlib.ExitStack() as stack:
        for _ in range(4):
            good.sendall(post())
            assert got(file)[0] == 200
            for _ in range(200):
                stack.enter_context(opened(process))


def test_callers_that_never_read_their_answers_are_left(process: Process) -> None:
    body = json.dumps({"jsonData": ROWS * 500}).encode()
    with contextlib.ExitStack() as stack:
        for _ in range(10):
            caller = stack.enter_context(opened(process))
            caller.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                caller.send(post(body=body) * 10)
        assert asked(process, BODY)[0] == 200


def test_a_body_that_drips_costs_no_copy_for_each_part(process: Process) -> None:
    with calling(process) as (caller, file):
        caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        caller.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % BIG)
        caller.sendall(b" " * (BIG - 10_000))
        used = cpu(process)
        for _ in range(2000):
            caller.sendall(b" ")
        assert cpu(process) - used < 0.5
        caller.sendall(b" " * 8000)
        assert got(file)[0] == 400


def cpu(process: Process) -> float:
    fields = Path(f"/proc/{process.running.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


@pytest.mark.parametrize("sent", [post(), post(more=b"Connection: close\r\n"), post() + post(), chunked(BODY)])
def test_a_caller_that_only_listens_still_gets_its_answers(sent: bytes, process: Process) -> None:
    with calling(process) as (caller, file):
        caller.sendall(sent)
        caller.shutdown(socket.SHUT_WR)
        answers = file.read()
    assert answers.count(b"HTTP/1.1 200 OK") == sent.count(b"POST")


@pytest.mark.parametrize("sent", [HEAD, post()[:-1], chunked(BODY)[:-2]])
def test_a_caller_that_hangs_up_in_the_middle_is_left(sent: bytes, process: Process) -> None:
    with calling(process) as (caller, file):
        caller.sendall(sent)
        caller.shutdown(socket.SHUT_WR)
        assert b"200 OK" not in file.read()


def test_few_requests_wait_for_the_answers_before_them(process: Process) -> None:
    """Each would hold 3 kB, and a connection may send any number of them at once."""

    def turned_away() -> float:
        found = re.search(r'model_requests_total{code="503",protocol="http"} (\S+)', process.get("/metrics"))
        return float(found[1]) if found else 0

    before, caller, answers = turned_away(), opened(process), b""
    with caller, contextlib.suppress(ConnectionError):  # it closes with requests unread
        caller.sendall(post() * (2 * bounds.WAITING))
        while part := caller.recv(65536):
            answers += part
    assert answers.count(b"HTTP/1.1 200") <= bounds.WAITING
    assert turned_away() == before + 1
    assert asked(process, BODY)[0] == 200


def test_refusals_of_connections_are_counted(process: Process) -> None:
    assert asked(process, BODY, more=b"a: b\r\n" * 101)[0] == 431
    assert 'model_requests_total{code="431",protocol="http"}' in process.get("/metrics")


@contextlib.contextmanager
def quick(trained: Trained, folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Callable[[], socket.socket]]:
    """A service in this process with little patience."""
    for name in ("HEAD_SECONDS", "BODY_SECONDS", "ANSWER_SECONDS"):
        patch.setattr(bounds, name, 0.3)
    patch.setattr(connections, "SWEEP", 0.05)
    own = service.Service(trained.build / "model", folder, trained.settings, {})
    running, ((listener,),) = serve.server(own, {}), workers.listeners([free_port()])
    thread = threading.Thread(target=running.run, args=([listener],))
    thread.start()
    try:
        while not running.started:
            time.sleep(0.01)
        yield lambda: socket.create_connection(("127.0.0.1", listener.getsockname()[1]), timeout=5)
    finally:
        running.should_exit = True
        thread.join()
        own.close()


@pytest.mark.parametrize("sent", [b"", HEAD, post()[:-1], b"\r\n", chunked(BODY)[:-2], post() + HEAD, post() + b"\r\n"])
def test_a_caller_who_drips_or_sleeps_is_left(
    sent: bytes, binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with quick(binary, tmp_path, monkeypatch) as connect, connect() as caller:
        begin, answer = time.monotonic(), b""
        caller.sendall(sent)
        with contextlib.suppress(ConnectionError):
            while part := caller.recv(65536):
                answer += part
        assert time.monotonic() - begin < 2
        assert answer.count(b" 200 OK") == sent.startswith(post())


def test_a_caller_who_keeps_asking_is_kept(binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with quick(binary, tmp_path, monkeypatch) as connect, connect() as caller, caller.makefile("rb") as file:
        for _ in range(8):
            caller.sendall(post())
            assert got(file)[0] == 200
            time.sleep(0.1)


def test_what_is_held_is_counted_down_to_nothing(binary: Trained, tmp_path: Path) -> None:
    own = client(binary, tmp_path)
    for content in (b"{", b" " * 90_000, b" " * 200_000, iter([b" " * 60_000] * 3), iter([b" " * 40_000] * 2)):
        assert own.post(URL, content=content).status_code in (400, 413)
    assert own.service.held.bytes == 0


def test_what_the_model_raises_is_a_counted_sentence_and_a_fault_of_ours_is_counted(
    binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own = client(binary, tmp_path)

    def fail(*_: Any) -> None:
        raise RuntimeError("Found unknown categories\n" * 100)

    monkeypatch.setattr(own.service.predictor, "run", fail)
    for path, body in ((URL, {"jsonData": ROWS}), (INFER, {"inputs": TENSORS})):
        answer = own.post(path, json=body)
        assert (answer.status_code, "The model fails on these rows (RuntimeError: Found" in answer.text) == (400, True)
        assert len(answer.content) < 500
    assert own.get("/health/status").status_code == 503
    monkeypatch.setattr(own.service.predictor, "inputs", fail)
    answer = own.post(URL, json={"jsonData": ROWS})
    assert (answer.status_code, "unknown" in answer.text) == (500, False)
    assert "RuntimeError: Found unknown" in capsys.readouterr().err
    monkeypatch.undo()
    counted = own.get("/metrics").text
    assert 'model_refusals_total{reason="model_error"} 2.0' in counted
    assert 'model_refusals_total{reason="fault"} 1.0' in counted


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"names": ["number"], "tensor": {"shape": [[1] * 20_000, 1], "values": [1]}}},
        {"inputs": [{"name": "number", "shape": [1, *[1] * 20_000], "datatype": "FP32", "data": [1]}]},
        {"jsonData": [{"number": ["a" * 50_000] * 2, "colour": "red"}]},
        {"jsonData": [{"number": {"a" * 50_000: 1}, "colour": "red"}]},
    ],
)
def test_a_refusal_does_not_repeat_what_was_sent(body: dict[str, Any], binary: Trained, tmp_path: Path) -> None:
    answer = client(binary, tmp_path, bytes=200_000).post(INFER if "inputs" in body else URL, json=body)
    assert (answer.status_code, len(answer.content) < 500) == (400, True)
