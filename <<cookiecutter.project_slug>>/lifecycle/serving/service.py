"""The life of a request, independent of the server: check, predict, log, count, answer."""

import os
import sys
import traceback
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

from lifecycle import InputError
from lifecycle.artifact import golden
from lifecycle.artifact.predictor import Predictor
from lifecycle.artifact.requests import Columns, RequestError
from lifecycle.config import Config
from lifecycle.privacy.hidden import Veil, hidden
from lifecycle.serving import bounds, log, messages, openinference
from lifecycle.serving.messages import Answered, Form
from lifecycle.serving.retention import SHIPPED, Retention
from lifecycle.serving.telemetry import Telemetry
from lifecycle.serving.writer import LogFile, Together

# HTTP status of a refusal by its reason; 400 for any other.
STATUS = {
    "size": 413,
    "content_type": 415,
    "log": 503,
    "busy": 503,
    "fault": 500,
    "model": 404,
    "path": 404,
    "method": 405,
    "golden": 503,
    "space": 503,
}
# Refusals of unknown paths and methods.
UNROUTED = {
    404: RequestError("path", "This path does not exist; /openapi.json lists the paths."),
    405: RequestError("method", "This path does not accept this method; /openapi.json lists its methods."),
}
IDENTITY = 200  # maximum length of a request's identity, in characters
LINE = 2_000  # bytes of a logged row beyond its values, such as the names of its columns
ROOM = 10  # of the largest requests that the log must have room for, or the service is not ready

type Kept = Future[OSError | None]


class Answer(NamedTuple):
    """A body and its status; `header` is the number of JSON bytes when binary tensors follow them.

    One with `kept` may leave when that is done, as `settled` says.
    """

    content: bytes
    status: int = 200
    header: int | None = None
    kept: Kept | None = None
    protocol: str = ""
    begun: float = 0


class Service:
    """One predictor with its log and metrics; raises InputError when the model answers its golden rows wrongly.

    `environment` holds the variables that Seldon's operator and our manifests set.
    """

    def __init__(self, model: Path, folder: Path, settings: Config, environment: Mapping[str, str]) -> None:
        limits, days = settings.serve, settings.monitor.days
        self.predictor = Predictor(model, limits.unknown_categories == "accept", settings.train.trusted)
        self.predictor.check()
        self.limits = limits
        durable = limits.log.durable
        self._predictions = log.predictions(folder, self.predictor.model, limits.log.bytes, durable)
        self._labels = log.labels(folder, limits.log.bytes, durable)
        self._commit = Together() if durable else None
        logs = limits.log.enabled
        self._veil = Veil(hidden(self.predictor.model, settings.data.features) if logs else {}, environment)
        self._logged = 2 * limits.bytes + LINE * limits.rows  # most bytes of one request; a feature may be a key, too
        columns = len(self.predictor.model.requests) + len(self.predictor.model.context)
        self._values = max(bounds.VALUES, 2 * limits.rows * columns)
        self.held = bounds.Held(bounds.BODIES * limits.bytes)
        self._failed = 0
        if limits.log.enabled and limits.log.failure == "refuse":
            try:
                self._predictions.append(b"", log.utc_now())
            except OSError as error:
                raise InputError(
                    f"The prediction log {folder} cannot be written ({error}); name another folder, "
                    "or set serve.log.failure to serve."
                ) from error
        self.retention = Retention(folder, days, bool(environment.get(SHIPPED))) if limits.log.enabled else None
        self.telemetry = Telemetry(self.predictor, self.retention)
        self._unit = environment.get("PREDICTIVE_UNIT_ID", "model")
        self._path = {self._unit: environment.get("PREDICTIVE_UNIT_IMAGE", "")}
        classes = self.predictor.model.classes
        self._positive = {"positive": classes[1]} if len(classes) == 2 else {}
        self._tags = {"version": self.predictor.model.version, **self._positive}
        self._form = Form(classes)

    def predict(self, content: bytes, identity: str | None) -> Answer:
        """Answer a message of Seldon's protocol."""

        def answered() -> Answer:
            message = messages.decode(content, self._values)
            request, found, kept = self._answered(
                messages.columns(message, self._fits), messages.identity(message) or identity
            )
            meta = {"puid": request, "requestPath": self._path, "tags": self._tags}
            return Answer(messages.answer(message, found, self.predictor.model.classes, meta), kept=kept)

        return self._guarded("seldon", answered)

    def infer(
        self, content: bytes, header: bytes | None, identity: str | None, name: str, version: str | None
    ) -> Answer:
        """Answer a request of the Open Inference Protocol; `header` is the number of JSON bytes in the body."""

        def answered() -> Answer:
            self.known(name, version)
            inference = openinference.read(content, header, self.predictor, self._fits, self._values)
            request, found, kept = self._answered(inference.columns, identity)
            parameters = {"puid": request, "requestPath": self._path, **self._positive}
            body, size = openinference.answer(inference, found.predictions, self.predictor, parameters)
            return Answer(body, header=size, kept=kept)

        return self._guarded("v2", answered)

    def feedback(self, content: bytes) -> Answer:
        """Log the labels of an earlier request; the monitor joins them by the request's identity."""

        def answered() -> Answer:
            request, truth = messages.truth(messages.decode(content, self._values))
            _check(request)
            self._fits(len(truth), ())
            self._check_labels(truth)
            now = log.utc_now()
            kept = self._append(self._labels, log.truths(request, truth, now), now)
            self.telemetry.labels.inc(len(truth))
            return Answer(b'{"meta":{}}', kept=kept)

        return self._guarded("feedback", answered)

    def _check_labels(self, truth: list[Any]) -> None:
        classes = self.predictor.model.classes
        for row, label in enumerate(truth):
            if classes and label not in classes:
                raise RequestError(
                    "value", f"Row {row} of truth is not a class of the model; allowed are {', '.join(classes)}."
                )
            if not classes and (not isinstance(label, int | float) or isinstance(label, bool)):
                raise RequestError("value", f"Row {row} of truth is not a number; the model predicts one.")

    def _answered(self, columns: Columns, identity: str | None) -> tuple[str, Answered, Kept | None]:
        """Predict, and log before answering."""
        request = identity or os.urandom(16).hex()
        _check(request)
        if request.startswith(golden.REQUEST) and not self.predictor.is_golden(columns):
            raise RequestError(
                "body", f"The request's identity begins with {golden.REQUEST}, which hides golden rows; choose another."
            )
        inputs = self.predictor.inputs(columns)
        found, written = Answered(self.predictor.predict(inputs), self._form), None
        if self.limits.log.enabled:
            now = log.utc_now()
            kept = self._veil.over(self.predictor.logged(columns, inputs))
            lines = log.lines(request, self.predictor.model, kept, found.rows, now, self._logged)
            written = self._append(self._predictions, lines, now)
        self.telemetry.predicted(found.predictions)
        return request, found, written

    def _fits(self, count: int, names: Collection[str]) -> None:
        """Judge a table by its size before it is made; raises RequestError."""
        if count > self.limits.rows:
            raise RequestError("size", f"The request has {count} rows; send at most {self.limits.rows} at a time.")
        if names:
            self.predictor.known(names)

    def _append(self, to: LogFile, lines: bytes, now: datetime) -> Kept | None:
        """Write to the log; what is returned is done when the lines are on the disk, if they have to be."""
        try:
            to.append(lines, now)
        except OSError as error:
            self._failed_with(error)
            return None
        if self._commit:
            return self._commit.wait(to)
        self._works()
        return None

    def _failed_with(self, error: OSError) -> None:
        """Count lines that are not in the log; serve.log.failure decides whether that refuses the request."""
        self.telemetry.log_failures.inc()
        if not self._failed:
            _say(f"the prediction log cannot be written ({error}); free disk space, or bring its folder back")
        self._failed += 1
        if self.limits.log.failure == "refuse":
            raise RequestError("log", "The prediction could not be logged; try again later.") from error

    def _works(self) -> None:
        if self._failed:
            _say(f"the prediction log works again after {self._failed} failures")
            self._failed = 0

    def settled(self, answer: Answer, error: OSError | None) -> Answer:
        """An answer whose lines are on the disk, or with an error are not."""
        try:
            self._failed_with(error) if error else self._works()
        except RequestError as refusal:
            return self.refuse(refusal, answer.protocol)
        self.telemetry.answered(answer.protocol, perf_counter() - answer.begun)
        return answer

    def _guarded(self, protocol: str, answered: Callable[[], Answer]) -> Answer:
        begin = perf_counter()
        try:
            answer = answered()
        except RequestError as error:
            return self.refuse(error, protocol)
        except Exception:  # a fault of ours: counted, and told to the log, not to the caller
            traceback.print_exc()
            return self.refuse(RequestError("fault", "The service failed on this request; tell its team."), protocol)
        if answer.kept:
            return answer._replace(protocol=protocol, begun=begin)
        self.telemetry.answered(protocol, perf_counter() - begin)
        return answer

    def refuse(self, error: RequestError, protocol: str) -> Answer:
        """Count a refused request, and answer in the protocol's form."""
        status = STATUS.get(error.reason, 400)
        self.telemetry.refused(protocol, error.reason, status)
        form = openinference.refusal if protocol == "v2" else messages.refusal
        return Answer(form(error, status), status)

    def too_large(self) -> RequestError:
        """The refusal of a body over the limit, which a server stops reading."""
        return RequestError("size", f"The body is larger than {self.limits.bytes} bytes; send fewer rows at a time.")

    def ready(self) -> None:
        """Raises RequestError when the golden rows are no longer answered as in training, or the log is nearly full.

        With serve.log.failure: serve a full disk refuses nothing, so the service stays ready.
        """
        try:
            self.predictor.check()
        except InputError as error:
            raise RequestError("golden", str(error)) from error
        if self.retention and self.limits.log.failure == "refuse" and self.retention.free() < ROOM * self._logged:
            raise RequestError(
                "space", "The prediction log's disk is nearly full, and without it requests are refused; free space."
            )

    def known(self, name: str, version: str | None) -> None:
        """Raises RequestError unless both name and version are the served model's."""
        own = self.predictor.model
        if name not in (own.metadata["name"], self._unit) or version not in (None, own.version):
            raise RequestError("model", f"There is no such model; ask for {own.metadata['name']} {own.version}.")

    def close(self) -> None:
        if self._commit:
            self._commit.close()
        if self.retention:
            self.retention.close()
        self._predictions.close()
        self._labels.close()


def _check(identity: str) -> None:
    if len(identity) > IDENTITY:
        raise RequestError("body", f"The request's identity has more than {IDENTITY} characters; shorten it.")


def _say(sentence: str) -> None:
    print(f"serve: {sentence}.", file=sys.stderr, flush=True)
