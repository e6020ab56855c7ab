"""Answers Argo CD in GitHub's place, in a pod: keeps each word that it is told, and fails while it is told to.

It needs Python alone. `GET /words` lists the words; `POST /away` with `true` answers every call with 502, and
`GET /refused` counts those calls.
"""

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class State:
    """The words in the order in which they came, whether GitHub is away, and how many calls came meanwhile."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.words: list[dict[str, Any]] = []
        self.away, self.refused = False, 0


def answer(state: State, method: str, path: str, body: Any) -> tuple[int, Any]:
    """The status and the answer to a call, as GitHub's OpenAPI has them where Argo CD reads them."""
    place = path.partition("?")[0].removeprefix("/api/v3")
    if (method, place) == ("GET", "/words"):
        return 200, state.words
    if (method, place) == ("GET", "/refused"):
        return 200, state.refused
    if (method, place) == ("POST", "/away"):
        state.away = body is True
        return 200, {"away": state.away}
    dispatch = method == "POST" and place.endswith("/dispatches")
    if dispatch:
        told = {"at": time.time(), "repository": place.removeprefix("/repos/").removesuffix("/dispatches")}
        state.words.append({**told, "taken": not state.away, "event": body["event_type"], **body["client_payload"]})
    if state.away:  # Argo CD asks for a token first, and so says no word while it gets none
        state.refused += 1
        return 502, {"message": "Bad gateway"}
    if dispatch:
        return 204, None
    if place.endswith("/access_tokens"):
        return 201, {"token": "none", "expires_at": "2100-01-01T00:00:00Z"}
    if place.endswith("/deployments") and method == "GET":
        return 200, []
    return (201, {"id": 1}) if method == "POST" else (404, {"message": "Not Found"})


class Handler(BaseHTTPRequestHandler):
    state: State
    protocol_version = "HTTP/1.1"

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []  # as `kubectl create --raw` sends them
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _serve(self) -> None:
        body = json.loads(self._body() or "null")
        with self.state.lock:
            status, found = answer(self.state, self.command, self.path, body)
            sent = b"" if found is None else json.dumps(found).encode()
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    do_GET = do_POST = _serve  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


def serve(host: str, port: int) -> ThreadingHTTPServer:
    """A server with a state of its own; the caller runs it."""
    return ThreadingHTTPServer((host, port), type("Served", (Handler,), {"state": State()}))


if __name__ == "__main__":
    serve("", int(sys.argv[1])).serve_forever()
