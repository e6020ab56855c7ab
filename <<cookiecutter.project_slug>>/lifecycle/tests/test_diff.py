import shutil
from pathlib import Path

import pytest
from conftest import Git
from test_release import IMAGES, OVERLAYS, SETTINGS

from lifecycle import InputError
from lifecycle.documents import record
from lifecycle.releasing import diff, release, render

FAKE = """#!/bin/sh
# Stands in for Kustomize: prints what a release pins.
[ "$1" = build ] || exit 2
cat "$2/release/kustomization.yaml"
"""


@pytest.fixture
def kustomize(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of that name, alone in the path beside git."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/kustomize"
    program.write_text(FAKE)
    program.chmod(0o755)
    git = shutil.which("git")
    assert git
    (tmp_path / "bin/git").symlink_to(git)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return program


def test_each_environment_that_differs_is_shown(
    kustomize: Path, decision: record.Decision, repository: Git, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = repository("rev-parse", "HEAD")
    assert diff.difference(base) == {}
    assert diff.markdown({}) == "The rendered manifests do not change.\n"
    release.run(decision, IMAGES, "dev", SETTINGS)
    assert diff.run(base, tmp_path) == "dev would change"
    assert f"+  digest: sha256:{'a' * 64}" in capsys.readouterr().out
    text = diff.markdown(diff.difference(base))
    assert "Rendered manifests of dev: " in text
    assert f"+  digest: sha256:{'a' * 64}" in text


def test_all_that_argo_cd_would_apply_is_shown(
    kustomize: Path, repository: Git, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Another overlay than those of promote.order, one that goes away, and one that another is made of."""
    base = repository("rev-parse", "HEAD")
    shutil.copytree(OVERLAYS / "dev", OVERLAYS / "other")
    shutil.rmtree(OVERLAYS / "staging")
    repository.commit("Another overlay")
    assert diff.run(base, tmp_path) == "other, staging would change"
    kustomize.write_text(FAKE.replace("$2", "manifests/overlays/dev"))
    base = repository("rev-parse", "HEAD")
    with (OVERLAYS / "dev/release/kustomization.yaml").open("a") as file:
        file.write("# more\n")
    assert set(diff.difference(base)) == {"dev", "other", "production"}


def test_a_commit_that_is_not_here_is_told(kustomize: Path, repository: Git) -> None:
    for name in ("origin/main", "--help"):
        with pytest.raises(InputError, match=f"git does not know the commit '{name}'"):
            diff.difference(name)


def test_a_missing_git_is_told(repository: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="git is not installed"):
        diff.difference("HEAD")


def test_a_difference_ends_neither_its_block_nor_its_fold() -> None:
    text = diff.markdown({"<b>": "--- a\n+++ b\n\n+````\n+</details>"})
    assert "`````diff" in text
    assert "<b>" not in text
    assert "too long for this page" in diff.markdown({"dev": "x" * 30_000})


def test_an_overlay_that_kustomize_refuses_is_told(kustomize: Path, repository: Git) -> None:
    kustomize.write_text("#!/bin/sh\necho 'no such file' >&2; exit 1\n")
    with pytest.raises(InputError, match="The overlay dev cannot be rendered: no such file"):
        render.manifests("dev")


@pytest.mark.parametrize("name", ["", ".", "../base", "production/release", "prod"])
def test_what_is_no_environment_is_not_rendered(name: str, kustomize: Path, repository: Git) -> None:
    with pytest.raises(InputError, match=f"no environment {name!r}; ENV is one of dev, production, staging"):
        render.manifests(name)


def test_without_kustomize_it_is_told_what_to_install(repository: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(InputError, match="Neither kustomize nor kubectl is installed"):
        render.manifests("dev")
