"""Says what the repository lacks on GitHub, each with what follows from it; nothing of it is required."""

from lifecycle import InputError
from lifecycle.config import Promote
from lifecycle.github import api, setup

# Variables and secrets, what holds without them, and what they need.
WORDS = {
    "variables/BOT_APP_ID": "pull requests of the workflows wait until a person starts their checks; make a GitHub App",
    "secrets/BOT_PRIVATE_KEY": "that App has no key here; make one and keep it as this secret",
    "variables/CLUSTER_REPORTS": "a merge stands for the verification; set it to true when Argo CD reports back",
    "variables/TEMPLATE": "upgrades come from the address that made this repository; set it to use another",
}


def findings(promotion: Promote) -> list[tuple[str, str]]:
    """What is missing, and what follows from it; raises InputError where GitHub cannot be asked."""
    name = api.repository()
    found = [(call.says, "`make setup-github` shows the call") for call in setup.calls(name, promotion.order)]
    for word, follows in WORDS.items():
        if setup.get(f"repos/{name}/actions/{word}") is None:
            found.append((word.replace("/", " ").replace("s ", " ", 1), follows))
    return found


def run(promotion: Promote) -> str:
    """Print what is missing; GitHub that cannot be asked is said, too."""
    try:
        found = findings(promotion)
    except InputError as error:
        return f"GitHub was not asked: {error}"
    for name, follows in found:
        print(f"  later   {name}: {follows}")
    return f"{len(found)} things are not set up on GitHub; the workflows run without them"
