"""Writes an environment's release: the decision record, and a Kustomize component that pins both images by digest."""

from lifecycle import InputError, git
from lifecycle.config import Promote
from lifecycle.documents import record
from lifecycle.documents.change import Change
from lifecycle.documents.environments import KUSTOMIZATION, RECORD, current, place, repeat, writable
from lifecycle.releasing import component, evidence, provenance, succession


def run(decision: record.Decision, images: dict[str, str], environment: str, promotion: Promote) -> Change:
    """Release a candidate that passed; raises InputError if it was refused or was trained with uncommitted changes."""
    version = decision.evaluation.origin.version
    target = writable(environment, promotion.order)
    if decision.refused:
        failed = sum(verdict.outcome in record.BLOCKING for verdict in decision.gates)
        gates = "1 gate" if failed == 1 else f"{failed} gates"
        raise InputError(f"{version} was refused by {gates}, see build/report.md; release one that passes.")
    if decision.evaluation.origin.dirty or version == git.UNVERSIONED:
        raise InputError(
            f"{version} was trained with uncommitted changes; commit them, then run `make pipeline` again."
        )
    try:
        pinned = record.Images(**images)
    except ValueError as error:
        wrong = ", ".join(f"{name.upper()}={image!r}" for name, image in images.items())
        raise InputError(f"Give images by digest, as registry/name@sha256:<64 hex digits>, not {wrong}.") from error
    released = decision.model_copy(update={"images": pinned})
    provenance.check(released)
    repeat(target, released)
    before = current(target)
    if before is not None and before.version == released.version:
        raise InputError(f"{environment} already runs {released.version}; there is nothing to release.")
    if before is not None and succession.newer(before, released):
        raise InputError(
            f"{environment} runs {before.version}, newer than {released.version}, as when an old workflow run is run "
            f"again; release a newer one, or use `make rollback ENV={environment}` to go back."
        )
    if before is not None and succession.released(target, released.version):
        raise InputError(
            f"{environment} ran {released.version} before and was rolled back from it; "
            "release a newer one, or revert the commit of the rollback."
        )
    offered = evidence.change("release", released, environment, promotion)
    place({RECORD: record.dump(released), KUSTOMIZATION: component.text(released)}, target)
    return offered
