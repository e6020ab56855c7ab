"""Posts the report of a run on its pull request, from untrusted files.

Whoever opens a pull request decides what its run uploads. So nothing is executed or shown verbatim: the decision record
and the diffs of the manifests are parsed, and rendered here.
"""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError

from lifecycle import InputError
from lifecycle.documents import limits, record
from lifecycle.github import api
from lifecycle.releasing import diff
from lifecycle.reporting import pages, sections, short

MARK = "<!-- model report "
BOT = "github-actions[bot]"  # whose token report.yaml has
FORK = "> Measured by the fork's own run: {origin} can change what measures. Read the code before the numbers.\n\n"
FILES = {"decision.json": 2_000_000, "diff.json": 2_000_000, "number": 20, "report.html": 20_000_000}


def artefacts(folder: Path) -> dict[str, Path]:
    """The files that a run uploaded, by name; raises InputError if one is unknown, too large or a link."""
    found = {}
    for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
        if path.is_dir() and not path.is_symlink():
            continue
        if path.name not in FILES or path.is_symlink() or path.name in found:
            raise InputError(
                f"The run uploaded {str(path.relative_to(folder))!r}, which is not a file of its workflow; refused."
            )
        if path.stat().st_size > FILES[path.name]:
            raise InputError(
                f"The run uploaded {path.name} with {path.stat().st_size:,} bytes, more than {FILES[path.name]:,}; "
                "refused."
            )
        found[path.name] = path
    return found


def pull(run: dict[str, Any], number: str | None) -> dict[str, Any] | None:
    """The pull request whose head the run tested, open or merged, or None if that has changed.

    It may be merged before its report is posted, and a release asks for the report. `number` is the run's claim.
    """
    if run["head_repository"] is None:  # of a fork that was deleted since
        return None
    origin = run["head_repository"]["full_name"]
    head = quote(f"{origin.partition('/')[0]}:{run['head_branch']}", safe=":")
    for found in api.listed(f"{api.root()}/pulls?state=all&head={head}&per_page=100"):
        same = found["head"]["repo"] and found["head"]["repo"]["full_name"] == origin
        counts = found["state"] == "open" or found["merged_at"]
        if same and counts and found["head"]["sha"] == run["head_sha"]:
            if number is not None and number.strip() != str(found["number"]):
                raise InputError(
                    f"The run claims pull request {number.strip()[:20]!r}, but belongs to #{found['number']}; refused."
                )
            one: dict[str, Any] = found
            return one
    return None


def _differences(path: Path) -> dict[str, str]:
    try:
        return TypeAdapter(dict[str, str]).validate_json(path.read_bytes())
    except ValidationError as error:
        raise InputError("The run uploaded a diff.json that is not valid; refused.") from error


def verdict(decision: record.Decision, conclusion: str) -> str:
    """The record's verdict, if the run ended as the record says; whoever runs it can write any record."""
    if decision.passed and conclusion != "success":
        return f"❌ Failed: the run ended with {conclusion}, although its record says accepted; its log says where"
    return sections.headline(decision)


def text(files: dict[str, Path], run: dict[str, Any]) -> str:
    """The comment, at most 65,000 characters; its first line is for programs."""
    shown = diff.markdown(_differences(files["diff.json"])) if "diff.json" in files else ""
    metrics: dict[str, float] = {}
    if "decision.json" in files:
        decision, succeeded = record.decision(files["decision.json"]), run["conclusion"] == "success"
        if succeeded:
            metrics = {name: measure.value for name, measure in decision.evaluation.metrics.items()}
        report = pages.markdown(
            verdict(decision, run["conclusion"]),
            sections.setting(decision, short.merge(decision) if decision.refused or succeeded else ()),
            sections.of(decision),
            "report.html",
            limits.BODY - len(shown) - limits.FRAME,
        )
    elif run["conclusion"] == "success":
        report = "## The model is unchanged\n\nThis change does not affect training, so the model was not retrained.\n"
    else:
        report = "## ❌ There is no evaluation\n\nThe run failed earlier: its log says where, and what to do.\n"
    seen = json.dumps({"commit": run["head_sha"], "metrics": metrics}).replace("<", "\\u003c").replace(">", "\\u003e")
    head = f"{MARK}{seen} -->\n"
    origin = run["head_repository"]["full_name"]
    mark = "" if origin == api.repository() else FORK.format(origin=pages.plain(origin))
    foot = f"\n[Run, log and full report]({run['html_url']}) of `{run['head_sha'][:12]}`.\n"
    return f"{head}{mark}{report}\n{shown}{foot}"


def mine(comments: list[Any]) -> dict[str, Any] | None:
    """The earlier comment of report.yaml; never a person's, nor another program's."""
    return next((one for one in comments if (one["body"] or "").startswith(MARK) and one["user"]["login"] == BOT), None)


def run(build: Path) -> str:
    """Post or update the comment for the event's run."""
    run = api.event().get("workflow_run")
    if run is None:
        raise InputError("There is no run to report on; the workflow `Report` calls this when `Pull request` finishes.")
    files = artefacts(build / "artefacts")
    found = pull(run, files["number"].read_text() if "number" in files else None)
    if found is None:
        return (
            "the pull request was closed unmerged, its fork is deleted, or it has newer commits whose run will report"
        )
    report = text(files, run)
    comments = f"{api.root()}/issues/{found['number']}/comments"
    before = mine(api.listed(f"{comments}?per_page=100"))
    if before is None:
        api.call("POST", comments, {"body": report})
    else:
        api.call("PATCH", f"{api.root()}/issues/comments/{before['id']}", {"body": report})
    api.say("GITHUB_STEP_SUMMARY", report)
    return f"#{found['number']}: comment {'posted' if before is None else 'updated'}"
