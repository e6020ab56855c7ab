"""Adds a run with files to a model's experiment in MLflow, by its REST API: the monitor's image has no MLflow."""

import base64
import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

PATIENCE = 20  # seconds for an answer
PROXIED = "mlflow-artifacts:"  # the scheme of artefacts that the server itself keeps


def public(server: str) -> str:
    """A server's address without the name and password that it may hold."""
    parts = urlsplit(server.rstrip("/"))
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _credentials(server: str) -> dict[str, str]:
    """The header that MLflow's own client would send."""
    if token := os.environ.get("MLFLOW_TRACKING_TOKEN", "").strip():
        return {"Authorization": f"Bearer {token}"}
    parts = urlsplit(server)
    user = os.environ.get("MLFLOW_TRACKING_USERNAME", "").strip() or unquote(parts.username or "")
    password = os.environ.get("MLFLOW_TRACKING_PASSWORD", "").strip() or unquote(parts.password or "")
    text = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {text}"} if user else {}


def _ask(server: str, path: str, content: bytes | None = None, method: str = "GET") -> dict[str, Any]:
    head = {"Content-Type": "application/json" if method == "POST" else "application/octet-stream"}
    address = f"{public(server)}/api/2.0/{path}"
    request = urllib.request.Request(address, content, head | _credentials(server), method=method)  # noqa: S310
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310 - the address is configured
        found: dict[str, Any] = json.loads(answer.read() or "{}")
    return found


def _post(server: str, path: str, **fields: Any) -> dict[str, Any]:
    return _ask(server, f"mlflow/{path}", json.dumps(fields).encode(), "POST")


def _experiment(server: str, name: str) -> str:
    """The id of an experiment, which is made if it is not there."""
    try:
        found = _ask(server, f"mlflow/experiments/get-by-name?experiment_name={quote(name, safe='')}")
        return str(found["experiment"]["experiment_id"])
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
    return str(_post(server, "experiments/create", name=name)["experiment_id"])


def add(server: str, experiment: str, name: str, tags: Mapping[str, str], paths: Sequence[Path], now: datetime) -> str:
    """Add a run with files, and return the address of its page.

    Raises OSError when the server does not answer, or lets no one send files through it.
    """
    own, moment = _experiment(server, experiment), int(now.timestamp() * 1000)
    given = [{"key": key, "value": value} for key, value in tags.items()]
    made = _post(server, "runs/create", experiment_id=own, run_name=name, start_time=moment, tags=given)
    run, place = made["run"]["info"]["run_id"], urlsplit(made["run"]["info"]["artifact_uri"])
    state = "FAILED"
    try:
        if f"{place.scheme}:" != PROXIED:
            raise OSError(f"its files lie in {place.scheme or 'a folder'}; start it with --serve-artifacts")
        for path in paths:
            where = f"mlflow-artifacts/artifacts{quote(place.path)}/{path.name}"
            _ask(server, where, path.read_bytes(), "PUT")
        state = "FINISHED"
    finally:
        _post(server, "runs/update", run_id=run, status=state, end_time=moment)
    return f"{public(server)}/#/experiments/{own}/runs/{run}"
