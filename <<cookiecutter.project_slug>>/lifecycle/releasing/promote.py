"""Copies the tested release of one environment to the next, unchanged."""

from datetime import date

from lifecycle import InputError
from lifecycle.config import Promote
from lifecycle.documents.change import Change
from lifecycle.documents.environments import (
    CANDIDATE,
    KUSTOMIZATION,
    RECORD,
    current,
    folder,
    frozen,
    place,
    repeat,
    writable,
)
from lifecycle.releasing import component, evidence, provenance, succession


def run(environment: str, promotion: Promote, today: date, share: int = 100) -> Change:
    """Copy the release of the previous environment to this one.

    With a share below 100 percent of the requests it becomes a candidate beside the present release.
    """
    target = writable(environment, promotion.order)
    if environment == promotion.order[0]:
        raise InputError(f"{environment} is the first environment; `make release` writes it, promote a later one.")
    source = promotion.order[promotion.order.index(environment) - 1]
    origin = writable(source, promotion.order)
    decision = current(origin)
    if decision is None or decision.images is None:
        raise InputError(f"{source} has no release to promote to {environment}; give {source} one first.")
    version = decision.version
    if decision.refused:
        raise InputError(f"{version} in {source} was refused by its gates; roll {source} back.")
    provenance.check(decision)
    repeat(target, decision)
    before, candidate = current(target), current(target, CANDIDATE)
    if before is not None:
        there = before.version
        if there == version:
            raise InputError(f"{environment} already runs {version}; there is nothing to promote.")
        if succession.newer(before, decision):
            raise InputError(
                f"{environment} runs {there}, newer than {version} in {source}; "
                f"use `make rollback ENV={environment}` to go back."
            )
        if decision != candidate and succession.rolled_back(target, (origin / RECORD).read_text()):
            raise InputError(
                f"{environment} ran {version} before and was rolled back from it; "
                "release a newer one, or revert the commit of the rollback."
            )
        placed = component.read((target / KUSTOMIZATION).read_text(), before, candidate)
        if decision == candidate and placed and placed.share == share:
            raise InputError(f"{environment} already gives {version} {share}% of its requests; there is nothing to do.")
    elif share < 100:
        raise InputError(f"{environment} has no release for {version} to run beside; promote it without SHARE.")
    for reason in frozen(environment, promotion, today):
        raise InputError(f"{reason}; promote later, or change promote.freeze.")
    offered = evidence.change("promote", decision, environment, promotion, share)
    promoted, comes = (origin / RECORD).read_text(), component.load(origin)
    if before is None or before.images is None or share == 100:
        alone = component.text(decision, placed=component.Placed(comes.commands))
        place({RECORD: promoted, KUSTOMIZATION: alone}, target)
    else:
        placed = component.Placed(component.load(target).commands, comes.commands, share)
        both = component.text(before, decision, placed)
        place({RECORD: (target / RECORD).read_text(), CANDIDATE: promoted, KUSTOMIZATION: both}, target)
    return offered


def after(verified: str, digest: str, promotion: Promote, today: date, share: int | None = None) -> Change | str:
    """Promote an environment's verified release to the next one, or say why there is nothing to do.

    A verification may come late or twice: a digest that the environment no longer runs is ignored. Only a person can
    raise a candidate's share.
    """
    decision = current(folder(verified, promotion.order))
    if verified == promotion.order[-1]:
        return f"{verified} is the last environment; there is nothing to promote."
    if digest and (decision is None or digest not in decision.digests):
        return f"{verified} no longer runs {digest}; there is nothing to promote."
    environment = promotion.order[promotion.order.index(verified) + 1]
    if share is None and decision and decision == current(folder(environment, promotion.order), CANDIDATE):
        return f"{environment} runs it as a candidate; `make promote ENV={environment}` gives it all requests."
    try:
        return run(environment, promotion, today, 100 if share is None else share)
    except InputError as error:
        return str(error)
