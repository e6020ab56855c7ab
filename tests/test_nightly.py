"""The nightly run: which versions it takes, and the one issue that it keeps."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/nightly.yaml").read_text())
MATRIX = WORKFLOW["jobs"]["faults"]["strategy"]["matrix"]["include"]
TAGS = "0 refs/tags/v3.5.1\\n0 refs/tags/v3.6.0\\n0 refs/tags/v3.7.0-rc1\\n"


def there(folder: Path, name: str, script: str) -> dict[str, str]:
    """An environment in which a program is another."""
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "ASKED": str(folder / "asked")}


@pytest.mark.parametrize(
    ("open_", "outcome", "wanted"),
    [
        ("", "failure", "issue create --title The nightly run on a cluster fails --body"),
        ("7", "failure", "issue edit 7 --body"),
        ("7", "success", "issue close 7 --comment"),
        ("", "success", ""),
        ("7", "cancelled", ""),
        ("", "cancelled", ""),
    ],
)
def test_one_issue_says_how_the_night_went(open_: str, outcome: str, wanted: str, tmp_path: Path) -> None:
    given = there(tmp_path, "gh", f'[ "$2" = list ] && echo "{open_}" || echo "$*" >>"$ASKED"')
    subprocess.run([str(ROOT / "scripts/nightly"), outcome, "http://run/1"], env=given, check=True)
    asked = (tmp_path / "asked").read_text() if (tmp_path / "asked").exists() else ""
    assert asked.startswith(wanted)
    assert asked.count("issue ") == bool(wanted)
    assert not wanted or "http://run/1" in asked


def versions(folder: Path, git: str, **wanted: str) -> subprocess.CompletedProcess[str]:
    """Put other versions into a copy of manifests/ as scripts/cluster does."""
    shutil.copytree(ROOT / "manifests", folder / "manifests")
    functions = r"/^(say|version|other_versions)\(\)/,/^}/p"
    script = (
        f". scripts/environment; eval \"$(sed -nE '{functions}' scripts/cluster)\"; other_versions '{folder}/manifests'"
    )
    given = there(folder, "git", git) | wanted
    return subprocess.run(["bash", "-euc", script], cwd=ROOT, env=given, capture_output=True, text=True, check=False)


def test_the_newest_release_is_tried_and_no_candidate_for_one(tmp_path: Path) -> None:
    done = versions(tmp_path, f"printf '{TAGS}'", ARGOCD="newest", SELDON="1.18.2")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "manifests/argocd/kustomization.yaml").read_text()
    assert "/argo-cd/v3.6.0/manifests/install.yaml" in text
    kustomization = yaml.safe_load(text)
    assert "images" not in kustomization  # upstream's own, by its tags
    original = yaml.safe_load((ROOT / "manifests/argocd/kustomization.yaml").read_text())
    assert {**original, "images": 0, "resources": 0} == {**kustomization, "images": 0, "resources": 0}
    assert "targetRevision: 1.18.2" in (tmp_path / "manifests/applications/operators/seldon.yaml").read_text()
    assert "seldon-core-executor:1.18.2'" in (tmp_path / "manifests/policy/images.yaml").read_text()


def test_without_a_wish_the_pinned_versions_stay(tmp_path: Path) -> None:
    assert versions(tmp_path, "exit 1").returncode == 0
    for path in (ROOT / "manifests").rglob("*.yaml"):
        assert (tmp_path / "manifests" / path.relative_to(ROOT / "manifests")).read_text() == path.read_text()


def test_a_version_that_nobody_released_is_said(tmp_path: Path) -> None:
    done = versions(tmp_path, "true", ARGOCD="newest")
    assert done.returncode == 1
    assert "There is no release 3 of argoproj/argo-cd." in done.stderr


def test_the_matrix_has_the_ends_of_argo_cds_table_and_each_part_at_its_newest() -> None:
    (default,) = re.findall(r"NODE:-(.*)}", (ROOT / "scripts/cluster").read_text())
    images = {one.get("node", default) for one in MATRIX}
    nodes = {re.findall(r"v(1\.\d+)", one)[0] for one in images}
    notes = (ROOT / "manifests/applications/operators/seldon.yaml").read_text()
    assert [nodes] == [set(found) for found in re.findall(r"Argo CD 3\.5 is tested on (1\.\d+) to (1\.\d+)", notes)]
    tried = {(one.get("argocd", "pinned"), one.get("seldon", "pinned")) for one in MATRIX}
    assert tried == {("pinned", "pinned"), ("newest", "pinned"), ("pinned", "newest")}
    assert all(re.search(r"@sha256:[0-9a-f]{64}$", one) for one in images)


def test_the_readme_shows_the_nights_badge() -> None:
    assert "/actions/workflows/nightly.yaml/badge.svg" in (ROOT / "README.md").read_text()
