"""Shows which part of a verb runs, how far it is and how long it will take: a bar in a terminal, else a line at times.

Each part's seconds of the last time that the verb ended well are kept under the build folder; of what has never run
here only the seconds so far are known. The bar is tqdm's.
"""

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from lifecycle import files

SOON, LINES, DRAWN = 2.0, 10.0, 0.2  # seconds until something is shown, between two lines, between two looks of a bar
BAR = "{desc} {percentage:3.0f}% |{bar:16}| {elapsed} so far, {remaining} left"
UNKNOWN = "{desc} {elapsed} so far"


class Progress:
    """The parts of one run of a verb; `before` has their seconds the last time."""

    def __init__(self, verb: str, before: dict[str, float]) -> None:
        self.verb, self.before, self.spent = verb, before, dict[str, float]()
        self.part = "at work"
        self.begun = self._since = time.monotonic()

    def begin(self, part: str) -> None:
        """End the part before and begin another."""
        now = time.monotonic()
        self.spent[self.part] = self.spent.get(self.part, 0.0) + now - self._since
        self.part, self._since = part, now

    def done(self) -> float:
        """Seconds of the last time's that are done; a part that takes longer now stands still at its end."""
        known = sum(self.before.get(part, 0.0) for part in self.spent if part != self.part)
        inside = self.spent.get(self.part, 0.0) + time.monotonic() - self._since
        return known + min(inside, self.before.get(self.part, 0.0))

    def total(self) -> float:
        return sum(self.before.values())

    def left(self) -> float | None:
        """About how many seconds it will take yet if it goes on as fast as until now; None if nothing is known."""
        done, spent = self.done(), time.monotonic() - self.begun
        return (self.total() - done) * spent / done if done > 0 else None

    def line(self) -> str:
        left = self.left()
        rest = "" if left is None else f", about {left:.0f} s left"
        return f"{self.verb}: {self.part}, {time.monotonic() - self.begun:.0f} s so far{rest}"


_now: Progress | None = None


def part(name: str) -> None:
    """Say that another part begins; nothing where no verb is shown."""
    if _now is not None:
        _now.begin(name)


def _last(kept: Path) -> dict[str, float]:
    try:
        found = json.loads(kept.read_bytes())
        return {str(name): float(seconds) for name, seconds in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _lines(progress: Progress, out: TextIO, ended: threading.Event) -> None:
    while not ended.wait(LINES):
        print(progress.line(), file=out, flush=True)


def _bar(progress: Progress, out: TextIO, ended: threading.Event) -> None:
    if ended.wait(SOON):
        return
    from tqdm import tqdm  # which a verb of a moment need not wait for

    total = progress.total() or None
    shape, said = BAR if total else UNKNOWN, f"{progress.verb}: {progress.part}"
    with tqdm(desc=said, total=total, file=out, leave=False, bar_format=shape, dynamic_ncols=True) as bar:
        bar.start_t -= SOON
        while not ended.wait(DRAWN):
            bar.set_description_str(f"{progress.verb}: {progress.part}", refresh=False)
            bar.n = progress.done()
            bar.refresh()


@contextmanager
def shown(verb: str, build: Path, out: TextIO | None = None) -> Iterator[None]:
    """Show a verb's progress while it runs; remember its parts when it ends well."""
    global _now
    out = out or sys.stderr
    kept = build / ".fresh" / f"{verb}.seconds.json"
    progress, ended = Progress(verb, _last(kept)), threading.Event()
    show = _bar if out.isatty() else _lines
    shower = threading.Thread(target=show, args=(progress, out, ended), daemon=True)
    _now = progress
    shower.start()
    try:
        yield
        progress.begin("")
        if time.monotonic() - progress.begun > SOON:
            files.write_json(kept, {name: round(seconds, 2) for name, seconds in progress.spent.items()})
    finally:
        _now = None
        ended.set()
        shower.join()
