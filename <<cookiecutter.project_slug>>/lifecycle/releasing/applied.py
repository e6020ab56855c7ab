"""Checks that Argo CD applies what the manifests show: environments, files of this repository, objects of their own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from lifecycle.documents.environments import OVERLAYS
from lifecycle.releasing import render
from lifecycle.strict import every, parsed

# What the platform's project lets a model have, in its namespace: manifests/models/repository of the template.
KINDS = {
    ("", "ConfigMap"),
    ("", "PersistentVolumeClaim"),
    ("", "Service"),
    ("", "ServiceAccount"),
    ("apps", "Deployment"),
    ("batch", "CronJob"),
    ("batch", "Job"),
    ("external-secrets.io", "ExternalSecret"),
    ("gateway.envoyproxy.io", "BackendTrafficPolicy"),
    ("gateway.envoyproxy.io", "HTTPRouteFilter"),
    ("gateway.envoyproxy.io", "SecurityPolicy"),
    ("gateway.networking.k8s.io", "HTTPRoute"),
    ("machinelearning.seldon.io", "SeldonDeployment"),
    ("monitoring.coreos.com", "PodMonitor"),
    ("networking.k8s.io", "NetworkPolicy"),
}
KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
# Where a kustomization names files or folders, which may also be addresses.
SOURCES = {
    *("resources", "components", "bases", "generators", "transformers", "validators"),
    *("crds", "configurations", "path", "files", "env", "envs", "patchesStrategicMerge"),
}
WITHIN = "fields"  # of a label: a `path` there is one inside an object


def overlays(root: Path = Path()) -> list[str]:
    """The folders beside those of the environments, and these: all but hidden ones."""
    found = (path.name for path in (root / OVERLAYS).iterdir() if path.is_dir())
    return sorted(name for name in found if not name.startswith("."))


def problems(order: tuple[str, ...], name: str) -> list[str]:
    """All that Argo CD would apply and that is not an environment's own, for the repository of this name."""
    found = [
        f"{OVERLAYS / other} is no environment of promote.order; delete it, or add it there"
        for other in overlays()
        if other not in order
    ]
    found += [
        f"{path} would let Argo CD apply other manifests than are shown" for path in OVERLAYS.rglob(".argocd-source*")
    ]
    found += _elsewhere()
    return found or [problem for environment in order for problem in _foreign(environment, f"{name}-{environment}")]


def _elsewhere() -> Iterator[str]:
    """The kustomizations that take something from outside manifests/, where a diff does not see it change."""
    inside = OVERLAYS.parent.resolve()
    for path in sorted(path for path in inside.rglob("*") if path.name in KUSTOMIZATIONS):
        shown = OVERLAYS.parent / path.relative_to(inside)
        try:
            sources = list(_sources(parsed(path.read_bytes())))
        except (yaml.YAMLError, ValueError, RecursionError, OSError) as error:
            yield f"{shown} is not valid YAML ({' '.join(str(error).split())})"
            continue
        for source in sources:
            target = (path.parent / source).resolve()
            if not (target.is_relative_to(inside) and target.exists()):
                yield f"{shown} takes {source!r}, which is not in {OVERLAYS.parent}"


def _sources(node: Any, key: str = "") -> Iterator[str]:
    """What a kustomization names under the keys of SOURCES, without inline documents."""
    if isinstance(node, dict):
        for name, part in node.items():
            yield from () if name == WITHIN else _sources(part, name)
    elif isinstance(node, list):
        for part in node:
            yield from _sources(part, key)
    elif isinstance(node, str) and key in SOURCES and "\n" not in node:
        yield node.partition("=")[2] if key == "files" and "=" in node else node


def _foreign(environment: str, namespace: str) -> Iterator[str]:
    """The objects of an environment that are not in its namespace, or of a kind that no model has."""
    for one in filter(None, every(render.manifests(environment))):
        about = one.get("metadata") or {}
        said = f"{OVERLAYS / environment} has {one.get('kind')} {about.get('name')}"
        if (one.get("apiVersion", "").rpartition("/")[0], one.get("kind")) not in KINDS:
            yield f"{said}, a kind that no model may have"
        elif about.get("namespace") != namespace:
            yield f"{said} in the namespace {about.get('namespace')}, not {namespace}"
