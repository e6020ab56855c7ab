"""Offers a prepared change as one pull request: opens or updates it, and closes older ones of its kind."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lifecycle import InputError, files
from lifecycle.documents import change as documents
from lifecycle.documents import limits
from lifecycle.documents.change import Change
from lifecycle.github import api, branches
from lifecycle.releasing import diff, succession
from lifecycle.reporting import pages

BRANCH = re.compile(r"(release|promote|rollback|retire)/[a-z0-9-]+/[\w.-]+|retrain/data|upgrade/[0-9a-f]{10}")
VERSION = re.compile(r"(release|promote)/[a-z0-9-]+/(?P<version>[0-9.]+-[0-9a-f]+)(-[0-9]+)?")  # the end is a share
UNTRUSTED = (
    "> This pull request was opened without an App, so its checks wait: a person with write access starts them with "
    "*Approve workflows to run*.\n"
)


def _monitor(environment: str) -> str:
    """A sentence on an environment's open alerts on GitHub, and on those of the others, as of the one before it."""
    alerts = api.listed(f"{api.root()}/issues?state=open&labels=monitor&per_page=100")
    about = [issue for issue in alerts if environment in {label["name"] for label in issue["labels"]}]
    said = ", ".join(f"#{issue['number']} is open" for issue in about) or "no open alert"
    others = ", ".join(f"#{issue['number']}" for issue in alerts if issue not in about)
    return f"Monitor of {environment}: {said}." + (f" Alerts of other environments: {others}." if others else "")


def _asked() -> str:
    """A sentence on the alert that asked for the change, with the series and slices that it is about."""
    alert = api.event().get("client_payload") or {}
    environment, about = (pages.plain(str(alert.get(name, ""))[:1_000]) for name in ("environment", "about"))
    return f"The monitor of {environment} asked for it. Out of bounds: {about}.\n" if about else ""


def body(change: Change, differences: dict[str, str], waits: bool) -> str:
    """The text of the pull request: the verb's text, the alert that asked for it, the diff of the manifests, alerts."""
    parts = [change.body]
    if change.branch.startswith("retrain/") and (asked := _asked()):
        parts.append(asked)
    if change.environment:
        parts += [diff.markdown(differences), _monitor(change.environment) + "\n"]
    if waits:
        parts.append(UNTRUSTED)
    return pages.cut("\n".join(parts), limits.BODY)


def _open(change: Change, text: str) -> dict[str, Any]:
    """Open the branch's pull request, or update the open one."""
    repository = api.repository()
    owner = repository.partition("/")[0]
    base = api.call("GET", f"repos/{repository}")["default_branch"]
    about = {"title": change.title, "body": text}

    def there() -> list[Any]:
        return api.listed(f"repos/{repository}/pulls?state=open&head={owner}:{change.branch}&per_page=100")

    if not (found := there()):
        try:
            made: dict[str, Any] = api.call(
                "POST", f"repos/{repository}/pulls", {**about, "head": change.branch, "base": base}
            )
            return made
        except api.RefusedError as refused:
            if refused.status != 422 or not (found := there()):  # another run was first
                raise
    updated: dict[str, Any] = api.call("PATCH", f"repos/{repository}/pulls/{found[0]['number']}", about)
    return updated


def _others(branch: str) -> Iterator[dict[str, Any]]:
    """The other open pull requests of the same kind and environment whose branch a verb pushed last."""
    repository, group = api.repository(), branch.rpartition("/")[0] + "/"
    for pull in api.listed(f"repos/{repository}/pulls?state=open&per_page=100"):
        ref, head = pull["head"]["ref"], pull["head"]
        own = head["repo"] and head["repo"]["full_name"] == repository and ref.startswith(group) and ref != branch
        if own and branches.ours(ref, head["sha"]):
            yield pull


def _newer(branch: str) -> int | None:
    """An open pull request that offers a newer version to the same environment, as when an old run is run again."""
    mine = VERSION.fullmatch(branch)
    for pull in _others(branch) if mine else ():
        there = VERSION.fullmatch(pull["head"]["ref"])
        if mine and there and succession.follows(there["version"], mine["version"]):
            return int(pull["number"])
    return None


def _supersede(branch: str, mine: dict[str, Any]) -> list[int]:
    """Close the other pull requests of the same kind and environment that a verb opened and pushed last.

    A verb's are a bot's; those for an environment may also be of whoever runs the verb by hand.
    """
    repository, closed = api.repository(), []
    for pull in _others(branch):
        ref, head, user = pull["head"]["ref"], pull["head"], pull["user"]
        by_verb = user["type"] == "Bot" or (branch.count("/") > 1 and user["login"] == mine["user"]["login"])
        if by_verb and branches.delete(ref, head["sha"]):
            said = {"body": f"Superseded by #{mine['number']}."}
            api.call("POST", f"repos/{repository}/issues/{pull['number']}/comments", said)
            api.call("PATCH", f"repos/{repository}/pulls/{pull['number']}", {"state": "closed"})
            closed.append(pull["number"])
    return closed


def run(build: Path, waits: bool) -> str:
    """Offer `change.json`; `waits` is true for GITHUB_TOKEN, whose pull requests start no checks."""
    change = documents.read(build)
    if change is None:
        return "there is nothing to offer"
    if not BRANCH.fullmatch(change.branch):
        raise InputError(
            f"A verb never offers the branch {change.branch[:60]!r}; run the verb that wrote {build} again."
        )
    if not branches.remote():
        raise InputError("This repository has no remote origin; run `make setup-github`, or add it.")
    if (newer := _newer(change.branch)) is not None:
        return f"{change.title}: #{newer} already offers a newer version, and was left as it is"
    made = change.commit or branches.commit(list(change.paths), change.title)
    if not made:
        return f"{change.title}: nothing differs from the present commit"
    if change.template:
        branches.send("origin", f"{change.template}:refs/heads/template")
    if not branches.push(made, change.branch):
        return f"{change.branch} has a person's commits, or some that no verb recorded, and was left unchanged"
    differences = build / documents.DIFFERENCES
    text = body(change, files.read_json(differences) if differences.is_file() else {}, waits)
    try:
        pull = _open(change, text)
    except api.RefusedError as refused:
        if refused.status != 403:
            raise
        address = f"{api.repository()}/compare/{change.branch}?expand=1"
        api.say("GITHUB_STEP_SUMMARY", f"⚠️ Open the pull request by hand: {address}")
        return (
            f"{refused} The branch {change.branch} is pushed: open its pull request by hand ({address}), or allow "
            "it with `make setup-github APPLY=yes`."
        )
    labels = change.branch.split("/")[:-1]
    api.call("POST", f"{api.root()}/issues/{pull['number']}/labels", {"labels": labels})
    closed = _supersede(change.branch, pull)
    over = f"; closed {', '.join(f'#{number}' for number in closed)}, which it supersedes" if closed else ""
    outcome = f"#{pull['number']} {change.title}{over}"
    api.say("GITHUB_STEP_SUMMARY", f"{pages.plain(outcome)}: {pull['html_url']}")
    return outcome
