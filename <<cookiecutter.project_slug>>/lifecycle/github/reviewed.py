"""Finds the metrics that reviewers saw on the pull request of a commit on the main branch."""

import json
import os
from pathlib import Path
from typing import Any

from lifecycle import InputError, files
from lifecycle.github import api, comment


def _shown(number: int, commit: str) -> dict[str, float] | None:
    """The metrics in a pull request's report, if that is about this commit."""
    posted = comment.mine(api.listed(f"{api.root()}/issues/{number}/comments?per_page=100"))
    if posted is None:
        return None
    seen: dict[str, Any] = json.loads(posted["body"].removeprefix(comment.MARK).partition(" -->")[0])
    metrics: dict[str, float] = seen["metrics"]
    return metrics if seen["commit"] == commit else None


def run(build: Path) -> str:
    """Write `reviewed.json`; it is empty for a commit without a pull request."""
    sha = os.environ.get("GITHUB_SHA", "HEAD")
    pulls = [one for one in api.listed(f"{api.root()}/commits/{sha}/pulls?per_page=100") if one["merged_at"]]
    if not pulls:
        files.write_json(build / "reviewed.json", {"metrics": {}})
        return f"{sha[:12]} has no pull request; there is nothing to compare with"
    number = pulls[-1]["number"]
    metrics = _shown(number, pulls[-1]["head"]["sha"])
    if not metrics:
        raise InputError(
            f"#{number} was merged without a report on its last commit {pulls[-1]['head']['sha'][:12]}; "
            "open another pull request, and merge it after its report."
        )
    files.write_json(build / "reviewed.json", {"metrics": metrics})
    return f"{len(metrics)} metrics were reviewed on #{number}"
