"""Keeps one issue about locked packages with a known vulnerability, and closes it when there is none."""

from pathlib import Path

from lifecycle.documents import limits
from lifecycle.documents import vulnerabilities as documents
from lifecycle.github import api
from lifecycle.reporting import pages

TITLE = "Locked packages have known vulnerabilities"
LABEL = "vulnerabilities"
ADVICE = (
    "`docs/releasing-and-rolling-back.md` says how a fix gets to production without training. "
    "`locks/exceptions.yaml` takes what does not concern this service, with a day on which it counts again."
)


def run(build: Path) -> str:
    """Open, update or close the issue, as `make vulnerabilities` found."""
    found = documents.read(build / "vulnerabilities.json")
    issue = next(iter(api.issues(LABEL, "open")), None)
    if not found.vulnerabilities:
        return "there is nothing to tell" if issue is None else _closed(issue["number"])
    rows = [_row(one) for one in found.vulnerabilities]
    table = "| package | locked | fixed in | known as | in |\n| --- | --- | --- | --- | --- |\n" + "\n".join(rows)
    body = pages.cut("\n\n".join([ADVICE, *map(pages.plain, found.said), table]), limits.BODY)
    if issue is None:
        made = api.call("POST", f"{api.root()}/issues", {"title": TITLE, "body": body, "labels": [LABEL]})
        return f"#{made['number']} was opened"
    number, before = issue["number"], issue["body"] or ""
    if body == before:
        return f"#{number} already tells of them"
    api.call("PATCH", f"{api.root()}/issues/{number}", {"body": body})
    if new := [row for row in rows if row not in before]:  # an edit alone notifies no one
        _say(number, f"{len(new)} more since the last look, or with other fixes.")
    return f"#{number} was updated"


def _row(one: documents.Vulnerability) -> str:
    names = ", ".join(one.names)
    cells = (
        one.package,
        one.version,
        ", ".join(one.fixes),
        names,
        ", ".join(f"locks/{name}.txt" for name in one.locks),
    )
    return f"| {' | '.join(pages.plain(pages.cut(cell, pages.CELL)) for cell in cells)} |"


def _closed(number: int) -> str:
    _say(number, "No locked package has a known vulnerability with a fix, but for the exceptions.")
    api.call("PATCH", f"{api.root()}/issues/{number}", {"state": "closed"})
    return f"#{number} was closed"


def _say(number: int, text: str) -> None:
    api.call("POST", f"{api.root()}/issues/{number}/comments", {"body": text})
