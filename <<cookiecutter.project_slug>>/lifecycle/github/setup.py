"""Sets up the repository on GitHub: repository, branches, rules of the main branch, topic, labels and environments.

Shows each call where GitHub differs, and makes it only with `--apply`. It is safe to repeat.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lifecycle.config import Promote
from lifecycle.documents.answers import ANSWERS
from lifecycle.github import api, origin
from lifecycle.strict import parsed

TOPIC = "mlaas-model"  # Argo CD finds the repository by it
RULESET = Path(".github/ruleset.json")
FIRST, BETWEEN, LAST = "0e8a16", "fbca04", "b60205"  # colours of the environments
MONITOR, KIND = "d93f0b", "1d76db"
KINDS = ("release", "promote", "rollback", "retire", "retrain", "upgrade", "monitor", "vulnerabilities")
REFUSALS = (403, 404, 409, 422)  # the plan, the sign-in's rights, the organisation, the repository's own state
SETTINGS = {  # a rollback follows the first parents of main, and an upgrade needs the template's commits in it
    "allow_merge_commit": True,
    "allow_squash_merge": False,
    "allow_rebase_merge": False,
    "allow_auto_merge": True,
    "delete_branch_on_merge": True,
}


@dataclass(frozen=True)
class Call:
    """A call that changes one setting; `who` says who may do what a refusal asks for."""

    purpose: str
    method: str
    path: str
    body: Any
    who: str = "an administrator of the repository may"


def holds(wanted: Any, found: Any) -> bool:
    """Whether GitHub's document has everything wanted, its lists in any order, and no entry where none is."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            name in found and holds(part, found[name]) for name, part in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and (bool(wanted) or not found)
            and all(any(holds(part, other) for other in found) for part in wanted)
        )
    return bool(wanted == found)


def get(path: str) -> Any:
    """A document, or None if GitHub has none or hides it on this plan, or cannot be asked."""
    if not api.present():
        return None
    try:
        return api.call("GET", path)
    except api.RefusedError as refused:
        if refused.status not in (403, 404):
            raise
        return None


def labels(order: tuple[str, ...]) -> dict[str, str]:
    """Every label with its colour."""
    kinds = {name: MONITOR if name in ("monitor", "vulnerabilities") else KIND for name in KINDS}
    return kinds | dict.fromkeys(order, BETWEEN) | {order[0]: FIRST, order[-1]: LAST}


PAID = "private repositories need GitHub Pro, Team or Enterprise for it: who pays for the account decides"
OWNER = (
    "an owner of the organisation allows it for its repositories under Settings, Actions, General, Workflow "
    "permissions; until then the workflows push branches, and people open the pull requests, unless an App does"
)
BOT = "bot"  # the environment of the workflows that hold the App's key
# Branches by name, since `protected_branches` knows rules of the older kind only.
LIMITED = {"deployment_branch_policy": {"protected_branches": False, "custom_branch_policies": True}}


def calls(name: str, order: tuple[str, ...]) -> list[Call]:
    """The calls for settings that differ on GitHub; the rules first, as they protect what follows."""
    root = f"repos/{name}"
    now = get(root) or {}
    wanted = [_rules(root, now.get("private", True))]
    wanted.append((Call("merge commits only, branches deleted", "PATCH", root, SETTINGS), now))
    path = f"{root}/actions/permissions/workflow"
    permissions = get(path)
    body: dict[str, Any] = {"default_workflow_permissions": "read"}
    wanted.append((Call("workflows may read, unless they ask for more", "PUT", path, body, OWNER), permissions))
    # One setting lets GITHUB_TOKEN open pull requests and approve them, so an App turns it off.
    app = get(f"{root}/actions/variables/BOT_APP_ID") is not None
    purpose = "workflows may not approve pull requests" if app else "workflows may open, and so approve, pull requests"
    body = {"can_approve_pull_request_reviews": not app}
    wanted.append((Call(purpose, "PUT", path, body, OWNER), permissions))
    topics = (get(f"{root}/topics") or {}).get("names", [])
    body = {"names": [*topics, *([] if TOPIC in topics else [TOPIC])]}
    wanted.append((Call(f"topic {TOPIC}", "PUT", f"{root}/topics", body), {"names": topics}))
    for label, colour in labels(order).items():
        body = {"name": label, "color": colour}
        there = get(f"{root}/labels/{label}")
        method, path = ("PATCH", f"{root}/labels/{label}") if there else ("POST", f"{root}/labels")
        wanted.append((Call(f"label {label}", method, path, body), there))
    for environment in order:
        path = f"{root}/environments/{environment}"
        wanted.append((Call(f"environment {environment}", "PUT", path, {}), get(path)))
    path = f"{root}/environments/{BOT}"
    wanted.append((Call(f"environment {BOT}, for the App's key", "PUT", path, LIMITED, PAID), get(path)))
    policies = (get(f"{path}/deployment-branch-policies") or {}).get("branch_policies", [])
    main = {"name": origin.MAIN}
    there = next((one for one in policies if holds(main, one)), None)
    wanted.append(
        (Call(f"environment {BOT} of main alone", "POST", f"{path}/deployment-branch-policies", main, PAID), there)
    )
    return [call for call, found in wanted if found is None or not holds(call.body, found)]


def _rules(root: str, private: bool) -> tuple[Call, Any]:
    """The call for the rules of the main branch, and those that are there."""
    rules = json.loads(RULESET.read_text())
    same = [one for one in get(f"{root}/rulesets") or [] if one["name"] == rules["name"]]
    path = f"{root}/rulesets/{same[0]['id']}" if same else f"{root}/rulesets"
    call = Call("rules of the main branch", "PUT" if same else "POST", path, rules, PAID if private else Call.who)
    return call, get(path) if same else None


def run(promotion: Promote, apply: bool) -> str:
    """Show, or with `apply` make, every call that is needed; one that GitHub refuses does not keep the others."""
    answers = parsed(ANSWERS.read_bytes())
    name = f"{answers['owner']}/{answers['project_slug']}"
    if not apply and not api.present():
        needed = calls(name, promotion.order)
        for call in needed:
            print(f"  {call.method} {call.path}  {call.purpose}: {json.dumps(call.body)[:200]}")
        return (
            f"{len(needed)} calls for a repository where nothing is set up yet; what is, only gh can tell: {api.ABSENT}"
        )
    path = f"orgs/{answers['owner']}/repos" if get(f"orgs/{answers['owner']}") else "user/repos"
    if get(f"repos/{name}") is None:
        print(f"  POST {path}  a private repository, to which main and template are pushed")
        if not apply:
            print("  then the rules, settings, labels and environments of the new repository")
            return f"{name} does not exist yet; `make setup-github APPLY=yes` creates it"
        api.call("POST", path, {"name": answers["project_slug"], "private": True})
    if apply:
        origin.pushed(name)
    origin.default(name, get(f"repos/{name}") or {})
    refused = 0
    needed = calls(name, promotion.order)
    for call in needed:
        print(f"  {call.method} {call.path}  {call.purpose}: {json.dumps(call.body)[:200]}")
        try:
            if apply:
                api.call(call.method, call.path, call.body)
        except api.RefusedError as error:
            if error.status not in REFUSALS:
                raise
            refused += 1
            print(f"    not done: {error} ({call.who})")
    if not needed:
        return f"{name} is set up"
    if not apply:
        return f"{len(needed)} calls are needed; `make setup-github APPLY=yes` makes them"
    rest = "; run it again once what refused the others is changed" if refused else ""
    return f"{len(needed) - refused} of {len(needed)} calls were made{rest}"
