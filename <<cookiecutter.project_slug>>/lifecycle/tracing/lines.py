"""Finds the lines of a request in the prediction log, by its bytes before any JSON is read."""

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lifecycle.documents import log
from lifecycle.privacy import places


@dataclass(frozen=True)
class Logged:
    """A line of the log: where it is, and what it says."""

    path: str
    place: int  # the byte at which it begins, in the unpacked file
    content: dict[str, Any]

    @property
    def moment(self) -> datetime:
        return log.moment(self.content["logged"])

    def problems(self) -> Iterator[str]:
        """Where the line and its folder disagree."""
        version = log.version(self.path.rsplit("/", 2)[0])
        if self.content["version"] != version:
            yield f"{self} says version {self.content['version']!r}, but lies in the folder of {version}"
        if log.hour(self.moment) != log.begun(self.path):
            yield f"{self} says {self.content['logged']!r}, but lies in {log.begun(self.path)}"

    def __str__(self) -> str:
        return f"{self.path} at byte {self.place:,}"


def find(locations: Sequence[str], request: str) -> tuple[list[Logged], list[str]]:
    """The lines of a request in order of time and row, and what could not be read; places are folders or addresses."""
    needle = b'"request":' + json.dumps(request, ensure_ascii=False).encode()
    found, unread = [], []
    for location in locations:
        for path in places.find(location, log.pattern(log.VERSIONS)):
            try:
                content = places.content(path)
            except (OSError, EOFError, zlib.error) as error:
                unread.append(f"{path} cannot be read ({type(error).__name__}: {error})")
                continue
            for begin, line in _holding(content, needle):
                try:
                    found.append(_logged(path, begin, line))
                except (ValueError, RecursionError, LookupError, TypeError, OverflowError) as error:
                    unread.append(f"{path} at byte {begin:,} is damaged ({type(error).__name__}: {error})")
    ours = [one for one in found if one.content["request"] == request]
    return sorted(ours, key=lambda one: (one.moment, one.path, one.content["row"])), unread


def _holding(content: bytes, needle: bytes) -> Iterator[tuple[int, bytes]]:
    """Each line that holds the needle, with the byte at which it begins."""
    place = content.find(needle)
    while place >= 0:
        begin, end = content.rfind(b"\n", 0, place) + 1, content.find(b"\n", place)
        end = len(content) if end < 0 else end
        yield begin, content[begin:end]
        place = content.find(needle, end)


def _logged(path: str, begin: int, line: bytes) -> Logged:
    """The line as the service writes it; raises ValueError, KeyError or TypeError for another."""
    found = Logged(path, begin, json.loads(line))
    if not (isinstance(found.content["row"], int) and isinstance(found.content["answer"], dict) and found.moment):
        raise ValueError("row is no number, or answer no object")
    _ = found.content["version"], found.content["features"]
    return found


def answers(found: Sequence[Logged]) -> list[list[Logged]]:
    """The lines of each answer; a caller may have used an identity again."""
    groups: dict[tuple[str, str], list[Logged]] = {}
    for line in found:
        groups.setdefault((line.content["version"], line.content["logged"]), []).append(line)
    return list(groups.values())
