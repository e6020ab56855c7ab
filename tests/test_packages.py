"""A team's packages: where they are locked and installed, and on which platforms every lock can be."""

import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import PROJECT, ROOT, run, unrendered

Baked = Callable[..., Path]
# The newest releases, as it were, of two packages that NannyML limits, replaces or leaves out.
OWN = {"lightgbm": "99.0", "xgboost": "99.0"}
PLATFORMS = ("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "aarch64-apple-darwin")
# Of seldon-core: published as source alone, in Python alone.
SOURCES = ("jaeger-client", "opentracing", "threadloop")
UNREACHABLE = re.compile("error sending request|failed to fetch|dns error|network", re.IGNORECASE)


def wheel(folder: Path, name: str, version: str, requires: str = "") -> None:
    """Write a package that holds one empty module."""
    about = f"{name}-{version}.dist-info"
    required = f"Requires-Dist: {requires}\n" if requires else ""
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as file:
        file.writestr(f"{name}.py", "")
        file.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{required}")
        file.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{about}/RECORD", "")


@pytest.fixture
def team(baked: Baked, tmp_path: Path) -> Path:
    """A repository whose team can get packages from one folder only."""
    repository = shutil.copytree(baked("regression"), tmp_path / "repository")
    (tmp_path / "wheels").mkdir()
    for name, version in OWN.items():
        wheel(tmp_path / "wheels", name, version)
    return repository


def make(repository: Path, *words: str) -> str:
    places = {"UV_NO_INDEX": "1", "UV_FIND_LINKS": str(repository.parent / "wheels")}
    return run(["make", *words], repository, **places)


def added(repository: Path, *packages: str) -> None:
    """Add packages to the team's group and lock them."""
    path = repository / "model/pyproject.toml"
    assert path.read_text().count("model = []") == 1
    path.write_text(path.read_text().replace("model = []", f"model = {list(packages)}"))
    make(repository, "lock", "GROUPS=model")


def test_a_team_gets_what_it_adds_and_no_other_lock_changes(team: Path) -> None:
    added(team, *OWN)
    found = dict(re.findall(r"^([a-z]+)==(\S+)", (team / "locks/model.txt").read_text(), flags=re.M))
    assert found == OWN
    assert run(["git", "status", "--short"], team).split() == ["M", "locks/model.txt", "M", "model/pyproject.toml"]


@pytest.mark.parametrize(("lock", "shared"), [("train", "scikit-learn"), ("skops", "orjson")])
def test_a_package_that_needs_another_version_of_what_trains_or_serves_is_refused(
    lock: str, shared: str, team: Path
) -> None:
    """Both are installed in one environment."""
    assert f"\n{shared}==" in (team / f"locks/{lock}.txt").read_text()
    wheel(team.parent / "wheels", "stubborn", "1.0", f"{shared}==0.1")
    wheel(team.parent / "wheels", shared.replace("-", "_"), "0.1")
    with pytest.raises(AssertionError, match=f"stubborn.*{shared}==0.1"):
        added(team, "stubborn")


def test_the_teams_packages_are_installed_where_its_code_runs_and_nowhere_else(team: Path) -> None:
    added(team, "xgboost")
    for name in ("train", "skops", "serve", "dev"):  # what else they hold is not looked at
        (team / f"locks/{name}.txt").write_text("")
    names = [f".venv/{name}" for name in ("train", "skops", "serve", "dev")]
    make(team, *names)
    found = {name for name in names if list((team / name).glob("lib/*/site-packages/xgboost.py"))}
    assert found == {".venv/train", ".venv/skops"}
    assert "installing" not in make(team, *names)
    later = time.time() + 5  # a file written at once may be dated before the environments
    os.utime(team / "locks/model.txt", (later, later))  # as after a switch of branches
    assert "installing" not in make(team, *names)
    (team / "locks/model.txt").write_text("")
    os.utime(team / "locks/model.txt", (later, later))
    assert make(team, *names).count("installing") == 2
    assert not list((team / ".venv").glob("train/lib/*/site-packages/xgboost.py"))


def test_a_team_whose_lock_is_older_than_the_templates_is_told_to_lock_again(team: Path) -> None:
    added(team, "xgboost")
    (team / "locks/train.txt").write_text(f"xgboost==98.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(AssertionError, match="Run `make lock GROUPS=model` if two versions of a package disagree"):
        make(team, ".venv/train")
    assert not (team / ".venv/train").exists()


def test_what_was_installed_once_is_installed_again_without_a_network(tmp_path: Path) -> None:
    unrendered("github")  # so the cache has its packages
    away = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")

    def install(folder: Path, **environment: str) -> None:
        command = ["make", "--silent", f"VENV={folder}", str(folder / "github")]
        run(command, ROOT / PROJECT, **away, **environment)

    install(tmp_path)
    assert (tmp_path / "github/lock.txt").is_file()
    with pytest.raises(AssertionError, match="cannot be installed; check the network and the index of packages"):
        install(tmp_path / "other", UV_CACHE_DIR=str(tmp_path / "empty"), UV_HTTP_RETRIES="0")
    assert not (tmp_path / "other/github").exists()


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_lock_has_wheels_for_the_platform(platform: str, tmp_path: Path) -> None:
    command = ["uv", "pip", "sync", "--dry-run", "--quiet", "--require-hashes", "--python", sys.executable]
    command += ["--target", str(tmp_path), "--python-platform", platform, "--python-version", "3.12"]
    command += ["--only-binary", ":all:", *(word for name in SOURCES for word in ("--no-binary", name))]
    locks = sorted((ROOT / PROJECT / "locks").glob("*.txt"))
    assert len(locks) == 10
    for lock in locks:
        macos = {"MACOSX_DEPLOYMENT_TARGET": "14.0"}  # the oldest that onnxruntime has wheels for
        done = subprocess.run(
            [*command, str(lock)], env={**os.environ, **macos}, capture_output=True, text=True, check=False
        )
        if UNREACHABLE.search(done.stderr) and not os.environ.get("CI"):
            pytest.skip("The package index cannot be reached.")
        assert done.returncode == 0, f"{lock.name}: {done.stderr}"
