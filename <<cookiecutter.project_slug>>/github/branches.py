"""Commits files to a branch without touching the working copy, and pushes it."""

import os
import subprocess
import tempfile
from pathlib import Path

from model import InputError

BOT = ("github-actions[bot]", "41898282+github-actions[bot]@users.noreply.github.com")
HELPER = ["-c", "credential.helper=", "-c", "credential.helper=!gh auth git-credential"]


def git(*arguments: str, **environment: str) -> str:
    """Run git; raises InputError with what it said."""
    done = subprocess.run(  # noqa: S603
        ["git", *arguments],  # noqa: S607
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise InputError(f"`git {' '.join(arguments[:4])}` failed: {' '.join(done.stderr.split())}")
    return done.stdout.strip()


def remote() -> str:
    """The address of `origin`, or nothing."""
    command = ["git", "config", "remote.origin.url"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603


def identity() -> dict[str, str]:
    """Who commits, and when: the commit's own date is that of HEAD, so that the same change is the same commit."""
    date = git("show", "--no-patch", "--format=%cI", "HEAD")
    named = {f"GIT_{role}_DATE": date for role in ("AUTHOR", "COMMITTER")}
    if os.environ.get("GITHUB_ACTIONS"):
        for role in ("AUTHOR", "COMMITTER"):
            named |= {f"GIT_{role}_NAME": BOT[0], f"GIT_{role}_EMAIL": BOT[1]}
    return named


def commit(paths: list[str], message: str) -> str:
    """A commit on HEAD of what stands in `paths` now; empty when nothing differs."""
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        git("read-tree", "HEAD", **index)
        git("add", "--all", "--", *paths, **index)
        tree = git("write-tree", **index)
    if tree == git("rev-parse", "HEAD^{tree}"):
        return ""
    return git("commit-tree", tree, "-p", "HEAD", "-m", message, **identity())


def tip(branch: str) -> str:
    """The commit that a branch of the remote points to, or nothing."""
    return git(*HELPER, "ls-remote", "origin", f"refs/heads/{branch}").partition("\t")[0]


def push(made: str, branch: str) -> bool:
    """Make a branch on the remote point to a commit; False when a person has committed to it, who keeps it."""
    there = tip(branch)
    if there == made:
        return True
    if there:
        git(*HELPER, "fetch", "--quiet", "origin", there)
        ours = git("show", "--no-patch", "--format=%ce", made)
        if git("show", "--no-patch", "--format=%ce", there) != ours:
            return False
    ref = f"refs/heads/{branch}"
    try:
        git(*HELPER, "push", "--quiet", f"--force-with-lease={ref}:{there}", "origin", f"{made}:{ref}")
    except InputError:
        if tip(branch) != made:  # else another run has just pushed the same
            raise
    return True
