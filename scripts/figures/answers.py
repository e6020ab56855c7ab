"""Asks a server until it is right: its probabilities must be those of scikit-learn."""

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
    """Until the first right answer; ends the bench when there is none."""
    end, reason = time.monotonic() + PATIENCE, ""
    while time.monotonic() < end and running.poll() is None:
        try:
            found = _asked(server, port, rows)
        except (OSError, ValueError) as error:
            reason = str(error)
            time.sleep(0.01)
        else:
            return _check(server, found, rows, folder)
    raise SystemExit(f"bench: {server.name} does not answer ({reason}):\n{_said(folder)}")


def check(server: Server, port: int, rows: Sample, folder: Path) -> None:
    """Ends the bench when the answer is another than scikit-learn's."""
    _check(server, _asked(server, port, rows), rows, folder)


def _asked(server: Server, port: int, rows: Sample) -> list[float]:
    """The probabilities that the server answers; raises OSError or ValueError when it does not."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        content = json.dumps(server.body(rows))
        connection.request("POST", server.path, content, {"Content-Type": "application/json"})
        response = connection.getresponse()
        said = response.read()
    except http.client.HTTPException as error:
        raise ValueError(str(error)) from error
    finally:
        connection.close()
    if response.status != 200:
        raise ValueError(said.decode(errors="replace")[:500])
    return server.answers(json.loads(said))


def _check(server: Server, found: list[float], rows: Sample, folder: Path) -> None:
    right = len(found) == len(rows.expected)
    if not right or any(abs(a - b) > TOLERANCE for a, b in zip(found, rows.expected, strict=True)):
        raise SystemExit(f"bench: {server.name} answers {found[:3]}, not {rows.expected[:3]}:\n{_said(folder)}")


def _said(folder: Path) -> str:
    return (folder / "said").read_text(errors="replace")[-3000:]
