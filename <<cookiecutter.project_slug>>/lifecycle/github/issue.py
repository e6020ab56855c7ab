"""Keeps one issue about a degrading model, and updates it only for a new alert."""

import re
from typing import Any

from lifecycle.documents import limits
from lifecycle.github import api
from lifecycle.reporting import pages

TITLE = "The model degrades"


def _mark(raised: str) -> str:
    """Finds the alert in the issue; other signs could end the hidden line."""
    return f"<!-- raised {re.sub('[^0-9A-Za-z.:+]+', '-', raised)} -->"


def run() -> str:
    """Open or update the issue for the event's alert, if there is one."""
    payload: dict[str, Any] = api.event().get("client_payload") or {}
    if not payload:
        return "no monitor raised an alert"
    alert = {name: str(payload.get(name, "")) for name in ("environment", "version", "raised", "report")}
    environment = alert["environment"][:40]
    mark = _mark(alert["raised"][:40])
    found = next(
        (
            one
            for one in api.listed(f"{api.root()}/issues?state=open&labels=monitor&per_page=100")
            if environment in {label["name"] for label in one["labels"]} and one["user"]["type"] == "Bot"
        ),
        None,
    )
    if found and mark in found["body"]:
        return f"#{found['number']} already has the alert of {alert['raised'][:40]}"
    begin = f"The monitor of {pages.plain(environment)} raised an alert about {pages.plain(alert['version'][:60])}."
    body = f"{mark}\n{begin}\n\n{_inert(pages.cut(alert['report'], limits.BODY - limits.FRAME))}\n"
    if found is None:
        made = api.call(
            "POST", f"{api.root()}/issues", {"title": TITLE, "body": body, "labels": ["monitor", environment]}
        )
        return f"#{made['number']} was opened"
    api.call("PATCH", f"{api.root()}/issues/{found['number']}", {"body": body})
    again = {"body": f"Raised again: {pages.plain(alert['raised'][:40])}."}
    api.call("POST", f"{api.root()}/issues/{found['number']}/comments", again)
    return f"#{found['number']} was updated"


def _inert(report: str) -> str:
    """The monitor's Markdown report; as a block of code if it has what no report of the monitor has."""
    return report if pages.ours(report) else pages.fenced(report)
