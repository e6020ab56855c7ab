"""Decides which of two releases is the newer one, and whether an environment was taken back from one."""

from itertools import pairwise
from pathlib import Path

from lifecycle import InputError, git
from lifecycle.documents import record
from lifecycle.documents.environments import CANDIDATE, RECORD


def newer(one: record.Decision, other: record.Decision) -> bool:
    """Whether the first was built from a later day's commit, or from a descendant on the same day."""
    return _later(one.version, one.commit, other.version, other.commit)


def follows(version: str, other: str) -> bool:
    """As `newer`, of versions alone."""
    return _later(version, version.rpartition("-")[2], other, other.rpartition("-")[2])


def _later(one: str, commit: str, other: str, earlier: str) -> bool:
    days = one.split("-")[0], other.split("-")[0]
    return days[0] > days[1] if days[0] != days[1] else git.is_ancestor(earlier, commit)


def rolled_back(target: Path, content: str) -> bool:
    """Whether an environment ran this record before, as a release or as a candidate that was dropped."""
    commits = git.states(target)
    states = [(git.content(one, target / RECORD), git.content(one, target / CANDIDATE)) for one in commits]
    dropped = any(earlier == (later[0], content) and later[1] is None for later, earlier in pairwise(states))
    return dropped or any(release == content for release, _ in states)


def released(target: Path, version: str) -> bool:
    """Whether an environment ran a release of this version before, also one with other images."""
    return any(_version(target, commit) == version for commit in git.states(target))


def _version(target: Path, commit: str) -> str:
    content = git.content(commit, target / RECORD)
    try:
        return record.released(target / RECORD, content).version if content else ""
    except InputError:  # a damaged record was never a release that could come again
        return ""
