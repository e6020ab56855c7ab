"""What `serve.log.durable` costs: requests a second and latency of our service, with an fsync before each answer."""

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from figures import Row, load, sample
from figures.load import CONNECTIONS, Measured
from figures.servers import ours


def rows(runs: int) -> Iterator[Row]:
    load.needed()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asked = sample.make(folder)
        compared = {key: ours(key, "serve", key, folder) for key in ("on", "durable")}
        found: dict[str, list[Measured]] = {key: [] for key in compared}
        for _ in range(runs):
            for key in random.sample(list(compared), len(compared)):
                found[key].append(load.measure(compared[key], asked))
    for connections in CONNECTIONS:
        rate, p99 = (
            {key: median(getattr(run.cells[1, connections], cell) for run in found[key]) for key in found}
            for cell in ("rate", "p99")
        )
        note = f"{rate['durable'] / rate['on']:.0%} of {rate['on']:,.0f}; "
        note += f"p99 {p99['durable']:.3g} ms, not {p99['on']:.3g} ms"
        yield f"`serve.log.durable`, 1 row, {connections} connections", rate["durable"], "requests/s", note
