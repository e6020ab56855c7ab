"""Repositories whose environments run a release, written by their own code, and their rendered overlays."""

import re
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import yaml
from conftest import PROJECT, ROOT, render, run, unrendered
from schemas import Object

ENVIRONMENTS = ("dev", "staging", "production")
IMAGES = {
    "serve": f"ghcr.io/acme/my-model-serve@sha256:{'a' * 64}",
    "monitor": f"ghcr.io/acme/my-model-monitor@sha256:{'b' * 64}",
}
CANDIDATE = f"ghcr.io/acme/my-model-serve@sha256:{'c' * 64}"
WRITE = """
import sys
from lifecycle.documents import record
from lifecycle.releasing import component
*images, share = sys.argv[1:]
def decision(serve, version):
    return record.Decision.model_construct(built=version, images=record.Images(serve=serve, monitor=images[1]))
present, candidate = decision(images[0], "2020.01.01-aaaaaaa"), decision(images[2], "2020.01.02-bbbbbbb")
beside = (candidate, component.Placed(share=int(share))) if int(share) else ()
sys.stdout.write(component.text(present, *beside))
"""
# Written by the template's first version; its images understand the commands in manifests/base.
FIRST = """apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
labels:
- pairs:
    app.kubernetes.io/version: 2020.01.01-aaaaaaa
  includeTemplates: true
resources:
- ../../../base
images:
- name: serve
  newName: ghcr.io/acme/my-model-serve
  digest: sha256:SERVE
- name: monitor
  newName: ghcr.io/acme/my-model-monitor
  digest: sha256:MONITOR
""".replace("SERVE", "a" * 64).replace("MONITOR", "b" * 64)


@cache
def written(share: int = 0) -> str:
    """A release's component as the repository writes it, with a candidate for a share of the requests."""
    command = [".venv/github/bin/python", "-c", WRITE, *IMAGES.values(), CANDIDATE, str(share)]
    return run(command, unrendered("github"))


STORE = {
    "BUCKET": "acme-predictions",
    "PREFIX": "my-model/production",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ENDPOINT_URL_S3": "https://s3.example.org",
}
COMPONENTS = sorted(
    {path.name for path in (ROOT / PROJECT / "manifests/components").iterdir()} - {"canary", "public-images"}
)


@pytest.fixture
def released(baked: Callable[..., Path], tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A repository in which every environment runs a release."""
    task, serving = getattr(request, "param", ("binary_classification", "asgi"))
    shutil.copytree(baked(task, serving), tmp_path / "repository")
    for environment in ENVIRONMENTS:
        path = tmp_path / "repository/manifests/overlays" / environment / "release/kustomization.yaml"
        path.write_text(written())
    return tmp_path / "repository"


def shared(repository: Path, share: int = 10) -> Path:
    """Production with a candidate beside its release."""
    path = repository / "manifests/overlays/production/release/kustomization.yaml"
    path.write_text(written(share))
    return repository


def switched_on(repository: Path, *components: str) -> Path:
    """Production with components."""
    path = repository / "manifests/overlays/production/kustomization.yaml"
    text = path.read_text()
    lines = "".join(f"  - ../../components/{name}\n" for name in components if f"components/{name} " not in text)
    text = re.sub(r"(  - release .*\n)", rf"\1{lines}", text)
    literals = "".join(f"      - {name}={value}\n" for name, value in STORE.items())
    if "shipping" in components:
        text += f"configMapGenerator:\n  - name: store\n    literals:\n{literals}"
    path.write_text(text)
    return repository


def spread(repository: Path) -> Path:
    """Production with a volume that several nodes write."""
    path = repository / "manifests/overlays/production/kustomization.yaml"
    before = path.read_text()
    path.write_text(re.sub(r"  - ../../components/one-node.*\n", "", before))
    assert path.read_text() != before
    return repository


def objects(repository: Path, environment: str) -> list[Object]:
    return list(yaml.safe_load_all(render(repository, environment)))
