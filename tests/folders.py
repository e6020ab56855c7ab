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
FETCHES = "argocd"  # downloads Argo CD's manifests
COMMIT = "109ca7ca71139e514114499d294a492e7910a965"  # v3.5.1
INSTALL = f"https://raw.githubusercontent.com/argoproj/argo-cd/{COMMIT}/manifests/install.yaml"
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
    """Argo CD's folder, with the patched objects instead of the download."""
    return changed(FETCHES, INSTALL, "install.yaml", {"install.yaml": UPSTREAM})


@cache
def clusters() -> list[Object]:
    """The models' folder with the component for one cluster per environment."""
    return changed("models", "resources:\n", "components:\n  - clusters\nresources:\n", {})


def changed(folder: str, old: str, new: str, files: dict[str, str]) -> list[Object]:
    """A copy of a folder with a changed kustomization and more files."""
    with tempfile.TemporaryDirectory() as name:
        copy = shutil.copytree(MANIFESTS / folder, Path(name) / folder)
        for file, content in files.items():
            (copy / file).write_text(content)
        path = copy / "kustomization.yaml"
        assert path.read_text().count(old) == 1
        path.write_text(path.read_text().replace(old, new))
        return objects(copy)


def only(found: list[Object], kind: str, name: str = "") -> Any:
    """The object of a kind and a name; for generated names, without the hash."""
    (one,) = (each for each in found if each["kind"] == kind and _named(each, name))
    return one


def _named(one: Object, name: str) -> bool:
    own: str = one["metadata"]["name"]
    return name in (own, "") or (name.endswith("-") and own.startswith(name))


def read(name: str) -> list[Object]:
    return list(yaml.safe_load_all((MANIFESTS / name).read_text()))


def applications() -> list[Object]:
    """All Applications of the local cluster but the first."""
    return [one for one in built("applications") if one["kind"] == "Application"]
