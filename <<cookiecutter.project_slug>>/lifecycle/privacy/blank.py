"""Blanks lines of a file where they stand: the others keep their places, for whoever appends to it or ships it.

A line is blanked from its end: what a kill leaves of it ends with spaces, which no line of a service does.
"""

import gzip
import io
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from lifecycle import files

STEP = 512  # bytes written at once
RESTS = 60  # seconds after which a file's last line without an end is one that a kill left

type Wanted = Callable[[bytes], bool]


def begun(line: bytes) -> bool:
    """Whether a kill left a line that was to be blanked."""
    text = line.rstrip(b"\n")
    return text.endswith(b" ") and not text.isspace()


def file(path: Path, wanted: Wanted) -> int:
    """Blank the wanted lines of a file on this machine; returns their number."""
    if path.suffix == ".gz":
        return _packed(path, wanted)
    places, still = [], path.stat().st_mtime < time.time() - RESTS
    with path.open("rb") as lines:
        begin = 0
        for line in lines:
            if (still or line.endswith(b"\n")) and wanted(line):  # another end may just be on its way
                places.append((begin, len(line.rstrip(b"\n"))))
            begin += len(line)
    if places:
        target = os.open(path, os.O_WRONLY)
        try:
            for begin, size in places:
                _blank(target, begin, size)
            os.fsync(target)
        finally:
            os.close(target)
    return len(places)


def _blank(target: int, begin: int, size: int) -> None:
    for start in reversed(range(0, size, STEP)):
        os.pwrite(target, b" " * min(STEP, size - start), begin + start)


def _packed(path: Path, wanted: Wanted) -> int:
    """A shipper's file, which nobody appends to, is replaced as a whole."""
    content, count = without(path.read_bytes(), wanted, packed=True)
    if count:
        files.write(path, content)
    return count


def without(content: bytes, wanted: Wanted, packed: bool) -> tuple[bytes, int]:
    """A file's content without the wanted lines, packed again if it was, and their number."""
    lines = list(io.BytesIO(gzip.decompress(content) if packed else content))
    kept = b"".join(line for line in lines if not wanted(line))
    return gzip.compress(kept) if packed else kept, sum(map(wanted, lines))


def read(path: Path) -> Iterator[bytes]:
    """The lines of a file, packed or not."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
        yield from lines
