"""What the newest pod that is not ready says."""

import re
from typing import Any

Object = dict[str, Any]
LONGEST = 300
MISSING = re.compile(r'(?:secret|configmap) "[^"]+" not found')  # what the platform has not brought yet


def said(pods: list[Object], job: str = "") -> str:
    """The last words of the newest failing pod: of a job's if it is named, else of the service's."""
    chosen = [one for one in pods if _labels(one).get("batch.kubernetes.io/job-name", "") == job]
    for one in sorted(chosen, key=lambda one: one["metadata"]["creationTimestamp"], reverse=True):
        words = _words(one.get("status") or {})
        if words:
            return f"pod {one['metadata']['name']}: {words}"
    return ""


def plain(text: str) -> str:
    """A text in one line of printable characters, not too long for a pull request's body."""
    line = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def _labels(one: Object) -> Object:
    found: Object = one["metadata"].get("labels") or {}
    return found


def _words(status: Object) -> str:
    conditions = {one["type"]: one for one in status.get("conditions") or ()}
    if conditions.get("Ready", {}).get("status") == "True":
        return ""
    for one in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        state, last = one.get("state") or {}, one.get("lastState") or {}
        ended = state.get("terminated") or last.get("terminated") or {}
        if ended.get("exitCode"):
            lines = (ended.get("message") or "").strip().splitlines()
            return lines[-1] if lines else f"{ended.get('reason', 'it ended')} with exit code {ended['exitCode']}"
        waits = state.get("waiting") or {}
        if waits.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
            return f"{waits['reason']}: {waits.get('message', '')}"
    return str(conditions.get("PodScheduled", {}).get("message", ""))
