"""Writes what was seen, for people (HTML) and for machines (JSON)."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from templates import template

from faults.dashboard import UNASKED, Grafana
from faults.fault import Fault, Outcome

DOCS = "https://github.com/{repository}/blob/{branch}/%3C%3Ccookiecutter.project_slug%3E%3E/docs/"


def document(
    outcomes: Sequence[Outcome], versions: dict[str, str], grafana: Grafana = UNASKED, problem: str = ""
) -> dict[str, Any]:
    """Everything that the page says; `problem` is why no fault could be tried."""
    return {
        "good": not problem and not grafana.wrong and all(not one.wrong() for one in outcomes),
        "problem": problem,
        "versions": versions,
        "grafana": {"untried": grafana.untried, "wrong": list(grafana.wrong), "said": grafana.said},
        "faults": [_row(one) for one in outcomes],
    }


def _row(one: Outcome) -> dict[str, Any]:
    return {
        "name": one.fault.name,
        "done": one.fault.done,
        "good": not one.wrong(),
        "wrong": one.wrong(),
        "untried": one.untried,
        "seconds": round(one.seconds, 1),
        "requests": one.requests,
        "failed": one.failed,
        "may_fail": one.fault.fails,
        "lost": one.lost,
        "may_lose": one.fault.loses,
        "showed": one.showed,
        "told": list(one.told),
        "after": [round(seconds) for seconds in one.after],
        "does": one.fault.does,
        "runbook": one.fault.runbook,
    }


def untried(faults: Sequence[Fault], reason: str) -> list[Outcome]:
    """Faults that nobody came to, for the page of a run that ended early."""
    return [Outcome(fault, problem=reason) for fault in faults]


def write(folder: Path, found: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "e2e.json").write_text(json.dumps(found, indent=1) + "\n")
    (folder / "index.html").write_text(template(Path(__file__).with_name("page.html")).render(found))
