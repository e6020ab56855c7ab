"""Tells which files of the log the shipper, Vector, has brought to the store: by the positions that it keeps.

Vector moves a position on only when the store has acknowledged the lines before it. It knows a file by the CRC-64
(ECMA-182) of its first line. What is not understood here counts as not shipped.
Source: https://github.com/vectordotdev/vector, lib/file-source-common/src, fingerprinter.rs and checkpointer.rs
"""

import json
from pathlib import Path

LONGEST = 16_000_000  # bytes of a line that are looked at
POLYNOMIAL, BITS = 0x42F0E1EBA9EA3693, 0xFFFF_FFFF_FFFF_FFFF


def _row(value: int) -> int:
    for _ in range(8):
        value = value * 2 & BITS ^ (POLYNOMIAL if value > BITS // 2 else 0)
    return value


TABLE = tuple(_row(byte * 2**56) for byte in range(256))


def fingerprint(line: bytes) -> int:
    """Vector's name of a file whose first line this is, with its end."""
    found = 0
    for byte in line:
        found = TABLE[found // 2**56 ^ byte] ^ found * 256 & BITS
    return found


def positions(path: Path) -> dict[int, int]:
    """By fingerprint, up to where the store has a file; empty if the shipper has not said anything yet."""
    try:
        document = json.loads(path.read_bytes())
        return {one["fingerprint"]["first_lines_checksum"]: one["position"] for one in document["checkpoints"]}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


class Shipped:
    """The shipper's positions, read anew by `look`; remembers the fingerprints of files that did not change."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._positions: dict[int, int] = {}
        self._known: dict[tuple[Path, int], int | None] = {}

    def look(self) -> None:
        self._positions = positions(self._path)
        self._known = {key: name for key, name in self._known.items() if key[0].exists()}

    def has(self, path: Path) -> bool:
        """Whether the store has every whole line of a file that no longer grows."""
        name = self._fingerprint(path)
        if name is None:  # it has no whole line
            return True
        if name not in self._positions:
            return False
        with path.open("rb") as file:
            file.seek(self._positions[name])
            return _torn(file.readline(LONGEST))

    def _fingerprint(self, path: Path) -> int | None:
        key = path, path.stat().st_mtime_ns
        if key not in self._known:
            with path.open("rb") as file:
                line = file.readline(LONGEST)
            self._known[key] = None if _torn(line) else fingerprint(line)
        return self._known[key]


def _torn(line: bytes) -> bool:
    """Whether this is what a killed process left at the end of a file, or nothing."""
    return not line.endswith(b"\n") and len(line) < LONGEST
