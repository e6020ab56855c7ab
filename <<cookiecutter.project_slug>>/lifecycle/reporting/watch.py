"""The verb `monitor`: reads the log, then writes documents, pages and gauges."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from lifecycle import files
from lifecycle.config import Config
from lifecycle.monitoring import gauges, monitor
from lifecycle.reporting import findings


def run(
    settings: Config,
    build: Path,
    model: Path,
    locations: Sequence[str],
    labels: str | None,
    now: datetime,
    address: str | None = None,
) -> str:
    """Write `monitor/` under `build`: summary.json, report.md, report.html and metrics.prom.

    Gauges are also pushed to `address`, if given. Raises InputError when a step fails, never for an alert.
    """
    summary = monitor.run(settings, model, locations, labels, now)
    with files.replaced(build / "monitor") as folder:
        files.write(folder / "summary.json", summary.model_dump_json() + "\n")
        files.write(folder / "metrics.prom", gauges.text(summary))
        findings.write(summary, folder)
    if address is not None:
        gauges.push(summary, address)
    return monitor.outcome(summary)
