"""Answers HTTP requests in Seldon's protocol and in the Open Inference Protocol: Starlette on uvicorn."""

import asyncio
import gc
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from model import InputError, config, description, messages, openinference
from model.predictor import RequestError
from model.service import Answer, Service

GRACE = 20  # seconds that requests in flight have to end after SIGTERM
# In place of what Starlette says.
SENTENCES = {
    "Not Found": "There is nothing at this path; /openapi.json says what there is.",
    "Method Not Allowed": "This path takes another method; /openapi.json says which.",
}
TYPES = ("application/json", "application/octet-stream", "application/x-www-form-urlencoded")


class Corked:
    """A transport that sends what is written in one step of the loop, as head and body of an answer are, at once."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport, self._parts = transport, list[bytes]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, part: bytes) -> None:
        if not self._parts:
            asyncio.get_running_loop().call_soon(self._flush)
        self._parts.append(part)

    def _flush(self) -> None:
        if self._parts:
            self._transport.write(b"".join(self._parts))
            self._parts.clear()

    def close(self) -> None:
        self._flush()
        self._transport.close()


class Protocol(HttpToolsProtocol):
    """uvicorn's, which by itself writes head and body apart; that costs a third of all time."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(Corked(transport))  # type: ignore[arg-type]


class Post:
    """An ASGI endpoint that hands a body within the limits to `answer`; without Starlette's request it is quicker."""

    def __init__(self, service: Service, protocol: str, answer: Callable[[Scope, Headers, bytes], Answer]) -> None:
        self._service, self._protocol, self._answer = service, protocol, answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        try:
            answer = self._answer(scope, headers, await self._body(headers, receive))
        except RequestError as error:
            answer = self._service.refuse(error, self._protocol)
        kind = b"application/json" if answer.header is None else b"application/octet-stream"
        told = [(b"content-type", kind), (b"content-length", str(len(answer.content)).encode())]
        if answer.header is not None:
            told.append((b"inference-header-content-length", str(answer.header).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": told})
        await send({"type": "http.response.body", "body": answer.content})

    async def _body(self, headers: Headers, receive: Receive) -> bytes:
        limit = self._service.settings.bytes
        kind = headers.get("content-type", TYPES[0]).partition(";")[0].strip().lower()
        if kind not in TYPES or headers.get("content-encoding", "identity") != "identity":
            raise RequestError("content_type", "The body is not plain application/json; send it so, not compressed.")
        content, more = b"", True
        if int(headers.get("content-length", 0)) > limit:
            raise _too_large(limit)
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise RequestError("body", "The connection was closed before the body's end.")
            content += message.get("body", b"")
            more = message.get("more_body", False)
            if len(content) > limit:
                raise _too_large(limit)
        if kind == TYPES[2]:  # Seldon's own client sends the message as a form's field
            content = parse_qs(content.decode("latin-1")).get("json", [""])[0].encode()
        return content


def _too_large(limit: int) -> RequestError:
    return RequestError("size", f"The body is larger than {limit} bytes; send fewer rows at a time.")


def application(service: Service, environment: Mapping[str, str]) -> ASGIApp:
    """The routes of both protocols, of probes, of metrics and of the description."""
    predictor = service.predictor

    def predict(_: Scope, headers: Headers, content: bytes) -> Answer:
        return service.predict(content, headers.get("seldon-puid"))

    def infer(scope: Scope, headers: Headers, content: bytes) -> Answer:
        place = scope["path_params"]
        header = headers.get("inference-header-content-length")
        return service.infer(content, header, headers.get("seldon-puid"), place["name"], place.get("version"))

    def feedback(_: Scope, __: Headers, content: bytes) -> Answer:
        return service.feedback(content)

    def ready() -> None:
        """Ready means that the golden rows come out right."""
        try:
            predictor.check()
        except InputError as error:
            raise HTTPException(503, str(error)) from error

    async def status(_: Request) -> Response:
        ready()
        return _json({"jsonData": "healthy"})

    async def v2_ready(request: Request) -> Response:
        _known(service, request)
        ready()
        return _json({"ready": True})

    async def ping(_: Request) -> Response:
        return PlainTextResponse("pong")

    async def live(_: Request) -> Response:
        return _json({"live": True})

    async def metadata(_: Request) -> Response:
        return _json(description.seldon(predictor))

    async def server(_: Request) -> Response:
        return _json({"name": "model", "version": predictor.model.version, "extensions": ["binary_tensor_data"]})

    async def model(request: Request) -> Response:
        _known(service, request)
        return _json(openinference.metadata(predictor))

    async def metrics(_: Request) -> Response:
        return Response(service.telemetry.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def openapi(_: Request) -> Response:
        return _json(description.openapi(predictor, service.settings))

    posts = {
        "/api/v1.0/predictions": Post(service, "seldon", predict),
        "/predict": Post(service, "seldon", predict),
        "/api/v0.1/predictions": Post(service, "seldon", predict),
        "/v2/models/{name}/infer": Post(service, "v2", infer),
        "/v2/models/{name}/versions/{version}/infer": Post(service, "v2", infer),
        "/api/v1.0/feedback": Post(service, "feedback", feedback),
        "/send-feedback": Post(service, "feedback", feedback),
    }
    gets: dict[str, Callable[[Request], Awaitable[Response]]] = {
        "/health/status": status,
        "/api/v1.0/health/status": status,
        "/ready": status,
        "/health/ping": ping,
        "/live": live,
        "/metadata": metadata,
        "/api/v1.0/metadata": metadata,
        "/v2": server,
        "/v2/health/live": live,
        "/v2/health/ready": v2_ready,
        "/v2/models/{name}": model,
        "/v2/models/{name}/ready": v2_ready,
        "/v2/models/{name}/versions/{version}": model,
        "/v2/models/{name}/versions/{version}/ready": v2_ready,
        "/metrics": metrics,
        environment.get("PREDICTIVE_UNIT_METRICS_ENDPOINT", "/prometheus"): metrics,
        "/openapi.json": openapi,
        "/seldon.json": openapi,
    }
    routes = [Route(path, endpoint, methods=["POST"]) for path, endpoint in posts.items()]
    routes += [Route(path, endpoint) for path, endpoint in gets.items()]
    rest = Starlette(routes=routes, exception_handlers={HTTPException: _refusal})

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        """What is asked most skips Starlette's routing, which takes as long as the model."""
        quick = posts.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        await (quick or rest)(scope, receive, send)

    return dispatch


def _known(service: Service, request: Request) -> None:
    if "name" in request.path_params:
        try:
            service.known(request.path_params["name"], request.path_params.get("version"))
        except RequestError as error:
            raise HTTPException(404, str(error)) from error


def _json(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status, headers, "application/json")


async def _refusal(request: Request, error: Exception) -> Response:
    """A status of HTTP in the form of the protocol that was spoken."""
    if not isinstance(error, HTTPException):
        raise error
    form = openinference.refusal if request.url.path.startswith("/v2") else messages.refusal
    content = form(SENTENCES.get(error.detail, error.detail), error.status_code)
    return Response(content, error.status_code, error.headers, "application/json")


def _ports(environment: Mapping[str, str], own: int) -> list[int]:
    """Where to listen: the operator names a port for requests and another for metrics."""
    port = environment.get("PREDICTIVE_UNIT_HTTP_SERVICE_PORT", environment.get("PREDICTIVE_UNIT_SERVICE_PORT", own))
    metrics = environment.get("PREDICTIVE_UNIT_METRICS_SERVICE_PORT", port)
    return list(dict.fromkeys([int(port), int(metrics)]))


def listener(port: int) -> socket.socket:
    """A socket on the port; raises InputError when it is taken."""
    found = socket.socket(proto=socket.IPPROTO_TCP)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind(("0.0.0.0", port))  # noqa: S104 - a container is reached from outside
    except OSError as error:
        found.close()
        raise InputError(
            f"Port {port} is taken ({error.strerror}); stop what listens there, or change serve.port."
        ) from error
    return found


def run(settings: config.Config, model: Path, folder: Path) -> str:
    """Serve until SIGTERM; raises InputError when the model is missing, damaged or answers its golden rows wrongly."""
    environment = dict(os.environ)
    service = Service(model, folder, settings.serve, environment)
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
    signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn ends on it, and then raises it again
    gc.freeze()  # what has been loaded stays, and need not be looked through again and again
    server.run(listeners)
    service.close()
    return f"stopped {service.predictor.model.version}"
