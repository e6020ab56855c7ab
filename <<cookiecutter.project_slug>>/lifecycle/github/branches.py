"""Commits files to a branch without touching the working copy, and pushes it."""

import os
import tempfile
from pathlib import Path

from lifecycle import InputError, git

BOT = ("github-actions[bot]", "41898282+github-actions[bot]@users.noreply.github.com")
RECORD = "refs/offered"  # which commit a verb pushed last to each branch
HELPER = ["-c", "credential.helper=", "-c", "credential.helper=!gh auth git-credential"]


def remote() -> str:
    """The address of `origin`, or nothing."""
    return (git.ask("config", "remote.origin.url") or "").strip()


def identity() -> dict[str, str]:
    """Author, committer and dates of a commit; with HEAD's date, two identical changes are one commit."""
    date = git.run("show", "--no-patch", "--format=%cI", "HEAD")
    named = {f"GIT_{role}_DATE": date for role in ("AUTHOR", "COMMITTER")}
    if os.environ.get("GITHUB_ACTIONS"):
        for role in ("AUTHOR", "COMMITTER"):
            named |= {f"GIT_{role}_NAME": BOT[0], f"GIT_{role}_EMAIL": BOT[1]}
    return named


def commit(paths: list[str], message: str) -> str:
    """Commit the present state of `paths` on top of HEAD; empty when nothing differs."""
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        git.run("read-tree", "HEAD", **index)
        git.run("add", "--all", "--", *paths, **index)
        tree = git.run("write-tree", **index)
    if tree == git.run("rev-parse", "HEAD^{tree}"):
        return ""
    return git.run("commit-tree", tree, "-p", "HEAD", "-m", message, **identity())


def send(*arguments: str) -> None:
    """Push to the remote; a refusal of workflows says how `gh` may push them."""
    try:
        git.run(*HELPER, "push", "--quiet", *arguments)
    except InputError as error:
        if "`workflow` scope" not in str(error):
            raise
        raise InputError(
            "GitHub lets your sign-in push no workflow; run `gh auth refresh --scopes workflow`, then try again."
        ) from error


def tip(branch: str, kept: str = "refs/heads") -> str:
    """The commit that a branch of the remote points to, or nothing."""
    return git.run(*HELPER, "ls-remote", "origin", f"{kept}/{branch}").partition("\t")[0]


def ours(branch: str, there: str) -> bool:
    """Whether a verb pushed the branch's commit, as recorded: anyone may commit under a bot's name."""
    return bool(there) and tip(branch, RECORD) == there


def _move(branch: str, there: str, made: str) -> None:
    """Point a branch and its record to a commit, or to nothing, unless the branch has moved on from `there`."""
    ref = f"refs/heads/{branch}"
    lease = f"--force-with-lease={ref}:{there}"
    send("--atomic", lease, "origin", f"{made}:{ref}", f"+{made}:{RECORD}/{branch}")


def push(made: str, branch: str) -> bool:
    """Point a remote branch at a commit; False, and no change, when it holds a commit that no verb pushed."""
    there = tip(branch)
    if there and not ours(branch, there):
        return False
    if there == made:
        return True
    try:
        _move(branch, there, made)
    except InputError:
        if tip(branch) != made:  # otherwise another run has just pushed the same
            raise
    return True


def delete(branch: str, there: str) -> bool:
    """Delete a remote branch; False, and no change, when it has another commit by now."""
    try:
        _move(branch, there, "")
    except InputError:
        if tip(branch) == there:
            raise
        return False
    return True
