"""Writes what an environment runs: the decision record and a Kustomize component that pins both images by digest."""

from dataclasses import dataclass
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


def body(decision: record.Decision, before: record.Decision | None, environment: str, undo: str = "rollback") -> str:
    """The text of a pull request: what runs instead of what, how well it was measured, how to undo it."""
    images = decision.images.model_dump() if decision.images else {}
    was = before.evaluation.origin.version if before else "nothing"
    lines = [f"`{environment}` runs `{decision.evaluation.origin.version}` instead of `{was}`.", ""]
    lines += [f"- {name}: `{image}`" for name, image in images.items()]
    lines += ["", "| metric | value | interval |", "| --- | --- | --- |"]
    lines += [
        f"| {name} | {m.value:.4g} | {m.low:.4g} to {m.high:.4g} |" for name, m in decision.evaluation.metrics.items()
    ]
    lines += ["", f"To undo it: `make {undo} ENVIRONMENT={environment}`."]
    return "\n".join(lines) + "\n"


def place(contents: dict[str, str], release: Path) -> None:
    """Replace a release by files of the given names and contents, all or none."""
    with files.replaced(release) as part:
        for name, content in contents.items():
            files.write(part / name, content)


def run(decision: record.Decision, images: dict[str, str], environment: str, settings: Promote) -> Change:
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
    place({RECORD: record.dump(released), KUSTOMIZATION: component(version, pinned)}, target)
    return Change(f"Release {version} to {environment}", body(released, before, environment))
