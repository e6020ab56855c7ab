"""Deletes what the prediction log no longer needs, and foresees when its disk will be full.

Every server does so for the whole log: deleting is the same whoever does it, and however often. It never touches the
present hour or the one before, so no file that a process writes, and none that still has to be shipped.
"""

import math
import shutil
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import TextIO

from lifecycle.documents import log as layout
from lifecycle.serving.log import utc_now
from lifecycle.serving.shipped import Shipped

SHIPPED = "LOG_SHIPPED"  # set by components/shipping: what is not in the store yet stays
WEEK = timedelta(days=7)  # what is shipped stays so long while there is space
SHORT = 1024**3  # bytes free; below, what is shipped goes at once. Twice the alert's bound, which then stays quiet
LAST = timedelta(hours=24)  # of which the rate is measured
MINUTE, TURNS = 60, 10  # seconds between looks at the space, and looks between sweeps while there is enough


@dataclass(frozen=True)
class OldFile:
    """One file of the log that no process writes any more."""

    hour: str
    path: Path
    size: int


@dataclass(frozen=True)
class Space:
    """The bytes that are free, held, and held but shipped; the bytes a second that came lately, if that is known."""

    free: int
    held: int
    shipped: int
    backlog: int
    rate: float | None


class Retention:
    """The log's folder, kept for `days` days; if `ships`, a file goes only when the store has it."""

    def __init__(self, folder: Path, days: int, ships: bool) -> None:
        self.folder, self.days = folder, days
        self._shipped = Shipped(folder / layout.POSITIONS) if ships else None
        self._space: Space | None = None
        self._end = Event()
        self._thread = Thread(target=self._run, name="retention", daemon=True)

    def free(self) -> float:
        """Bytes; NaN while the folder cannot be read, such as during its removal."""
        try:
            return shutil.disk_usage(self.folder).free
        except OSError:
            return math.nan

    def full(self) -> float:
        """Seconds until the disk is full at the rate of the last hours; infinite if deleting keeps pace with it."""
        if self._space is None or self._space.rate is None:
            return math.nan
        found, rate = self._space, self._space.rate
        paces = found.backlog == 0 if self._shipped else found.free + found.held >= rate * self.days * 86400
        return math.inf if not rate or paces else (self.free() + found.shipped) / rate

    def sweep(self, now: datetime) -> int:
        """Delete what may go, the oldest first; returns the number of files."""
        if self._shipped:
            self._shipped.look()
        files = sorted(_files(self.folder, layout.hour(now - timedelta(hours=1))), key=lambda file: file.hour)
        old, seasoned = layout.hour(now - timedelta(days=self.days)), layout.hour(now - WEEK)
        held = shipped = backlog = count = 0
        for file in files:
            safe = self._shipped is None or self._has(file.path)
            early = self._shipped is not None and (file.hour < seasoned or self.free() < SHORT)
            if safe and (file.hour < old or early):
                count += _deleted(file.path)
                continue
            held += file.size
            if self._shipped:
                shipped, backlog = (shipped + file.size, backlog) if safe else (shipped, backlog + file.size)
        self._space = Space(int(shutil.disk_usage(self.folder).free), held, shipped, backlog, _rate(files, now))
        return count

    def _has(self, path: Path) -> bool:
        try:
            return self._shipped is not None and self._shipped.has(path)
        except OSError:  # gone meanwhile, or unreadable
            return False

    def said(self) -> str:
        """At which rate the disk will be full, in a sentence or two."""
        found = self._space
        if found is None:
            return "the space for the log cannot be measured"
        most = (found.free + found.held) / self.days / 86400
        text = f"{_bytes(found.free)} are free for the log"
        if self._shipped:
            text += f", and {_bytes(found.backlog)} wait to be shipped; what is shipped goes when space is short"
        else:
            text += f": enough for {self.days} days at up to {_bytes(most)} a second"
        if found.rate is not None:
            left = self.full()
            end = "the disk will not be full" if left == math.inf else f"the disk is full in {left / 3600:,.0f} hours"
            text += f". At the {_bytes(found.rate)} a second of the last hours {end}"
        return text

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        turn = 0
        while True:
            try:
                if turn % TURNS == 0 or self.free() < SHORT:
                    if count := self.sweep(utc_now()):
                        _tell(f"deleted {count:,} file{'s' * (count > 1)} of the log, which no one needs any more")
                    if turn == 0:
                        _tell(self.said())
            except OSError as error:
                _tell(f"old hours of the log cannot be deleted ({error}); permit it", sys.stderr)
            except Exception:  # a fault of ours must not end it
                traceback.print_exc()
            turn += 1
            if self._end.wait(MINUTE):
                return


def _files(folder: Path, before: str) -> Iterator[OldFile]:
    """The files of the hours before one; removes hours and versions that are empty."""
    versions = [path for path in _inside(folder) if path.match(layout.VERSIONS)]
    for place in [*versions, folder / layout.LABELS]:
        hours = [path for path in _inside(place) if path.match("hour=*")]
        for hour in (one for one in hours if one.name < before):
            paths = _inside(hour)
            for path in paths:
                try:
                    yield OldFile(hour.name, path, path.stat().st_size)
                except FileNotFoundError:  # another server deleted it
                    continue
            if not paths:
                _removed(hour)
        if not hours:
            _removed(place)


def _inside(folder: Path) -> list[Path]:
    """What is in a folder; nothing if it is not there, or another server removes it just now."""
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _removed(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:  # another server was quicker, or something came
        return


def _deleted(path: Path) -> int:
    try:
        path.unlink()
    except FileNotFoundError:
        return 0
    return 1


def _rate(files: list[OldFile], now: datetime) -> float | None:
    """Bytes a second in the last hours that are over, or since the log began; unknown before the first is over."""
    end = now - timedelta(hours=1)
    first, last = layout.hour(end - LAST), layout.hour(end)
    lately = [file for file in files if first <= file.hour < last]
    if not files:
        return None
    begun = max(first, min(file.hour for file in files))
    hours = (datetime.strptime(last, layout.HOUR) - datetime.strptime(begun, layout.HOUR)) / timedelta(hours=1)
    return sum(file.size for file in lately) / (hours * 3600)


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:,.3g} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"


def _tell(sentence: str, to: TextIO | None = None) -> None:
    print(f"serve: {sentence}.", file=to, flush=True)
