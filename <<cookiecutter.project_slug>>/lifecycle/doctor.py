"""Lists what the machine and the repository lack, each with the command that fixes it."""

import glob
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from lifecycle import InputError, config, files, runner
from lifecycle.findings import Finding, missing, shown

TRAIN = Path(sys.prefix).with_name("train") / "bin" / "python"


def _answers(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=20).returncode == 0  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return False


def _config(path: Path) -> tuple[config.Config | None, Finding]:
    try:
        return config.load(path), Finding(f"{path} is valid", True, "")
    except InputError as error:
        return None, Finding(f"{path} is valid", False, str(error))


def _data(settings: config.Config, path: Path, python: Path) -> Finding:
    """What `make data` says, where its environment is there; else only whether the file is the pinned one."""
    location = settings.data.path
    if "://" in location:
        return Finding("the data file is remote", True, "")
    if python.is_file():
        return _read(path, python)
    file, matches = Path(location), glob.glob(location)  # noqa: PTH207 - a Path has no pattern from the root
    if file.suffix == ".dvc" or (matches and not file.is_file()):
        return Finding("the data are there; `make data` compares their hash", bool(matches), f"restore {file}")
    name = "the data file has the pinned hash"
    if not file.is_file():
        return Finding(name, False, f"{file} does not exist; put it there, or correct data.path")
    held = files.hashed(file) == settings.data.sha256
    return Finding(name, held, f"restore it with `git checkout -- {file}`, or pin its hash")


def _read(path: Path, python: Path) -> Finding:
    name, patience = "the data file fits config.yaml", 60
    with tempfile.TemporaryDirectory() as build:
        command = [str(python), "-m", "lifecycle", "--config", str(path), "--build", build, "data"]
        try:
            done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=patience)  # noqa: S603
        except subprocess.TimeoutExpired:
            return Finding(name, False, f"it takes more than {patience} seconds to read; run `make data`", False)
    said = done.stderr.strip().splitlines() or [""]
    return Finding(name, done.returncode == 0, said[-1].removeprefix("data: "))


def findings(path: Path, answers: Callable[..., bool] = _answers, python: Path = TRAIN) -> list[Finding]:
    """Every check, the machine first; `answers` runs a command and returns whether it succeeded.

    `python` is the interpreter of the environment in which `make data` runs.
    """
    settings, valid = _config(path)
    if runner.here():
        return [*(Finding(*one) for one in runner.missing(answers)), valid]
    found = [
        Finding("Python is 3.12", sys.version_info[:2] == (3, 12), "delete .venv, then run `make doctor` again"),
        Finding("git is installed", answers("git", "--version"), "install git"),
        Finding(
            "git knows your name", answers("git", "config", "user.name"), "run `git config --global user.name NAME`"
        ),
        Finding(
            "git knows your email address",
            answers("git", "config", "user.email"),
            "run `git config --global user.email ADDRESS`",
        ),
        Finding(
            "this is a git repository", answers("git", "rev-parse", "HEAD"), "run `git init && git add . && git commit`"
        ),
        valid,
    ]
    if settings is not None:
        found.append(_data(settings, path, python))
    found += [
        Finding(
            "git has a remote", answers("git", "remote", "get-url", "origin"), "run `git remote add origin URL`", False
        ),
        Finding(
            "kustomize or kubectl renders manifests",
            bool(shutil.which("kustomize") or shutil.which("kubectl")),
            "install kubectl",
            False,
        ),
        Finding(
            "docker builds images", answers("docker", "info"), "install and start Docker, or leave it to GitHub", False
        ),
        Finding(
            "gh is signed in to GitHub", answers("gh", "auth", "status"), "install gh, then run `gh auth login`", False
        ),
    ]
    return found


def run(path: Path) -> str:
    """Print each finding; raises InputError when something required is missing."""
    found = findings(path)
    print(shown(found))
    if lacks := missing(found):
        raise InputError(f"{len(lacks)} of {len(found)} checks fail ({', '.join(lacks)}); follow the fix beside each.")
    return f"{sum(finding.holds for finding in found)} of {len(found)} checks pass; nothing required is missing"
