"""Keeps one issue about a model that degrades: opened, then updated only when the monitor raises an alert anew."""

from typing import Any

from lifecycle.documents import limits
from lifecycle.github import api
from lifecycle.reporting import pages

TITLE = "The model degrades"


def _mark(raised: str) -> str:
    return f"<!-- raised {pages.plain(raised)} -->"


def run() -> str:
    """Take the monitor's word from the present event; without one there is no issue."""
    payload: dict[str, Any] = api.event().get("client_payload") or {}
    if not payload:
        return "no monitor raised an alert"
    word = {name: str(payload.get(name, "")) for name in ("environment", "version", "raised", "report")}
    environment = word["environment"][:40]
    mark = _mark(word["raised"][:40])
    found = next(
        (
            one
            for one in api.listed(f"{api.root()}/issues?state=open&labels=monitor&per_page=100")
            if environment in {label["name"] for label in one["labels"]} and one["user"]["type"] == "Bot"
        ),
        None,
    )
    if found and mark in found["body"]:
        return f"#{found['number']} knows of the alert of {word['raised'][:40]}"
    begin = f"The monitor of {pages.plain(environment)} raised an alert about {pages.plain(word['version'][:60])}."
    body = f"{mark}\n{begin}\n\n{pages.cut(_inert(word['report']), limits.BODY - limits.FRAME)}\n"
    if found is None:
        made = api.call(
            "POST", f"{api.root()}/issues", {"title": TITLE, "body": body, "labels": ["monitor", environment]}
        )
        return f"#{made['number']} is opened"
    api.call("PATCH", f"{api.root()}/issues/{found['number']}", {"body": body})
    again = {"body": f"Raised again: {pages.plain(word['raised'][:40])}."}
    api.call("POST", f"{api.root()}/issues/{found['number']}/comments", again)
    return f"#{found['number']} is updated"


def _inert(report: str) -> str:
    """The monitor's report, which is Markdown of ours: without anything that names a person or hides text."""
    return report.replace("<!--", "&lt;!--").replace("@", "&#64;")
