"""Reads an image's contents from a model repository's Dockerfile, for use without Docker."""

import hashlib
import io
import tarfile
from pathlib import Path


def contents(project: Path, target: str) -> dict[str, str]:
    """The repository's files that a stage copies, by their path below the image's /model."""
    found: dict[str, str] = {}
    stage = ""
    for line in (project / "Dockerfile").read_text().replace("\\\n", " ").splitlines():
        words = line.split()
        if words[:1] == ["FROM"]:
            stage = words[-1]
        if words[:1] == ["COPY"] and stage == target:
            *sources, place = words[1:]
            for source in sources:
                found |= _below(project, source, place, len(sources) > 1 or place.endswith("/"))
    return found


def _below(project: Path, source: str, place: str, folder: bool) -> dict[str, str]:
    path = project / source
    if path.is_file():
        inside = Path(place, path.name) if folder else Path(place)
        return {inside.as_posix(): source}
    files = (one for one in sorted(path.rglob("*")) if one.is_file() and "__pycache__" not in one.parts)
    return {Path(place, one.relative_to(path)).as_posix(): one.relative_to(project).as_posix() for one in files}


def archive(project: Path, target: str, lock: str) -> tuple[str, bytes]:
    """A reproducible archive of a stage's files and its lock file, and the archive's digest."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as opened:
        for place, source in {**contents(project, target), "lock.txt": f"locks/{lock}.txt"}.items():
            opened.add(project / source, f"model/{place}", filter=_plain)
    return hashlib.sha256(buffer.getvalue()).hexdigest(), buffer.getvalue()


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = 0, 0, 0, "", ""
    return entry
