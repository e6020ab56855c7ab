"""The verb `monitor`: reads the log, then writes documents, pages and gauges."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from lifecycle import files
from lifecycle.config import Config
from lifecycle.monitoring import gauges, monitor
from lifecycle.reporting import findings, kept


def run(
    settings: Config,
    build: Path,
    model: Path,
    locations: Sequence[str],
    labels: str | None,
    now: datetime,
    address: str | None = None,
    server: str | None = None,
) -> str:
    """Write `monitor/` under `build`: summary.json, report.md, report.html and metrics.prom.

    Unless `server` is None, the report is also kept beside a log in a store, and as a run of MLflow if `server` is one.
    Gauges are also pushed to `address`, if given. Raises InputError when a step fails, never for an alert.
    """
    summary = monitor.run(settings, model, locations, labels, now, alone=server is not None)
    with files.replaced(build / "monitor") as folder:
        files.write(folder / "report.html", findings.page(summary))
        files.write(folder / "summary.json", summary.model_dump_json() + "\n")
        if server is not None:
            found, failed = kept.keep(summary, folder, locations, server.strip(), now)
            summary = summary.model_copy(update={"kept": found, "warnings": (*failed, *summary.warnings)})
            files.write(folder / "summary.json", summary.model_dump_json() + "\n")
        files.write(folder / "report.md", findings.markdown(summary))
        files.write(folder / "metrics.prom", gauges.text(summary))
    if address is not None:
        gauges.push(summary, address)
    return monitor.outcome(summary)
