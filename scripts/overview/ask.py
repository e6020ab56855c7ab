"""Asks GitHub for the model repositories of an owner, their open alerts and who merged: several in one call."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

TOPIC = "mlaas-model"
OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
PAGE = 25  # repositories in a call
# The newest merges are enough: an older one has a commit of its own, whose author then stands for who merged.
QUERY = """
query($search: String!, $page: Int!, $after: String) {
  search(type: REPOSITORY, query: $search, first: $page, after: $after) {
    pageInfo { hasNextPage endCursor }
    nodes { ... on Repository {
      nameWithOwner url
      issues(states: OPEN, labels: ["monitor"], first: 20) { nodes { number url labels(first: 10) { nodes { name } } } }
      pullRequests(states: MERGED, last: 50) { nodes { number url mergedBy { login } mergeCommit { oid } } }
    } }
  }
}
"""


class FleetError(Exception):
    """What a person has to put right, as one sentence."""


@dataclass(frozen=True)
class Known:
    """A repository on GitHub: where it is, the addresses of its alerts by environment, who merged which commit."""

    name: str
    address: str
    alerts: dict[str, list[str]] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)


def _call(variables: dict[str, Any]) -> dict[str, Any]:
    """One call of GitHub's GraphQL API; raises FleetError with what `gh` says."""
    content = json.dumps({"query": QUERY, "variables": variables})
    environment = {**os.environ, "GH_PROMPT_DISABLED": "1", "GH_TELEMETRY": "0"}
    try:
        done = subprocess.run(
            ["gh", "api", "graphql", "--input", "-"],
            input=content,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise FleetError("GitHub's command line, gh, is not installed; install it, then try again.") from error
    if done.returncode:
        raise FleetError(f"GitHub cannot be asked ({' '.join(done.stderr.split())}); sign in with `gh auth login`.")
    found: dict[str, Any] = json.loads(done.stdout)["data"]["search"]
    return found


def repositories(owner: str) -> Iterator[Known]:
    """Every repository of an owner that has the platform's topic."""
    if not OWNER.fullmatch(owner):
        raise FleetError(f"{owner!r} is not the name of an owner on GitHub; give it as in acme/model: acme.")
    after = None
    while True:
        found = _call({"search": f"user:{owner} topic:{TOPIC} archived:false", "page": PAGE, "after": after})
        yield from map(_known, found["nodes"])
        if not found["pageInfo"]["hasNextPage"]:
            return
        after = found["pageInfo"]["endCursor"]


def _known(node: dict[str, Any]) -> Known:
    alerts: dict[str, list[str]] = {}
    for issue in node["issues"]["nodes"]:
        for label in issue["labels"]["nodes"]:
            alerts.setdefault(label["name"], []).append(issue["url"])
    merged = {
        pull["mergeCommit"]["oid"]: pull["mergedBy"]["login"]
        for pull in node["pullRequests"]["nodes"]
        if pull["mergeCommit"] and pull["mergedBy"]
    }
    return Known(node["nameWithOwner"], node["url"], alerts, merged)
