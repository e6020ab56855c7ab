"""Sends requests through the gateway without a pause, in a pod, and keeps what became of each.

It needs Python alone. `GET /calls` lists the calls: when, the answer's status (0: none came), the request's identity.
"""

import itertools
import json
import sys
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

RATE, PATIENCE = 10.0, 15.0  # requests a second, and seconds until one counts as lost
CALLS: list[tuple[float, int, str]] = []


def call(url: str, row: dict[str, object], identity: str) -> int:
    """The status of the answer to one row."""
    body = json.dumps({"meta": {"puid": identity}, "jsonData": [row]}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310 - the address is an argument
            whole = json.loads(answer.read())["meta"]["puid"] == identity
            return int(answer.status) if whole else 0
    except urllib.error.HTTPError as error:
        return error.code
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def one(url: str, row: dict[str, object], identity: str) -> None:
    began = time.time()
    CALLS.append((began, call(url, row, identity), identity))


def run(url: str, row: dict[str, object]) -> None:
    """Call at the rate, however long an answer takes."""
    name, begin = f"e2e-{time.time_ns()}", time.monotonic()
    for number in itertools.count():
        threading.Thread(target=one, args=(url, row, f"{name}-{number}"), daemon=True).start()
        time.sleep(max(0.0, begin + (number + 1) / RATE - time.monotonic()))


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        sent = json.dumps(list(CALLS)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    threading.Thread(target=run, args=(sys.argv[2], json.loads(Path(sys.argv[3]).read_text())), daemon=True).start()
    ThreadingHTTPServer(("", int(sys.argv[1])), Handler).serve_forever()
