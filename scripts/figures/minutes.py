"""What each kind of change waits for on GitHub, and the minutes it is billed for, from the workflows' own steps.

Each `make` step runs here, each job with its own environments from an empty package cache, as on a new runner. What
needs GitHub, a registry or Docker is counted in seconds instead: COUNTED and USED.
"""

import math
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bake
import yaml

from figures import Row, bakes
from figures.command import seconds

STARTS = 8.0  # seconds until a runner has taken a job
ANSWERS = 5.0  # seconds of a verb that asks GitHub or a registry, beside its environment
COUNTED = dict.fromkeys(("champion", "comment", "due", "offer", "publish", "reviewed"), ANSWERS)
IMAGE = 40.0  # seconds of an image beside its packages: its base, Debian's packages, its parts' list, the push
USED = {"docker/setup-buildx-action": 8.0, "sigstore/cosign-installer": 2.0, "echo": 0.0, "gh": 1.0, "cosign": 5.0}
ACTION = 2.0  # seconds of any other action
# What a change of the model's parameters makes of the conditions that begin so; another one stops the bench.
CONDITIONS: dict[str, bool] = {
    "always()": True,
    "env.TRAIN == 'true'": True,
    "env.TRAIN == 'false'": False,
    "needs.changes.outputs.lifecycle == 'true'": False,
    "needs.changes.outputs.start == 'true'": False,
    "always() && steps.gate.conclusion != 'skipped'": True,
    "failure() && ": False,
    "needs.changes.result != 'success'": False,
    "startsWith('ghcr.io', 'ghcr.io')": True,
}
DIGEST = "sha256:" + "0" * 64
GIVEN = {
    "ENV": "dev",
    "SERVE": f"ghcr.io/acme/model-serve@{DIGEST}",
    "MONITOR": f"ghcr.io/acme/model-monitor@{DIGEST}",
    "BASE": "HEAD^1",
}
IDENTITY = {"GIT_CONFIG_COUNT": "2", "GIT_CONFIG_KEY_0": "user.name", "GIT_CONFIG_VALUE_0": "bench"}
IDENTITY |= {"GIT_CONFIG_KEY_1": "user.email", "GIT_CONFIG_VALUE_1": "bench@example.org"}


@dataclass
class Jobs:
    """The jobs of one workflow run: how long each took, and which it waited for."""

    took: dict[str, float] = field(default_factory=dict)
    needs: dict[str, list[str]] = field(default_factory=dict)

    def until(self, job: str) -> float:
        """Seconds from the event to the end of a job."""
        return self.took[job] + max((self.until(one) for one in self.needs[job] if one in self.took), default=0.0)

    @property
    def billed(self) -> int:
        return sum(math.ceil(spent / 60) for spent in self.took.values())


def _runs(condition: str) -> bool:
    for start, holds in CONDITIONS.items():
        if condition.startswith(start):
            return holds
    if condition:
        raise SystemExit(f"bench: CONDITIONS in {__file__} does not say whether a step runs if {condition}")
    return True


class Runner:
    """Runs the jobs of a repository's workflows one after the other, each as on a new machine."""

    def __init__(self, repository: Path, folder: Path) -> None:
        self.repository, self.folder, self.count = repository, folder, 0

    def run(self, workflow: str, *jobs: str) -> Jobs:
        document = yaml.safe_load((self.repository / ".github/workflows" / workflow).read_text())
        done = Jobs()
        for name in jobs:
            job = document["jobs"][name]
            needs = job.get("needs", [])
            done.needs[name] = [needs] if isinstance(needs, str) else needs
            done.took[name] = self._job(job["steps"])
        return done

    def _job(self, steps: list[dict[str, Any]]) -> float:
        self.count += 1
        own = {**IDENTITY, **GIVEN, "GITHUB_OUTPUT": os.devnull}
        own |= {
            "VENV": str(self.folder / f"{self.count}/venv"),
            "UV_CACHE_DIR": str(self.folder / f"{self.count}/cache"),
        }
        own["PATH"] = ":".join(one for one in os.environ["PATH"].split(":") if not (Path(one) / "uv").exists())
        seconds(["rm", "-rf", str(self.repository / ".tools")])
        return STARTS + sum(self._step(step, own) for step in steps if _runs(step.get("if", "")))

    def _step(self, step: dict[str, Any], own: Mapping[str, str]) -> float:
        action = step.get("uses", "").partition("@")[0]
        if action == "docker/build-push-action":
            return IMAGE + self._make([f"{own['VENV']}/{step['id']}"], own)  # named as the environment it installs
        if action:
            return USED.get(action, ACTION)
        verbs = re.fullmatch(r"make ([a-z ]+?)( TESTS=\S+)?", step["run"].strip())
        if verbs is None:
            return USED[step["run"].split()[0]]
        words = [*verbs[1].split(), *(verbs[2] or "").split()]
        counted = [COUNTED[word] for word in words if word in COUNTED]
        if "reviewed" in words:
            (self.repository / "build/reviewed.json").write_text('{"metrics": {}}')
        left = [word for word in words if word not in COUNTED]
        environment = "train" if "champion" in words else "github"
        return sum(counted) + self._make(left or [f"{own['VENV']}/{environment}"], own)

    def _make(self, words: list[str], own: Mapping[str, str]) -> float:
        return seconds(["make", "--silent", "-C", str(self.repository), *words], own)


def _repository(folder: Path) -> Path:
    """A baked repository with an origin, in which the newest commit changes a parameter of the model."""
    copy, own = bakes.template(folder)
    seconds(bake.command(copy, folder, {"project_slug": "model"}), own | IDENTITY)
    repository = folder / "model"
    git = ["git", "-C", str(repository)]
    seconds([*git, "remote", "add", "origin", str(folder / "origin.git")])
    seconds(["git", "clone", "--quiet", "--bare", str(repository), str(folder / "origin.git")])
    config = repository / "config.yaml"
    config.write_text(re.sub(r"max_iter: \d+", "max_iter: 61", config.read_text()))
    seconds([*git, "commit", "--quiet", "--all", "--message", "Train longer"], IDENTITY)
    seconds([*git, "fetch", "--quiet", "origin"])
    return repository


def rows(runs: int) -> Iterator[Row]:  # once: the network's share is not what a median mends
    with tempfile.TemporaryDirectory() as name:
        runner = Runner(_repository(Path(name)), Path(name))
        review = runner.run("pull-request.yaml", "changes", "check", "test", "evaluate", "all-green")
        report = runner.run("report.yaml", "comment")
        release = runner.run("release.yaml", "changes", "model", "images", "offer")
        offered = runner.run("pull-request.yaml", "changes", "all-green")
        due = runner.run("promote.yaml", "promote")
    every = [review, report, release, *[offered, report, due] * 3]
    whole = sum(sum(one.took.values()) for one in every) / 60
    billed, jobs = sum(one.billed for one in every), sum(len(one.took) for one in every)
    longest = max((one for one in review.took if one != "all-green"), key=review.until)
    model = f"{release.until('model'):.0f} s to the model"
    yield "a model's pull request", review.until("all-green") / 60, "min", f"the longest job is {longest}"
    yield "its report", report.until("comment") / 60, "min", "after that"
    yield "a merge to the offer for dev", release.until("offer") / 60, "min", model
    yield "a promotion's pull request", offered.until("all-green") / 60, "min", f"{len(offered.took)} jobs"
    yield "a change to production", whole, "min", f"of runners; {billed} billed, {jobs} jobs"
