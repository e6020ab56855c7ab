"""Creates a model's GitHub release: version as tag, report as text, report and record as files."""

import os
from pathlib import Path

from lifecycle import files
from lifecycle.documents import record
from lifecycle.github import api


def run(build: Path) -> str:
    """Publish the files in `build`, unless the release already exists."""
    version = record.decision(build / "decision.json").version
    try:
        api.call("GET", f"{api.root()}/releases/tags/{version}")
        return f"{version} is already published"
    except api.RefusedError as refused:
        if refused.status != 404:
            raise
    text = files.read(build / "report.md", "report").decode()
    about = {
        "tag_name": version,
        "name": version,
        "body": text,
        "target_commitish": os.environ.get("GITHUB_SHA", "main"),
    }
    made = api.call("POST", f"{api.root()}/releases", about)
    address = made["upload_url"].partition("{")[0]
    for name in ("report.md", "report.html", "decision.json"):
        kind = "Content-Type: application/octet-stream"
        api.gh("api", "--method", "POST", f"{address}?name={name}", "--header", kind, "--input", str(build / name))
    return version
