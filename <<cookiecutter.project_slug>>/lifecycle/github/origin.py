"""Puts the repository on GitHub: makes it, and pushes the branches that it lacks there."""

from typing import Any

from lifecycle import InputError, git
from lifecycle.github import api, branches

MAIN, PUSHED = "main", ("main", "template")


def pushed(name: str) -> None:
    """Push `main` and `template` where the remote lacks them; raises InputError if its `main` began elsewhere."""
    if not branches.remote():
        git.run("remote", "add", "origin", f"https://{api.host()}/{name}.git")
    related(name)
    for branch in PUSHED:
        if branches.tip(branch):
            continue
        if git.ask("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}") is None:
            raise InputError(
                f"GitHub needs the branch {branch}, which is not here; make it with `git branch {branch}`."
            )
        branches.send("origin", branch)


def related(name: str) -> None:
    """Raise InputError if `main` on GitHub has no commit in common with HEAD: GitHub may begin one with a README."""
    there = branches.tip(MAIN)
    if there and git.ask("cat-file", "-e", f"{there}^{{commit}}") is None:
        git.run(*branches.HELPER, "fetch", "--quiet", "--no-tags", "origin", f"refs/heads/{MAIN}")
    if there and git.ask("merge-base", "HEAD", there) is None:
        raise InputError(
            f"{MAIN} of {name} on GitHub has no commit in common with the one here, as when GitHub made it with a "
            "README. If it holds nothing else, delete the repository on GitHub; otherwise run `git pull --no-rebase "
            f"--allow-unrelated-histories origin {MAIN}` and push. Then run `make setup-github APPLY=yes` again."
        )


def default(name: str, found: dict[str, Any]) -> None:
    """Raise InputError if GitHub's default branch is not `main`, on which workflows, rules and the cluster count."""
    if (branch := found.get("default_branch", MAIN)) != MAIN:
        raise InputError(
            f"The default branch of {name} is {branch!r}, but the workflows, the rules and the cluster go by {MAIN}; "
            f"run `gh repo edit {name} --default-branch {MAIN}`, then `make setup-github` again."
        )
