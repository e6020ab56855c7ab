"""Queries a server and compares its probabilities with scikit-learn's."""

import http.client
import json
import subprocess
import time
from pathlib import Path

from figures.sample import Sample
from figures.servers import Server

PATIENCE = 90  # seconds for a server to start, and for an answer
TOLERANCE = 1e-5


def wait(server: Server, port: int, rows: Sample, running: subprocess.Popen[bytes], folder: Path) -> None:
    """Wait for the first correct answer; exits the bench if none comes."""
    end, reason = time.monotonic() + PATIENCE, ""
    while time.monotonic() < end and running.poll() is None:
        try:
            found = _probabilities(server, port, rows)
        except (OSError, ValueError) as error:
            reason = str(error)
            time.sleep(0.01)
        else:
            return _compare(server, found, rows, folder)
    raise SystemExit(f"bench: {server.name} does not answer ({reason}):\n{_output(folder)}")


def check(server: Server, port: int, rows: Sample, folder: Path) -> None:
    """Exit the bench unless the answer equals scikit-learn's."""
    _compare(server, _probabilities(server, port, rows), rows, folder)


def _probabilities(server: Server, port: int, rows: Sample) -> list[float]:
    """The server's probabilities; raises OSError or ValueError if it does not answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        body = json.dumps(server.body(rows))
        connection.request("POST", server.path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        content = response.read()
    except http.client.HTTPException as error:
        raise ValueError(str(error)) from error
    finally:
        connection.close()
    if response.status != 200:
        raise ValueError(content.decode(errors="replace")[:500])
    return server.answers(json.loads(content))


def _compare(server: Server, found: list[float], rows: Sample, folder: Path) -> None:
    right = len(found) == len(rows.expected)
    if not right or any(abs(a - b) > TOLERANCE for a, b in zip(found, rows.expected, strict=True)):
        raise SystemExit(f"bench: {server.name} answers {found[:3]}, not {rows.expected[:3]}:\n{_output(folder)}")


def _output(folder: Path) -> str:
    return (folder / "said").read_text(errors="replace")[-3000:]
