"""The service compared with other servers of the same model, and with a bare call of onnxruntime."""

import json
import os
import random
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from figures import PROJECT, Row, environments, load, sample
from figures.load import CONNECTIONS, ROWS, Measured
from figures.servers import RIVALS, Server, servers

BUSY = 8  # connections at which servers are compared
WEIGHED = ("on", "stock", "sklearn", "mlserver", "mlflow", "fastapi")


def rows(runs: int) -> Iterator[Row]:
    load.needed()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asked = sample.make(folder)
        compared = servers(folder)
        found: dict[str, list[Measured]] = {key: [] for key in compared}
        bare, own = list[dict[str, float]](), list[dict[str, float]]()
        for _ in range(runs):
            # Random order, so that no server always follows the same one.
            for key in random.sample(list(compared), len(compared)):
                bare.append(_alone("raw.py", folder / "build/model/model.onnx", folder))
                own.append(_alone("called.py", folder / "build/model", folder))
                found[key].append(load.measure(compared[key], asked))
        yield from _answers(compared, found, bare, own)
        yield from _costs(compared, found)


def _alone(program: str, model: Path, folder: Path) -> dict[str, float]:
    """CPU microseconds that a program measures of one call without a server, by the number of rows."""
    command = [f"{environments.own('serve')}/bin/python", str(RIVALS / program), str(model), f"{folder}/sample.json"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(PROJECT)}
    output = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    times: dict[str, float] = json.loads(output)
    return times


def _answers(
    compared: dict[str, Server],
    found: dict[str, list[Measured]],
    bare: list[dict[str, float]],
    own: list[dict[str, float]],
) -> Iterator[Row]:
    """Requests per second, latency and CPU time of each server, and how ours compares."""
    for count in ROWS:
        sent = "1 row" if count == 1 else f"{count} rows"
        call = median(times[str(count)] for times in bare)
        yield f"the bare call of onnxruntime with named columns, {sent}", call, "µs of CPU", "inputs ready, one thread"
        note = "checked, in one matrix, called"
        yield f"our inputs and call, {sent}", median(times[str(count)] for times in own), "µs of CPU", note

        def middle(key: str, name: str, connections: int = BUSY, count: int = count) -> float:
            values: list[float] = [getattr(run.cells[count, connections], name) for run in found[key]]
            return median(values)

        for key, server in compared.items():
            others = ", ".join(f"{middle(key, 'rate', n):,.0f} with {n}" for n in CONNECTIONS if n != BUSY)
            p99, cpu = middle(key, "p99"), middle(key, "cpu")
            note = f"{others}; p99 {p99:,.3g} ms, {cpu:,.0f} µs of CPU"
            if key in ("off", "on"):
                note += f", {cpu / call:.1f} bare calls, {cpu / middle('empty', 'cpu'):.1f} times the empty application"
            note += _compared(key, middle)
            yield f"{server.name}, {sent}, {BUSY} connections", middle(key, "rate"), "requests/s", note


def _compared(key: str, middle: Callable[[str, str], float]) -> str:
    if key in ("off", "empty"):
        return ""
    if key == "on":
        return f"; {middle('on', 'rate') / middle('off', 'rate'):.0%} of those without its log"
    if key == "two":
        rate, cpu = (middle("two", name) / middle("off", name) for name in ("rate", "cpu"))
        return f"; {rate:.2f} times the requests of one worker, {cpu:.2f} of its CPU for each"
    if key == "tuned":
        return f"; {middle('tuned', 'rate') / middle('stock', 'rate'):.1f} times Seldon's wrapper, ONNX"
    rate, p99 = middle("off", "rate") / middle(key, "rate"), middle(key, "p99") / middle("off", "p99")
    return f"; ours: {rate:.1f} times the requests, 1/{p99:.1f} of the p99"


def _costs(compared: dict[str, Server], found: dict[str, list[Measured]]) -> Iterator[Row]:
    """Each server's start time, memory and disk space, and ours as a share of it."""
    costs: dict[tuple[str, str], Callable[[str], float]] = {
        ("start to first right answer", "s"): lambda key: median(run.start for run in found[key]),
        ("memory of all processes, PSS", "MiB"): lambda key: median(run.memory for run in found[key]),
        ("installed packages", "MiB"): lambda key: environments.size(compared[key].place),
    }
    for (what, unit), cost in costs.items():
        for key in WEIGHED:
            value = cost(key)
            note = "" if key == "on" else f"ours: {cost('on') / value:.2f} of it"
            yield f"{what}: {compared[key].name}", value, unit, note
