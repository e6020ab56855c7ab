"""What a cluster would get of a baked repository, before and after a release."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import PROJECT, ROOT, digests, render, run

ENVIRONMENTS = ("dev", "staging", "production")
IMAGES = {"serve": f"r.io/acme/serve@sha256:{'a' * 64}", "monitor": f"r.io/acme/monitor@sha256:{'b' * 64}"}
WRITE = """
import sys
from model import record, release
images = record.Images(serve=sys.argv[1], monitor=sys.argv[2])
sys.stdout.write(release.component("2020.01.01-aaaaaaa", images))
"""


@pytest.fixture
def repository(baked: Callable[[str], Path], tmp_path: Path) -> Path:
    shutil.copytree(baked("binary_classification"), tmp_path / "repository")
    return tmp_path / "repository"


@pytest.fixture
def released(repository: Path) -> Path:
    """Production runs a release, written by the repository's own code."""
    run(["make", ".venv/train"], ROOT / PROJECT)
    python = str(ROOT / PROJECT / ".venv/train/bin/python")
    text = run([python, "-c", WRITE, *IMAGES.values()], repository)
    (repository / "manifests/overlays/production/release/kustomization.yaml").write_text(text)
    return repository


def documents(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {document["kind"]: document for document in yaml.safe_load_all(text)}
    return found


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_before_its_first_release_an_overlay_holds_no_workload(environment: str, repository: Path) -> None:
    found = documents(render(repository, environment))
    assert set(found) == {"NetworkPolicy"}
    assert found["NetworkPolicy"]["metadata"]["namespace"] == f"late-flights-{environment}"


def test_a_release_runs_both_images_by_digest(released: Path) -> None:
    text = render(released, "production")
    assert sorted(digests(text)) == sorted(IMAGES.values())
    found = documents(text)
    assert set(found) == {"NetworkPolicy", "SeldonDeployment", "CronJob", "PersistentVolumeClaim"}
    predictor = found["SeldonDeployment"]["spec"]["predictors"][0]
    assert predictor["replicas"] == 2
    assert predictor["graph"]["name"] == predictor["componentSpecs"][0]["spec"]["containers"][0]["name"]
    assert predictor["labels"] == {
        "app.kubernetes.io/component": "serve",
        "app.kubernetes.io/version": "2020.01.01-aaaaaaa",
    }
    assert found["SeldonDeployment"]["metadata"]["name"] == "late-flights"


def test_a_release_reaches_one_environment_only(released: Path) -> None:
    assert digests(render(released, "staging")) == []


def test_a_promotion_is_a_copy_that_renders_alike(released: Path) -> None:
    overlays = released / "manifests/overlays"
    shutil.rmtree(overlays / "staging/release")
    shutil.copytree(overlays / "production/release", overlays / "staging/release")
    assert digests(render(released, "staging")) == digests(render(released, "production"))


def test_overlays_are_short() -> None:
    for environment in ENVIRONMENTS:
        path = ROOT / PROJECT / "manifests/overlays" / environment / "kustomization.yaml"
        assert len(path.read_text().splitlines()) <= 20


def test_the_platform_lets_models_come_from_one_organisation_only() -> None:
    text = run(["kubectl", "kustomize", "manifests/models"], ROOT)
    found = documents(text)
    template = found["ApplicationSet"]["spec"]["template"]["spec"]
    assert template["project"] == found["AppProject"]["metadata"]["name"] == "models"
    assert found["AppProject"]["spec"]["sourceRepos"] == ["https://github.com/acme/*"]
    assert found["ApplicationSet"]["spec"]["goTemplateOptions"] == ["missingkey=error"]
