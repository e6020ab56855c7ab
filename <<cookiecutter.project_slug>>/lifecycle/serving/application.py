"""The ASGI application: routes for both protocols, probes, metrics and the API description."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from lifecycle.artifact import description
from lifecycle.artifact.requests import RequestError
from lifecycle.serving import openinference
from lifecycle.serving.post import Head, Post
from lifecycle.serving.service import UNROUTED, Answer, Service


def application(service: Service, environment: Mapping[str, str]) -> ASGIApp:
    """The routes of a service; `environment` holds the variables that Seldon's operator sets."""
    predictor = service.predictor

    def predict(_: Scope, head: Head, content: bytes) -> Answer:
        return service.predict(content, identity(head))

    def infer(scope: Scope, head: Head, content: bytes) -> Answer:
        place, size = scope["path_params"], head.get(b"inference-header-content-length")
        return service.infer(content, size, identity(head), place["name"], place.get("version"))

    def identity(head: Head) -> str:
        return head.get(b"seldon-puid", b"").decode("latin-1")

    def feedback(_: Scope, __: Head, content: bytes) -> Answer:
        return service.feedback(content)

    async def status(_: Request) -> Response:
        service.ready()
        return _json({"jsonData": "healthy"})

    async def v2_ready(request: Request) -> Response:
        known(request)
        service.ready()
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
        known(request)
        return _json(openinference.metadata(predictor))

    async def metrics(_: Request) -> Response:
        return Response(service.telemetry.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def openapi(_: Request) -> Response:
        return _json(description.openapi(predictor, service.limits))

    def known(request: Request) -> None:
        if "name" in request.path_params:
            service.known(request.path_params["name"], request.path_params.get("version"))

    async def refused(request: Request, error: Any) -> Response:
        """A refusal in the request's own protocol."""
        refusal = UNROUTED[error.status_code] if isinstance(error, HTTPException) else error
        answer = service.refuse(refusal, "v2" if request.scope["path"].startswith("/v2") else "seldon")
        return Response(answer.content, answer.status, getattr(error, "headers", None), "application/json")

    seldons, feedbacks = Post(service, "seldon", predict), Post(service, "feedback", feedback)
    inference = Post(service, "v2", infer)
    posts = {
        "/api/v1.0/predictions": seldons,
        "/predict": seldons,
        "/api/v0.1/predictions": seldons,
        "/api/v1.0/feedback": feedbacks,
        "/send-feedback": feedbacks,
        "/api/v0.1/feedback": feedbacks,
    }
    inferences = {
        "/v2/models/{name}/infer": inference,
        "/v2/models/{name}/versions/{version}/infer": inference,
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
    routes = [Route(path, endpoint, methods=["POST"]) for path, endpoint in {**posts, **inferences}.items()]
    routes += [Route(path, endpoint) for path, endpoint in gets.items()]
    rest = Starlette(routes=routes, exception_handlers={HTTPException: refused, RequestError: refused})
    rest.router.redirect_slashes = False

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        """Dispatch the most frequent requests directly: Starlette's routing takes as long as the model."""
        quick = posts.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        await (quick or rest)(scope, receive, send)

    return dispatch


def _json(content: object) -> Response:
    return Response(orjson.dumps(content), media_type="application/json")
