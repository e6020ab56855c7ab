"""Checks that every release is one that `release`, `promote` or `rollback` wrote, and that no frozen one changes."""

from datetime import date

from model import InputError, git
from model.config import Promote
from model.release import KUSTOMIZATION, OVERLAYS, RECORD, component, current, folder, touched, within


def _problem(environment: str, settings: Promote) -> str:
    """What is wrong with the release of an environment, or nothing."""
    target = folder(environment, settings.order)
    decision = current(target)
    names = {path.name for path in target.iterdir()}
    if decision is None:
        return "" if names == {KUSTOMIZATION} else f"{target} has no {RECORD}"
    version = decision.evaluation.origin.version
    if names != {KUSTOMIZATION, RECORD}:
        return f"{target} holds {', '.join(sorted(names))}, not {KUSTOMIZATION} and {RECORD} alone"
    if not decision.passed or any(verdict.outcome == "fail" for verdict in decision.gates):
        return f"{version} in {target} was refused by its gates"
    if decision.images is None or (target / KUSTOMIZATION).read_text() != component(version, decision.images):
        return f"{target / KUSTOMIZATION} is not the one of the record beside it"
    return ""


def _foreign(environment: str, base: str, settings: Promote) -> str:
    """What is wrong with the way in which a release came since the commit `base`, or nothing."""
    target = folder(environment, settings.order)
    if not (target / RECORD).is_file():
        return f"{target} lost its release; `make rollback ENVIRONMENT={environment}` restores an earlier one"
    index = settings.order.index(environment)
    if index and not _ran(environment, environment, base) and not _ran(environment, settings.order[index - 1], base):
        return f"{target} has a release that {settings.order[index - 1]} never ran"
    return ""


def _ran(environment: str, elsewhere: str, base: str) -> bool:
    """Whether what an environment runs now ran in an environment, it or another, up to the commit `base`."""
    now = (OVERLAYS / environment / "release" / RECORD).read_text()
    path = OVERLAYS / elsewhere / "release" / RECORD
    return any(git.content(commit, path) == now for commit in git.states(path.parent, base))


def run(settings: Promote, base: str, today: date) -> str:
    """Check all releases, and those that differ from the commit `base` for how they came; `base` may be empty."""
    problems = [_problem(environment, settings) for environment in settings.order]
    changed = []
    if base:
        found = git.changed(base)
        changed = touched(found, settings.order)
        problems += [_foreign(environment, base, settings) for environment in changed]
        if len(changed) > 1:
            problems.append(f"{' and '.join(changed)} change at once; change one environment in a pull request")
        if changed and any(not within(name, one) for name in found for one in changed):
            problems.append(f"the release of {changed[0]} changes beside other files; give it its own pull request")
        problems += [
            f"{freeze.environment} is frozen from {freeze.begin} until {freeze.end} ({freeze.reason})"
            for freeze in settings.freeze
            if freeze.environment in changed
            and freeze.begin <= today < freeze.end
            and not _ran(freeze.environment, freeze.environment, base)  # a rollback is never frozen
        ]
    if problems := list(filter(None, problems)):
        raise InputError(f"{'; '.join(problems)}. Undo it, then use `make release`, `make promote` or `make rollback`.")
    return f"{len(settings.order)} environments, {', '.join(changed) or 'none'} changed"
