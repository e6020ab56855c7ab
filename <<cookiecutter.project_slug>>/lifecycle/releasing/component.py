"""The `kustomization.yaml` of a release: its images, the commands they understand, a candidate's share."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lifecycle import InputError
from lifecycle.documents import record
from lifecycle.documents.environments import CANDIDATE, KUSTOMIZATION, current
from lifecycle.strict import parsed

type Document = dict[str, Any]


@dataclass(frozen=True)
class Commands:
    """The commands that the jobs in manifests/ run in a release's images."""

    smoke: tuple[str, ...]
    degraded: str


# An image understands only the commands of its own time. The first entry is what manifests/base runs, for releases that
# name no commands. When a command changes, append an entry; never remove one.
COMMANDS = (
    Commands(("python", "-m", "model", "smoke"), "python -m github --build /tmp/build degraded"),
    Commands(("python", "-m", "lifecycle", "smoke"), "python -m lifecycle --build /tmp/build degraded"),
)
NEWEST = len(COMMANDS) - 1


# Of an environment that a service was taken out of: it brings nothing, like one that never had a release.
RETIRED = """apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
labels:
- pairs:
    app.kubernetes.io/version: retired
"""


@dataclass(frozen=True)
class Placed:
    """A release's place in an environment: its and its candidate's index in COMMANDS, and the candidate's percent."""

    commands: int = NEWEST
    candidate: int = NEWEST
    share: int = 0


def text(decision: record.Decision, candidate: record.Decision | None = None, placed: Placed | None = None) -> str:
    """The component of a release; a candidate beside it answers `placed.share` percent of the requests."""
    return yaml.safe_dump(_document(decision, candidate, placed or Placed()), sort_keys=False)


def read(content: str, decision: record.Decision, candidate: record.Decision | None) -> Placed | None:
    """A release's place as its component states it, or None if the component does not match these records.

    Compares meaning, not bytes: a release stays valid when its format changes.
    """
    if decision.images is None or (candidate and candidate.images is None):
        return None
    try:
        # Refuses duplicate keys, of which Kustomize may take another than we do.
        found = _meaning(parsed(content), parsed)
    except (yaml.YAMLError, ValueError, RecursionError, TypeError, KeyError, AttributeError):
        return None
    ours = ((one, _meaning(_document(decision, candidate, one), json.loads)) for one in _places(candidate))
    return next((one for one, meaning in ours if meaning == found), None)


def load(release: Path) -> Placed:
    """The place of the release in a folder; raises InputError if its component does not match its records."""
    decision = current(release)
    candidate = current(release, CANDIDATE)
    placed = read((release / KUSTOMIZATION).read_text(), decision, candidate) if decision else None
    if placed is None:
        raise InputError(f"{release / KUSTOMIZATION} does not match the record beside it; restore both from git.")
    return placed


def _places(candidate: record.Decision | None) -> Iterator[Placed]:
    for commands in range(len(COMMANDS)):
        if candidate is None:
            yield Placed(commands)
        else:
            yield from (Placed(commands, own, share) for own in range(len(COMMANDS)) for share in range(1, 100))


def _meaning(document: Document, parse: Callable[[str], Any]) -> Document:
    """A component with its patches parsed from text."""
    patches = [{**patch, "patch": parse(patch["patch"])} for patch in document.get("patches", [])]
    return {**document, "patches": patches}


def _document(decision: record.Decision, candidate: record.Decision | None, placed: Placed) -> Document:
    if decision.images is None or (candidate and candidate.images is None):
        return {}
    named = {"serve": decision.images.serve, "monitor": decision.images.monitor}
    called = {"smoke": COMMANDS[placed.commands]}
    if candidate and candidate.images:
        named["canary"] = candidate.images.serve
        called["canary"] = COMMANDS[placed.candidate]
    document: Document = {
        "apiVersion": "kustomize.config.k8s.io/v1alpha1",
        "kind": "Component",
        "labels": [{"pairs": {"app.kubernetes.io/version": decision.version}, "includeTemplates": True}],
        "resources": ["../../../base"],
        "images": [
            {"name": name, "newName": image.split("@")[0], "digest": image.split("@")[1]}
            for name, image in named.items()
        ],
    }
    patches = list(_commands(called))
    if candidate:
        document["components"] = ["../../../components/canary"]
        patches.append(_weights("SeldonDeployment", "/spec/predictors/{}/traffic", placed.share))
        patches.append(_weights("HTTPRoute", "/spec/rules/0/backendRefs/{}/weight", placed.share))
    return document | ({"patches": patches} if patches else {})


def _commands(called: dict[str, Commands]) -> Iterator[Document]:
    """The patches of commands that differ from manifests/base."""
    smoke = [{"name": name, "command": list(own.smoke)} for name, own in called.items() if own != COMMANDS[0]]
    if smoke:
        yield _patch("Job", "smoke", {"spec": {"template": {"spec": {"containers": smoke}}}})
    if called["smoke"] != COMMANDS[0]:
        annotations = {"metadata": {"annotations": {"degraded": called["smoke"].degraded}}}
        yield _patch("CronJob", "monitor", {"spec": {"jobTemplate": {"spec": {"template": annotations}}}})


def _patch(kind: str, name: str, change: Document) -> Document:
    whole = {"apiVersion": "batch/v1", "kind": kind, "metadata": {"name": name}, **change}
    return {"target": {"kind": kind, "name": name}, "patch": json.dumps(whole)}


def _weights(kind: str, path: str, share: int) -> Document:
    """The patch that splits the requests between a release and its candidate."""
    weights = [{"op": "add", "path": path.format(index), "value": w} for index, w in enumerate((100 - share, share))]
    return {"target": {"kind": kind}, "patch": json.dumps(weights)}
