"""Writes files and folders atomically, and identifies them by hash."""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lifecycle import InputError

SUMS = "SHA256SUMS"
OTHERS = (SUMS, "registered_model_meta")  # MLflow adds the latter to what it registers; nothing here opens it
PART, OLD = ".part", ".old.part"  # ignored by git


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def hashed(path: Path) -> str:
    """The SHA-256 of a file, of any size."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def pin(hashes: Mapping[str, str]) -> str:
    """The hash of hashes: of the lines that `sha256sum` prints for files, in the order of their names."""
    return sha256("".join(f"{hashes[name]}  {name}\n" for name in sorted(hashes)).encode())


def write(path: Path, content: str | bytes) -> None:
    """Replace a file atomically: a reader sees the old content or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_bytes(content.encode() if isinstance(content, str) else content)
    part.replace(path)


def write_json(path: Path, content: Any) -> None:
    write(path, json.dumps(content, indent=1) + "\n")


def read_json(path: Path) -> Any:
    """The JSON document in a file; raises InputError if it is not valid."""
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid JSON ({error}); write it again.") from error


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that replaces `folder` if the block succeeds; `recover` ends what a kill interrupted."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=PART, dir=folder.parent))
    part.chmod(0o755)
    old = part.with_suffix(OLD)
    try:
        yield part
        if folder.exists():
            folder.rename(old)
        part.rename(folder)
    finally:
        _settle(folder, old)
        shutil.rmtree(part, ignore_errors=True)


def recover(folder: Path) -> None:
    """Let a folder be its old self or the new one after its replacement was killed, and remove what else is left."""
    for old in folder.parent.glob(f".{folder.name}.*{OLD}"):
        _settle(folder, old)
    for part in folder.parent.glob(f".{folder.name}.*{PART}"):
        shutil.rmtree(part)


def _settle(folder: Path, old: Path) -> None:
    """Remove the old folder if the new one is in its place, or put it back."""
    if old.exists() and not folder.exists():  # interrupted between the renames
        old.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def made(path: Path, step: str) -> Path:
    """A file that an earlier step wrote; raises InputError naming that step if it did not."""
    if not path.is_file():
        raise InputError(f"{path} does not exist; run `make {step}` first.")
    return path


def read(path: Path, step: str) -> bytes:
    """The content of a file that an earlier step wrote; raises InputError naming that step."""
    return made(path, step).read_bytes()


def seal(folder: Path) -> None:
    """Write the hashes of a folder's files, in the format of `sha256sum --check`."""
    lines = [f"{sha256(path.read_bytes())}  {name}\n" for name, path in sorted(_within(folder).items())]
    write(folder / SUMS, "".join(lines))


def unseal(folder: Path) -> str:
    """Check a sealed folder and return its hash; raises InputError unless its files are exactly those that were sealed.

    No path of the list is opened, only files that are in the folder.
    """
    sums = folder / SUMS
    if not sums.is_file():
        raise InputError(f"{folder} is not a model directory: it has no {SUMS}; run `make train` or name another.")
    listed, found = _listed(folder), _within(folder)
    for name, path in found.items():
        if path.is_symlink() or not path.is_file():
            raise _damaged(folder, f"{name} is a link, or no file")
        if name not in listed:
            raise _damaged(folder, f"{name} is not in {SUMS}")
    for name, expected in listed.items():
        if name not in found:
            raise _damaged(folder, f"{name} is missing")
        if sha256(found[name].read_bytes()) != expected:
            raise _damaged(folder, f"{name} was changed")
    return sha256(sums.read_bytes())


def _within(folder: Path) -> dict[str, Path]:
    """What a folder holds besides its list of hashes, by its path from there."""
    inside = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    return {
        name: path for name, path in inside.items() if name not in OTHERS and (path.is_symlink() or not path.is_dir())
    }


def _listed(folder: Path) -> dict[str, str]:
    """The hash of each path in a folder's list."""
    listed: dict[str, str] = {}
    for number, line in enumerate((folder / SUMS).read_text(errors="replace").splitlines(), 1):
        expected, _, name = line.partition("  ")
        inside = not name.startswith("/") and ".." not in name.split("/")
        if not (re.fullmatch("[0-9a-f]{64}", expected) and name and inside):
            raise _damaged(folder, f"line {number} of {SUMS} is not a hash and the path of a file in the folder")
        if name in listed:
            raise _damaged(folder, f"{SUMS} names {name} twice")
        listed[name] = expected
    if not listed:
        raise _damaged(folder, f"{SUMS} is empty")
    return listed


def _damaged(folder: Path, what: str) -> InputError:
    return InputError(f"The model directory {folder} is damaged: {what}; copy or train it again.")
