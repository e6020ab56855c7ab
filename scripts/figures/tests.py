"""A person's waiting times: a fresh repository's tests, a pipeline without a change, all tests of this template."""

import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

import bake

from figures import PROJECT, ROOT, Row, bakes, environments
from figures.command import seconds


def rows(runs: int) -> Iterator[Row]:
    for name in ("dev", "train"):
        environments.own(name)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        template, own = bakes.template(folder)
        seconds(bake.command(template, folder, {"project_slug": "model"}), own)
        (folder / "model/.venv").symlink_to(PROJECT / ".venv")  # whose path a shell would read otherwise
        make = ["make", "--silent", "-C", str(folder / "model")]
        every = statistics.median(seconds([*make, "test"]) for _ in range(runs))
        team = statistics.median(seconds([*make, "test", "TESTS=tests"]) for _ in range(runs))
        first = seconds([*make, "pipeline"])
        again = statistics.median(seconds([*make, "pipeline"]) for _ in range(runs))
        step = max(
            statistics.median(seconds([*make, verb]) for _ in range(runs)) for verb in ("data", "train", "evaluate")
        )
    yield "make test of a fresh repository", every, "s", f"{every / team:.1f} times that of the team's tests alone"
    yield "make test TESTS=tests, the team's tests", team, "s", ""
    yield "make pipeline without a change", again, "s", f"{first / again:.1f} times as quick as the first"
    yield "the slowest of its steps", step, "s", "data, train or evaluate"
    whole = statistics.median(seconds([str(ROOT / "scripts/test")]) for _ in range(runs))
    yield "scripts/test", whole, "s", f"{whole / every:.1f} times the tests of a fresh repository"
