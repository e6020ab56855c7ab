"""Compares what a record says of its data, its code and its packages with the commit that it was trained on."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lifecycle import InputError, config, files
from lifecycle.documents import record
from lifecycle.releasing import provenance
from lifecycle.tracing.proof import Proof
from lifecycle.verbs import LOCKS

POINTER = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True)
class Link:
    """A line of the trace; `wrong` says where it breaks, `unchecked` what cannot be checked from git."""

    name: str
    text: str
    wrong: str = ""
    unchecked: str = ""


def findings(decision: record.Decision, proof: Proof) -> Iterator[Link]:
    """The record's verdicts, then the code, the lock files and the data that it names."""
    origin = decision.evaluation.origin
    wrong, unchecked = provenance.findings(decision)
    gates = f"{'accepted' if decision.passed else 'refused'} by {len(decision.gates)} gates, policy {decision.policy}"
    yield Link("record", gates, wrong, unchecked)
    yield Link("code", f"commit {origin.commit}")
    locked = [proof.content(origin.commit, lock) or b"" for lock in LOCKS]
    other = "" if files.sha256(b"".join(locked)) == origin.lock else "the lock files of its commit have another hash"
    yield Link("lock", f"{origin.lock}: {', '.join(map(str, LOCKS))}", other)
    yield _data(origin, proof)


def _data(origin: record.Origin, proof: Proof) -> Link:
    text = proof.content(origin.commit, provenance.CONFIG)
    try:
        settings = config.read((text or b"").decode(), f"{provenance.CONFIG} at {origin.commit[:12]}")
    except (InputError, UnicodeDecodeError) as error:
        return Link("data", origin.data, unchecked=f"the data ({error})")
    path = settings.data.path
    said = f"{origin.data}: {path}, {origin.rows('train')} to train, {origin.rows('test')} to test"
    if settings.data.sha256 != origin.data:
        return Link("data", said, f"{provenance.CONFIG} of its commit pins data with another hash")
    content = None if "://" in path or Path(path).is_absolute() else proof.content(origin.commit, Path(path))
    if content is None or content.startswith(POINTER):
        return Link(
            "data",
            said,
            unchecked=f"the data at {path}, which git does not hold; at that commit `make data` checks them",
        )
    if files.sha256(content) != origin.data:
        return Link("data", said, f"{path} of its commit has another hash")
    return Link("data", said)
