"""Finds the metrics that people saw on the pull request that a commit of the main branch came from."""

import json
import os
from pathlib import Path
from typing import Any

from lifecycle import InputError, files
from lifecycle.github import api, comment


def _shown(number: int, commit: str) -> dict[str, float] | None:
    """The metrics of the report on a pull request, if it is of that commit."""
    posted = comment.mine(api.listed(f"{api.root()}/issues/{number}/comments?per_page=100"))
    if posted is None:
        return None
    seen: dict[str, Any] = json.loads(posted["body"].removeprefix(comment.MARK).partition(" -->")[0])
    metrics: dict[str, float] = seen["metrics"]
    return metrics if seen["commit"] == commit else None


def run(build: Path) -> str:
    """Write `reviewed.json`; it is empty for a commit that no pull request brought."""
    sha = os.environ.get("GITHUB_SHA", "HEAD")
    pulls = [one for one in api.listed(f"{api.root()}/commits/{sha}/pulls?per_page=100") if one["merged_at"]]
    if not pulls:
        files.write_json(build / "reviewed.json", {"metrics": {}})
        return f"no pull request brought {sha[:12]}; there is nothing to compare with"
    number = pulls[-1]["number"]
    metrics = _shown(number, pulls[-1]["head"]["sha"])
    if not metrics:
        raise InputError(
            f"#{number} was merged without a report of its last commit {pulls[-1]['head']['sha'][:12]}; "
            "open a pull request whose report can be read before it is merged."
        )
    files.write_json(build / "reviewed.json", {"metrics": metrics})
    return f"{len(metrics)} metrics were reviewed on #{number}"
