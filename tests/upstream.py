"""The schemas of Argo CD's and Seldon's kinds: from a folder, or from their makers at the version that is pinned."""

import hashlib
import json
import os
import re
import urllib.error
import urllib.request
from functools import cache
from typing import Any

import pytest
import yaml
from conftest import ROOT

SCHEMAS = ROOT / os.environ.get("SCHEMAS", "../shared/schemas")
FETCHED = ROOT / ".tools/schemas"
SELDON = "customresourcedefinition_v1_seldondeployments.machinelearning.seldon.io.yaml"
# Of the fields without their descriptions, as a folder may have them. A newer version's fail, and say its hash.
HASHES = {
    "Application": "473fa27da6d4478779291d41e968f780096f85d411914babb642f3c88af46d45",
    "ApplicationSet": "65c1feec8d57181ddac3832cf56731653191f10d83163e0d86bf87b810b5bbab",
    "AppProject": "b5b80079308d50f5490a380fd540ab85d8c00a141be0c5e6f1d34811fecf4adf",
    "SeldonDeployment": "136e124fc1e6e0db50b580f8a1f0eba4df12a584690c2c22a5f035789fb19b14",
}
Object = dict[str, Any]


def names(kind: str) -> tuple[str, str]:
    """The file of a kind in a folder, and its address upstream, both for the version in `manifests/`."""
    if kind == "SeldonDeployment":
        version = _pinned("applications/operators/seldon.yaml", r"targetRevision: (\S+)")
        url = f"https://raw.githubusercontent.com/SeldonIO/seldon-core/v{version}"
        folder = "helm-charts/seldon-core-operator/templates"
        return f"seldondeployment-v1-openapi-{version}.json", f"{url}/{folder}/{SELDON}"
    version = _pinned("argocd/kustomization.yaml", r"install.yaml # (\S+)")
    crds = _pinned("argocd/kustomization.yaml", r"(https://\S+/manifests/)install.yaml") + "crds"
    return f"argocd-{version}-{kind.lower()}-crd.yaml", f"{crds}/{kind.lower()}-crd.yaml"


def _pinned(path: str, pattern: str) -> str:
    found = re.search(pattern, (ROOT / "manifests" / path).read_text())
    assert found, f"manifests/{path} has no {pattern}"
    return found[1]


@cache
def found(kind: str) -> Object | None:
    """The schema of a kind; none if its maker cannot be reached, which fails on GitHub."""
    name, url = names(kind)
    for folder in (SCHEMAS, FETCHED):
        if (folder / name).is_file():
            return checked(kind, (folder / name).read_text(), str(folder / name))
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:  # noqa: S310 - an address of `names`
            text = answer.read().decode()
    except (urllib.error.URLError, TimeoutError) as error:
        if os.environ.get("GITHUB_ACTIONS"):
            pytest.fail(f"{absent(kind)} {url} cannot be read ({error}).")
        return None
    schema = checked(kind, text, url)
    FETCHED.mkdir(parents=True, exist_ok=True)
    part = FETCHED / f"{name}.{os.getpid()}"
    part.write_text(text)
    part.replace(FETCHED / name)
    return schema


def schema(kind: str) -> Object:
    """The schema of a kind; skips the test if its maker cannot be reached, and fails it on GitHub."""
    return found(kind) or pytest.skip(absent(kind))


def absent(kind: str) -> str:
    return f"{names(kind)[0]} is not in {SCHEMAS}: name its folder as SCHEMAS, or come back with a network."


def checked(kind: str, text: str, source: str) -> Object:
    """The schema in a file; fails if its fields are not those of the version that is pinned."""
    template = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("{{"))  # a chart's
    document = yaml.load(template, yaml.CSafeLoader)
    if "spec" in document:
        document = next(one for one in document["spec"]["versions"] if one["storage"])["schema"]["openAPIV3Schema"]
    fields: Object = _bare(document)
    held = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
    assert held == HASHES[kind], f"{source} is not the pinned version's: its hash is {held}, not {HASHES[kind]}."
    return fields


def _bare(schema: Any) -> Any:
    """A schema without its descriptions; a field may have that name."""
    if isinstance(schema, list):
        return [_bare(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {name: _bare(one) for name, one in schema.items() if name != "description" or isinstance(one, dict)}
