"""Asks git for the commit that is built and for the earlier states of a folder."""

import io
import os
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from model import InputError

UNVERSIONED = "unversioned"


@dataclass(frozen=True)
class Commit:
    """The commit at HEAD; `dirty` when a tracked file differs from it."""

    sha: str
    date: str
    dirty: bool

    @property
    def version(self) -> str:
        """`YYYY.MM.DD-<short sha>`, or `unversioned` outside of a repository."""
        return f"{self.date.replace('-', '.')}-{self.sha[:7]}" if self.sha else UNVERSIONED


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    environment = {**os.environ, "TZ": "UTC"}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout  # noqa: S603


def head() -> Commit:
    """The commit at HEAD with its date in UTC; empty outside of a repository, or before its first commit."""
    try:
        sha, date = _git("show", "--no-patch", "--date=format-local:%Y-%m-%d", "--format=%H %cd", "HEAD").split()
        return Commit(sha, date, dirty=bool(_git("status", "--porcelain", "--untracked-files=no", ".").strip()))
    except (OSError, subprocess.CalledProcessError):
        return Commit("", "", dirty=True)


def states(*paths: Path, until: str = "HEAD") -> list[str]:
    """The commits of the first-parent history of a commit that changed one of the paths, newest first."""
    try:
        if _git("rev-parse", "--is-shallow-repository").strip() == "true":
            raise InputError("This clone has no history; run `git fetch --unshallow`, then try again.")
        return _git("log", "--first-parent", "--format=%H", _known(until), "--", *map(str, paths)).split()
    except (OSError, subprocess.CalledProcessError) as error:
        told = f"git cannot tell the history of {paths[0]}; run the command in the repository's root."
        raise InputError(told) from error


def content(commit: str, path: Path) -> str | None:
    """A file as it was in a commit, or None where it did not exist."""
    try:
        return _git("show", "--end-of-options", f"{commit}:./{path.as_posix()}")
    except subprocess.CalledProcessError:
        return None


def between(earlier: str, later: str, without: str) -> tuple[list[str], list[str]] | None:
    """The subjects of the commits that only the later one contains, newest first, and the files that differ.

    Files that the pattern `without` names do not count. None when git does not know both commits,
    as in a clone without history.
    """
    files = ("--", ".", f":(exclude){without}")
    try:
        subjects = _git("log", "--format=%s", f"{earlier}..{later}", *files).splitlines()
        return subjects, _git("diff", "--name-only", "--relative", earlier, later, *files).splitlines()
    except (OSError, subprocess.CalledProcessError):
        return None


def changed(since: str) -> list[str]:
    """The files that differ between a commit and HEAD; raises InputError for a commit that this clone lacks."""
    return _git("diff", "--name-only", "--relative", "--no-renames", _known(since), "HEAD", "--", ".").splitlines()


def extracted(commit: str, path: Path, folder: Path) -> None:
    """Write a folder as it was in a commit to another one; nothing where it did not exist yet."""
    if not _git("ls-tree", _known(commit), "--", str(path)):
        return
    command = ["git", "archive", commit, "--", str(path)]
    archive = subprocess.run(command, check=True, capture_output=True).stdout  # noqa: S603
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        opened.extractall(folder, filter="data")


def _known(commit: str) -> str:
    """The commit's hash; raises InputError for one that this clone lacks."""
    try:
        return _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}").strip()
    except OSError as error:
        raise InputError("git is not installed; install it, then try again.") from error
    except subprocess.CalledProcessError as error:
        raise InputError(f"git does not know the commit {commit!r}; fetch it, or name another.") from error


def is_ancestor(earlier: str, later: str) -> bool:
    """Whether the later commit contains the earlier one; False when git does not know them."""
    try:
        _git("merge-base", "--is-ancestor", earlier, later)
    except (OSError, subprocess.CalledProcessError):
        return False
    return earlier != later
