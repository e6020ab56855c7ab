"""Checks that `release`, `promote` or `rollback` wrote all that an environment gets, and that no frozen one changes."""

from datetime import date

from lifecycle import InputError, git
from lifecycle.config import Promote
from lifecycle.documents import answers, record
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
from lifecycle.releasing import applied, component, provenance, succession


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
        if one.refused:
            return f"{one.version} in {target} was refused by its gates"
    if component.read((target / KUSTOMIZATION).read_text(), decision, candidate) is None:
        return f"{target / KUSTOMIZATION} does not match the record beside it"
    return ""


def _foreign(environment: str, base: str, promotion: Promote) -> str:
    """What is wrong with how a release got here since the commit `base`, or nothing."""
    target = folder(environment, promotion.order)
    path, index = target / RECORD, promotion.order.index(environment)
    if not path.is_file():
        return _emptied(environment, promotion.order[index + 1 :], promotion)
    records = [one.read_text() for one in (path, target / CANDIDATE) if one.is_file()]
    if len(records) > 1 and (not index or git.content(base, path) != records[0] or ran(target, records[1], base)):
        return f"{target} has a candidate that `make promote` would not place beside its release"
    before = folder(promotion.order[index - 1], promotion.order)
    if index and not all(ran(target, one, base) or ran(before, one, base) for one in records):
        return f"{target} has a release that {promotion.order[index - 1]} never ran"
    return ""


def _emptied(environment: str, later: tuple[str, ...], promotion: Promote) -> str:
    """What is wrong with an environment that has no release any more: only `make retire` empties it, the last first."""
    target = folder(environment, promotion.order)
    if (target / KUSTOMIZATION).read_text() != component.RETIRED:
        return f"{target} lost its release; `make rollback ENV={environment}` restores an earlier one"
    running = [one for one in later if current(folder(one, promotion.order))]
    return f"{target} is empty, but {running[-1]} still runs a release; retire that first" if running else ""


def _older(environment: str, base: str, promotion: Promote) -> str:
    """Whether an environment's release is older than the one at the commit `base`."""
    target = folder(environment, promotion.order)
    present, content = current(target), git.content(base, target / RECORD)
    before = record.released(target / RECORD, content) if content else None
    if present and before and succession.newer(before, present):
        return f"{target} ran {before.version}, newer than {present.version}"
    return ""


def _proofs(environment: str, base: str, promotion: Promote) -> list[tuple[str, str]]:
    """What is wrong with the records that an environment did not run at the commit `base`, and what is unchecked."""
    target = folder(environment, promotion.order)
    found = (target / name for name in (RECORD, CANDIDATE) if (target / name).is_file())
    new = [path for path in found if not base or not ran(target, path.read_text(), base)]
    return [provenance.findings(record.released(path, path.read_bytes()), base or "HEAD") for path in new]


def _returned(environment: str, base: str, promotion: Promote) -> bool:
    """Whether an environment returned to a release that it ran before, as a rollback does."""
    target = folder(environment, promotion.order)
    path, candidate = target / RECORD, target / CANDIDATE
    return path.is_file() and not candidate.is_file() and ran(target, path.read_text(), base)


def run(promotion: Promote, base: str, today: date) -> str:
    """Check all releases, and how those that differ from the commit `base` got here; `base` may be empty."""
    found = git.changed(base) if base else []
    problems = [_problem(environment, promotion) for environment in promotion.order]
    problems += applied.problems(promotion.order, answers.read(base or "HEAD").name)
    changed: list[str] = []
    if base:
        changed = touched(found, promotion.order)
        new = [environment for environment in changed if not _returned(environment, base, promotion)]
        problems += [_older(environment, base, promotion) for environment in new]
        problems += [_foreign(environment, base, promotion) for environment in changed]
        if len(changed) > 1:
            problems.append(f"{' and '.join(changed)} change at once; change one environment per pull request")
        if changed and any(not within(name, one) for name in found for one in changed):
            problems.append(
                f"the release of {changed[0]} changes together with other files; give it its own pull request"
            )
        problems += [
            reason
            for environment in new  # a rollback is never frozen
            for reason in frozen(environment, promotion, today)
        ]
    placed = changed if base else promotion.order
    proofs = [proof for environment in placed for proof in _proofs(environment, base, promotion)]
    problems += [wrong for wrong, _ in proofs]
    if problems := list(filter(None, problems)):
        raise InputError(
            f"{'; '.join(problems)}. Undo this, then use `make release`, `make promote` or `make rollback`."
        )
    unchecked = "".join(f"; unchecked, as another version of the template wrote it: {one}" for _, one in proofs if one)
    return f"{len(promotion.order)} environments, {', '.join(changed) or 'none'} changed{unchecked}"
