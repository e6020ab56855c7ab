"""A small API server: Applications, listed by pages and patched, pods and Deployments; it refuses as the real one."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Object = dict[str, Any]
TOKEN = "token"  # noqa: S105


def merged(old: Any, patch: Any) -> Any:
    """A JSON merge patch, RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    found = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = merged(found.get(key), value)
    return found


class State:
    """What the cluster has, and what was asked of it."""

    def __init__(
        self,
        applications: list[Object],
        pods: list[Object],
        refuses: Callable[[Object, Object], str],
        deployments: tuple[Object, ...] = (),
    ) -> None:
        self.applications = {one["metadata"]["name"]: one for one in applications}
        self.pods, self.refuses, self.deployments = pods, refuses, deployments
        self.patches: list[tuple[str, Object]] = []
        self.address = ""

    def listed(self, path: str, query: dict[str, list[str]]) -> Object:
        """One page of at most two Applications, or the pods or Deployments of a namespace."""
        if path.endswith(("/pods", "/deployments")):
            _, _, namespace, kind = path.rsplit("/", 3)
            found = self.pods if kind == "pods" else self.deployments
            return {"metadata": {}, "items": [one for one in found if one["metadata"]["namespace"] == namespace]}
        start, size = int(query.get("continue", ["0"])[0]), min(2, int(query["limit"][0]))
        found = list(self.applications.values())
        more = {"continue": str(start + size)} if start + size < len(found) else {"continue": ""}
        return {"metadata": more, "items": found[start : start + size]}

    def patched(self, name: str, patch: Object) -> tuple[int, Object]:
        """The status and the answer of a merge patch; an old resourceVersion is a conflict."""
        old = self.applications[name]
        if patch["metadata"].get("resourceVersion") != old["metadata"]["resourceVersion"]:
            return 409, {"kind": "Status", "reason": "Conflict"}
        new = merged(old, patch)
        if told := self.refuses(new, old):
            return 422, {"kind": "Status", "reason": "Invalid", "message": told}
        new["metadata"]["resourceVersion"] = str(int(old["metadata"]["resourceVersion"]) + 1)
        self.applications[name] = new
        self.patches.append((name, patch))
        return 200, new


class Handler(BaseHTTPRequestHandler):
    state: State

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self.reply(200, self.state.listed(url.path, parse_qs(url.query)))

    def do_PATCH(self) -> None:
        if self.headers["Content-Type"] != "application/merge-patch+json":
            self.reply(415, {})
            return
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.reply(*self.state.patched(self.path.rpartition("/")[2], body))

    def reply(self, status: int, found: Object) -> None:
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            status, found = 401, {}
        body = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving(state: State) -> Iterator[State]:
    """The server, while the block runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Own", (Handler,), {"state": state}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
