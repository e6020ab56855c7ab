"""Models trained on tiny data once for each task, and a store, a network and a repository for tests."""

import contextlib
import fcntl
import gc
import importlib
import shutil
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from tiny import LOCK, ROOT, TASKS, Trained

from lifecycle.__main__ import SELDOM
from lifecycle.documents import record
from lifecycle.releasing import applied, provenance, render
from lifecycle.tasks import Task

# `model` is the tests' own, whatever the team has; imported before pytest puts the repository's root first.
sys.path.insert(0, str(Path(__file__).parent / "example"))
importlib.import_module("model")

gc.set_threshold(*SELDOM)

# A busy machine is not a defect.
hypothesis_settings.register_profile("ours", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("ours")

# What a release's folder holds before the first release.
UNRELEASED = """apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
labels:
- pairs:
    app.kubernetes.io/version: unreleased
"""
STORE = "shared.db"  # of MLflow, with the models that all tests share


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--refresh", action="store_true", help="write the files that tests compare with")


@pytest.fixture(scope="session", autouse=True)
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One MLflow store for all tests of a process."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path}")
        yield path


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only this machine can be reached."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"A test reached for {address}.")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that all processes of this run have in common."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if hasattr(request.config, "workerinput") else own  # which only a process of xdist has


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Let one process at a time do what is inside."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def store(shared: Path, own: Path) -> None:
    """Copy the store of the shared models, once, as making an empty one takes seconds."""
    if not own.exists():
        with (
            contextlib.closing(sqlite3.connect(shared / STORE)) as theirs,
            contextlib.closing(sqlite3.connect(own)) as made,
        ):
            theirs.backup(made)


@pytest.fixture(scope="session")
def models(shared: Path, tracking: Path) -> Callable[[Task], Trained]:
    """The model of a task, trained by the first process that asks for it; no test may write to it."""
    made: dict[str, Trained] = {}

    def make(task: Task) -> Trained:
        if task in made:
            return made[task]
        from steps import pipeline  # late: the process that only hands out the tests needs none of its libraries

        with alone(shared), pytest.MonkeyPatch.context() as patch:
            (shared / task).mkdir(exist_ok=True)
            made[task] = Trained(task, shared / task)
            if not (made[task].build / "report.md").is_file():
                patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{shared / STORE}")
                pipeline(made[task].settings, made[task].build)
            store(shared, tracking)
        return made[task]

    return make


@pytest.fixture(params=TASKS)
def trained(request: pytest.FixtureRequest, models: Callable[[Task], Trained]) -> Trained:
    """The model of each task in turn."""
    return models(request.param)


@pytest.fixture
def binary(models: Callable[[Task], Trained]) -> Trained:
    return models("binary_classification")


@pytest.fixture
def decision(binary: Trained) -> record.Decision:
    """An accepted candidate with a commit of its own."""
    found = record.decision(binary.build / "decision.json")
    origin = found.evaluation.origin.model_copy(
        update={"dirty": False, "version": "2020.02.01-aaaaaaa", "commit": "a" * 40}
    )
    return found.model_copy(update={"evaluation": found.evaluation.model_copy(update={"origin": origin})})


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty bucket of an object store on loopback."""
    import fsspec
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{port}")
    system = fsspec.filesystem("s3")
    system.clear_instance_cache()
    urllib.request.urlopen(f"http://127.0.0.1:{port}/moto-api/reset", data=b"").close()
    fsspec.filesystem("s3").mkdir("bucket")
    yield "s3://bucket"
    system.clear_instance_cache()
    server.stop()


@pytest.fixture(autouse=True)
def _drawn_alike(request: pytest.FixtureRequest) -> None:
    """A module's generator RNG starts each test anew, so that no test depends on those that this process ran before."""
    if generator := getattr(request.module, "RNG", None):
        generator.bit_generator.state = type(generator.bit_generator)(7).state


def forget() -> None:
    """Let the next import of `model` read its files again."""
    importlib.invalidate_caches()
    for name in [name for name in sys.modules if name.partition(".")[0] == "model"]:
        del sys.modules[name]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty package `model` in place of the example."""
    before = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "model"}
    forget()
    folder = tmp_path / "package/model"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(folder.parent)
    yield folder
    forget()
    sys.modules.update(before)


class Git:
    """A repository in the present folder."""

    def __call__(self, *arguments: str) -> str:
        return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, message: str) -> str:
        self("add", "--all")
        self("commit", "--quiet", "--allow-empty", "--message", message)
        return self("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """A model repository's manifests under git, as the present folder.

    Its records may name invented commits, and what its overlays render to is not looked at.
    """
    monkeypatch.setattr(provenance, "findings", lambda *_: ("", ""))
    monkeypatch.setattr(applied, "problems", lambda *_: [])
    return _repository(tmp_path, monkeypatch)


@pytest.fixture
def genuine(binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """A repository with all that a record is checked against."""
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2020-02-01T12:00:00Z")
    monkeypatch.setattr(render, "manifests", lambda *_: "")  # the tests of `applied` have a renderer
    return filled(binary, tmp_path, monkeypatch)


def filled(binary: Trained, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """A repository with the configuration and the lock files of a model."""
    made = _repository(folder, monkeypatch)
    Path("config.yaml").write_text(yaml.safe_dump(binary.document))
    Path("locks").mkdir()
    Path("locks/train.txt").write_bytes(LOCK.read_bytes())
    Path("locks/model.txt").write_text("")
    made.commit("Configure")
    return made


def _repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    shutil.copytree(ROOT / "manifests", tmp_path / "repository" / "manifests")
    monkeypatch.chdir(tmp_path / "repository")
    for folder in Path("manifests/overlays").glob("*/release"):  # the team's own releases are not the tests'
        shutil.rmtree(folder)
        folder.mkdir()
        (folder / "kustomization.yaml").write_text(UNRELEASED)
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Tester")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "tester@example.org")
    made = Git()
    Path(".cookiecutter.yaml").write_text("registry: ghcr.io\nowner: Acme\nproject_slug: tiny\n")
    made("init", "--quiet")
    made.commit("Start")
    return made
