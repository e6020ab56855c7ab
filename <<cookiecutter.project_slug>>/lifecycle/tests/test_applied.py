"""What Argo CD would apply beside what the verbs write."""

import shutil
from datetime import date
from pathlib import Path

import pytest
from conftest import Git
from test_release import OVERLAYS, SETTINGS
from tiny import ROOT

from lifecycle import InputError
from lifecycle.releasing import applied, audit, render

OWN = """apiVersion: batch/v1
kind: Job
metadata: {name: smoke, namespace: tiny-ENVIRONMENT}
"""


@pytest.fixture
def manifests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What each environment renders to, in a copy of the manifests."""
    shutil.copytree(ROOT / "manifests", tmp_path / "manifests")
    monkeypatch.chdir(tmp_path)
    found = {environment: OWN.replace("ENVIRONMENT", environment) for environment in SETTINGS.order}
    monkeypatch.setattr(render, "manifests", lambda environment: found[environment])
    return found


def told() -> str:
    return "; ".join(applied.problems(SETTINGS.order, "tiny"))


def test_the_manifests_as_they_come_are_right(manifests: dict[str, str]) -> None:
    assert told() == ""


def test_an_overlay_that_is_no_environment_is_refused(manifests: dict[str, str]) -> None:
    shutil.copytree(OVERLAYS / "dev", OVERLAYS / "preview")
    assert told() == "manifests/overlays/preview is no environment of promote.order; delete it, or add it there"


@pytest.mark.parametrize("name", [".argocd-source.yaml", ".argocd-source-tiny-production.yaml"])
def test_a_file_that_makes_argo_cd_apply_other_images_is_refused(name: str, manifests: dict[str, str]) -> None:
    (OVERLAYS / "production" / name).write_text("kustomize: {images: [serve=evil:latest]}")
    assert f"overlays/production/{name} would let Argo CD apply other manifests than are shown" in told()


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("kind: Job\nmetadata: {name: x, namespace: other-production}", "Job x in the namespace other-production, not"),
        ("kind: Job\nmetadata: {name: x}", "Job x in the namespace None, not tiny-production"),
        ("kind: ClusterRoleBinding\nmetadata: {name: x}", "ClusterRoleBinding x, a kind that no model may have"),
        (
            "kind: Secret\nmetadata: {name: x, namespace: tiny-production}",
            "has Secret x, a kind that no model may have",
        ),
        ("apiVersion: evil.io/v1\nkind: Job\nmetadata: {name: x, namespace: tiny-production}", "Job x, a kind that no"),
    ],
)
def test_an_object_outside_its_environment_is_refused(new: str, said: str, manifests: dict[str, str]) -> None:
    group = "" if "apiVersion" in new else "apiVersion: batch/v1\n"
    manifests["production"] += f"---\n{group}{new}\n"
    assert said in told()


@pytest.mark.parametrize(
    "line",
    [
        "resources: [https://example.org/evil.yaml]",
        "resources: ['github.com/evil/manifests?ref=main']",
        "resources: [../../../elsewhere]",
        "components: [git@github.com:evil/manifests.git]",
        "patches: [{path: 'https://example.org/patch.yaml'}]",
        "configMapGenerator: [{name: x, files: ['key=https://example.org/file']}]",
    ],
)
@pytest.mark.parametrize("name", ["kustomization.yaml", "Kustomization"])
def test_what_is_taken_from_outside_is_refused(line: str, name: str, manifests: dict[str, str]) -> None:
    Path("elsewhere").mkdir()
    folder = Path("manifests/components/evil")
    folder.mkdir()
    (folder / name).write_text(line)
    assert f"manifests/components/evil/{name} takes '" in told()
    (folder / name).write_text("a: [")
    assert f"manifests/components/evil/{name} is not valid YAML" in told()


def test_inline_patches_and_literals_are_no_addresses(manifests: dict[str, str]) -> None:
    folder = Path("manifests/components/own")
    folder.mkdir()
    (folder / "kustomization.yaml").write_text(
        "labels: [{fields: [{path: metadata/labels}]}]\n"
        "configMapGenerator: [{name: x, literals: ['URL=https://example.org']}]\n"
    )
    assert told() == ""


def test_audit_refuses_what_no_verb_wrote(genuine: Git) -> None:
    base = genuine("rev-parse", "HEAD")
    shutil.copytree(OVERLAYS / "dev", OVERLAYS / "preview")
    genuine.commit("Preview")
    with pytest.raises(InputError, match="overlays/preview is no environment of promote.order"):
        audit.run(SETTINGS, base, date(2020, 3, 1))
