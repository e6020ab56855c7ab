"""Sends months of flights to the service and keeps their outcomes as labels that arrive later."""

import http.client
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import console
import duckdb

BATCH = 100


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


def flights(data: Path, begin: str, end: str) -> list[dict[str, Any]]:
    """The flights that left between two days (start inclusive, end exclusive), in order, as JSON values."""
    with duckdb.connect() as connection:
        found = connection.execute(
            "select * replace (departed_at::timestamptz at time zone 'UTC' as departed_at) from read_parquet(?) "
            "where departed_at::timestamptz at time zone 'UTC' >= ?::timestamp "
            "and departed_at::timestamptz at time zone 'UTC' < ?::timestamp "
            "order by departed_at, carrier, flight, origin",
            [str(data), begin, end],
        )
        names = [column[0] for column in found.description or []]
        rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    for row in rows:
        row["departed_at"] = f"{row['departed_at'].isoformat()}+00:00"
    return rows


def send(port: int, rows: list[dict[str, Any]], labels: Path) -> str:
    """Request predictions in batches and write request, row and label of each; returns the model's version."""
    labels.mkdir(exist_ok=True)
    start, path = time.monotonic(), ""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with (labels / f"{rows[0]['departed_at'][:10]}.jsonl").open("w") as file:
        for index in range(0, len(rows), BATCH):
            batch = [{name: _json(value) for name, value in row.items()} for row in rows[index : index + BATCH]]
            delays = [row.pop("arrival_delay") for row in batch]
            body = json.dumps({"jsonData": batch}, allow_nan=False)
            connection.request("POST", "/api/v1.0/predictions", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            content = json.loads(answer.read())
            if answer.status != 200 or len(content["jsonData"]) != len(batch):
                raise console.Failed(f"The service answered {answer.status}: {content}")
            path = content["meta"]["tags"]["version"]
            for row, delay in enumerate(delays):
                label = "late" if delay > 15 else "on_time"
                file.write(json.dumps({"request": content["meta"]["puid"], "row": row, "label": label}) + "\n")
    connection.close()
    console.step("send flights", time.monotonic() - start, f"{len(rows):,} rows answered by {path}")
    return path


def _json(value: Any) -> Any:
    return None if isinstance(value, float) and value != value else value
