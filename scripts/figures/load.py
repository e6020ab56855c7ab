"""Starts a server and measures it under load."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from figures import answers, process
from figures.sample import Sample
from figures.servers import Server

SECONDS, WARM = 2, 1
ROWS, CONNECTIONS = (1, 100), (1, 8, 32)
LUA = Path(__file__).with_name("wrk.lua")


def needed() -> None:
    """Exit the bench unless wrk is there."""
    if shutil.which("wrk") is None:
        raise SystemExit("bench: wrk is not installed; install it with your system's packages, then try again.")


@dataclass(frozen=True)
class Cell:
    """Requests per second, p99 latency in ms, and the server's CPU time per request in µs."""

    rate: float
    p99: float
    cpu: float


@dataclass(frozen=True)
class Measured:
    """Seconds to the first correct answer, MiB after the load, and the cells by rows and connections."""

    start: float
    memory: float
    cells: dict[tuple[int, int], Cell]


@dataclass(frozen=True)
class Running:
    """A server that answers on `port` since `start` seconds after it was begun."""

    server: Server
    rows: Sample
    folder: Path
    port: int
    pid: int
    start: float

    def body(self, count: int) -> Path:
        """A file with a request for this many rows, the same ones again if there are fewer."""
        found = self.folder / f"body-{count}"
        found.write_text(json.dumps(self.server.body(self.rows.repeated(count))))
        return found

    def load(self, count: int, connections: int, seconds: int = SECONDS) -> Cell:
        """Ask for this many rows over this many connections; exits the bench if a request fails."""
        body = self.body(count)
        command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s"]
        command += ["--timeout", "30s", "--script", str(LUA), f"http://127.0.0.1:{self.port}{self.server.path}"]
        before = process.cpu(self.pid)
        said = subprocess.run(
            [*command, "--", str(body)], check=True, capture_output=True, text=True, timeout=seconds + 60
        )
        spent = process.cpu(self.pid) - before
        told = json.loads(said.stdout.strip().splitlines()[-1])
        if told["failed"] or not told["requests"]:
            name = self.server.name
            raise SystemExit(f"bench: {name} did not answer {told['failed']} of {told['requests']} requests.")
        requests = told["requests"]
        return Cell(requests / told["microseconds"] * 1e6, told["p99"] / 1e3, spent / requests * 1e6)


@contextmanager
def running(server: Server, rows: Sample) -> Iterator[Running]:
    """Run the server in a temporary folder until the block ends; it has answered rightly."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ports = dict(zip(("port", "second", "third"), _ports(3), strict=True))
        command = [f"{server.place}/bin/{server.command[0]}", *(word.format(**ports) for word in server.command[1:])]
        environment = {"HOME": name, "OMP_NUM_THREADS": "1", "PATH": f"{server.place}/bin:{os.environ['PATH']}"}
        environment |= {key: value.format(**ports) for key, value in server.environment.items()}
        begin = time.monotonic()
        with process.started(command, environment, folder) as started:
            answers.wait(server, ports["port"], rows.head(1), started, folder)
            yield Running(server, rows, folder, ports["port"], started.pid, time.monotonic() - begin)


def measure(server: Server, rows: Sample) -> Measured:
    """Load a server with each number of rows and connections."""
    cells = {}
    with running(server, rows) as service:
        for count in ROWS:
            answers.check(server, service.port, rows.head(count), service.folder)
            service.load(count, 8, WARM)
            for connections in CONNECTIONS:
                cells[count, connections] = service.load(count, connections)
        return Measured(service.start, process.memory(service.pid), cells)


def _ports(count: int) -> list[int]:
    """Free ports."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    found = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    return found
