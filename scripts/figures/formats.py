"""One row by ONNX and by skops, for some estimators, what features of one's own add, and what the packages weigh."""

import json
import os
import subprocess
from collections.abc import Iterator
from statistics import median
from typing import Any

from figures import PROJECT, Row, environments
from figures.servers import RIVALS


def rows(runs: int) -> Iterator[Row]:
    found = [measured("served.py") for _ in range(runs)]
    for name in found[0]:
        if name == "features":
            yield "features of a row by model/features.py", median(run[name] for run in found), "ms", "three features"
            continue
        onnx, skops = (median(run[name][place] for run in found) for place in (0, 1))
        yield f"a row by skops, {name}", skops, "ms", f"{onnx:.3f} ms by ONNX, {skops / onnx:.0f} times quicker"
    onnx, skops = (environments.size(environments.own(name)) for name in ("serve", "skops"))
    yield "packages to serve with skops", skops, "MiB", f"{onnx:.0f} MiB with ONNX, {skops / onnx:.1f} times as much"


def measured(program: str) -> dict[str, Any]:
    """What a program prints, with the machinery and its tests' data beside it."""
    command = [f"{environments.own('dev')}/bin/python", str(RIVALS / program)]
    paths = os.pathsep.join(map(str, (PROJECT, PROJECT / "lifecycle/tests")))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    found: dict[str, Any] = json.loads(done.stdout)
    return found
