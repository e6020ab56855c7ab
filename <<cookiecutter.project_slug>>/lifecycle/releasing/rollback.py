"""Restores an environment's previous release from the history of its folder."""

from dataclasses import replace
from pathlib import Path

from lifecycle import InputError, git
from lifecycle.config import Promote
from lifecycle.documents import record
from lifecycle.documents.change import Change
from lifecycle.documents.environments import (
    CANDIDATE,
    KUSTOMIZATION,
    OVERLAYS,
    RECORD,
    committed,
    current,
    place,
    ran,
    writable,
)
from lifecycle.releasing import component, evidence
from lifecycle.reporting import pages


def run(environment: str, promotion: Promote) -> Change:
    """Restore the release that the environment ran before the present one.

    A second rollback goes one release further back; it does not undo the first. A candidate is dropped first.
    """
    target = writable(environment, promotion.order)
    if _done(target):
        place(committed(target), target)  # do it again, not one release further back
    present = current(target)
    if present is None:
        raise InputError(f"{environment} has no release; there is nothing to roll back.")
    path = target / RECORD
    if git.content("HEAD", target / CANDIDATE) is not None and not (target / CANDIDATE).is_file():
        raise InputError(
            f"{target / CANDIDATE} is deleted since the last commit; commit that or restore it before a rollback."
        )
    if (target / CANDIDATE).is_file() and present.images:
        offered = evidence.change("rollback", present, environment, promotion)
        without = component.text(present, placed=component.Placed(component.load(target).commands))
        place({RECORD: path.read_text(), KUSTOMIZATION: without}, target)
        return offered
    states = [(commit, git.content(commit, path)) for commit in git.states(target)]
    first = max((index for index, (_, content) in enumerate(states) if content == path.read_text()), default=-1)
    if first < 0:
        raise InputError(f"{path} differs from every commit; commit it or restore it before a rollback.")
    alone = (state for state in states[first + 1 :] if state[1] and git.content(state[0], target / CANDIDATE) is None)
    commit, earlier = next(alone, ("", None))
    if earlier is None:
        version = present.version
        raise InputError(f"{environment} has no release earlier than {version}; there is nothing to roll back to.")
    offered = evidence.change("rollback", record.released(path, earlier), environment, promotion)
    place({RECORD: earlier, KUSTOMIZATION: git.content(commit, target / KUSTOMIZATION) or ""}, target)
    return offered


def _done(target: Path) -> bool:
    """Whether a rollback was written that is in no commit: alone, a release that ran before or that had a candidate."""
    present, before = current(target), committed(target)
    if present is None or (target / CANDIDATE).is_file():
        return False
    if component.read((target / KUSTOMIZATION).read_text(), present, None) is None:
        return False
    content = (target / RECORD).read_text()
    return (CANDIDATE in before or content != before.get(RECORD)) and ran(target, content)


def failed(environment: str, digest: str, revision: str, promotion: Promote, said: str = "") -> Change | str:
    """Roll back a failed release, or say why there is nothing to roll back.

    The cluster reports the commit it synced, which may be a later one of another environment, if a pod ran its digest,
    and what it said. The release is to blame only if the environment still runs the release of that commit, and no
    other change to its manifests is newer.
    """
    heard = f" The cluster says: {' '.join(said.split())}" if said else ""
    target = writable(environment, promotion.order)
    present = current(target)
    if present is None:
        return f"{environment} has no release; there is nothing to roll back.{heard}"
    if digest and digest not in present.digests:
        return f"{environment} no longer runs {digest}; there is nothing to roll back.{heard}"
    release = git.states(target, until=revision or "HEAD")[:1]
    if revision:
        rendered = [OVERLAYS.parent / name for name in ("base", "components", "namespace")] + [OVERLAYS / environment]
        newest = git.states(*rendered, until=revision)[:1]
        if git.content(revision, target / KUSTOMIZATION) != (target / KUSTOMIZATION).read_text():
            return f"{environment} no longer runs the release of {revision}; there is nothing to roll back.{heard}"
        if newest != release:
            return (
                f"{environment} failed after a change to its manifests other than its release; correct or revert that."
                f"{heard}"
            )
    offered = run(environment, promotion)
    why = f"`{present.version}` failed in `{environment}`, where commit {''.join(release)} released it."
    return replace(offered, body=f"{why} {pages.plain(heard)}\n\n{offered.body}")
