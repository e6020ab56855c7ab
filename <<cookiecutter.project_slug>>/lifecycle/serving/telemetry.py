"""The service's metrics for Prometheus."""

import os
from collections.abc import Iterator

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from lifecycle.artifact.predictor import Predictions, Predictor
from lifecycle.serving.retention import Retention
from lifecycle.serving.workers import SHARED

SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class Room(Collector):
    """The space for the prediction log, looked at when it is asked for."""

    def __init__(self, retention: Retention) -> None:
        self._retention = retention

    def collect(self) -> Iterator[GaugeMetricFamily]:
        free, full = self._retention.free, self._retention.full
        yield GaugeMetricFamily("model_log_free_bytes", "Free space on the prediction log's disk", free())
        yield GaugeMetricFamily("model_log_full_seconds", "Until the prediction log's disk is full, as of late", full())


class Telemetry:
    """The metrics of one process, or the sums of all workers: its predictor and, if it logs, the space for the log."""

    def __init__(self, predictor: Predictor, retention: Retention | None) -> None:
        self._registry, self._space = CollectorRegistry(), Room(retention) if retention else None
        if SHARED not in os.environ:  # the container's metrics have those of several processes
            ProcessCollector(registry=self._registry)
        if self._space:
            self._registry.register(self._space)
        model, own = predictor.model, self._registry
        self._requests = Counter(
            "model_requests", "Requests by protocol and status", ("protocol", "code"), registry=own
        )
        self._refusals = Counter("model_refusals", "Refused requests by reason", ("reason",), registry=own)
        self._seconds = Histogram(
            "model_request_seconds", "Time to answer", ("protocol",), buckets=SECONDS, registry=own
        )
        self._rows = Counter("model_rows", "Answered rows", registry=own)
        if model.classes:
            classes = Counter("model_predictions", "Rows by predicted class", ("class",), registry=own)
            self._classes = [classes.labels(name) for name in model.classes]
        else:
            self._values = Summary("model_prediction", "Predicted values", registry=own)
        self.labels = Counter("model_labels", "Rows labelled by feedback", registry=own)
        self.log_failures = Counter("model_log_failures", "Requests that could not be logged", registry=own)
        names = ("name", "version", "task", "runtime", "sha256")
        info = Gauge("model_info", "The served model", names, registry=own, multiprocess_mode="max")
        info.labels(model.metadata["name"], model.version, model.task, predictor.runtime, model.sha256).set(1)
        self._answered = {
            protocol: (self._requests.labels(protocol, "200"), self._seconds.labels(protocol))
            for protocol in ("seldon", "v2", "feedback")
        }

    def answered(self, protocol: str, seconds: float) -> None:
        requests, histogram = self._answered[protocol]
        requests.inc()
        histogram.observe(seconds)

    def predicted(self, found: Predictions) -> None:
        self._rows.inc(len(found.labels))
        if found.probabilities is None:
            for value in found.labels.tolist():
                self._values.observe(value)
        elif len(found.labels) == 1:
            self._classes[found.labels[0]].inc()
        else:
            counts = np.bincount(found.labels, minlength=len(self._classes)).tolist()
            for counter, count in zip(self._classes, counts, strict=True):
                counter.inc(count)

    def refused(self, protocol: str, reason: str, status: int) -> None:
        self._requests.labels(protocol, str(status)).inc()
        self._refusals.labels(reason).inc()

    def text(self) -> bytes:
        if SHARED not in os.environ:
            return generate_latest(self._registry)
        every = CollectorRegistry()
        MultiProcessCollector(every)  # type: ignore[no-untyped-call]
        if self._space:
            every.register(self._space)
        return generate_latest(every)
