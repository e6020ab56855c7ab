"""Tiny data with a known truth, and models trained on it once for each task."""

import contextlib
import copy
import fcntl
import hashlib
import http.client
import importlib
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from starlette.testclient import TestClient

from lifecycle import config
from lifecycle.documents import record
from lifecycle.evaluation import evaluate, gate
from lifecycle.reporting import report
from lifecycle.serving import application, service
from lifecycle.tasks import Task
from lifecycle.training import data, train

ROOT = Path(__file__).parents[2]
# `model` is the tests' own, whatever the team has; imported before pytest puts the repository's root first.
sys.path.insert(0, str(Path(__file__).parent / "example"))
importlib.import_module("model.estimator")

# A busy machine is not a defect.
hypothesis_settings.register_profile("ours", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("ours")

TASKS: tuple[Task, ...] = ("binary_classification", "multiclass_classification", "regression")
ROWS, TRAIN_DAYS, TEST_DAYS = 4000, 20, 10
TARGETS: dict[str, dict[str, Any]] = {
    "binary_classification": {"column": "outcome", "cuts": [0], "classes": ["no", "yes"]},
    "multiclass_classification": {"column": "outcome", "cuts": [-1, 1], "classes": ["low", "middle", "high"]},
    "regression": {"column": "outcome"},
}
METRIC = {"binary_classification": "roc_auc", "multiclass_classification": "roc_auc_ovr", "regression": "mae"}
MONITORED = {"binary_classification": "f1", "multiclass_classification": "f1", "regression": "mae"}


def rows(seed: int = 0, count: int = ROWS) -> pd.DataFrame:
    """One row each quarter of an hour from 2020-01-01 on; `outcome` depends on both inputs, with noise."""
    generator = np.random.default_rng(seed)
    number = generator.normal(size=count).astype("float32")
    number[generator.random(count) < 0.05] = np.nan
    colour = generator.choice(["blue", "green", "red"], size=count)
    outcome = np.nan_to_num(number) + (colour == "red") + generator.normal(scale=0.5, size=count)
    return pd.DataFrame(
        {
            "moment": pd.date_range("2020-01-01", periods=count, freq="15min", tz="UTC"),
            "number": number,
            "colour": colour,
            "outcome": outcome.astype("float32"),
        }
    )


def save(frame: pd.DataFrame, path: Path) -> str:
    frame.to_parquet(path, index=False)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def document(task: str, path: Path, sha256: str) -> dict[str, Any]:
    """A configuration for the tiny data, as YAML holds it."""
    days = pd.date_range("2020-01-01", periods=50).strftime("%Y-%m-%d")
    better = "ceiling" if task == "regression" else "floor"
    return {
        "name": "tiny",
        "task": task,
        "data": {
            "path": str(path),
            "sha256": sha256,
            "time": "moment",
            "target": copy.deepcopy(TARGETS[task]),
            "features": {
                "number": {"type": "number", "min": -10, "max": 10, "missing": True},
                "colour": {"type": "category"},
            },
        },
        "split": {
            "train": [days[0], days[TRAIN_DAYS]],
            "test": [days[TRAIN_DAYS], days[TRAIN_DAYS + TEST_DAYS]],
        },
        "train": {"seed": 0, "parameters": {"max_iter": 10, "max_leaf_nodes": 7}, "parity": 1e-5},
        "evaluate": {
            "seed": 0,
            "resamples": 100,
            "level": 0.95,
            "slices": [{"column": "colour", "fairness": {"rows": 50}}],
            "explain": {"rows": 200, "repeats": 2, "features": 2},
        },
        "gates": [
            {"kind": "rows", "bound": 500},
            {"kind": better, "metric": METRIC[task], "bound": 0.8},
            {"kind": "baseline", "metric": METRIC[task]},
            {"kind": "champion", "metric": METRIC[task], "margin": 0.05},
        ],
        "reproduce": {"tolerance": 0.001},
        "promote": {"order": ["dev", "staging", "production"]},
        "serve": {
            "server": "asgi",
            "port": 9000,
            "rows": 100,
            "bytes": 100_000,
            "unknown_categories": "accept",
            "log": {"bytes": 1_000_000, "failure": "refuse"},
        },
        "monitor": {
            "metrics": [MONITORED[task]],
            "window": 100,
            "sample": 1000,
            "days": 90,
            "alert": {"metrics": [MONITORED[task]], "quality": 0.05, "windows": 2, "of": 3, "cooldown": 3},
        },
    }


def settings(values: dict[str, Any]) -> config.Config:
    return config.Config.model_validate(yaml.safe_load(yaml.safe_dump(values)))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--refresh", action="store_true", help="write the files that tests compare with")


class Trained:
    """A build folder with everything from data to report, and the configuration that made it."""

    def __init__(self, task: Task, folder: Path) -> None:
        self.task = task
        self.folder = folder
        self.build = folder / "build"
        if not (folder / "tiny.parquet").is_file():
            save(rows(), folder / "tiny.parquet")
        content = (folder / "tiny.parquet").read_bytes()
        self.document = document(task, folder / "tiny.parquet", hashlib.sha256(content).hexdigest())
        self.settings = settings(self.document)

    def but(self, **changes: Any) -> "Trained":
        """The same with another build folder, document or settings."""
        own = copy.copy(self)
        own.__dict__.update(changes)
        return own

    def copy(self, folder: Path) -> Path:
        """A build folder of one's own, to change or to break."""
        shutil.copytree(self.build, folder / "build")
        return folder / "build"


class Client(TestClient):
    """A caller of a service without a server."""

    def __init__(self, own: service.Service, environment: dict[str, str]) -> None:
        super().__init__(application.application(own, environment))
        self.service = own


def client(trained: Trained, folder: Path, environment: dict[str, str] | None = None, **changes: Any) -> Client:
    """Calls a trained model that logs to the folder; `changes` are other values of `config.yaml: serve`."""
    settings = trained.settings.serve.model_copy(update=changes)
    own = service.Service(trained.build / "model", folder, settings, environment or {})
    return Client(own, environment or {})


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Process:
    """The service as a process of its own, in another environment or behind other words when those are given."""

    def __init__(
        self,
        trained: Trained,
        folder: Path,
        model: Path | None = None,
        python: str = sys.executable,
        prefix: Sequence[str] = (),
        **environment: str,
    ) -> None:
        self.port, self.predictions = free_port(), folder / "predictions"
        settings = folder / "config.yaml"
        settings.write_text(yaml.safe_dump(trained.document))
        command = [*prefix, python, "-m", "lifecycle", "--config", str(settings), "serve"]
        command += ["--model", str(model or trained.build / "model"), "--predictions", str(self.predictions)]
        self.running = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "PREDICTIVE_UNIT_HTTP_SERVICE_PORT": str(self.port), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def __enter__(self) -> "Process":
        """Wait until it is ready."""
        deadline = time.monotonic() + 30
        while self.running.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                self.get("/health/status")
                return self
            time.sleep(0.02)
        raise AssertionError(f"The service was not ready within 30 s: {self.kill()}")

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> str:
        """End it and the processes that it started, which would hold its output open; returns its errors."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.running.pid, signal.SIGKILL)
        errors: str = self.running.communicate()[1]
        return errors

    def ended(self) -> tuple[int, str]:
        """The code and the errors of a service that stops by itself, as one does that must not be served."""
        try:
            self.running.wait(timeout=30)
        finally:
            errors = self.kill()
        return self.running.returncode, errors

    def get(self, url: str, port: int | None = None) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port or self.port}{url}", timeout=5) as answer:
            text: str = answer.read().decode()
            return text

    @contextlib.contextmanager
    def connection(self) -> Iterator[http.client.HTTPConnection]:
        """A connection of a caller, closed also when a test fails: its socket would be warned of in the next one."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as made:
            yield made


LOCK = ROOT / "locks" / "train.txt"
STORE = "shared.db"  # of MLflow, with the models that all tests share


def pipeline(given: config.Config, build: Path, champion: Path | None = None) -> record.Decision:
    data.run(given, build)
    train.run(given, build, LOCK)
    evaluate.run(given, build, champion)
    gate.run(given, build)
    report.run(build)
    return record.decision(build / "decision.json")


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
    """A model repository's manifests under git, as the present folder."""
    shutil.copytree(ROOT / "manifests", tmp_path / "repository" / "manifests")
    monkeypatch.chdir(tmp_path / "repository")
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Tester")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "tester@example.org")
    made = Git()
    made("init", "--quiet")
    made.commit("Start")
    return made
