"""Keeps one issue about a degrading model; an alert that an issue has told, open or closed, is not told again."""

import os
import re
from dataclasses import dataclass
from typing import Any, Self

from lifecycle.documents import limits
from lifecycle.github import api
from lifecycle.reporting import pages

TITLE = "The model degrades"
TOLD = re.compile(r"<!-- told version=(\S*) raised=(\S*) series=([0-9a-f,]*) -->")


@dataclass(frozen=True)
class Raised:
    """What identifies an alert; moments are of one notation, so texts compare as they do."""

    version: str
    raised: str
    since: str
    series: frozenset[str]

    @classmethod
    def of(cls, payload: dict[str, Any]) -> Self:
        """The alert of an event; other signs could end the hidden line that keeps it."""

        def plain(name: str, other: str = "") -> str:
            return re.sub("[^0-9A-Za-z.:+]+", "-", str(payload.get(name) or other)[:60])

        raised = plain("raised")
        series = re.findall(r"\b[0-9a-f]{8}\b", str(payload.get("series", ""))[:10_000])
        return cls(plain("version"), raised, plain("since", raised), frozenset(series))

    def mark(self) -> str:
        """Finds the alert in an issue."""
        return f"<!-- told version={self.version} raised={self.raised} series={','.join(sorted(self.series))} -->"

    def told(self, issue: dict[str, Any]) -> bool:
        """Whether an issue tells this alert: of the version, of each series, and raised at `since` or later."""
        found = TOLD.match(issue["body"] or "")
        if found is None or found[1] != self.version:
            return False
        return found[2] >= self.since and self.series <= set(found[3].split(","))


def run() -> str:
    """Open or update the issue for the event's alert; `known` is an output of the job, true if it was told before."""
    payload: dict[str, Any] = api.event().get("client_payload") or {}
    if not payload:
        return "no monitor raised an alert"
    environment, alert = str(payload.get("environment", ""))[:40], Raised.of(payload)
    issues = [one for one in api.issues("monitor", "all") if environment in {label["name"] for label in one["labels"]}]
    if told := next((one for one in issues if alert.told(one)), None):
        first = os.environ.get("GITHUB_RUN_ATTEMPT", "1") == "1"  # a run that is run again does what it could not
        api.say("GITHUB_OUTPUT", f"known={str(first).lower()}")
        return f"#{told['number']} already tells of the alert of {alert.raised}"
    begin = f"The monitor of {pages.plain(environment)} raised an alert about {pages.plain(alert.version)}."
    report = _inert(pages.cut(str(payload.get("report", "")), limits.BODY - limits.FRAME - len(alert.mark())))
    body = f"{alert.mark()}\n{begin}\n\n{report}\n"
    found = next((one for one in issues if one["state"] == "open"), None)
    if found is None:
        made = api.call(
            "POST", f"{api.root()}/issues", {"title": TITLE, "body": body, "labels": ["monitor", environment]}
        )
        return f"#{made['number']} was opened"
    api.call("PATCH", f"{api.root()}/issues/{found['number']}", {"body": body})
    again = {"body": f"Raised again: {pages.plain(alert.raised)}."}
    api.call("POST", f"{api.root()}/issues/{found['number']}/comments", again)
    return f"#{found['number']} was updated"


def _inert(report: str) -> str:
    """The monitor's Markdown report; as a block of code if it has what no report of the monitor has."""
    return report if pages.ours(report) else pages.fenced(report)
