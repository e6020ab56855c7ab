"""Starts a server and measures it under load."""

import json
import os
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from figures import answers, process
from figures.sample import Sample
from figures.servers import Server

SECONDS, WARM = 2, 1
ROWS, CONNECTIONS = (1, 100), (1, 8, 32)
LUA = Path(__file__).with_name("wrk.lua")


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


def measure(server: Server, rows: Sample) -> Measured:
    """Run the server in a temporary folder and load it with each number of rows and connections."""
    with tempfile.TemporaryDirectory() as name:
        folder, cells = Path(name), {}
        ports = dict(zip(("port", "second", "third"), _ports(3), strict=True))
        command = [f"{server.place}/bin/{server.command[0]}", *(word.format(**ports) for word in server.command[1:])]
        environment = {"HOME": name, "OMP_NUM_THREADS": "1", "PATH": f"{server.place}/bin:{os.environ['PATH']}"}
        environment |= {key: value.format(**ports) for key, value in server.environment.items()}
        begin = time.monotonic()
        with process.started(command, environment, folder) as running:
            answers.wait(server, ports["port"], rows.head(1), running, folder)
            start = time.monotonic() - begin
            for count in ROWS:
                answers.check(server, ports["port"], rows.head(count), folder)
                (folder / "body").write_text(json.dumps(server.body(rows.head(count))))
                wrk = ["--script", str(LUA), f"http://127.0.0.1:{ports['port']}{server.path}", "--", f"{folder}/body"]
                _load(server, running.pid, wrk, 8, WARM)
                for connections in CONNECTIONS:
                    cells[count, connections] = _load(server, running.pid, wrk, connections, SECONDS)
            return Measured(start, process.memory(running.pid), cells)


def _ports(count: int) -> list[int]:
    """Free ports."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    found = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    return found


def _load(server: Server, root: int, arguments: list[str], connections: int, seconds: int) -> Cell:
    """Load a server with this many connections for this many seconds; exits the bench if a request fails."""
    command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s"]
    before = process.cpu(root)
    said = subprocess.run(
        [*command, "--timeout", "30s", *arguments], check=True, capture_output=True, text=True, timeout=seconds + 60
    )
    spent = process.cpu(root) - before
    told = json.loads(said.stdout.strip().splitlines()[-1])
    if told["failed"] or not told["requests"]:
        raise SystemExit(f"bench: {server.name} did not answer {told['failed']} of {told['requests']} requests.")
    requests = told["requests"]
    return Cell(requests / told["microseconds"] * 1e6, told["p99"] / 1e3, spent / requests * 1e6)
