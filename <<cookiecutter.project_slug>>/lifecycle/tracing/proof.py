"""Reads files of a commit and compares commit, folders and file with the hashes that name them in git."""

from pathlib import Path

from lifecycle import git

FOLDER = "40000"  # the mode of a folder


class Proof:
    """Reads each object once, and raises InputError for one whose bytes were changed."""

    def __init__(self) -> None:
        self._prefix = Path(git.run("rev-parse", "--show-prefix")).parts
        self._read: dict[str, bytes] = {}

    def content(self, commit: str, path: Path) -> bytes | None:
        """A file's content in a commit, or None if it has no such file."""
        about = self._object(git.known(commit))
        mode, place = FOLDER, about.split(b"\n", 1)[0].removeprefix(b"tree ").decode()
        for part in (*self._prefix, *path.parts):
            mode, place = _entries(self._object(place), len(place) // 2).get(part, (FOLDER, ""))
            if not place:
                return None
        return None if mode == FOLDER else self._object(place)

    def _object(self, sha: str) -> bytes:
        if sha not in self._read:
            (self._read[sha],) = git.objects(sha)
        return self._read[sha]


def _entries(folder: bytes, size: int) -> dict[str, tuple[str, str]]:
    """Mode and hash of each name in a folder; git keeps mode, name, a zero byte and the hash, one after the other."""
    found = {}
    while folder:
        head, _, rest = folder.partition(b"\0")
        mode, _, name = head.decode(errors="replace").partition(" ")
        found[name] = mode, rest[:size].hex()
        folder = rest[size:]
    return found
