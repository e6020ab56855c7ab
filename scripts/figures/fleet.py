"""`scripts/fleet` on many repositories on this machine's disk, with what GitHub would answer already there."""

import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

import bake
from overview import __main__ as overview
from overview.ask import Known

from figures import PROJECT, Row, bakes
from figures.command import seconds

MANY, RELEASES = 300, 30
RECORD = PROJECT / "lifecycle/tests/records/binary_classification.json"
NAMED = {"GIT_CONFIG_COUNT": "2", "GIT_CONFIG_KEY_0": "user.name", "GIT_CONFIG_VALUE_0": "bench"}
NAMED |= {"GIT_CONFIG_KEY_1": "user.email", "GIT_CONFIG_VALUE_1": "bench@example.org"}


def _repository(folder: Path) -> Path:
    """A baked repository in which releases went through all environments, one after the other."""
    copy, own = bakes.template(folder)
    seconds(bake.command(copy, folder, {"project_slug": "model"}), own | NAMED)
    git = ["git", "-C", str(folder / "model")]
    text = RECORD.read_text()
    for count in range(RELEASES):
        for environment in ("dev", "staging", "production"):
            path = folder / f"model/manifests/overlays/{environment}/release/decision.json"
            path.write_text(text.replace("2020.02.01-aaaaaaa", f"2020.02.01-{count:07x}"))
            seconds([*git, "add", "manifests"])
            seconds([*git, "commit", "--quiet", "--message", f"Promote to {environment}"], NAMED)
    seconds([*git, "clone", "--quiet", "--bare", str(folder / "model"), str(folder / "model.git")])
    seconds(["git", "-C", str(folder / "model.git"), "config", "uploadpack.allowFilter", "true"])
    return folder / "model"


def rows(runs: int) -> Iterator[Row]:
    today = datetime.now(UTC).date()
    with tempfile.TemporaryDirectory() as name:
        address = f"file://{_repository(Path(name))}"
        known = [Known(f"acme/model-{index}", address) for index in range(MANY)]
        first, later = list[float](), list[float]()
        for run in range(runs):
            with mock.patch("overview.ask.repositories", return_value=known):
                for spent in (first, later):
                    begin = time.monotonic()
                    overview.run("acme", Path(name) / f"fleet-{run}", today)
                    spent.append(time.monotonic() - begin)
    note = f"{RELEASES} releases each, from this machine's disk"
    yield f"`scripts/fleet`, {MANY} repositories", statistics.median(first), "s", note
    yield "the same, a day later", statistics.median(later), "s", "only what is new"
