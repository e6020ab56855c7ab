"""Runs git; every call of git is made here."""

import hashlib
import io
import os
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from lifecycle import InputError

UNVERSIONED = "unversioned"


@dataclass(frozen=True)
class Commit:
    """A commit; `dirty` when a tracked file differs from it."""

    sha: str
    date: str
    dirty: bool

    @property
    def version(self) -> str:
        """`YYYY.MM.DD-<short sha>`, or `unversioned` outside a repository."""
        return f"{self.date.replace('-', '.')}-{self.sha[:7]}" if self.sha else UNVERSIONED


def _done(
    arguments: tuple[str, ...], environment: dict[str, str], given: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    command = ["git", *arguments]
    variables = {**os.environ, "TZ": "UTC", **environment}
    try:
        return subprocess.run(command, env=variables, input=given, capture_output=True, check=False)  # noqa: S603
    except OSError as error:
        raise InputError("git is not installed; install it, then try again.") from error


def _refusal(arguments: tuple[str, ...], done: subprocess.CompletedProcess[bytes]) -> InputError:
    said = " ".join((done.stderr or done.stdout).decode(errors="replace").split())
    return InputError(f"`git {' '.join(arguments[:4])}` failed: {said}")


def run(*arguments: str, **environment: str) -> str:
    """Git's output, stripped; raises InputError with git's message when it fails."""
    done = _done(arguments, environment)
    if done.returncode:
        raise _refusal(arguments, done)
    return done.stdout.decode().strip()


def ask(*arguments: str) -> str | None:
    """Git's output, unchanged; None when it fails, for example outside a repository."""
    try:
        done = _done(arguments, {})
    except InputError:
        return None
    return None if done.returncode else done.stdout.decode()


def head() -> Commit:
    """The commit at HEAD with its date in UTC; empty outside a repository, or before its first commit."""
    found = described("HEAD")
    changed = ask("status", "--porcelain", "--untracked-files=no", ".")
    if not found.sha or changed is None:
        return Commit("", "", dirty=True)
    return replace(found, dirty=bool(changed.strip()))


def described(commit: str) -> Commit:
    """A commit with its date in UTC; empty if git does not have it."""
    form = ("--no-patch", "--date=format-local:%Y-%m-%d", "--format=%H %cd")
    shown = ask("show", *form, "--end-of-options", f"{commit}^{{commit}}")
    sha, date = shown.split() if shown else ("", "")
    return Commit(sha, date, dirty=False)


def whole() -> None:
    """Raise InputError outside a repository, and in a clone without history."""
    shallow = ask("rev-parse", "--is-shallow-repository")
    if shallow is None:
        raise InputError("git cannot read the history here; run the command in the repository's root.")
    if shallow.strip() == "true":
        raise InputError("This clone has no history; run `git fetch --unshallow`, then try again.")


def states(*paths: Path, until: str = "HEAD") -> list[str]:
    """The commits in the first-parent history of `until` that changed one of the paths, newest first."""
    whole()
    return run("log", "--first-parent", "--format=%H", known(until), "--", *map(str, paths)).split()


def content(commit: str, path: Path) -> str | None:
    """A file's content in a commit, or None if it did not exist."""
    return ask("show", "--end-of-options", f"{commit}:./{path.as_posix()}")


def between(earlier: str, later: str, without: str) -> tuple[list[str], list[str]] | None:
    """The subjects of the commits that only the later one contains, newest first, and the files that differ.

    Files that match the pattern `without` do not count. None when git does not have both commits, for example in a
    shallow clone.
    """
    files = ("--", ".", f":(exclude){without}")
    subjects = ask("log", "--format=%s", f"{earlier}..{later}", *files)
    names = ask("diff", "--name-only", "--relative", earlier, later, *files)
    return None if subjects is None or names is None else (subjects.splitlines(), names.splitlines())


def changed(since: str) -> list[str]:
    """The files that differ between a commit and HEAD; raises InputError for a commit that this clone lacks."""
    found = run("diff", "--name-only", "-z", "--relative", "--no-renames", known(since), "HEAD", "--", ".")
    return [name for name in found.split("\0") if name]


def extracted(commit: str, path: Path, folder: Path) -> None:
    """Write a folder's content in a commit to another folder; does nothing if it did not exist yet."""
    if not run("ls-tree", known(commit), "--", str(path)):
        return
    archive = _done(("archive", commit, "--", str(path)), {}).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        opened.extractall(folder, filter="data")


def known(commit: str) -> str:
    """The commit's hash; raises InputError for one that this clone lacks."""
    found = _done(("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}"), {})
    if found.returncode:
        raise InputError(f"git does not know the commit {commit!r}; fetch it, or name another.")
    return found.stdout.decode().strip()


def objects(*names: str) -> list[bytes]:
    """The contents of commits, trees and files, after comparing each with the hash that is its name in git.

    Raises InputError for one that is missing, or whose bytes were changed.
    """
    arguments = ("cat-file", "--batch")
    done = _done(arguments, {}, "".join(f"{name}\n" for name in names).encode())
    if done.returncode:
        raise _refusal(arguments, done)
    found, rest = [], done.stdout
    for name in names:
        head, _, rest = rest.partition(b"\n")
        sha, kind, size = (*head.decode().split(), "", "")[:3]
        if not size.isdecimal():
            raise InputError(f"git does not have {name}; fetch it, or compare with another clone.")
        content, rest = rest[: int(size)], rest[int(size) + 1 :]
        whole = f"{kind} {size}\0".encode() + content
        if sha not in (hashlib.sha1(whole).hexdigest(), hashlib.sha256(whole).hexdigest()):  # noqa: S324 - git's own
            raise InputError(f"git's {kind} {sha} has other bytes than its hash says; restore it from another clone.")
        found.append(content)
    return found


def is_ancestor(earlier: str, later: str) -> bool:
    """Whether the later commit contains the earlier one; False when git does not have them."""
    return ask("merge-base", "--is-ancestor", earlier, later) is not None and known(earlier) != known(later)


def contains(later: str, earlier: str) -> bool:
    """Whether the later commit is the earlier one or contains it; False when git does not have them."""
    return ask("merge-base", "--is-ancestor", earlier, later) is not None


def landed(commit: str, until: str) -> str:
    """The first commit in the first-parent history of `until` that contains a commit: itself, or its merge."""
    after = {*run("rev-list", "--ancestry-path", f"{commit}..{until}").split(), commit}
    return [one for one in run("rev-list", "--first-parent", known(until)).split() if one in after][-1]


def tree_of(commit: str, folder: Path) -> str | None:
    """The hash of a folder's content in a commit, or None if it did not exist."""
    return ask("rev-parse", "--verify", "--quiet", f"{commit}:./{folder.as_posix()}")


def entries(tree: str) -> dict[str, str]:
    """The files of a commit or a tree, each with its mode, type and hash."""
    lines = run("ls-tree", "-r", "-z", "--full-tree", tree)
    return {path: entry for entry, _, path in (line.partition("\t") for line in lines.split("\0") if line)}


def tree(files: dict[str, str]) -> str:
    """The tree of these files; where a file and a folder have the same path, the later one stays."""
    lines = "".join(f"{entry}\t{path}\0" for path, entry in files.items()).encode()
    arguments = ("update-index", "-z", "--index-info")
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        done = _done(arguments, index, lines)
        if done.returncode:
            raise _refusal(arguments, done)
        return run("write-tree", **index)


def merge(ours: str, theirs: str) -> tuple[str, list[str]]:
    """The merged tree of two commits, and its conflicting files, which hold both versions."""
    # A file that only one side has stays in its folder, even if the other side moved the files around it.
    still = ("-c", "merge.directoryRenames=false")
    arguments = ("merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", ours, theirs)
    done = _done((*still, *arguments), {})
    if done.returncode not in (0, 1):
        raise _refusal(arguments, done)
    made, *names = done.stdout.decode().split("\0")
    return made, sorted(filter(None, names))
