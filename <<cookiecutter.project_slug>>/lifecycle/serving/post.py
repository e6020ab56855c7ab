"""Reads the body of a POST request within the limits, and sends the answer."""

import asyncio
import re
from collections.abc import Callable, Mapping
from urllib.parse import unquote_to_bytes

from starlette.types import Receive, Scope, Send

from lifecycle.artifact.requests import RequestError
from lifecycle.serving import bounds
from lifecycle.serving.service import Answer, Service

FORM = b"application/x-www-form-urlencoded"  # Seldon's own client sends messages in its field `json`
FIELD = re.compile(rb"(?:^|&)json=([^&]*)")
TYPES = (b"application/json", b"application/octet-stream", FORM)
LARGE = ("busy", "size")  # why a body is refused before its end
STRICT = TYPES[:1]  # of feedback: a page of another site can make its readers' browsers send the others, or none

type Head = Mapping[bytes, bytes]


class Post:
    """An ASGI endpoint that passes a body within the limits to `answer`; faster without Starlette's Request."""

    def __init__(self, service: Service, protocol: str, answer: Callable[[Scope, Head, bytes], Answer]) -> None:
        self._service, self._protocol, self._answer = service, protocol, answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        head, slow, last = dict(scope["headers"]), False, False
        try:
            content = await self._body(head, receive)
            answer = self._answer(scope, head, content)
            slow = last = len(content) > bounds.SMALL and 400 <= answer.status < 500
            del content  # before any pause
        except RequestError as error:
            answer, slow = self._service.refuse(error, self._protocol), error.reason in LARGE
        if answer.kept:
            answer = self._service.settled(answer, await asyncio.wrap_future(answer.kept))
        kind = b"application/json" if answer.header is None else b"application/octet-stream"
        headers = [(b"content-type", kind), (b"content-length", str(len(answer.content)).encode())]
        if answer.header is not None:
            headers.append((b"inference-header-content-length", str(answer.header).encode()))
        if slow:
            await asyncio.sleep(bounds.PAUSE)
        if last:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.content})

    async def _body(self, head: Head, receive: Receive) -> bytes:
        limit = self._service.limits.bytes
        strict = self._protocol == "feedback"
        kind = head.get(b"content-type", b"" if strict else TYPES[0]).partition(b";")[0].strip().lower()
        if kind not in (STRICT if strict else TYPES) or head.get(b"content-encoding", b"identity") != b"identity":
            raise RequestError("content_type", "The body is compressed or not JSON; send plain application/json.")
        if int(head.get(b"content-length", 0)) > limit:
            raise self._service.too_large()
        content = await self._joined(limit, receive)
        if kind == FORM and (field := FIELD.search(content)) and not content.lstrip().startswith(b"{"):
            return unquote_to_bytes(field[1].replace(b"+", b" "))
        return content  # JSON, also where curl calls it a form

    async def _joined(self, limit: int, receive: Receive) -> bytes:
        """The parts of a body; a bytearray grows without a copy for each part that comes in."""
        content, more, held = bytearray(), True, self._service.held
        size = 0
        try:
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise RequestError("body", "The connection closed before the end of the body.")
                part: bytes = message.get("body", b"")
                more = message.get("more_body", False)
                if not size and not more and len(part) <= limit:
                    return part
                before, size = size, size + len(part)
                fits = held.grow(before, size)
                if size > limit:
                    raise self._service.too_large()
                if not fits:
                    raise RequestError("busy", "Other large bodies are still coming in; try again later.")
                content += part
            return bytes(content)
        finally:
            held.grow(size, 0)
