"""What odd or hostile callers send over a socket: each gets a refusal, and the next caller is answered."""

import asyncio
import contextlib
import json
import re
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest
from served import Process, client
from test_serve import INFER, ROWS, URL, logged

from lifecycle.serving import connections

BODY = json.dumps({"jsonData": ROWS}).encode()
OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"
SOCKET = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"


@pytest.fixture(scope="module")
def process(models: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """One service for all of them, which must not have said anything of its own errors in the end."""
    made = Process(models("binary_classification"), tmp_path_factory.mktemp("http"))
    with made:
        yield made
        made.running.send_signal(signal.SIGTERM)
        made.running.wait(timeout=5)
        assert made.running.stderr
        said = made.running.stderr.read()
    assert set(said.splitlines()) <= {"WARNING:  Invalid HTTP request received."}
    assert made.running.returncode == 0


def post(path: str = URL, body: bytes = BODY, more: bytes = b"", method: str = "POST") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n".encode() + more + b"\r\n" + body


def chunked(*parts: bytes, more: bytes = b"") -> bytes:
    framed = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (*parts, b""))
    return f"POST {URL} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n".encode() + more + b"\r\n" + framed


@contextlib.contextmanager
def calling(process: Process) -> Iterator[tuple[socket.socket, BinaryIO]]:
    """A socket to write to and a file to read from."""
    with socket.create_connection(("127.0.0.1", process.port), timeout=10) as caller, caller.makefile("rb") as file:
        yield caller, file


def got(file: BinaryIO) -> tuple[int, str]:
    """Status and body of the next answer."""
    status = int(file.readline().split()[1])
    size = re.search(rb"content-length: (\d+)", b"".join(iter(file.readline, b"\r\n")))
    assert size
    return status, file.read(int(size[1])).decode()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (post(), 200),
        (post(URL + "?a=%ff&b"), 200),
        (post("/predict/"), 404),
        (post("//predict"), 404),
        (post("/%zz%"), 404),
        (post("/predict%ff"), 404),
        (post("/%00%0d%0a"), 404),
        (post("/../predict"), 404),
        (post("/v2/models/%7Bname%7D/infer"), 404),
        (post("/v2/models/%7Bname%7D/versions/%7Bversion%7D/infer"), 404),
        (post("/v2/models/%ed%a0%80/infer"), 404),
        (b"POST /\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /nowhere HTTP/1.1\r\nHost: [\r\n\r\n", 404),
        (post(method="PUT"), 405),
        (b"OPTIONS " + URL.encode() + b" HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (post(method="BREW"), 400),
        (b"\x00\x01\r\n\r\n", 400),
        (f"POST {URL} HTTP/1.1\r\nContent-Length: -1\r\n\r\n".encode(), 400),
        (f"POST {URL} HTTP/1.1\r\nContent-Length: {'9' * 40}\r\n\r\n".encode(), 400),
        (f"POST {URL} HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab".encode(), 400),
        (chunked(*(BODY[place : place + 1] for place in range(len(BODY)))), 200),
        (chunked(*[b" " * 60_000] * 3), 413),
        (post(more=b"Content-Type: \xff\xfe\r\n"), 415),
        (post(more=b"Seldon-Puid: \xff\xe9\r\n"), 200),
        (post(more=b"Expect: tea\r\n"), 200),
        (post(more=OFFER), 200),
        (post(more=OFFER.upper()), 200),
        (post(more=b"Upgrade: h2c\r\n"), 200),
        (post(more=b"Upgrade: TLS/1.0, websocket\r\nConnection: keep-alive\r\nConnection: upgrade\r\n"), 200),
        (post(more=OFFER, body=b"Upgrade: h2c\r\n\r\n"), 400),
        (post(more=OFFER, body=b" " * 200_000), 413),
        (chunked(BODY, more=OFFER), 200),
        (b"GET /live HTTP/1.1\r\nHost: x\r\n" + OFFER + b"\r\n", 200),
        (b"GET /live HTTP/1.1\r\nHost: x\r\n" + SOCKET + b"\r\n", 200),
        (b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ],
)
def test_an_odd_request_is_answered_and_so_is_the_next(request_: bytes, status: int, process: Process) -> None:
    with calling(process) as (caller, file):
        caller.sendall(request_)
        found, body = got(file)
        assert (found, "Traceback" in body) == (status, False), body
        if body.startswith("{") and status != 200:
            told = json.loads(body)
            assert (told.get("error") or told["status"]["info"]).endswith(".")
        if body != "Invalid HTTP request received.":  # of which none knows where the next begins
            caller.sendall(post())
            assert got(file)[0] == 200


def test_a_head_has_no_body(process: Process) -> None:
    with process.connection() as connection:
        for url, status in (("/health/ping", 200), (URL, 405), ("/nowhere", 404)):
            connection.request("HEAD", url)
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (status, b"")


def test_a_caller_that_expects_a_word_before_the_body_gets_it(process: Process) -> None:
    with calling(process) as (caller, file):
        head, gap, body = post(more=b"Expect: 100-continue\r\n").partition(b"\r\n\r\n")
        caller.sendall(head + gap)
        assert file.readline() + file.readline() == b"HTTP/1.1 100 Continue\r\n\r\n"
        caller.sendall(body)
        assert got(file)[0] == 200


def test_an_upgrade_is_ignored_wherever_the_network_cuts_the_request(process: Process) -> None:
    """The next request offers one, too; the one after does not."""
    whole = post(more=OFFER) + post(more=OFFER, method="PUT") + post()
    size = len(post(more=OFFER))
    for place in range(size):
        with calling(process) as (caller, file):
            caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            caller.sendall(whole[:place])
            time.sleep(0.002)
            caller.sendall(whole[place:])
            assert [got(file)[0] for _ in range(3)] == [200, 405, 200], place


def test_an_upgrade_is_ignored_by_a_connection_that_waits_or_is_to_close(process: Process) -> None:
    with calling(process) as (caller, file):
        head, gap, body = post(more=OFFER + b"Expect: 100-continue\r\n").partition(b"\r\n\r\n")
        caller.sendall(head + gap)
        assert file.readline() + file.readline() == b"HTTP/1.1 100 Continue\r\n\r\n"
        caller.sendall(body)
        assert got(file)[0] == 200
    for request in (post(more=OFFER + b"Connection: close\r\n"), post(more=OFFER).replace(b"HTTP/1.1", b"HTTP/1.0")):
        with calling(process) as (caller, file):
            caller.sendall(request)
            assert got(file)[0] == 200
            assert file.read() == b""


def test_a_thousand_upgrades_at_once_are_each_ignored(process: Process) -> None:
    with calling(process) as (caller, file):
        caller.sendall(b"GET /live HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: a\r\n\r\n" * 1000)
        assert {got(file)[0] for _ in range(1000)} == {200}


def test_requests_that_do_not_wait_for_answers_are_answered_in_their_order(process: Process) -> None:
    with calling(process) as (caller, file):
        caller.sendall(post(body=b"{") + post() + post("/nowhere") + post())
        assert [got(file)[0] for _ in range(4)] == [400, 200, 404, 200]


def test_callers_that_hang_up_before_the_answer_harm_no_one(process: Process) -> None:
    def rude() -> None:
        for _ in range(100):
            with socket.create_connection(("127.0.0.1", process.port), timeout=10) as caller:
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # resets it when closed
                caller.sendall(post())

    callers = [threading.Thread(target=rude) for _ in range(4)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join()
    assert process.get("/live")


def test_a_key_that_stands_twice_has_its_last_value_and_that_is_logged(models: Any, tmp_path: Path) -> None:
    service = client(models("binary_classification"), tmp_path)
    once = service.post(URL, content=b'{"jsonData": [{"number": 2, "colour": "red"}]}').json()["jsonData"]
    twice = service.post(URL, content=b'{"jsonData": [{"number": 1, "number": 2, "colour": "red"}]}').json()["jsonData"]
    assert twice == once
    assert [line["features"]["number"] for line in logged(tmp_path)] == [2, 2]


@pytest.mark.parametrize(
    ("url", "content"),
    [
        (URL, '{"jsonData": [{"number": 1, "colour": DEEP}]}'),
        (URL, '{"jsonData": [{"number": DEEP, "colour": "red"}]}'),
        (URL, '{"jsonData": [{"number": 1, "colour": "red", "moment": DEEP}]}'),
        (URL, '{"jsonData": [{"number": 1, "colour": "\\ud800"}]}'),
        (URL, '{"jsonData": [{"\\udfff": 1}]}'),
        (URL, '{"meta": {"puid": DEEP}, "jsonData": [{"number": 1, "colour": "red"}]}'),
        ("/send-feedback", '{"response": {"meta": {"puid": "a"}}, "truth": {"jsonData": [DEEP]}}'),
        (INFER, '{"inputs": [{"name": "number", "shape": DEEP, "datatype": "FP32", "data": [1]}]}'),
        (INFER, '{"inputs": [{"name": "number", "shape": [1], "datatype": "FP32", "data": DEEP}]}'),
        (INFER, '{"inputs": [{"name": "number", "shape": [1], "datatype": DEEP, "data": [1]}]}'),
    ],
)
@pytest.mark.parametrize("depth", [300, 1000, 20_000])
def test_deep_nesting_and_lone_surrogates_are_refused(
    url: str, content: str, depth: int, models: Any, tmp_path: Path
) -> None:
    answer = client(models("binary_classification"), tmp_path).post(
        url,
        content=content.replace("DEEP", "[" * depth + "]" * depth),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 400
    assert len(answer.content) < 500


def test_names_that_callers_make_up_do_not_swell_the_refusal(models: Any, tmp_path: Path) -> None:
    service = client(models("binary_classification"), tmp_path)
    long = "a\n" * 20_000
    for url, body in [
        (URL, {"jsonData": [{f"c{index}": 1 for index in range(5000)}]}),
        (URL, {"jsonData": {"number": [1], long: [1, 2]}}),
        (URL, {"jsonData": [{long: 1}]}),
        (INFER, {"inputs": [{"name": long, "shape": [1], "datatype": "X"}]}),
        (
            INFER,
            {
                "inputs": [{"name": "number", "shape": [1], "datatype": "FP32", "data": [1]}],
                "outputs": [{"name": long}],
            },
        ),
    ]:
        answer = service.post(url, json=body)
        assert (answer.status_code, len(answer.content) < 500) == (400, True)
        assert "\\n" not in answer.text.replace("\\\\n", "")


class Transport:
    """Keeps what is written, one item a call."""

    def __init__(self, closing: bool = False) -> None:
        self._closing, self.written = closing, list[bytes]()

    def is_closing(self) -> bool:
        return self._closing

    def write(self, part: bytes) -> None:
        if self._closing:
            raise RuntimeError("the handler is closed")
        self.written.append(part)

    def close(self) -> None:
        self._closing = True


def test_head_and_body_leave_together_and_before_the_connection_is_closed() -> None:
    async def speak() -> None:
        corked.write(b"head")
        corked.write(b"body")
        assert not transport.written
        await asyncio.sleep(0)
        assert transport.written == [b"headbody"]
        corked.write(b"last")
        corked.close()
        assert transport.written == [b"headbody", b"last"]

    transport = Transport()
    corked = connections.Corked(cast(asyncio.Transport, transport))
    asyncio.run(speak())
    assert transport.is_closing()


def test_an_answer_to_a_caller_who_has_gone_is_dropped() -> None:
    async def speak() -> list[dict[str, Any]]:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
        connections.Corked(cast(asyncio.Transport, Transport(closing=True))).write(b"answer")
        await asyncio.sleep(0)
        return failures

    failures: list[dict[str, Any]] = []
    assert asyncio.run(speak()) == []
