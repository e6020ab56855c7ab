"""Commits files to a branch without touching the working copy, and pushes it."""

import os
import tempfile
from pathlib import Path

from lifecycle import InputError, git

BOT = ("github-actions[bot]", "41898282+github-actions[bot]@users.noreply.github.com")
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


def tip(branch: str) -> str:
    """The commit that a branch of the remote points to, or nothing."""
    return git.run(*HELPER, "ls-remote", "origin", f"refs/heads/{branch}").partition("\t")[0]


def ours(there: str, made: str) -> bool:
    """Whether a commit of the remote was made by whoever made ours, and not by a person."""
    git.run(*HELPER, "fetch", "--quiet", "origin", there)
    return git.run("show", "--no-patch", "--format=%ce", there) == git.run("show", "--no-patch", "--format=%ce", made)


def push(made: str, branch: str) -> bool:
    """Point a remote branch at a commit; False, and no change, when a person has committed to the branch."""
    there = tip(branch)
    if there == made:
        return True
    if there and not ours(there, made):
        return False
    ref = f"refs/heads/{branch}"
    try:
        git.run(*HELPER, "push", "--quiet", f"--force-with-lease={ref}:{there}", "origin", f"{made}:{ref}")
    except InputError:
        if tip(branch) != made:  # otherwise another run has just pushed the same
            raise
    return True
