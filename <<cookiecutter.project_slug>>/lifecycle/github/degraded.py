"""Reports the monitor's alert from a cluster to GitHub, which starts retrain.yaml.

The monitor's image has no `gh`, and its token is for this alone.
"""

import json
import os
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from lifecycle import InputError, files
from lifecycle.documents import limits

PAUSE = 2.0  # seconds between checks for the monitor's summary


def payload(summary: dict[str, Any], report: str, environment: str) -> dict[str, Any] | None:
    """The event for retrain.yaml, or None without an alert; `raised` identifies alerts that GitHub already has."""
    if not summary["alert"] or summary["raised"] is None:
        return None
    about = {"environment": environment, "version": summary["version"], "raised": summary["raised"]}
    return {"event_type": "degraded", "client_payload": {**about, "report": report[: limits.REPORT]}}


def send(body: dict[str, Any], repository: str, token: str) -> None:
    """Start the workflows that listen; raises InputError with GitHub's answer."""
    address = f"{os.environ.get('GITHUB_API_URL', 'https://api.github.com')}/repos/{repository}/dispatches"
    head = {"Accept": "application/vnd.github+json", "Authorization": f"Bearer {token}"}
    request = urllib.request.Request(address, json.dumps(body).encode(), head)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30):  # noqa: S310 - the address is ours
            pass
    except urllib.error.HTTPError as error:
        raise InputError(
            f"GitHub refused the alert with {error.code}: {error.read(300).decode(errors='replace')}; the token needs "
            "`contents: write` on this repository."
        ) from error
    except OSError as error:
        raise InputError(f"GitHub cannot be reached at {address} ({error}); let the monitor's pod reach it.") from error


def run(build: Path, environment: str, seconds: float, pause: float = PAUSE) -> str:
    """Wait at most `seconds` for the monitor's summary, then send its alert."""
    path, until = build / "monitor" / "summary.json", time.monotonic() + seconds
    while not path.is_file():
        if time.monotonic() > until:
            return f"the monitor wrote no summary within {seconds:g} seconds; its own log says why"
        time.sleep(pause)
    body = payload(files.read_json(path), (build / "monitor" / "report.md").read_text(), environment)
    if body is None:
        return "no alert holds"
    repository, token = (os.environ.get(name, "").strip() for name in ("GITHUB_REPOSITORY", "GITHUB_TOKEN"))
    if not repository or not token:
        raise InputError("GITHUB_REPOSITORY or GITHUB_TOKEN is not set; the Secret `github` holds the token.")
    send(body, repository, token)
    return f"the alert of {body['client_payload']['raised']} was sent to {repository}"
