"""Serves Seldon's protocol and the Open Inference Protocol over HTTP, with Starlette on uvicorn."""

import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import uvicorn
from httptools import HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lifecycle import InputError, config
from lifecycle.serving.application import application
from lifecycle.serving.service import Service

GRACE = 20  # seconds for requests in flight to finish after SIGTERM


class Corked:
    """A transport that joins the writes of one event-loop step, such as an answer's head and body."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport, self._parts = transport, list[bytes]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, part: bytes) -> None:
        if not self._parts:
            asyncio.get_running_loop().call_soon(self._flush)
        self._parts.append(part)

    def _flush(self) -> None:
        if self._parts and not self._transport.is_closing():  # the client may be gone
            self._transport.write(b"".join(self._parts))
        self._parts.clear()

    def close(self) -> None:
        self._flush()
        self._transport.close()


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol with joined writes: writing head and body separately costs a third of the time."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(Corked(transport))  # type: ignore[arg-type]

    def data_received(self, data: bytes) -> None:
        """Ignore protocol upgrades, which Java's HTTP client offers: uvicorn would lose the body."""
        while data:
            self._received, self._again = data, b""
            super().data_received(data)
            data = self._again

    def _should_upgrade(self) -> bool:
        """Let uvicorn leave a request with an upgrade alone; CONNECT has no other meaning, and is refused."""
        return self.parser.get_method() != b"CONNECT"

    def handle_websocket_upgrade(self) -> None:
        """Read the head again without its upgrade, and then what follows it."""
        (end,) = cast(HttpParserUpgrade, sys.exception()).args
        version = self.parser.get_http_version().encode()
        kept = [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        first = b" ".join((self.parser.get_method(), self.url, b"HTTP/" + version))
        self._again = b"\r\n".join([first, *kept, b"", self._received[end:]])
        self.parser = HttpRequestParser(self)  # the former has ended if the connection is to close
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does


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


def run(settings: config.Config, model: Path, folder: Path) -> str:
    """Serve until SIGTERM; raises InputError when the model is missing, damaged or answers its golden rows wrongly."""
    environment = dict(os.environ)
    service = Service(model, folder, settings.serve, environment, settings.train.trusted)
    ports = _ports(environment, settings.serve.port)
    listeners = [listener(port) for port in ports]
    server = uvicorn.Server(
        uvicorn.Config(
            application(service, environment),
            access_log=False,
            date_header=False,
            http=Protocol,
            log_level="warning",
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE,
        )
    )
    where = f"predictions in {folder}" if settings.serve.log.enabled else "predictions are not logged"
    print(f"serve: {service.predictor.model.version} on port {ports[0]}, {where}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn re-raises SIGTERM after shutdown
    gc.freeze()  # exclude loaded objects from later collections
    server.run(listeners)
    service.close()
    return f"stopped {service.predictor.model.version}"
