"""Sends months of flights to the service and keeps their outcomes as labels that arrive later."""

import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import console
from days import Row, told

BATCH = 100
# From the body of a request to that of its answer.
type Ask = Callable[[bytes], bytes]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def service(repository: Path, model: Path, predictions: Path, environment: dict[str, str]) -> Iterator[int]:
    """Run `make serve` until the block ends; yields the port once the service is ready."""
    port = free_port()
    start = time.monotonic()
    command = ["make", "--no-print-directory", "serve", f"MODEL={model}", f"PREDICTIONS={predictions}"]
    process = console.start(command, repository, environment | {"PREDICTIVE_UNIT_HTTP_SERVICE_PORT": str(port)})
    try:
        while not _ready(port):
            if process.poll() is not None:
                raise console.Failed(f"The service did not start: {process.communicate()[0]}")
            if time.monotonic() - start > 60:
                raise console.Failed("The service was not ready within 60 s.")
            time.sleep(0.05)
        console.step("make serve", time.monotonic() - start, f"ready on port {port}")
        yield port
    finally:
        console.stop(process)


def _ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health/status")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def asking(port: int) -> Ask:
    """Asks the service on a port."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def ask(body: bytes) -> bytes:
        connection.request("POST", "/api/v1.0/predictions", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise console.Failed(f"The service answered {answer.status}: {content.decode()}")
        return content

    return ask


def send(ask: Ask, rows: list[Row], labels: Path) -> str:
    """Request predictions in batches, and write request, row and label of each into the file of the day it comes.

    Returns the model's version.
    """
    version, outcomes = "", dict[str, list[str]]()
    for index in range(0, len(rows), BATCH):
        batch = [{name: _json(value) for name, value in row.items()} for row in rows[index : index + BATCH]]
        delays = [row.pop("arrival_delay") for row in batch]
        content = json.loads(ask(json.dumps({"jsonData": batch}, allow_nan=False).encode()))
        if len(content["jsonData"]) != len(batch):
            raise console.Failed(f"The service answered {len(content['jsonData'])} of {len(batch)} rows.")
        version = content["meta"]["tags"]["version"]
        for place, (row, delay) in enumerate(zip(batch, delays, strict=True)):
            line = {"request": content["meta"]["puid"], "row": place, "label": "late" if delay > 15 else "on_time"}
            outcomes.setdefault(told(row["departed_at"]), []).append(json.dumps(line) + "\n")
    labels.mkdir(exist_ok=True)
    for day, lines in outcomes.items():
        (labels / f"{day}.jsonl").write_text("".join(lines))
    return version


def _json(value: Any) -> Any:
    return None if isinstance(value, float) and value != value else value
