"""Answers HTTP requests with Seldon's Python wrapper, for `serve.server: seldon-core`.

seldon-core 1.18 and later is under the Business Source License: production use needs a licence from Seldon.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from lifecycle import InputError, config
from lifecycle.artifact import description, directory
from lifecycle.artifact.requests import RequestError
from lifecycle.serving.service import UNROUTED, Answer, Service

if TYPE_CHECKING:
    from flask import Blueprint

# Found by trial: gRPC keeps a stopped container alive; passing bodies through is twice as fast; a second thread lets
# requests in flight finish.
TUNED = {
    "FILTER_METRICS_ACCESS_LOGS": "true",
    "GRPC_WORKERS": "0",
    "GUNICORN_THREADS": "2",
    "PAYLOAD_PASSTHROUGH": "true",
    "SELDON_LOG_LEVEL": "WARNING",
}
# The wrapper's paths for graph units that are not models.
OTHERS = ("/transform-input", "/transform-output", "/route", "/aggregate")
TYPES = ("", "application/json", "application/x-www-form-urlencoded")
FEEDBACK = ("/send-feedback", "/api/v1.0/feedback", "/api/v0.1/feedback")


class Refusal(Exception):  # noqa: N818 - it carries an answer
    """An answer with a status other than 200; the wrapper accepts it only as an exception."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.content)
        self.answer = answer


class Seldon:
    """The wrapper's user object; each worker creates its Service from `arguments`."""

    arguments: tuple[Path, Path, config.Config, Mapping[str, str]]
    service: Service

    def __init__(self) -> None:
        self.model_error_handler = _blueprint(self)

    def load(self) -> None:
        """Called in each worker, because onnxruntime imported before the fork hangs at the worker's exit."""
        try:
            self.service = Service(*self.arguments)
        except InputError as error:
            print(f"serve: {error}", file=sys.stderr, flush=True)
            raise SystemExit(3) from error  # gunicorn's code for a worker that cannot start; it stops the server
        if self.service.retention:
            self.service.retention.start()

    def predict_raw(self, content: bytes | str) -> bytes:
        from flask import request

        sent = content.encode() if isinstance(content, str) else content
        return _content(self.service, self.service.predict(sent, request.headers.get("Seldon-Puid")))

    def health_status_raw(self) -> dict[str, str]:
        self.service.ready()
        return {"jsonData": "healthy"}


def _content(service: Service, answer: Answer) -> bytes:
    if answer.kept:
        answer = service.settled(answer, answer.kept.result())
    if answer.status != 200:
        raise Refusal(answer)
    return answer.content


def _blueprint(user: Seldon) -> "Blueprint":
    """Routes and errors that the wrapper lacks: metrics, feedback, descriptions, limits and HTTP statuses."""
    from flask import Blueprint, Response, abort, current_app, request
    from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

    blueprint = Blueprint("model", __name__)

    def answered(content: bytes, status: int = 200) -> Response:
        return Response(content, status, mimetype="application/json")

    @blueprint.before_app_request
    def _check() -> Response | None:
        service = user.service
        if request.path in OTHERS:
            abort(404)
        limit = service.limits.bytes
        request.max_content_length = limit + 1  # a chunked body is cut here; the extra byte gets it refused
        types = TYPES[1:2] if request.path in FEEDBACK else TYPES  # see post.STRICT
        plain = request.headers.get("Content-Encoding", "identity") == "identity" and request.mimetype in types
        if request.method == "POST" and not plain:
            raise RequestError("content_type", "The body is compressed or not JSON; send plain application/json.")
        if len(request.get_data()) > limit:
            raise service.too_large()
        if request.path in FEEDBACK:
            return answered(_content(service, service.feedback(request.get_data())))
        if request.path in ("/metadata", "/api/v1.0/metadata"):
            return answered(orjson.dumps(description.seldon(service.predictor)))
        if request.path in ("/openapi.json", "/seldon.json"):
            return answered(orjson.dumps(description.openapi(service.predictor, service.limits, v2=False)))
        return None

    @blueprint.get("/ready")
    def _ready() -> Response:
        user.service.ready()
        return answered(b'{"jsonData":"healthy"}')

    @blueprint.get("/live")
    def _live() -> Response:
        return answered(b'{"live":true}')

    @blueprint.get("/metrics")
    @blueprint.get("/prometheus")
    def _metrics() -> Response:
        return Response(user.service.telemetry.text(), mimetype="text/plain")

    @blueprint.app_errorhandler(Refusal)
    def _refused(error: Refusal) -> Response:
        return answered(error.answer.content, error.answer.status)

    @blueprint.app_errorhandler(RequestError)
    def _refuse(error: RequestError) -> Response:
        answer = user.service.refuse(error, "seldon")
        return answered(answer.content, answer.status)

    @blueprint.app_errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        if isinstance(error, MethodNotAllowed):  # the wrapper's static route matches any path, but has no files
            routes = current_app.url_map.bind("")
            known = [one for one in error.valid_methods or () if routes.match(request.path, one)[0] != "static"]
            error = MethodNotAllowed(sorted(known)) if known else NotFound()
        if error.code == 413:
            return _refuse(user.service.too_large())
        refusal = UNROUTED.get(error.code or 400) or RequestError("body", f"{error.name}: correct the request.")
        answer = _refuse(refusal)
        if allowed := getattr(error, "valid_methods", None):
            answer.headers["Allow"] = ", ".join(allowed)
        return answer

    return blueprint


def run(settings: config.Config, model: Path, folder: Path) -> str:
    """Serve until SIGTERM; raises InputError when the wrapper is not installed or stops by itself."""
    for name, value in TUNED.items():
        os.environ.setdefault(name, value)
    try:
        from seldon_core import metrics, microservice
    except ImportError as error:
        raise InputError("serve.server is seldon-core, but it is not installed; install locks/seldon.txt.") from error
    version = directory.load(model).version
    update = metrics.SeldonMetrics.update

    def only_some(self: Any, custom: list[Any], method: str) -> None:
        """Skip six messages to another process when there is no metric to record."""
        if custom:
            update(self, custom, method)

    metrics.SeldonMetrics.update = only_some
    Seldon.arguments = (model, folder, settings, dict(os.environ))
    port = os.environ.get("PREDICTIVE_UNIT_HTTP_SERVICE_PORT", str(settings.serve.port))
    sys.argv = [
        "seldon-core-microservice",
        "lifecycle.serving.seldon.Seldon",
        "--service-type",
        "MODEL",
        "--http-port",
        port,
    ]
    process = os.getpid()
    try:
        microservice.main()
    except SystemExit as stop:
        if os.getpid() != process:  # a forked worker
            raise
        if stop.code:
            raise InputError(f"Seldon's wrapper stopped with code {stop.code}; the lines above say why.") from stop
    return f"stopped {version}"
