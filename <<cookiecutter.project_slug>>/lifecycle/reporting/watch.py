"""The verb `monitor`: reads the log, then writes what was found as documents, pages and gauges."""

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

    The gauges are also pushed to an address, if there is one. Raises InputError when a part of that fails, never for
    what was found.
    """
    summary = monitor.run(settings, model, locations, labels, now)
    with files.replaced(build / "monitor") as folder:
        files.write(folder / "summary.json", summary.model_dump_json() + "\n")
        files.write(folder / "metrics.prom", gauges.text(summary))
        findings.write(summary, folder)
    if address is not None:
        gauges.push(summary, address)
    return monitor.told(summary)
