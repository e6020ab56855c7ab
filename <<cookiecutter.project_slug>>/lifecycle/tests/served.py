"""The service in this process, without a server, and as a process of its own."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from starlette.testclient import TestClient
from tiny import ROOT, Trained

from lifecycle.serving import application, service


class Client(TestClient):
    """A caller of a service without a server."""

    def __init__(self, own: service.Service, environment: dict[str, str]) -> None:
        super().__init__(application.application(own, environment))
        self.service = own


def client(trained: Trained, folder: Path, environment: dict[str, str] | None = None, **changes: Any) -> Client:
    """Calls a trained model that logs to the folder; `changes` are other values of `config.yaml: serve`."""
    serve = trained.settings.serve.model_copy(update=changes)
    settings = trained.settings.model_copy(update={"serve": serve})
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
