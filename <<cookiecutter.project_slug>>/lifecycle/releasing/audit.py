"""Checks that `release`, `promote` or `rollback` wrote every release, and that no frozen environment changes."""

from datetime import date

from lifecycle import InputError, git
from lifecycle.config import Promote
from lifecycle.documents import record
from lifecycle.documents.environments import (
    CANDIDATE,
    KUSTOMIZATION,
    RECORD,
    current,
    folder,
    frozen,
    ran,
    touched,
    within,
)
from lifecycle.releasing import component


def _problem(environment: str, promotion: Promote) -> str:
    """What is wrong with an environment's release, or nothing."""
    target = folder(environment, promotion.order)
    decision, candidate = current(target), current(target, CANDIDATE)
    names = {path.relative_to(target).as_posix() for path in target.rglob("*")}
    if decision is None:
        return "" if names == {KUSTOMIZATION} else f"{target} has no {RECORD}"
    if names != {KUSTOMIZATION, RECORD} | ({CANDIDATE} if candidate else set()):
        return f"{target} holds {', '.join(sorted(names))} instead of {KUSTOMIZATION} and {RECORD}"
    for one in filter(None, (decision, candidate)):
        if not one.passed or any(verdict.outcome in record.BLOCKING for verdict in one.gates):
            return f"{one.version} in {target} was refused by its gates"
    if component.read((target / KUSTOMIZATION).read_text(), decision, candidate) is None:
        return f"{target / KUSTOMIZATION} does not match the record beside it"
    return ""


def _foreign(environment: str, base: str, promotion: Promote) -> str:
    """What is wrong with how a release got here since the commit `base`, or nothing."""
    target = folder(environment, promotion.order)
    path = target / RECORD
    if not path.is_file():
        return f"{target} lost its release; `make rollback ENV={environment}` restores an earlier one"
    index = promotion.order.index(environment)
    records = [one.read_text() for one in (path, target / CANDIDATE) if one.is_file()]
    if len(records) > 1 and (not index or git.content(base, path) != records[0] or ran(target, records[1], base)):
        return f"{target} has a candidate that `make promote` would not place beside its release"
    before = folder(promotion.order[index - 1], promotion.order)
    if index and not all(ran(target, one, base) or ran(before, one, base) for one in records):
        return f"{target} has a release that {promotion.order[index - 1]} never ran"
    return ""


def _returned(environment: str, base: str, promotion: Promote) -> bool:
    """Whether an environment returned to a release that it ran before, as a rollback does."""
    target = folder(environment, promotion.order)
    path, candidate = target / RECORD, target / CANDIDATE
    return path.is_file() and not candidate.is_file() and ran(target, path.read_text(), base)


def run(promotion: Promote, base: str, today: date) -> str:
    """Check all releases, and how those that differ from the commit `base` got here; `base` may be empty."""
    problems = [_problem(environment, promotion) for environment in promotion.order]
    changed = []
    if base:
        found = git.changed(base)
        changed = touched(found, promotion.order)
        problems += [_foreign(environment, base, promotion) for environment in changed]
        if len(changed) > 1:
            problems.append(f"{' and '.join(changed)} change at once; change one environment per pull request")
        if changed and any(not within(name, one) for name in found for one in changed):
            problems.append(
                f"the release of {changed[0]} changes together with other files; give it its own pull request"
            )
        problems += [
            reason
            for environment in changed
            for reason in frozen(environment, promotion, today)
            if not _returned(environment, base, promotion)  # a rollback is never frozen
        ]
    if problems := list(filter(None, problems)):
        raise InputError(
            f"{'; '.join(problems)}. Undo this, then use `make release`, `make promote` or `make rollback`."
        )
    return f"{len(promotion.order)} environments, {', '.join(changed) or 'none'} changed"
