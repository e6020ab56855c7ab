"""Serves Seldon's protocol and the Open Inference Protocol over HTTP, with Starlette on uvicorn."""

import gc
import os
import signal
import socket
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

import uvicorn

from lifecycle import InputError, config
from lifecycle.serving.application import application
from lifecycle.serving.connections import Crowd, Protocol
from lifecycle.serving.service import Service

GRACE = 20  # seconds for requests in flight to finish after SIGTERM


def _ports(environment: Mapping[str, str], own: int) -> list[int]:
    """The ports to listen on: Seldon's operator sets one for requests and one for metrics."""
    port = environment.get("PREDICTIVE_UNIT_HTTP_SERVICE_PORT", environment.get("PREDICTIVE_UNIT_SERVICE_PORT", own))
    metrics = environment.get("PREDICTIVE_UNIT_METRICS_SERVICE_PORT", port)
    try:
        return list(dict.fromkeys([int(port), int(metrics)]))
    except ValueError as error:
        raise InputError(
            f"A PREDICTIVE_UNIT_*_PORT environment variable is not a number ({error}); correct or unset it."
        ) from error


def listener(port: int) -> socket.socket:
    """A socket on the port; raises InputError when it is taken."""
    found = socket.socket(proto=socket.IPPROTO_TCP)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind(("0.0.0.0", port))  # noqa: S104 - a container is reached from outside
    except OSError as error:
        found.close()
        raise InputError(
            f"Port {port} is taken ({error.strerror}); stop its listener, or change serve.port."
        ) from error
    return found


def server(service: Service, environment: Mapping[str, str]) -> uvicorn.Server:
    """uvicorn with our application and our bounds."""
    return uvicorn.Server(
        uvicorn.Config(
            application(service, environment),
            access_log=False,
            date_header=False,
            http=cast(Any, partial(Protocol, Crowd(service.telemetry.refused))),
            log_level="error",  # a warning for each refusal would fill the pod's log; they are counted
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE,
        )
    )


def run(settings: config.Config, model: Path, folder: Path) -> str:
    """Serve until SIGTERM; raises InputError when the model is missing, damaged or answers its golden rows wrongly."""
    environment = dict(os.environ)
    service = Service(model, folder, settings, environment)
    ports = _ports(environment, settings.serve.port)
    listeners = [listener(port) for port in ports]
    where = f"predictions in {folder}" if settings.serve.log.enabled else "predictions are not logged"
    print(f"serve: {service.predictor.model.version} on port {ports[0]}, {where}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn re-raises SIGTERM after shutdown
    if service.retention:
        service.retention.start()
    gc.freeze()  # exclude loaded objects from later collections
    server(service, environment).run(listeners)
    service.close()
    return f"stopped {service.predictor.model.version}"
