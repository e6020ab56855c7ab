"""Copies the release of one environment to the next, as it was tested there."""

from datetime import date
from itertools import pairwise
from pathlib import Path

from model import InputError, git, record
from model.config import Promote
from model.release import (
    CANDIDATE,
    KUSTOMIZATION,
    RECORD,
    Change,
    change,
    component,
    current,
    digests,
    folder,
    frozen,
    place,
    shares,
    touched,
)


def run(environment: str, settings: Promote, today: date, share: int = 100) -> Change:
    """Copy the release of the environment before this one to it.

    With less than 100 percent of the requests it becomes a candidate beside the present release.
    """
    target = folder(environment, settings.order)
    if environment == settings.order[0]:
        raise InputError(f"{environment} is the first environment; `make release` writes it, promote a later one.")
    source = settings.order[settings.order.index(environment) - 1]
    origin = folder(source, settings.order)
    decision, before, candidate = current(origin), current(target), current(target, CANDIDATE)
    if decision is None or decision.images is None:
        raise InputError(f"{source} has no release to promote to {environment}; give {source} one first.")
    version = decision.evaluation.origin.version
    if not decision.passed:
        raise InputError(f"{version} in {source} was refused by its gates; roll {source} back.")
    if before is not None:
        there = before.evaluation.origin.version
        if there == version:
            raise InputError(f"{environment} already runs {version}; there is nothing to promote.")
        if _newer(before, decision):
            raise InputError(
                f"{environment} runs {there}, newer than {version} in {source}; "
                f"use `make rollback ENV={environment}` to go back."
            )
        if decision != candidate and _rolled_back(target, (origin / RECORD).read_text()):
            raise InputError(
                f"{environment} ran {version} before and was rolled back from it; "
                "release a newer one, or revert the commit of the rollback."
            )
        if decision == candidate and shares(before, candidate).get((target / KUSTOMIZATION).read_text()) == share:
            raise InputError(f"{environment} already gives {version} {share}% of its requests; there is nothing to do.")
    elif share < 100:
        raise InputError(f"{environment} has no release beside which {version} could run; promote it without SHARE.")
    for told in frozen(environment, settings, today):
        raise InputError(f"{told}; promote later, or change promote.freeze.")
    offered = change("promote", decision, environment, settings, share)
    promoted = (origin / RECORD).read_text()
    if before is None or before.images is None or share == 100:
        place({RECORD: promoted, KUSTOMIZATION: component(version, decision.images)}, target)
    else:
        both = component(before.evaluation.origin.version, before.images, decision.images, share)
        place({RECORD: (target / RECORD).read_text(), CANDIDATE: promoted, KUSTOMIZATION: both}, target)
    return offered


def after(verified: str, digest: str, settings: Promote, today: date, share: int | None = None) -> Change | str:
    """Promote what was verified in an environment to the next one, or say why there is nothing to do.

    A verification may come late or twice: a digest that the environment no longer runs is passed over. A candidate gets
    more only from a person who names the share.
    """
    decision = current(folder(verified, settings.order))
    if verified == settings.order[-1]:
        return f"{verified} is the last environment; there is nothing to promote."
    if digest and (decision is None or digest not in digests(decision)):
        return f"{verified} no longer runs {digest}; there is nothing to promote."
    environment = settings.order[settings.order.index(verified) + 1]
    if share is None and decision and decision == current(folder(environment, settings.order), CANDIDATE):
        return f"{environment} runs it as a candidate; `make promote ENV={environment}` gives it all requests."
    try:
        return run(environment, settings, today, 100 if share is None else share)
    except InputError as error:
        return str(error)


def changed(since: str, settings: Promote) -> str:
    """The environment whose release was written between a commit and HEAD; empty where there is none.

    Of several the last one counts: what the earlier ones run is there to be promoted, too. Before a branch's first
    push there is the commit of zeros, and no environment runs anything.
    """
    found = git.changed(since) if since.strip("0") else []
    return next(reversed(touched(found, settings.order[:-1])), "")


def _rolled_back(target: Path, content: str) -> bool:
    """Whether an environment no longer runs what it ran by that record, or dropped it from beside its release."""
    commits = git.states(target)
    states = [(git.content(one, target / RECORD), git.content(one, target / CANDIDATE)) for one in commits]
    dropped = any(earlier == (later[0], content) and later[1] is None for later, earlier in pairwise(states))
    return dropped or any(release == content for release, _ in states)


def _newer(one: record.Decision, other: record.Decision) -> bool:
    """Whether the first was built from a later day's commit, or from a descendant on the same day."""
    a, b = one.evaluation.origin, other.evaluation.origin
    days = a.version.split("-")[0], b.version.split("-")[0]
    return days[0] > days[1] if days[0] != days[1] else git.is_ancestor(b.commit, a.commit)
