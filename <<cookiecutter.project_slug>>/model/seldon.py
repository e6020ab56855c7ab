"""Answers HTTP requests with Seldon's Python wrapper, for `serve.server: seldon-core`.

seldon-core from 1.18 on is under the Business Source License: its use in production needs a licence from Seldon.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model import InputError, config, description, directory, messages
from model.predictor import RequestError
from model.service import Answer, Service

if TYPE_CHECKING:
    from flask import Blueprint

# Tried: gRPC keeps a stopped container from ending; passed-through bodies are twice as quick; a second thread lets
# requests in flight end.
TUNED = {
    "FILTER_METRICS_ACCESS_LOGS": "true",
    "GRPC_WORKERS": "0",
    "GUNICORN_THREADS": "2",
    "PAYLOAD_PASSTHROUGH": "true",
    "SELDON_LOG_LEVEL": "WARNING",
}


# What the wrapper has for other kinds of graph units than a model.
OTHERS = ("/transform-input", "/transform-output", "/route", "/aggregate")
FEEDBACK = ("/send-feedback", "/api/v1.0/feedback", "/api/v0.1/feedback")


class Refusal(Exception):  # noqa: N818 - it carries an answer
    """An answer with another status than 200, which the wrapper takes only as an exception."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.content)
        self.answer = answer


class Seldon:
    """The user object of the wrapper; `arguments` are those of the service, which is made in the worker."""

    arguments: tuple[Path, Path, config.Serve, Mapping[str, str]]
    service: Service

    def __init__(self) -> None:
        self.model_error_handler = _blueprint(self)

    def load(self) -> None:
        """Called in each worker: onnxruntime, when imported before the fork, hangs when the worker ends."""
        try:
            self.service = Service(*self.arguments)
        except InputError as error:
            print(f"serve: {error}", file=sys.stderr, flush=True)
            raise SystemExit(3) from error  # of a worker that cannot start, which stops the server

    def predict_raw(self, content: bytes | str) -> bytes:
        from flask import request

        sent = content.encode() if isinstance(content, str) else content
        return _told(self.service.predict(sent, request.headers.get("Seldon-Puid")))

    def health_status_raw(self) -> dict[str, str]:
        """Ready means that the golden rows come out right."""
        try:
            self.service.predictor.check()
        except InputError as error:
            raise Refusal(Answer(messages.refusal(str(error), 503), 503)) from error
        return {"jsonData": "healthy"}


def _told(answer: Answer) -> bytes:
    if answer.status != 200:
        raise Refusal(answer)
    return answer.content


def _blueprint(user: Seldon) -> "Blueprint":
    """Routes and errors that the wrapper lacks: metrics, feedback, metadata, limits, and the statuses of HTTP."""
    from flask import Blueprint, Response, abort, current_app, request
    from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

    blueprint = Blueprint("model", __name__)

    def answered(content: bytes, status: int = 200) -> Response:
        return Response(content, status, mimetype="application/json")

    @blueprint.before_app_request
    def _check() -> Response | None:
        if request.path in OTHERS:
            abort(404)
        request.max_content_length = user.service.settings.bytes
        kind = request.mimetype or "application/json"
        if request.method == "POST" and kind not in ("application/json", "application/x-www-form-urlencoded"):
            error = RequestError("content_type", "The body is not application/json; send it so.")
            raise Refusal(user.service.refuse(error, "seldon"))
        if request.path in FEEDBACK:
            content = request.form.get("json", "").encode() or request.get_data()
            return answered(_told(user.service.feedback(content)))
        if request.path in ("/metadata", "/api/v1.0/metadata"):
            return answered(json.dumps(description.seldon(user.service.predictor)).encode())
        return None

    @blueprint.get("/metrics")
    @blueprint.get("/prometheus")
    def _metrics() -> Response:
        return Response(user.service.telemetry.text(), mimetype="text/plain")

    @blueprint.app_errorhandler(Refusal)
    def _refused(error: Refusal) -> Response:
        return answered(error.answer.content, error.answer.status)

    @blueprint.app_errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        if isinstance(error, MethodNotAllowed) and error.valid_methods:
            found, _ = current_app.url_map.bind("").match(request.path, next(iter(error.valid_methods)))
            error = NotFound() if found == "static" else error  # any path could be a file of the wrapper's
        status = error.code or 500
        return answered(messages.refusal(f"{error.name}: {error.description}", status), status)

    return blueprint


def run(settings: config.Config, model: Path, folder: Path) -> str:
    """Serve until SIGTERM; raises InputError when the wrapper is not installed or stops by itself."""
    for name, value in TUNED.items():
        os.environ.setdefault(name, value)
    try:
        from seldon_core import metrics, microservice
    except ImportError as error:
        raise InputError(
            "serve.server is seldon-core, which this environment lacks; install locks/seldon.txt."
        ) from error
    version = directory.load(model).version
    update = metrics.SeldonMetrics.update

    def only_some(self: Any, custom: list[Any], method: str) -> None:
        """Six messages to another process are saved when there is no metric to record."""
        if custom:
            update(self, custom, method)

    metrics.SeldonMetrics.update = only_some
    Seldon.arguments = (model, folder, settings.serve, dict(os.environ))
    port = os.environ.get("PREDICTIVE_UNIT_HTTP_SERVICE_PORT", str(settings.serve.port))
    sys.argv = ["seldon-core-microservice", "model.seldon.Seldon", "--service-type", "MODEL", "--http-port", port]
    process = os.getpid()
    try:
        microservice.main()
    except SystemExit as stop:
        if os.getpid() != process:  # a worker, which was forked from here
            raise
        if stop.code:
            raise InputError(f"Seldon's wrapper stopped with code {stop.code}; the lines above say why.") from stop
    return f"stopped {version}"
