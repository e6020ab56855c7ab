"""Tells GitHub from a cluster of the monitor's alert, which starts retrain.yaml; fails where it cannot.

The monitor's image has no `gh`, and its token is for this alone.
"""

import hashlib
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lifecycle import InputError, files
from lifecycle.documents import limits
from lifecycle.tasks import label

PAUSES = (15.0, 45.0, 120.0)  # seconds before each further try, while GitHub is to blame
NAMED, LONGEST = 10, 80  # series that are named, and letters of a name
SERIES = 1_000  # most series that an event names: it holds 65,535 bytes


def payload(summary: dict[str, Any], report: str, environment: str) -> dict[str, Any] | None:
    """The event for retrain.yaml, or None without an alert.

    An alert that was raised after `since`, of the same version and about the same `series`, is still this one.
    """
    if not summary["alert"] or summary["raised"] is None:
        return None
    about = {name: summary.get(name) or summary["raised"] for name in ("version", "raised", "since")}
    held = [alert for alert in summary.get("alerts", ()) if alert["holds"]]
    series = sorted(map(_short, held))
    names = sorted({_name(alert) for alert in held})
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    alert = {"environment": environment, **about, "series": " ".join(series[:SERIES])}
    alert["about"] = ", ".join(names[:NAMED]) + more
    return {"event_type": "degraded", "client_payload": {**alert, "report": report[: limits.REPORT]}}


def _short(alert: dict[str, Any]) -> str:
    """A short name for a series, whose column may be called anything."""
    named = [alert[name] for name in ("kind", "metric", "column")]
    named += [alert[name] for name in ("slice", "part") if alert.get(name)]
    return hashlib.sha256(json.dumps(named).encode()).hexdigest()[:8]


def _name(alert: dict[str, Any]) -> str:
    """What a person calls a series."""
    parts = [
        alert["kind"],
        label(alert["metric"]),
        *(f"of {alert[name]}" for name in ("column", "slice") if alert.get(name)),
    ]
    return " ".join([*parts, str(alert.get("part") or "")]).strip()[:LONGEST]


def ask(path: str, body: dict[str, Any] | None, repository: str, token: str, pauses: Sequence[float]) -> None:
    """Call GitHub's API, again after each pause while GitHub is down; raises InputError with whose fault it is."""
    address = f"{os.environ.get('GITHUB_API_URL', 'https://api.github.com').rstrip('/')}/repos/{repository}{path}"
    head = {"Accept": "application/vnd.github+json", "Authorization": f"Bearer {token}"}
    content = None if body is None else json.dumps(body).encode()
    for pause in (*pauses, None):
        try:
            request = urllib.request.Request(address, content, head)  # noqa: S310
            with urllib.request.urlopen(request, timeout=30):  # noqa: S310 - the address is ours
                return
        except urllib.error.HTTPError as error:
            if pause is None or not _busy(error):
                raise _refused(error, address, repository) from error
        except ValueError as error:
            raise InputError(f"GITHUB_API_URL or GITHUB_REPOSITORY is not valid in {address!r}; correct it.") from error
        except OSError as error:
            if pause is None:
                raise InputError(
                    f"GitHub cannot be reached at {address} ({error}); let the monitor's pod reach that port, or trust "
                    "its certificate, as manifests/components/retraining says."
                ) from error
        time.sleep(pause)


def _busy(error: urllib.error.HTTPError) -> bool:
    """Whether the same call may succeed later: GitHub is down, or asks for fewer calls."""
    waits = error.headers.get("Retry-After") or error.headers.get("X-RateLimit-Remaining") == "0"
    return error.code >= 500 or error.code == 429 or (error.code == 403 and bool(waits))


def _refused(error: urllib.error.HTTPError, address: str, repository: str) -> InputError:
    try:
        said = " ".join(error.read(300).decode(errors="replace").split())
    except OSError:
        said = ""
    if _busy(error):
        return InputError(f"GitHub is down or asks for fewer calls ({error.code}: {said}); the next run tries again.")
    if error.code in (401, 403, 404):
        return InputError(
            f"GitHub refused the token ({error.code}: {said}); put one that is valid and has `contents: write` on "
            f"{repository} into the Secret `github`."
        )
    return InputError(f"GitHub answered {error.code} at {address} ({said}); correct that address, or report it.")


def run(build: Path, environment: str, pauses: Sequence[float] = PAUSES) -> str:
    """Send the alert in the monitor's summary; without one, only check that GitHub would take it."""
    path = build / "monitor" / "summary.json"
    if not path.is_file():
        raise InputError(f"{path} does not exist; run `make monitor` first.")
    body = payload(files.read_json(path), (build / "monitor" / "report.md").read_text(), environment)
    repository, token = (os.environ.get(name, "").strip() for name in ("GITHUB_REPOSITORY", "GITHUB_TOKEN"))
    if not repository or not token:
        raise InputError(
            "GITHUB_REPOSITORY or GITHUB_TOKEN is not set, so no alert can be told; make the Secret `github`."
        )
    if body is None:
        ask("", None, repository, token, pauses)
        return f"no alert holds; {repository} can be told of one"
    ask("/dispatches", body, repository, token, pauses)
    return f"the alert of {body['client_payload']['raised']} was sent to {repository}"
