"""The latest values of a monitor's summary, for Prometheus."""

from prometheus_client import CollectorRegistry, Gauge, generate_latest, push_to_gateway

from lifecycle import InputError
from lifecycle.documents.summary import Summary
from lifecycle.tasks import label


def registry(summary: Summary) -> CollectorRegistry:
    """A registry with the latest window of each series."""
    found = CollectorRegistry()
    names = ("model", "version", "kind", "metric", "column")
    value = Gauge("model_window", "Value in the latest window", names, registry=found)
    outside = Gauge("model_window_outside", "1 when the latest window is out of bounds", names, registry=found)
    holds = Gauge("model_alert", "1 while the alert rule holds", ("model", "version"), registry=found)
    rows = Gauge("model_logged_rows", "Predictions read from the log", ("model", "version"), registry=found)
    aside = Gauge("model_log_aside", "1 when too much of the log was set aside", ("model", "version"), registry=found)
    report = Gauge("model_report", "1 for where the report is", ("model", "version", "address"), registry=found)
    for address in summary.kept[:1]:
        report.labels(summary.name, summary.version, address).set(1)
    for window in summary.windows:
        if not window.reference and window.value is not None:
            metric = label(window.metric) if window.kind in ("estimated", "realised") else window.metric
            key = (summary.name, summary.version, window.kind, metric, window.column or "")
            value.labels(*key).set(window.value)
            outside.labels(*key).set(window.outside)
    holds.labels(summary.name, summary.version).set(summary.alert)
    rows.labels(summary.name, summary.version).set(summary.log.rows)
    aside.labels(summary.name, summary.version).set(summary.log.aside > summary.rule.aside)
    return found


def text(summary: Summary) -> bytes:
    """The gauges in Prometheus's text format."""
    return generate_latest(registry(summary))


def push(summary: Summary, address: str) -> None:
    """Push the gauges to a Pushgateway, because a job's metrics end with the job; raises InputError when that fails.

    They replace earlier gauges of the same model. Their namespace is that of the Pushgateway, said by Prometheus.
    """
    try:
        push_to_gateway(address, "monitor", registry(summary), {"model": summary.name}, timeout=10)
    except OSError as error:
        raise InputError(f"The metrics could not be pushed to {address} ({error}); correct --push.") from error
