"""Checks a record against git: its commit and version, its images' names, its verdicts computed again."""

import re
from collections.abc import Iterator
from pathlib import Path

from lifecycle import InputError, config, files, git
from lifecycle.documents import answers, record
from lifecycle.documents.environments import RECORD, folder
from lifecycle.evaluation import gate
from lifecycle.verbs import LOCKS

CONFIG = Path("config.yaml")
MACHINERY = Path("lifecycle")


def findings(decision: record.Decision, until: str = "HEAD") -> tuple[str, str]:
    """What is wrong with a record by the history of the commit `until`, and what cannot be checked; each may be empty.

    The verdicts and hashes of a record that another version of the template wrote may differ without being wrong.
    Raises InputError in a clone without history.
    """
    git.whole()
    if wrong := _origin(decision, until) or _built(decision, until) or _images(decision, until):
        return wrong, ""
    commit = decision.evaluation.origin.commit
    # A merge's own configuration is what was reviewed; that of a commit within it may have been weaker for a while.
    landed = git.landed(commit, until)
    try:
        settings = config.read(git.content(landed, CONFIG) or "", f"{CONFIG} at {landed[:12]}")
        again = gate.decide(settings, decision.evaluation)
    except (InputError, ArithmeticError, LookupError) as error:
        differences = [f"cannot be judged again ({error})"]
    else:
        if not again.passed:
            return f"{decision.version} does not pass the gates of {CONFIG} at {landed[:12]}", ""
        differences = list(_differences(decision, again, settings, landed))
    said = f"{decision.version} {' and '.join(differences)}" if differences else ""
    same = git.tree_of(commit, MACHINERY) == git.tree_of("HEAD", MACHINERY)
    return (said, "") if same else ("", said)


def check(decision: record.Decision) -> None:
    """Raise InputError if something is wrong with a record that a verb is to write."""
    wrong, _ = findings(decision)
    if wrong:
        raise InputError(f"{wrong}; release what `make pipeline` decided on a commit that is here.")


def _origin(decision: record.Decision, until: str) -> str:
    origin = decision.evaluation.origin
    if origin.dirty:
        return f"{origin.version} was trained with uncommitted changes"
    if not re.fullmatch("[0-9a-f]{40}", origin.commit):
        return f"{origin.version} names {origin.commit[:40]!r} instead of a commit's whole hash"
    return _commit(origin.version, origin.commit, until)


def _commit(version: str, commit: str, until: str) -> str:
    found = git.described(commit)
    if not found.sha:
        return f"{version} names the commit {commit[:12]!r}, which git does not have"
    if found.version != version:
        return f"{version} is not the version of its commit, which is {found.version}"
    if not git.contains(until, found.sha):
        return f"{version} is of a commit that {until[:12]} does not contain"
    return ""


def _built(decision: record.Decision, until: str) -> str:
    """What is wrong with the commit that images were rebuilt from: it has to contain the model's."""
    if decision.built is None:
        return ""
    if wrong := _commit(decision.built, decision.commit, until):
        return wrong
    if git.contains(decision.commit, decision.evaluation.origin.commit):
        return ""
    return f"{decision.built} was rebuilt from a commit that does not contain its model's"


def _images(decision: record.Decision, until: str) -> str:
    if decision.images is None:
        return ""
    path = answers.read(until).images
    for name, image in decision.images.model_dump().items():
        if image.partition("@")[0] != f"{path}-{name}":
            return f"{decision.version} runs {image.partition('@')[0]}, not {path}-{name} as {answers.ANSWERS} says"
    return ""


def _bare(verdict: record.Verdict) -> record.Verdict:
    """Without what only the resamples tell, which a record does not hold."""
    return verdict.model_copy(update={"power": None})


def _differences(
    decision: record.Decision, again: record.Decision, settings: config.Config, commit: str
) -> Iterator[str]:
    """In words, what a record says otherwise than its commit."""
    evaluation = decision.evaluation
    locked = files.sha256("".join(git.content(commit, lock) or "" for lock in LOCKS).encode())
    asked = (settings.name, settings.task, settings.evaluate.level, settings.evaluate.metrics, settings.data.sha256)
    said = (evaluation.name, evaluation.task, evaluation.level, evaluation.directions, evaluation.origin.data)
    if asked != said:
        yield f"was measured otherwise than {CONFIG} at {commit[:12]} says"
    last = settings.promote.order[-1]
    if evaluation.champion is None and git.content(
        evaluation.origin.commit, folder(last, settings.promote.order) / RECORD
    ):
        yield f"was compared with no champion, though {last} had a release at {evaluation.origin.commit[:12]}"
    if evaluation.origin.lock != locked:
        yield f"was trained with other lock files than those of {commit[:12]}"
    if decision.policy != again.policy:
        yield f"was judged by other gates than those of {CONFIG} at {commit[:12]}"
    elif (decision.passed, tuple(map(_bare, decision.gates))) != (again.passed, again.gates):
        yield "has verdicts that its metrics do not give"
