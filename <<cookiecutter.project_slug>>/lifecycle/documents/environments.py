"""Reads and replaces the `release/` of an environment, and looks up its history in git."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path

from lifecycle import InputError, files, git
from lifecycle.config import Promote
from lifecycle.documents import record

OVERLAYS = Path("manifests/overlays")
RELEASE = "release"
RECORD = "decision.json"
CANDIDATE = "candidate.json"  # the record of a candidate, in components/canary
KUSTOMIZATION = "kustomization.yaml"


def folder(environment: str, order: tuple[str, ...]) -> Path:
    """The `release/` of an environment; raises InputError for an unknown environment."""
    if environment not in order:
        raise InputError(f"There is no environment {environment!r}; ENV is one of {', '.join(order)}.")
    if not (OVERLAYS / environment).is_dir():
        raise InputError(f"{OVERLAYS / environment} is missing, but promote.order names it; restore it from git.")
    return OVERLAYS / environment / RELEASE


def writable(environment: str, order: tuple[str, ...]) -> Path:
    """The `release/` of an environment for a verb that writes it; one that was killed meanwhile left it whole."""
    found = folder(environment, order)
    files.recover(found)
    return found


def within(name: str, environment: str) -> bool:
    """Whether a file lies in the `release/` of an environment."""
    return Path(name).is_relative_to(OVERLAYS / environment / RELEASE)


def touched(names: Iterable[str], order: tuple[str, ...]) -> list[str]:
    """The environments whose `release/` holds one of the files."""
    listed = list(names)
    return [one for one in order if any(within(name, one) for name in listed)]


def frozen(environment: str, promotion: Promote, today: date) -> list[str]:
    """Today's freezes of an environment, each with its dates and reason."""
    return [
        f"{environment} is frozen from {freeze.begin} until {freeze.end} ({freeze.reason})"
        for freeze in promotion.freeze
        if freeze.environment == environment and freeze.begin <= today < freeze.end
    ]


def current(release: Path, name: str = RECORD) -> record.Decision | None:
    """The record of an environment's release, or of the candidate beside it; None if there is none."""
    path = release / name
    return record.released(path, path.read_bytes()) if path.is_file() else None


def ran(release: Path, content: str, until: str = "HEAD") -> bool:
    """Whether an environment's record had this content at any time up to a commit."""
    return any(git.content(commit, release / RECORD) == content for commit in git.states(release, until=until))


def since(release: Path) -> str:
    """The day on which main got an environment's present record; empty if the last commit has another one."""
    path = release / RECORD
    changes = git.states(path)
    same = path.is_file() and git.content("HEAD", path) == path.read_text()
    return git.described(changes[0]).date if changes and same else ""


def place(contents: dict[str, str], release: Path) -> None:
    """Replace a release with the given files, all or none; `contents` maps names to contents."""
    with files.replaced(release) as part:
        for name, content in contents.items():
            files.write(part / name, content)


def committed(release: Path) -> dict[str, str]:
    """The files of a release in the last commit."""
    found = {name: git.content("HEAD", release / name) for name in (RECORD, CANDIDATE, KUSTOMIZATION)}
    return {name: content for name, content in found.items() if content is not None}


def repeat(release: Path, decision: record.Decision) -> None:
    """Restore the last commit's release if the present one brings a decision that it does not have.

    A verb that was killed after it wrote its release, or that is repeated, then does the same again.
    """
    if decision not in (current(release), current(release, CANDIDATE)):
        return
    before = committed(release)
    if any(content != before.get(name) for name, content in _present(release).items()):
        place(before, release)


def _present(release: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in release.iterdir() if path.is_file()}
