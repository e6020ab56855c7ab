"""What the service's bounds cost, and how good callers fare beside an attack that they hold off."""

import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from figures import Row, load, process, sample
from figures.load import ROWS, SECONDS, Cell, Measured, Running
from figures.servers import RIVALS, ours

BUSY = 8  # connections of good callers
# Connections, the rows of each request of the good ones to compare with, and what is sent.
ATTACKS = {
    "drip": (200, 1, "heads that drip in"),
    "heads": (16, 1, "headers without end"),
    "held": (64, 1, "large bodies that never end"),
    "wide": (8, 400, "8,000 rows with a column each, 110 kB"),
}


def rows(runs: int) -> Iterator[Row]:
    load.needed()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asked = sample.make(folder)
        servers = {
            "with": ours("ours, without its log", "serve", "off", folder),
            "without": ours("ours, without log and bounds", "serve", "off", folder, [str(RIVALS / "unbounded.py")]),
        }
        found: dict[str, list[Measured]] = {key: [] for key in servers}
        beside: dict[str, list[tuple[float, float, float]]] = {kind: [] for kind in ATTACKS}
        for _ in range(runs):
            for key in random.sample(list(servers), len(servers)):
                found[key].append(load.measure(servers[key], asked))
            for kind in ATTACKS:
                with load.running(servers["with"], asked) as service:
                    beside[kind].append(_attacked(service, kind))
    for count in ROWS:
        yield from _cost(count, {key: [run.cells[count, BUSY] for run in each] for key, each in found.items()})
    for kind, (connections, _, what) in ATTACKS.items():
        good, attacked, memory = (median(values) for values in zip(*beside[kind], strict=True))
        note = f"{attacked / good:.1f} times that beside as many good connections; {memory:,.0f} MiB afterwards"
        yield f"p99 of {BUSY} connections beside {connections} with {what}", attacked, "ms", note


def _cost(count: int, found: dict[str, list[Cell]]) -> Iterator[Row]:
    """Requests per second and p99 with the bounds, beside those without."""
    rate, p99 = ({key: median(getattr(cell, name) for cell in found[key]) for key in found} for name in ("rate", "p99"))
    sent = "1 row" if count == 1 else f"{count} rows"
    note = f"{rate['with'] / rate['without']:.0%} of the {rate['without']:,.0f} without them"
    yield f"with the bounds, {sent}, {BUSY} connections", rate["with"], "requests/s", note
    yield f"its p99, {sent}", p99["with"], "ms", f"{p99['with'] / p99['without']:.2f} times that without them"


def _attacked(service: Running, kind: str) -> tuple[float, float, float]:
    """The p99 in ms of good callers beside as many well-behaved connections, and beside an attack; MiB after it."""
    connections, count, _ = ATTACKS[kind]
    service.load(1, BUSY)
    with _beside(service, connections, "good", count):
        good = service.load(1, BUSY, 2 * SECONDS).p99
    with _beside(service, connections, kind):
        attacked = service.load(1, BUSY, 2 * SECONDS).p99
    return good, attacked, process.memory(service.pid)


@contextmanager
def _beside(service: Running, connections: int, kind: str, count: int = 1) -> Iterator[None]:
    """Run the attack next to the block; good connections send `count` rows in each request."""
    command = [sys.executable, str(RIVALS / "attack.py"), str(service.port), str(connections), kind]
    with service.body(count).open("rb") as body:
        running = subprocess.Popen(command, stdin=body)
    try:
        yield
    finally:
        running.kill()
        running.wait()
