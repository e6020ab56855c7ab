"""Reads from git's history what each environment ran, from when until when, and which commit brought it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lifecycle import InputError, git
from lifecycle.documents import record
from lifecycle.documents.environments import CANDIDATE, OVERLAYS, RECORD, RELEASE

NUMBER = re.compile(r"^Merge pull request #(\d+) |\(#(\d+)\)$")
ABSENT = re.compile("0+")


@dataclass(frozen=True)
class Landed:
    """A commit on main: when it came, whose it is, and the pull request that its subject names."""

    sha: str
    moment: datetime
    parents: tuple[str, ...]
    author: str
    committer: str
    subject: str

    @property
    def pull(self) -> int | None:
        found = NUMBER.search(self.subject)
        return int(found[1] or found[2]) if found else None

    @property
    def authors(self) -> tuple[str, ...]:
        """Who wrote what it brings: of a merge, the authors of the merged commits."""
        if len(self.parents) < 2:
            return (self.author,)
        brought = git.run("log", "--format=%an", f"{self.parents[0]}..{self.sha}", "--no-merges")
        return tuple(dict.fromkeys(brought.splitlines())) or (self.author,)


@dataclass(frozen=True)
class Stay:
    """The time in which an environment had a record: as its release, or as a candidate beside it."""

    environment: str
    name: str
    blob: str
    begun: Landed
    ended: Landed | None = None

    @property
    def path(self) -> Path:
        return OVERLAYS / self.environment / RELEASE / self.name

    def holds(self, moment: datetime) -> bool:
        """Whether git had it at a moment; the cluster follows within minutes."""
        return self.begun.moment <= moment and (self.ended is None or moment < self.ended.moment)


def _changes() -> Iterator[tuple[Landed, str, str]]:
    """Each change of a record on main, from the oldest: the commit, the path and the new blob."""
    git.whole()
    form = "%x00".join(("%H", "%cd", "%P", "%an", "%cn", "%s"))  # no name or subject holds a zero byte
    options = ("--first-parent", "--diff-merges=first-parent", "--reverse", "--raw", "--no-abbrev", "--no-renames")
    paths = [f"{OVERLAYS}/*/{RELEASE}/{name}" for name in (RECORD, CANDIDATE)]
    told = git.run("log", *options, "--relative", "--date=iso-strict-local", f"--format={form}", "--", *paths)
    landed = None
    for line in told.split("\n"):
        if "\0" in line:
            sha, moment, parents, author, committer, subject = line.split("\0")
            landed = Landed(sha, datetime.fromisoformat(moment), tuple(parents.split()), author, committer, subject)
        elif line.startswith(":") and landed:
            about, _, path = line.partition("\t")
            yield landed, path, about.split()[3]


def stays() -> list[Stay]:
    """What every environment had, in the order of its beginning."""
    found: list[Stay] = []
    present: dict[str, int] = {}
    for landed, path, blob in _changes():
        if path in present:
            last = found[place := present.pop(path)]
            found[place] = Stay(last.environment, last.name, last.blob, last.begun, landed)
        if not ABSENT.fullmatch(blob):
            present[path] = len(found)
            found.append(Stay(Path(path).parts[-3], Path(path).name, blob, landed))
    return found


def of(version: str) -> list[tuple[Stay, record.Decision]]:
    """Where a model's version was, with its record; raises InputError for one that no environment ever had."""
    every = stays()
    blobs = list(dict.fromkeys(one.blob for one in every))
    texts = dict(zip(blobs, git.objects(*blobs), strict=True)) if blobs else {}
    named = {blob: content for blob, content in texts.items() if version.encode() in content}
    found, damaged = [], []
    for one in (one for one in every if one.blob in named):
        try:
            decision = record.released(one.path, named[one.blob])
        except InputError as error:  # one that was never deployed, as its pull request was not merged in this form
            damaged.append(str(error))
            continue
        if decision.evaluation.origin.version == version:
            found.append((one, decision))
    if not found:
        told = f" ({'; '.join(dict.fromkeys(damaged))})" if damaged else ""
        raise InputError(
            f"No environment ever had the version {version[:60]!r}, as far as this clone's history knows{told}; "
            "fetch main, or look in the repository that made it."
        )
    return found
