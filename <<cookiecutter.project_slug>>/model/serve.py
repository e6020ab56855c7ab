"""Answers HTTP requests in Seldon's protocol with one model, and logs each prediction before the answer leaves."""

import os
import socket
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from model import InputError, config, predictions
from model.predictor import Predictor, RowError


def rows_of(body: Any) -> list[dict[str, Any]]:
    """Rows from a Seldon message: `jsonData` with a list of objects, or `data` with `names` and `ndarray`."""
    if not isinstance(body, dict):
        raise RowError(
            "The body is not a JSON object; send jsonData with a list of rows, or data with names and ndarray."
        )
    rows = body.get("jsonData")
    if rows is None:
        block = body.get("data")
        names, values = (block.get("names"), block.get("ndarray")) if isinstance(block, dict) else (None, None)
        if not isinstance(names, list) or not isinstance(values, list):
            raise RowError("The body has neither jsonData with a list of rows, nor data with names and ndarray.")
        if len(set(map(str, names))) != len(names):
            raise RowError("data.names has a column twice; name each once.")
        for index, value in enumerate(values):
            if not isinstance(value, list) or len(value) != len(names):
                raise RowError(
                    f"Row {index} of data.ndarray is not a list of {len(names)} values, one for each of data.names."
                )
        rows = [dict(zip(map(str, names), value, strict=True)) for value in values]
    if not isinstance(rows, list) or not rows:
        raise RowError("jsonData or data.ndarray is not a list with at least one row.")
    return rows


class Service:
    """The routes of one predictor with its log; `limits` are the largest batch and body."""

    def __init__(
        self, predictor: Predictor, log: predictions.Log, limits: config.Serve, environment: dict[str, str]
    ) -> None:
        self._predictor = predictor
        self._log = log
        self._limits = limits
        unit, image = environment.get("PREDICTIVE_UNIT_ID", "model"), environment.get("PREDICTIVE_UNIT_IMAGE", "")
        self._path = {unit: image}

    async def predict(self, request: Request) -> Response:
        body = await self._body(request)
        try:
            rows = rows_of(body)
            if len(rows) > self._limits.rows:
                raise HTTPException(
                    413, f"The request has {len(rows)} rows; send at most {self._limits.rows} at a time."
                )
            columns = self._predictor.columns_of(rows)
        except RowError as error:
            raise HTTPException(400, str(error)) from error
        answers = self._predictor.answers(self._predictor.predict(columns))
        identity, now = request.headers.get("seldon-puid") or uuid.uuid4().hex, predictions.utc_now()
        model = self._predictor.model
        self._log.append(predictions.lines(identity, model, rows, answers, now), now)
        meta = {"puid": identity, "requestPath": self._path, "tags": {"version": model.version}}
        if "jsonData" in body:
            return _json({"jsonData": answers, "meta": meta})
        names = list(self._predictor.model.classes) or ["prediction"]
        table = [list(answer.get("probabilities", {"": answer["prediction"]}).values()) for answer in answers]
        return _json({"data": {"names": names, "ndarray": table}, "meta": meta})

    async def _body(self, request: Request) -> Any:
        content = bytearray()
        async for chunk in request.stream():
            content += chunk
            if len(content) > self._limits.bytes:
                raise HTTPException(
                    413, f"The body is larger than {self._limits.bytes} bytes; send fewer rows at a time."
                )
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError as error:
            raise HTTPException(400, f"The body is not valid JSON ({error}); correct it.") from error

    async def ping(self, _: Request) -> Response:
        return PlainTextResponse("pong")

    async def status(self, _: Request) -> Response:
        """Ready means that the golden rows come out right."""
        try:
            self._predictor.check()
        except InputError as error:
            raise HTTPException(503, str(error)) from error
        return _json({"jsonData": "healthy"})

    async def metadata(self, _: Request) -> Response:
        return _json(self._predictor.describe())

    def application(self) -> Starlette:
        routes = [
            Route("/api/v1.0/predictions", self.predict, methods=["POST"]),
            Route("/predict", self.predict, methods=["POST"]),
            Route("/health/ping", self.ping),
            Route("/health/status", self.status),
            Route("/api/v1.0/health/status", self.status),
            Route("/metadata", self.metadata),
            Route("/api/v1.0/metadata", self.metadata),
        ]
        return Starlette(routes=routes, exception_handlers={HTTPException: _refusal})


def _json(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status, headers, "application/json")


async def _refusal(_: Request, error: Exception) -> Response:
    """An error in Seldon's form: one sentence, with the HTTP status as code."""
    if not isinstance(error, HTTPException):
        raise error
    status = {"status": 1, "info": error.detail, "code": error.status_code, "reason": "MICROSERVICE_BAD_DATA"}
    return _json({"status": status}, error.status_code, headers=error.headers)


def run(settings: config.Config, model: Path, folder: Path) -> str:
    """Serve until SIGTERM; raises InputError when the model is missing, damaged or answers its golden rows wrongly."""
    predictor = Predictor(model)
    predictor.check()
    environment = dict(os.environ)
    try:
        log = predictions.Log(folder)
    except OSError as error:
        raise InputError(f"The prediction log {folder} cannot be written ({error}); name another folder.") from error
    application = Service(predictor, log, settings.serve, environment).application()
    port = int(environment.get("PREDICTIVE_UNIT_HTTP_SERVICE_PORT", settings.serve.port))
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("0.0.0.0", port))  # noqa: S104 - a container is reached from outside
    except OSError as error:
        listener.close()
        raise InputError(
            f"Port {port} is taken ({error.strerror}); stop what listens there, or change serve.port."
        ) from error
    server = uvicorn.Server(uvicorn.Config(application, access_log=False, log_level="warning"))
    print(f"serve: {predictor.model.version} on port {port}, predictions in {folder}", flush=True)
    server.run([listener])
    log.close()
    return f"stopped {predictor.model.version}"
