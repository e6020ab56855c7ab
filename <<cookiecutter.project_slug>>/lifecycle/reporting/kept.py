"""Keeps a monitor's report where people can open it: as a run in MLflow, and beside the log that was shipped."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

import fsspec

from lifecycle.documents import log
from lifecycle.documents.summary import Summary
from lifecycle.reporting import runs

NAMES = ("report.html", "summary.json")


def _tracked(server: str, folder: Path, summary: Summary, now: datetime) -> str:
    """A run of the model's experiment, tagged as the monitor's."""
    tags = {"monitor": "alert" if summary.alert else "no alert", "version": summary.version}
    name = f"monitor {summary.version} {now:%Y-%m-%d}"
    return runs.add(server, summary.name, name, tags, [folder / name for name in NAMES], now)


def _stored(location: str, folder: Path, summary: Summary, now: datetime) -> str:
    place = f"{location.rstrip('/')}/{log.report(summary.version, now)}"
    for name in NAMES:
        with fsspec.open(f"{place}/{name}", "wb") as file:
            file.write((folder / name).read_bytes())
    return f"{place}/{NAMES[0]}"


def keep(
    summary: Summary, folder: Path, locations: Sequence[str], server: str, now: datetime
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Keep the files of `folder` on an MLflow server and at each location in a store.

    Returns their addresses, and a sentence for each place that failed: a report that cannot be kept ends no run.
    """
    places = {place: partial(_stored, place) for place in locations if "://" in place}
    if server.startswith(("http://", "https://")):  # a database is of the machine alone
        places = {runs.public(server): partial(_tracked, server), **places}
    found, failed = [], []
    for place, write in places.items():
        try:
            found.append(write(folder, summary, now))
        except Exception as error:  # each store raises its own exceptions
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            failed.append(f"The report could not be kept at {place} ({reason}); correct it, or its credentials.")
    return tuple(found), tuple(failed)
