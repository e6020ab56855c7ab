"""The folders of manifests/, rendered."""

import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from conftest import ROOT, run
from schemas import Object

MANIFESTS = ROOT / "manifests"
FETCHES = "argocd"  # takes Argo CD's own manifests from its repository
INSTALL = "https://raw.githubusercontent.com/argoproj/argo-cd/v3.5.1/manifests/install.yaml"
UPSTREAM = "\n---\n".join(
    f"apiVersion: v1\nkind: {kind}\nmetadata:\n  name: argocd-{name}"
    for kind, name in (
        ("ConfigMap", "cm"),
        ("ConfigMap", "cmd-params-cm"),
        ("ConfigMap", "notifications-cm"),
        ("Secret", "notifications-secret"),
    )
)
NAMESPACE = {"app.kubernetes.io/part-of": "models"}


def objects(folder: Path) -> list[Object]:
    return list(yaml.safe_load_all(run(["kubectl", "kustomize", str(folder)], ROOT)))


@cache
def built(folder: str) -> list[Object]:
    return objects(MANIFESTS / folder)


@cache
def argocd() -> list[Object]:
    """Argo CD's folder, with what it changes in place of all that it fetches."""
    return changed(FETCHES, INSTALL, "install.yaml", {"install.yaml": UPSTREAM})


@cache
def clusters() -> list[Object]:
    """The models' folder with the component that asks for a cluster for each environment."""
    return changed("models", "resources:\n", "components:\n  - clusters\nresources:\n", {})


def changed(folder: str, old: str, new: str, files: dict[str, str]) -> list[Object]:
    """A folder with a change to its kustomization and files beside it."""
    with tempfile.TemporaryDirectory() as name:
        copy = shutil.copytree(MANIFESTS / folder, Path(name) / folder)
        for file, content in files.items():
            (copy / file).write_text(content)
        path = copy / "kustomization.yaml"
        assert path.read_text().count(old) == 1
        path.write_text(path.read_text().replace(old, new))
        return objects(copy)


def only(found: list[Object], kind: str, name: str = "") -> Any:
    """The object of a kind, and of a name; of one that is generated, its beginning up to the hash."""
    (one,) = (each for each in found if each["kind"] == kind and _named(each, name))
    return one


def _named(one: Object, name: str) -> bool:
    own: str = one["metadata"]["name"]
    return name in (own, "") or (name.endswith("-") and own.startswith(name))


def read(name: str) -> list[Object]:
    return list(yaml.safe_load_all((MANIFESTS / name).read_text()))


def applications() -> list[Object]:
    """The Applications that a cluster of one's own gets, but for the first."""
    return [one for one in built("applications") if one["kind"] == "Application"]
