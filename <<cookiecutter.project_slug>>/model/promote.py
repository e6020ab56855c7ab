"""Copies the release of one environment to the next, as it was tested there."""

from datetime import date

from model import InputError, git, record
from model.config import Promote
from model.release import Change, body, current, folder, place


def run(environment: str, settings: Promote, today: date) -> Change:
    """Copy the release of the environment before this one to it."""
    target = folder(environment, settings.order)
    index = settings.order.index(environment)
    if index == 0:
        raise InputError(f"{environment} is the first environment; `make release` writes it, promote a later one.")
    source = settings.order[index - 1]
    origin = folder(source, settings.order)
    decision, before = current(origin), current(target)
    if decision is None:
        raise InputError(f"{source} has no release to promote to {environment}; release to {source} first.")
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
                f"use `make rollback ENVIRONMENT={environment}` to go back."
            )
    for freeze in settings.freeze:
        if freeze.environment == environment and freeze.begin <= today < freeze.end:
            raise InputError(
                f"{environment} is frozen from {freeze.begin} until {freeze.end} ({freeze.reason}); "
                "promote later, or change promote.freeze."
            )
    place({path.name: path.read_text() for path in sorted(origin.iterdir())}, target)
    return Change(f"Promote {version} to {environment}", body(decision, before, environment))


def _newer(one: record.Decision, other: record.Decision) -> bool:
    """Whether the first was built from a later day's commit, or from a descendant on the same day."""
    a, b = one.evaluation.origin, other.evaluation.origin
    days = a.version.split("-")[0], b.version.split("-")[0]
    return days[0] > days[1] if days[0] != days[1] else git.is_ancestor(b.commit, a.commit)
