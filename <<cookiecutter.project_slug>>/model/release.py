"""Writes what an environment runs: the decision record and a Kustomize component that pins both images by digest."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import yaml

from model import InputError, files, git, record
from model.config import Promote

OVERLAYS = Path("manifests/overlays")
RECORD = "decision.json"
KUSTOMIZATION = "kustomization.yaml"


@dataclass(frozen=True)
class Change:
    """What a step did to an environment, as the title and the body of a pull request."""

    title: str
    body: str


def component(version: str, images: record.Images) -> str:
    """The `kustomization.yaml` of a release: the base with both images by digest."""
    document = {
        "apiVersion": "kustomize.config.k8s.io/v1alpha1",
        "kind": "Component",
        "labels": [{"pairs": {"app.kubernetes.io/version": version}, "includeTemplates": True}],
        "resources": ["../../../base"],
        "images": [
            {"name": name, "newName": image.split("@")[0], "digest": image.split("@")[1]}
            for name, image in images.model_dump().items()
        ],
    }
    return yaml.safe_dump(document, sort_keys=False)


def folder(environment: str, order: tuple[str, ...]) -> Path:
    """The `release/` of an environment; raises InputError for one that does not exist."""
    if environment not in order or not (OVERLAYS / environment).is_dir():
        raise InputError(f"There is no environment {environment!r}; ENVIRONMENT is one of {', '.join(order)}.")
    return OVERLAYS / environment / "release"


def current(release: Path) -> record.Decision | None:
    """The record of what an environment runs, or None before its first release."""
    return record.decision(release / RECORD, "release") if (release / RECORD).is_file() else None


def _body(decision: record.Decision, before: record.Decision | None, environment: str) -> str:
    images = decision.images.model_dump() if decision.images else {}
    was = before.evaluation.origin.version if before else "nothing"
    lines = [f"`{environment}` runs `{decision.evaluation.origin.version}` instead of `{was}`.", ""]
    lines += [f"- {name}: `{image}`" for name, image in images.items()]
    lines += ["", "| metric | value | interval |", "| --- | --- | --- |"]
    lines += [
        f"| {name} | {m.value:.4g} | {m.low:.4g} to {m.high:.4g} |" for name, m in decision.evaluation.metrics.items()
    ]
    lines += ["", f"To undo it: `make rollback ENVIRONMENT={environment}`."]
    return "\n".join(lines) + "\n"


def _place(contents: dict[str, str], release: Path) -> None:
    with files.replaced(release) as part:
        for name, content in contents.items():
            files.write(part / name, content)


def release(decision: record.Decision, images: dict[str, str], environment: str, settings: Promote) -> Change:
    """Release a candidate that passed to an environment; raises InputError when it did not, or has no exact origin."""
    version = decision.evaluation.origin.version
    target = folder(environment, settings.order)
    if not decision.passed:
        failed = sum(verdict.outcome == "fail" for verdict in decision.gates)
        raise InputError(f"{version} was refused by {failed} gates, see build/report.md; release one that passes.")
    if decision.evaluation.origin.dirty or version == git.UNVERSIONED:
        raise InputError(
            f"{version} was trained with uncommitted changes; commit them, then run `make pipeline` again."
        )
    try:
        pinned = record.Images(**images)
    except ValueError as error:
        wrong = ", ".join(f"{name.upper()}={image!r}" for name, image in images.items())
        raise InputError(
            f"Images are given by digest, as registry/name@sha256:<64 hex digits>, not {wrong}."
        ) from error
    before = current(target)
    if before is not None and before.evaluation.origin.version == version:
        raise InputError(f"{environment} already runs {version}; there is nothing to release.")
    released = decision.model_copy(update={"images": pinned})
    _place({RECORD: record.dump(released), KUSTOMIZATION: component(version, pinned)}, target)
    return Change(f"Release {version} to {environment}", _body(released, before, environment))


def promote(environment: str, settings: Promote, today: date) -> Change:
    """Copy the release of the environment before this one to it."""
    target = folder(environment, settings.order)
    place = settings.order.index(environment)
    if place == 0:
        raise InputError(f"{environment} is the first environment; `make release` writes it, promote a later one.")
    source = settings.order[place - 1]
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
    _place({path.name: path.read_text() for path in sorted(origin.iterdir())}, target)
    return Change(f"Promote {version} to {environment}", _body(decision, before, environment))


def _newer(one: record.Decision, other: record.Decision) -> bool:
    """Whether the first was built from a later day's commit, or from a descendant on the same day."""
    a, b = one.evaluation.origin, other.evaluation.origin
    days = a.version.split("-")[0], b.version.split("-")[0]
    return days[0] > days[1] if days[0] != days[1] else git.is_ancestor(b.commit, a.commit)


def rollback(environment: str, settings: Promote) -> Change:
    """Restore the release that the environment had before it first ran the present one.

    Thus a second rollback goes one further back instead of undoing the first.
    """
    target = folder(environment, settings.order)
    present = current(target)
    if present is None:
        raise InputError(f"{environment} has no release; there is nothing to roll back.")
    path = target / RECORD
    states = [(commit, git.content(commit, path)) for commit in git.states(target)]
    first = max((index for index, (_, content) in enumerate(states) if content == path.read_text()), default=-1)
    if first < 0:
        raise InputError(f"{path} differs from every commit; commit it or restore it before a rollback.")
    commit, earlier = next(((commit, content) for commit, content in states[first + 1 :] if content), ("", None))
    if earlier is None:
        version = present.evaluation.origin.version
        raise InputError(f"{environment} has no release earlier than {version}; there is nothing to roll back to.")
    decision = record.Decision.model_validate_json(earlier)
    _place({RECORD: earlier, KUSTOMIZATION: git.content(commit, target / KUSTOMIZATION) or ""}, target)
    was = present.evaluation.origin.version
    version = decision.evaluation.origin.version
    return Change(f"Roll {environment} back to {version} from {was}", _body(decision, present, environment))
