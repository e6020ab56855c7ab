"""Creates a model's GitHub release: version as tag, report as text; report, record and papers as files.

It is a draft until it has its files: a run that is cut off can be run again, and an immutable release takes no more.
"""

import os
from pathlib import Path
from typing import Any

from lifecycle import files
from lifecycle.documents import record
from lifecycle.github import api
from lifecycle.papers import write

NAMES = ("report.md", "report.html", "decision.json", *write.NAMES)


def _draft(version: str, build: Path) -> dict[str, Any]:
    """The draft of a release: a new one, or that of a run that was cut off; drafts have no address by tag."""
    for found in api.listed(f"{api.root()}/releases?per_page=100"):
        if found["tag_name"] == version and found["draft"]:
            return dict(found)
    about = {
        "tag_name": version,
        "name": version,
        "body": files.read(build / "report.md", "report").decode(),
        "target_commitish": os.environ.get("GITHUB_SHA", "main"),
        "draft": True,
    }
    made: dict[str, Any] = api.call("POST", f"{api.root()}/releases", about)
    return made


def run(build: Path) -> str:
    """Publish the files in `build`, unless the release is already published."""
    version = record.decision(build / "decision.json").version
    try:
        api.call("GET", f"{api.root()}/releases/tags/{version}")
        return f"{version} is already published"
    except api.RefusedError as refused:
        if refused.status != 404:
            raise
    draft = _draft(version, build)
    for asset in draft["assets"]:  # perhaps only a part of it came
        api.call("DELETE", f"{api.root()}/releases/assets/{asset['id']}")
    address = draft["upload_url"].partition("{")[0]
    for name in NAMES:
        kind = "Content-Type: application/octet-stream"
        api.gh("api", "--method", "POST", f"{address}?name={name}", "--header", kind, "--input", str(build / name))
    api.call("PATCH", f"{api.root()}/releases/{draft['id']}", {"draft": False})
    return version
