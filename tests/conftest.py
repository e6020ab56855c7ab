"""Bakes repositories from this template, as cookiecutter would from a clone."""

import contextlib
import fcntl
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

yaml.SafeLoader = yaml.CSafeLoader  # type: ignore[assignment,misc]  # what `yaml.safe_load` takes; ten times as fast

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
import bake as bake_script  # noqa: E402
from hub import warm  # noqa: E402

HOME = ROOT / ".tools/home"
REPLAY = ROOT / ".tools/replay"  # cookiecutter's own notes of each bake
PROJECT = "<<cookiecutter.project_slug>>"
TASKS = ("binary_classification", "multiclass_classification", "regression")
IDENTITY = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "Tester",
    "GIT_AUTHOR_EMAIL": "tester@example.org",
    "GIT_COMMITTER_NAME": "Tester",
    "GIT_COMMITTER_EMAIL": "tester@example.org",
    "GIT_CONFIG_COUNT": "2",
    "GIT_CONFIG_KEY_0": "user.name",
    "GIT_CONFIG_VALUE_0": "Tester",
    "GIT_CONFIG_KEY_1": "user.email",
    "GIT_CONFIG_VALUE_1": "tester@example.org",
}

# A fifth of the flights, and the settings for fewer rows.
SMALL = """
import hashlib, pathlib, pandas
data, config = pathlib.Path("data/flights.parquet"), pathlib.Path("config.yaml")
pandas.read_parquet(data).iloc[::5].to_parquet(data, index=False)
text = config.read_text()
old = next(line for line in text.splitlines() if line.startswith("  sha256:"))
changes = {
    old: "  sha256: " + hashlib.sha256(data.read_bytes()).hexdigest(),
    "resamples: 1000": "resamples: 200",
    "rows: 2000, repeats: 5": "rows: 200, repeats: 2",
    "kind: rows, bound: 5000": "kind: rows, bound: 1000",
    "metric: roc_auc, margin: 0.01": "metric: roc_auc, margin: 0.02",
    "metric: f1, margin: 0.03": "metric: f1, margin: 0.05",
    "rows: 1000}": "rows: 300}",
}
for before, after in changes.items():
    assert before in text, before
    text = text.replace(before, after)
config.write_text(text)
"""
# A smaller example for a repository that only has to run: fewer resamples.
SMALLER = {
    "resamples: 1000": "resamples: 100",
    "{rows: 2000, repeats: 5, features: 6}": "{rows: 200, repeats: 2, features: 1}",
}
# What takes long starts first, so that no process waits for another at the end: what makes the workflows' repositories
# before all, as every other test of theirs waits for them.
SLOW = (
    *("test_workflows.py::test_the_first_release", "test_unrendered.py", "test_demo.py", "test_workflows.py"),
    *("test_teams.py", "test_upgrades.py", "test_docs.py::test_the_commands", "test_cluster.py", "test_operating.py"),
)
# The environments whose verbs are run by a process that has their libraries, and the rooms that import these.
WARM = {"train": ("evaluation", "reporting", "rows", "training"), "github": ("github", "releasing")}
pytest_plugins = ["releases"]
Bake = Callable[..., subprocess.CompletedProcess[str]]


def pytest_configure(config: pytest.Config) -> None:
    """Give all tests one empty home folder, which `pytest_sessionfinish` looks at."""
    if not hasattr(config, "workerinput"):  # which only a process of xdist has
        os.environ.setdefault("PYENV_ROOT", str(Path.home() / ".pyenv"))
        for folder in (HOME, REPLAY):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        (REPLAY / "settings.yaml").write_text(f"replay_dir: {REPLAY}\n")
        os.environ |= {"HOME": str(HOME), "COOKIECUTTER_CONFIG": str(REPLAY / "settings.yaml"), "GH_TELEMETRY": "0"}
        os.environ |= {"GOGC": "off", "GOMEMLIMIT": "500MiB"}  # kubectl ends before there is much to collect


def pytest_sessionfinish(session: pytest.Session) -> None:
    """No verb, script or test writes to the home folder."""
    if not hasattr(session.config, "workerinput"):
        left = sorted(str(path.relative_to(HOME)) for path in HOME.rglob("*") if not path.is_dir())
        shutil.rmtree(HOME)
        if left:
            pytest.exit(f"These files were written to the home folder: {', '.join(left)}.", returncode=1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: next((rank for rank, start in enumerate(SLOW) if start in item.nodeid), len(SLOW)))


def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are processors, as many a test waits for a server."""
    return (os.cpu_count() or 1) + 1


def contents(folder: Path) -> dict[str, bytes]:
    """A folder's files, without git's."""
    paths = (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def changes(folder: Path, before: dict[str, bytes]) -> list[str]:
    """Files created, changed or deleted between two states; tests must leave shared folders unchanged."""
    after = contents(folder)
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A clean copy of the template, without environments, caches or outputs; no test may write to it."""
    folder = bake_script.copied(tmp_path_factory.mktemp("template"))
    before = contents(folder)
    yield folder
    assert changes(folder, before) == []


@pytest.fixture
def checkout(template: Path, tmp_path: Path) -> Path:
    """A copy of the template in a git repository, for one test to work in."""
    folder = tmp_path / "checkout"
    shutil.copytree(template, folder)
    run(["git", "init", "--quiet"], folder)
    run(["git", "add", "--all"], folder)
    return folder


@pytest.fixture
def bake(template: Path, tmp_path: Path) -> Bake:
    """Run cookiecutter with answers; its output is in `tmp_path / "out"`."""
    (tmp_path / "out").mkdir()

    def run(environment: dict[str, str] | None = None, **answers: str) -> subprocess.CompletedProcess[str]:
        return cookiecutter(template, tmp_path / "out", tmp_path, environment or {}, answers)

    return run


def cookiecutter(
    template: Path, output: Path, home: Path, environment: dict[str, str], answers: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        bake_script.command(template, output, answers),
        env={**os.environ, **IDENTITY, "HOME": str(home), "TMPDIR": str(home), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="session")
def baked(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Path]]:
    """The repository for a task and a server, baked once; no test may write to it."""
    made: dict[tuple[str, str], Path] = {}
    before: dict[Path, dict[str, bytes]] = {}

    def make(task: str, serving: str = "asgi") -> Path:
        if (task, serving) not in made:
            folder = tmp_path_factory.mktemp(task)
            answers = {"task": task, "serving": serving, "project_slug": "my-model"}
            done = cookiecutter(template, folder, folder, {}, answers)
            assert done.returncode == 0, done.stderr
            made[task, serving] = folder / "my-model"
            before[made[task, serving]] = contents(made[task, serving])
        return made[task, serving]

    yield make
    assert [name for folder, found in before.items() for name in changes(folder, found)] == []


def run(command: list[str], folder: Path, **environment: str) -> str:
    """Run a command that must succeed; returns its output."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **IDENTITY, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout


def unrendered(*environments: str) -> Path:
    """The unrendered model repository with these environments installed; safe to call from parallel test processes."""
    (ROOT / ".tools").mkdir(exist_ok=True)
    with (ROOT / ".tools/environments.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run(["make", "--silent", *(f".venv/{name}" for name in environments)], ROOT / PROJECT)
    return ROOT / PROJECT


@pytest.fixture(scope="session")
def _warm() -> Iterator[None]:
    """The processes that run the verbs of programs made by `warmed`."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as ends:
        patch.setenv("WARM", folder)
        for name, rooms in WARM.items():
            project = unrendered(name)
            ends.enter_context(warm.started(f"{folder}/{name}", project / f".venv/{name}/bin/python", project, *rooms))
        yield


def warmed(name: str, tests: str = "") -> str:
    """A program in place of an environment's Python, and perhaps a command in place of pytest; needs `_warm`."""
    plain = "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1"  # pytest would tell of plugins that are imported already
    lines = [
        "#!/bin/sh",
        'case "$2" in',
        *([f"pytest) {tests} ;;"] if tests else []),
        f'lifecycle|pytest) {plain} exec python3 -S {shlex.quote(str(warm.ASK))} "$WARM/{name}" "$@" ;;',
        f'*) exec {shlex.quote(str(unrendered(name) / f".venv/{name}/bin/python"))} "$@" ;;',
        "esac",
    ]
    return "\n".join(lines)


@pytest.fixture(scope="session")
def environments(_warm: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unrendered repository's environments, of which these run their verbs more quickly."""
    real = unrendered("dev", "monitor", "serve", "upgrade", *WARM) / ".venv"
    folder = tmp_path_factory.mktemp("environments")
    for path in real.iterdir():
        if path.name not in WARM:
            (folder / path.name).symlink_to(path)
    for name in WARM:
        (folder / name / "bin").mkdir(parents=True)
        (folder / name / "lock.txt").symlink_to(real / name / "lock.txt")
        (folder / name / "bin/python").write_text(warmed(name))
        (folder / name / "bin/python").chmod(0o755)
    return folder


def library_types(folder: Path) -> None:
    """Copy here what `scripts/check` left of the libraries' types: mypy takes 15 s less, and writes to it."""
    kept = ROOT / PROJECT / ".mypy_cache"
    if kept.is_dir():
        shutil.copytree(kept, folder, dirs_exist_ok=True)


def made_smaller(repository: Path) -> None:
    """Let the pipeline of a fresh repository take seconds."""
    text = (repository / "config.yaml").read_text()
    for long, short in SMALLER.items():
        assert text.count(long) == 1
        text = text.replace(long, short)
    (repository / "config.yaml").write_text(text)


def render(repository: Path, environment: str) -> str:
    return run(["kubectl", "kustomize", f"manifests/overlays/{environment}"], repository)


def digests(text: str) -> Any:
    return re.findall(r"image: (\S+)", text)


def verbs() -> set[str]:
    """The targets of the model repository's Makefile."""
    rules = re.findall(r"^([a-z][a-z -]*):", (ROOT / PROJECT / "Makefile").read_text(), flags=re.M)
    return {verb for rule in rules for verb in rule.split()}
