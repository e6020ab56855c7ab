"""The life of a request, independent of the server: check, predict, log, count, answer."""

import os
import sys
import traceback
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Any

from lifecycle import InputError
from lifecycle.artifact import golden
from lifecycle.artifact.predictor import Columns, Predictions, Predictor, RequestError
from lifecycle.config import Serve
from lifecycle.serving import bounds, log, messages, openinference
from lifecycle.serving.telemetry import Telemetry

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
}
# Refusals of unknown paths and methods.
UNROUTED = {
    404: RequestError("path", "This path does not exist; /openapi.json lists the paths."),
    405: RequestError("method", "This path does not accept this method; /openapi.json lists its methods."),
}
IDENTITY = 200  # maximum length of a request's identity, in characters
LINE = 2_000  # bytes of a logged row beyond its values, such as the names of its columns


@dataclass(frozen=True)
class Answer:
    """A body and its status; `header` is the number of JSON bytes when binary tensors follow them."""

    content: bytes
    status: int = 200
    header: int | None = None


class Service:
    """One predictor with its log and metrics; raises InputError when the model answers its golden rows wrongly.

    `environment` holds the variables that Seldon's operator sets, `trusted` the types that the model may hold.
    """

    def __init__(
        self, model: Path, folder: Path, limits: Serve, environment: Mapping[str, str], trusted: Collection[str] = ()
    ) -> None:
        self.predictor = Predictor(model, limits.unknown_categories == "accept", trusted)
        self.predictor.check()
        self.limits = limits
        self._predictions = log.predictions(folder, self.predictor.model, limits.log.bytes)
        self._labels = log.labels(folder, limits.log.bytes)
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
        self.telemetry = Telemetry(self.predictor, folder if limits.log.enabled else None)
        self._unit = environment.get("PREDICTIVE_UNIT_ID", "model")
        self._path = {self._unit: environment.get("PREDICTIVE_UNIT_IMAGE", "")}
        classes = self.predictor.model.classes
        self._positive = {"positive": classes[1]} if len(classes) == 2 else {}

    def predict(self, content: bytes, identity: str | None) -> Answer:
        """Answer a message of Seldon's protocol."""

        def answered() -> Answer:
            message = messages.decode(content, self._values)
            request, found = self._answered(
                messages.columns(message, self._fits), messages.identity(message) or identity
            )
            tags = {"version": self.predictor.model.version, **self._positive}
            meta = {"puid": request, "requestPath": self._path, "tags": tags}
            return Answer(messages.answer(message, found, self.predictor, meta))

        return self._guarded("seldon", answered)

    def infer(
        self, content: bytes, header: bytes | None, identity: str | None, name: str, version: str | None
    ) -> Answer:
        """Answer a request of the Open Inference Protocol; `header` is the number of JSON bytes in the body."""

        def answered() -> Answer:
            self.known(name, version)
            inference = openinference.read(content, header, self.predictor, self._fits, self._values)
            request, found = self._answered(inference.columns, identity)
            parameters = {"puid": request, "requestPath": self._path, **self._positive}
            body, size = openinference.answer(inference, found, self.predictor, parameters)
            return Answer(body, header=size)

        return self._guarded("v2", answered)

    def feedback(self, content: bytes) -> Answer:
        """Log the labels of an earlier request; the monitor joins them by the request's identity."""

        def answered() -> Answer:
            request, truth = messages.truth(messages.decode(content, self._values))
            self._check(request, len(truth))
            self._check_labels(truth)
            now = log.utc_now()
            self._append(self._labels, log.truths(request, truth, now), now)
            self.telemetry.labels.inc(len(truth))
            return Answer(b'{"meta":{}}')

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

    def _answered(self, columns: Columns, identity: str | None) -> tuple[str, Predictions]:
        """Predict, and log before answering."""
        request = identity or os.urandom(16).hex()
        self._check(request, len(next(iter(columns.values()))))
        if request.startswith(golden.REQUEST) and not self.predictor.is_golden(columns):
            raise RequestError(
                "body", f"The request's identity begins with {golden.REQUEST}, which hides golden rows; choose another."
            )
        inputs = self.predictor.inputs(columns)
        found = self.predictor.predict(inputs)
        if self.limits.log.enabled:
            now, answers = log.utc_now(), self.predictor.answers(found)
            kept = self.predictor.logged(columns, inputs)
            lines = log.lines(request, self.predictor.model, kept, answers, now, self._logged)
            self._append(self._predictions, lines, now)
        self.telemetry.predicted(found)
        return request, found

    def _fits(self, count: int, names: Iterable[str]) -> None:
        """Judge a table by its size before it is made; raises RequestError."""
        if count > self.limits.rows:
            raise RequestError("size", f"The request has {count} rows; send at most {self.limits.rows} at a time.")
        self.predictor.known(names)

    def _check(self, identity: str, count: int) -> None:
        self._fits(count, ())
        if len(identity) > IDENTITY:
            raise RequestError("body", f"The request's identity has more than {IDENTITY} characters; shorten it.")

    def _append(self, to: log.LogFile, lines: bytes, now: datetime) -> None:
        """Write to the log; serve.log.failure decides whether a failure refuses the request."""
        try:
            to.append(lines, now)
        except OSError as error:
            self.telemetry.log_failures.inc()
            if not self._failed:
                print(
                    f"serve: the prediction log cannot be written ({error}); free disk space.",
                    file=sys.stderr,
                    flush=True,
                )
            self._failed += 1
            if self.limits.log.failure == "refuse":
                raise RequestError("log", "The prediction could not be logged; try again later.") from error
        else:
            if self._failed:
                print(
                    f"serve: the prediction log works again after {self._failed} failures.", file=sys.stderr, flush=True
                )
                self._failed = 0

    def _guarded(self, protocol: str, answered: Callable[[], Answer]) -> Answer:
        begin = perf_counter()
        try:
            answer = answered()
        except RequestError as error:
            return self.refuse(error, protocol)
        except Exception:  # a fault of ours: counted, and told to the log, not to the caller
            traceback.print_exc()
            return self.refuse(RequestError("fault", "The service failed on this request; tell its team."), protocol)
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
        """Raises RequestError when the golden rows are no longer answered as in training."""
        try:
            self.predictor.check()
        except InputError as error:
            raise RequestError("golden", str(error)) from error

    def known(self, name: str, version: str | None) -> None:
        """Raises RequestError unless both name and version are the served model's."""
        own = self.predictor.model
        if name not in (own.metadata["name"], self._unit) or version not in (None, own.version):
            raise RequestError("model", f"There is no such model; ask for {own.metadata['name']} {own.version}.")

    def close(self) -> None:
        self._predictions.close()
        self._labels.close()
