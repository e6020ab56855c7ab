"""The latest numbers of a monitor's summary, for Prometheus."""

import os

from prometheus_client import CollectorRegistry, Gauge, generate_latest, push_to_gateway

from lifecycle import InputError
from lifecycle.documents.summary import Summary


def registry(summary: Summary) -> CollectorRegistry:
    """The latest window of each series, for Prometheus."""
    found = CollectorRegistry()
    names = ("model", "version", "kind", "metric", "column")
    value = Gauge("model_window", "What was measured in the latest window", names, registry=found)
    outside = Gauge(
        "model_window_outside", "1 when the latest window lies outside of its bounds", names, registry=found
    )
    holds = Gauge("model_alert", "1 while the alert rule holds", ("model", "version"), registry=found)
    rows = Gauge("model_logged_rows", "Predictions in the log that were read", ("model", "version"), registry=found)
    for window in summary.windows:
        if not window.reference and window.value is not None:
            key = (summary.name, summary.version, window.kind, window.metric, window.column or "")
            value.labels(*key).set(window.value)
            outside.labels(*key).set(window.outside)
    holds.labels(summary.name, summary.version).set(summary.alert)
    rows.labels(summary.name, summary.version).set(summary.log.rows)
    return found


def text(summary: Summary) -> bytes:
    """The gauges as Prometheus scrapes them."""
    return generate_latest(registry(summary))


def push(summary: Summary, address: str) -> None:
    """Hand the gauges to a Pushgateway, as a job's metrics are gone with it; raises InputError when that fails.

    They replace those of the same model, and of the same environment where POD_NAMESPACE says which it is.
    """
    space = os.environ.get("POD_NAMESPACE")
    group = {"model": summary.name, **({"namespace": space} if space else {})}
    try:
        push_to_gateway(address, "monitor", registry(summary), group, timeout=10)
    except OSError as error:
        raise InputError(f"The metrics could not be pushed to {address} ({error}); correct --push.") from error
