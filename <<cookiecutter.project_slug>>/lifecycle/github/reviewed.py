"""Finds the metrics that reviewers saw on the pull request of a commit on the main branch."""

import json
import os
import time
from pathlib import Path
from typing import Any

from lifecycle import InputError, files
from lifecycle.github import api, comment

PATIENCE, PAUSE = 300, 15  # seconds: a pull request that merges itself may be merged before its report is posted


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
    until = time.monotonic() + PATIENCE
    while not (metrics := _shown(number, pulls[-1]["head"]["sha"])):
        if time.monotonic() > until:
            raise InputError(
                f"#{number} has no report on its last commit {pulls[-1]['head']['sha'][:12]}; "
                "if its workflow *Report* failed, run that again and then this one, else open another pull request."
            )
        time.sleep(PAUSE)
    files.write_json(build / "reviewed.json", {"metrics": metrics})
    return f"{len(metrics)} metrics were reviewed on #{number}"
