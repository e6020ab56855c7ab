import shutil
from pathlib import Path

import pytest
from conftest import Git
from test_release import IMAGES, OVERLAYS, SETTINGS, TODAY, promoted
from tiny import Trained

from lifecycle import InputError, files, git
from lifecycle.documents import record
from lifecycle.releasing import audit, promote, release
from lifecycle.training import champion

DOCKER = """#!/bin/sh
# Stands in for Docker: its one image holds the folder "$MODEL".
echo "$@" >> "$SAID"
case $1 in
  login) cat >> "$SAID"; exit 1 ;;
  create) [ -d "$MODEL" ] || { echo "pull access denied" >&2; exit 1; }; echo 0123 ;;
  cp) cp -r "$MODEL/." "$3" ;;
esac
"""


@pytest.fixture
def docker(binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that production's image holds; what Docker was asked is in `said` beside it."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/docker").write_text(DOCKER)
    (tmp_path / "bin/docker").chmod(0o755)
    shutil.copytree(binary.build / "model", tmp_path / "image")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("MODEL", str(tmp_path / "image"))
    monkeypatch.setenv("SAID", str(tmp_path / "said"))
    monkeypatch.delenv("REGISTRY_PASSWORD", raising=False)
    return tmp_path / "image"


def test_it_comes_out_of_productions_image(
    docker: Path, decision: record.Decision, repository: Git, tmp_path: Path
) -> None:
    promoted(decision, repository)
    said = champion.run(SETTINGS, tmp_path / "build")
    assert said == f"2020.02.01-aaaaaaa from {IMAGES['serve']}"
    assert files.unseal(tmp_path / "build/champion") == files.unseal(docker)
    assert (tmp_path / "said").read_text().splitlines()[0] == f"create {IMAGES['serve']}"
    assert (tmp_path / "said").read_text().splitlines()[-1] == "rm 0123"


def test_before_the_first_release_there_is_none_and_no_earlier_one_stays(
    docker: Path, repository: Git, tmp_path: Path
) -> None:
    (tmp_path / "build/champion").mkdir(parents=True)
    assert "there is no champion" in champion.run(SETTINGS, tmp_path / "build")
    assert not (tmp_path / "build/champion").exists()


def test_an_image_that_cannot_be_had_is_an_error_and_no_skipped_comparison(
    docker: Path, decision: record.Decision, repository: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    promoted(decision, repository)
    shutil.rmtree(docker)
    with pytest.raises(InputError, match="docker create failed: pull access denied; sign in to the registry"):
        champion.run(SETTINGS, tmp_path / "build")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="docker is not installed"):
        champion.run(SETTINGS, tmp_path / "build")


def test_an_image_with_another_model_is_refused(
    docker: Path, decision: record.Decision, repository: Git, tmp_path: Path
) -> None:
    promoted(decision, repository)
    path = OVERLAYS / "production/release/decision.json"
    path.write_text(path.read_text().replace(decision.evaluation.origin.model, "0" * 64))
    with pytest.raises(InputError, match=f"but the record of production says {'0' * 64}"):
        champion.run(SETTINGS, tmp_path / "build")
    assert not (tmp_path / "build/champion").exists()


def test_a_password_is_given_to_docker_and_one_that_is_refused_does_not_stop_a_public_image(
    docker: Path, decision: record.Decision, repository: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    promoted(decision, repository)
    monkeypatch.setenv("REGISTRY_PASSWORD", "secret")
    monkeypatch.setenv("REGISTRY_USER", "ann")
    assert champion.run(SETTINGS, tmp_path / "build")
    said = (tmp_path / "said").read_text()
    assert "login --username ann --password-stdin ghcr.io\nsecret" in said


def test_the_newest_release_is_built_anew_around_its_model(
    docker: Path, decision: record.Decision, repository: Git, tmp_path: Path
) -> None:
    """Its record then goes to dev once more, with other images and the version of the present commit."""
    (tmp_path / "build/model").mkdir(parents=True)
    with pytest.raises(InputError, match="dev has no release"):
        champion.rebuild(SETTINGS, tmp_path / "build")
    assert (tmp_path / "build/model").is_dir()
    promoted(decision, repository)
    Path("Dockerfile").write_text("# patched\n")
    repository.commit("Patch")
    version = git.head().version
    assert version in champion.rebuild(SETTINGS, tmp_path / "build")
    assert files.unseal(tmp_path / "build/model") == files.unseal(docker)
    rebuilt = record.decision(tmp_path / "build/decision.json")
    assert (rebuilt.evaluation, rebuilt.images, rebuilt.built) == (decision.evaluation, None, version)
    patched = {name: f"{image[:-64]}{'d' * 64}" for name, image in IMAGES.items()}
    change = release.run(rebuilt, patched, "dev", SETTINGS)
    assert change.title == f"Release {version} to dev"
    assert f"Its images were rebuilt around the model `{decision.evaluation.origin.version}`" in change.body
    repository.commit("Release")
    assert audit.run(SETTINGS, "", TODAY) == "3 environments, none changed"
    assert promote.run("staging", SETTINGS, TODAY).title == f"Promote {version} to staging"
    with pytest.raises(InputError, match=f"dev already runs {version}"):
        release.run(rebuilt, patched, "dev", SETTINGS)


def test_images_are_not_built_from_what_is_in_no_commit(
    docker: Path, decision: record.Decision, repository: Git, tmp_path: Path
) -> None:
    promoted(decision, repository)
    Path("manifests/base/model.yaml").write_text("changed: true\n")
    with pytest.raises(InputError, match="built from a commit"):
        champion.rebuild(SETTINGS, tmp_path / "build")
