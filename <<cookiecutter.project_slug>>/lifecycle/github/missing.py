"""Lists the optional settings that the repository lacks on GitHub, each with its consequence."""

from lifecycle import InputError
from lifecycle.config import Promote
from lifecycle.github import api, setup

# Variables and secrets: what happens without each, and what to do.
CONSEQUENCES = {
    "actions/variables/BOT_APP_ID": "pull requests of the workflows wait until a person starts their checks, and "
    "workflows may approve pull requests; make a GitHub App",
    f"environments/{setup.BOT}/secrets/BOT_PRIVATE_KEY": "the App's key is missing; store it there, for main alone",
    "actions/variables/CLUSTER_REPORTS": "a merge counts as verified; set it to true when Argo CD reports back",
    "actions/variables/TEMPLATE": "upgrades come from the template's original address; set it to use another",
    "actions/variables/TEMPLATE_COMMIT": "the workflow `upgrade` only says that there is a newer template; confirm its "
    "commit as this variable, or when you start it",
}


def unguarded(name: str) -> list[tuple[str, str]]:
    """Who may merge without the review that the rules ask for; empty where GitHub hides it."""
    found = [
        (f"line {error['line']} of {error['path']}", f"{error['kind']}, so nobody must agree; name a person or a team")
        for error in (setup.get(f"repos/{name}/codeowners/errors") or {"errors": []})["errors"]
    ]
    for rules in setup.get(f"repos/{name}/rulesets") or []:
        actors = (setup.get(f"repos/{name}/rulesets/{rules['id']}") or {}).get("bypass_actors") or []
        kinds = ", ".join(sorted({str(actor["actor_type"]) for actor in actors}))
        if actors:
            found.append(
                (f"the rules {rules['name']}", f"these pass them by: {kinds}; remove them from its bypass list")
            )
    return found


def findings(promotion: Promote) -> list[tuple[str, str]]:
    """Missing settings with their consequences; raises InputError if GitHub cannot be asked."""
    name = api.repository()
    found = [(call.purpose, "`make setup-github` shows the call") for call in setup.calls(name, promotion.order)]
    found += unguarded(name)
    for setting, consequence in CONSEQUENCES.items():
        if setup.get(f"repos/{name}/{setting}") is None:
            kind, word = setting.split("/")[-2:]
            found.append((f"{kind[:-1]} {word}", consequence))
    if setup.get(f"repos/{name}/actions/secrets/BOT_PRIVATE_KEY") is not None:
        found.append(
            ("repository secret BOT_PRIVATE_KEY", "a workflow on any branch reads it; move it to the environment")
        )
    return found


def run(promotion: Promote) -> str:
    """Print what is missing, or say why GitHub could not be asked."""
    try:
        found = findings(promotion)
    except InputError as error:
        return f"GitHub could not be asked: {error}"
    for name, consequence in found:
        print(f"  later   {name}: {consequence}")
    return f"{len(found)} optional settings are missing on GitHub; the workflows run without them"
