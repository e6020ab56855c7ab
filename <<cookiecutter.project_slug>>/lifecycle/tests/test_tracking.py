import contextlib
import http.server
import os
import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from conftest import store
from tiny import Trained

from lifecycle import InputError
from lifecycle.training import tracking


@pytest.fixture(autouse=True)
def _back() -> Iterator[None]:
    """MLflow remembers the last address that it was given."""
    before = os.environ["MLFLOW_TRACKING_URI"]
    yield
    mlflow.set_tracking_uri(before)


def told(uri: str, trained: Trained, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a run says of an MLflow that cannot be used: one sentence."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(InputError) as caught, tracking.run(trained.settings, "version", Path("build")):
        pass
    said = str(caught.value)
    assert re.fullmatch(r"MLflow at \S+ cannot be used \([^\n]+\); [^\n]+\.", said)
    return said


@pytest.mark.parametrize("name", ["feature%2Fx", "what?=x", "a#b", "a b", "ünï"])
@pytest.mark.parametrize("absolute", [True, False])
def test_a_folder_may_have_any_name(
    name: str, absolute: bool, binary: Trained, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Jenkins names one after a branch."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    monkeypatch.chdir(tmp_path)
    build = (tmp_path if absolute else Path()) / name / "build"
    build.mkdir(parents=True)
    store(shared, build / "mlflow.db")
    settings = binary.settings.model_copy(update={"name": f"{name} {absolute}"})
    (tmp_path / "one.txt").write_text("kept")
    with tracking.run(settings, "version", build) as run:
        mlflow.log_artifact(str(tmp_path / "one.txt"))
    with tracking.server(build):
        assert Path(mlflow.artifacts.download_artifacts(run_id=run, artifact_path="one.txt")).read_text() == "kept"
    with contextlib.closing(sqlite3.connect(build / "mlflow.db")) as database:
        assert database.execute("select count(*) from runs where run_uuid = ?", [run]).fetchone() == (1,)
    assert list((build / "mlflow").rglob("one.txt"))


@pytest.fixture
def database(binary: Trained, shared: Path, tmp_path: Path) -> Path:
    """A store of one's own."""
    store(shared, tmp_path / "own.db")
    return tmp_path / "own.db"


def test_a_database_that_another_process_holds_is_named(
    database: Path, binary: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("begin exclusive")
        said = told(f"sqlite:///{database}?timeout=0.1", binary, monkeypatch)
    assert "database is locked" in said
    assert said.endswith("; end the other process that writes to it, or wait for it, and try again.")


@pytest.mark.parametrize("revision", ["451aebb31d03", "ffffffffffff"])
def test_a_database_of_an_older_or_a_newer_mlflow_is_named(
    revision: str, database: Path, binary: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    with contextlib.closing(sqlite3.connect(database)) as own:
        own.execute("update alembic_version set version_num = ?", [revision])
        own.commit()
    said = told(f"sqlite:///{database}", binary, monkeypatch)
    assert f"found version {revision}" in said
    assert f"back it up and run `.venv/train/bin/mlflow db upgrade sqlite:///{database}`; if a newer MLflow" in said


@pytest.mark.parametrize(
    ("uri", "remedy"),
    [
        ("file:mlruns", "name a server, or a database such as sqlite:///mlflow.db, in MLFLOW_TRACKING_URI."),
        ("mlruns", "name a server, or a database such as sqlite:///mlflow.db, in MLFLOW_TRACKING_URI."),
        ("databricks", "correct the credentials, such as"),
        (
            "mysql://one:secret@127.0.0.1:9/x",
            "add the package to the group train in pyproject.toml and run `make lock`",
        ),
        ("nonsense://here", "correct MLFLOW_TRACKING_URI"),
    ],
)
def test_an_address_that_cannot_be_used_is_told_with_its_remedy(
    uri: str, remedy: str, binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = told(uri, binary, monkeypatch)
    assert f"; {remedy}" in said
    assert "secret" not in said


@contextlib.contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """The address of a server that says the same to every request; the status 0 stands for no answer."""
    done = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not status:
                done.wait(30)
                return
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    yield f"http://one:secret@127.0.0.1:{server.server_port}"
    done.set()
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "remedy"),
    [
        (401, b"", "correct the credentials"),
        (403, b'{"error_code": "PERMISSION_DENIED", "message": "no"}', "correct the credentials"),
        (404, b"nothing here", "start the server, or correct MLFLOW_TRACKING_URI."),
        (500, b"oops", "start the server, or correct MLFLOW_TRACKING_URI."),
        (200, b"<html>Sign in</html>", "start the server, or correct MLFLOW_TRACKING_URI."),
        (0, b"", "start the server, or correct MLFLOW_TRACKING_URI."),
    ],
)
def test_a_server_that_refuses_or_answers_oddly_is_told_without_its_password(
    status: int, body: bytes, remedy: str, binary: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with answering(status, body) as uri:
        said = told(uri, binary, monkeypatch)
    assert f"; {remedy}" in said
    assert "secret" not in said


def test_a_server_is_waited_for_for_two_minutes_at_most(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = ("MLFLOW_HTTP_REQUEST_TIMEOUT", "MLFLOW_HTTP_REQUEST_MAX_RETRIES")
    for name in names:
        monkeypatch.setenv(name, "")  # restored after the test
        monkeypatch.delenv(name)
    with tracking.server(tmp_path):
        pass
    seconds, retries = (int(os.environ[name]) for name in names)
    assert seconds * (1 + retries) + sum(2**wait for wait in range(retries + 1)) <= 120
