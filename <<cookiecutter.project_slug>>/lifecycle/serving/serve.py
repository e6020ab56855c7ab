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
from lifecycle.artifact import directory
from lifecycle.serving import workers
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
    environment, count = dict(os.environ), settings.serve.workers
    if listeners := workers.inherited(environment):
        return _answer(Service(model, folder, settings, environment), listeners, environment)
    ports = _ports(environment, settings.serve.port)
    where = f"predictions in {folder}" if settings.serve.log.enabled else "predictions are not logged"
    if count > 1:
        version = directory.load(model).version
        apart = workers.listeners(ports, count)
        print(f"serve: {version} on port {ports[0]} with {count} workers, {where}", flush=True)
        workers.run(apart)
        return f"stopped {version}"
    service = Service(model, folder, settings, environment)
    listeners = workers.listeners(ports)[0]
    print(f"serve: {service.predictor.model.version} on port {ports[0]}, {where}", flush=True)
    return _answer(service, listeners, environment)


def _answer(service: Service, listeners: list[socket.socket], environment: Mapping[str, str]) -> str:
    """Answer requests in this process until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn re-raises SIGTERM after shutdown
    if service.retention:
        service.retention.start()
    gc.freeze()  # exclude loaded objects from later collections
    server(service, environment).run(listeners)
    service.close()
    return f"stopped {service.predictor.model.version}"
