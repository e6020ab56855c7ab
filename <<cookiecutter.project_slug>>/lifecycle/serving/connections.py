"""One connection as uvicorn speaks on it, with joined writes, bounds, and upgrades ignored."""

import asyncio
import math
import sys
from collections.abc import Callable
from typing import Any, cast

from httptools import HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from lifecycle.serving import bounds

SWEEP = 1  # seconds between looks at connections that are overdue

type Count = Callable[[str, str, int], None]  # of refusals, by protocol, reason and status


class Corked:
    """A transport that joins the writes of one event-loop step, such as an answer's head and body."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport, self._parts = transport, list[bytes]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, part: bytes) -> None:
        if not self._parts:
            asyncio.get_running_loop().call_soon(self._flush)
        self._parts.append(part)

    def _flush(self) -> None:
        if self._parts and not self._transport.is_closing():  # the client may be gone
            self._transport.write(b"".join(self._parts))
        self._parts.clear()

    def close(self) -> None:
        self._flush()
        self._transport.close()


class Crowd:
    """All connections, ordered by when they last got an answer; `waiting` requests were sent ahead of their turn."""

    def __init__(self, count: Count) -> None:
        self.count, self.waiting = count, 0
        self._all: dict[Protocol, None] = {}

    def enter(self, one: "Protocol") -> None:
        """Take a new connection; where there is no place, the one that got no answer for longest leaves."""
        if not self._all:
            asyncio.get_running_loop().call_later(SWEEP, self._sweep)
        if len(self._all) >= bounds.CONNECTIONS:
            oldest = next(iter(self._all))
            self.leave(oldest)
            oldest.refuse("connections", 503, "Too many connections; try again later.")
        self._all[one] = None

    def answered(self, one: "Protocol") -> None:
        if self._all.pop(one, one) is None:
            self._all[one] = None

    def leave(self, one: "Protocol") -> None:
        self._all.pop(one, None)

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for one in list(self._all):
            if one.due < now:
                one.refuse("time", 408, "The request came too slowly; send it faster.")
        if self._all:
            loop.call_later(SWEEP, self._sweep)


class Refused(Exception):  # noqa: N818 - it ends the parser
    """Raised in a callback of the parser, so that it reads no further."""


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol with what it lacks; writing head and body separately costs a third of the time."""

    def __init__(self, crowd: Crowd, **given: Any) -> None:
        super().__init__(**given)
        self._crowd = crowd
        self.due = math.inf  # when the present step has to be done, in the loop's time
        self._idle, self._head, self._trailing, self._refused = False, True, False, False
        self._unread = 0  # bytes of a head or trailer that has not come to its end, which the parser keeps

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(Corked(transport))  # type: ignore[arg-type]
        self.due = self.loop.time() + bounds.HEAD_SECONDS
        self._crowd.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._crowd.leave(self)
        super().connection_lost(exc)
        self._crowd.waiting -= len(self.pipeline)
        self.pipeline.clear()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer a caller that has sent its last request and only listens; close any other connection."""
        waits = self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body
        if waits:
            self.cycle.keep_alive = False
        else:
            self.transport.close()  # after the answer that is being written
        return True

    def data_received(self, data: bytes) -> None:
        """Ignore protocol upgrades, which Java's HTTP client offers: uvicorn would lose the body."""
        if self._idle:
            self._idle, self.due = False, self.loop.time() + bounds.HEAD_SECONDS
        while data and not self._refused:
            self._received, self._again = data, b""
            super().data_received(data)
            if self._head or self._trailing:
                self._unread += len(data)
                if self._unread > bounds.HEAD:
                    self._refuse_head()
            data = self._again

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head, self._unread = True, 0

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        if len(self.headers) > bounds.HEADERS:  # a trailer's, too; at once, as thousands may come together
            self._refuse_head()
            raise Refused

    def on_headers_complete(self) -> None:
        if self._unread + len(self._received) > bounds.HEAD < self._size():
            self._refuse_head()
            raise Refused
        if self._crowd.waiting >= bounds.WAITING:
            self.refuse("connections", 503, "Too many requests wait for their answers; await some of them first.")
            raise Refused
        self._head, self.due = False, self.loop.time() + bounds.BODY_SECONDS
        before = len(self.pipeline)
        super().on_headers_complete()
        self._crowd.waiting += len(self.pipeline) - before

    def on_chunk_header(self) -> None:
        """The last chunk has no body, and after it come trailers."""
        self._trailing, self._unread = True, -len(self._received)

    def on_body(self, body: bytes) -> None:
        self._trailing = False
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._trailing = False
        self.due = self.loop.time() + bounds.ANSWER_SECONDS
        super().on_message_complete()

    def on_response_complete(self) -> None:
        before = len(self.pipeline)
        super().on_response_complete()
        self._crowd.waiting += len(self.pipeline) - before
        self._crowd.answered(self)
        if not self.pipeline and not self._head:
            self._idle, self.due = True, self.loop.time() + bounds.ANSWER_SECONDS

    def _size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _refuse_head(self) -> None:
        self._later("head", 431, f"The head has over {bounds.HEAD} bytes or {bounds.HEADERS} headers; send fewer.")

    def send_400_response(self, msg: str) -> None:
        """Refuse what the parser does not understand, unless it was ended by a refusal."""
        self._later("head", 400, msg)

    def _later(self, reason: str, status: int, sentence: str) -> None:
        """Read no more of the connection, and close it with an answer after a pause."""
        if not self._refused and not self.transport.is_closing():
            self._refused = True
            self.transport.pause_reading()
            self._crowd.count("http", reason, status)
            self.loop.call_later(bounds.PAUSE, self._send, status, sentence)

    def refuse(self, reason: str, status: int, sentence: str) -> None:
        """Close the connection at once and count it, with an answer if its caller awaits one."""
        # Between two requests, refused before, or it does not take its answer.
        if self._idle or self._refused or self.transport.get_write_buffer_size():
            self.transport.abort()
        elif not self.transport.is_closing():
            self._crowd.count("http", reason, status)
            self._send(status, sentence)

    def _send(self, status: int, sentence: str) -> None:
        if self.transport.is_closing():
            return
        length = f"content-length: {len(sentence)}"
        head = ["content-type: text/plain; charset=utf-8", length, "connection: close", "", sentence]
        self.transport.write(STATUS_LINE[status] + "\r\n".join(head).encode())
        self.transport.close()

    def _should_upgrade(self) -> bool:
        """Let uvicorn leave a request with an upgrade alone; CONNECT has no other meaning, and is refused."""
        return self.parser.get_method() != b"CONNECT"

    def handle_websocket_upgrade(self) -> None:
        """Read the head again without its upgrade, and then what follows it."""
        (end,) = cast(HttpParserUpgrade, sys.exception()).args
        version = self.parser.get_http_version().encode()
        kept = [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        first = b" ".join((self.parser.get_method(), self.url, b"HTTP/" + version))
        self._again = b"\r\n".join([first, *kept, b"", self._received[end:]])
        self.parser = HttpRequestParser(self)  # the former has ended if the connection is to close
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
