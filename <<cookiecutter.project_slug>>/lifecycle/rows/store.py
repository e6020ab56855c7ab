"""Finds the files of a table, wherever they are, and brings them to this machine: one, a folder of them or a pattern.

The columns that folder names such as `year=2026` would make are not read.
"""

import errno
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from lifecycle import InputError, files
from lifecycle.rows import dvc

PACKAGES = ("adlfs", "gcsfs", "ossfs", "paramiko")  # of stores, which fsspec names where they are missing
# What tells that a folder is a table whose log says which of its files count.
LOGS = {"_delta_log/": "Delta", ".metadata.json": "Iceberg", ".hoodie/": "Hudi"}


@dataclass(frozen=True)
class File:
    """One file: its name within the table, where it is, its bytes if they are known, and the MD5 that DVC asks for."""

    name: str
    system: fsspec.AbstractFileSystem
    path: str
    size: int = 0
    md5: str = ""


@dataclass(frozen=True)
class Found:
    """The files at a location in order of name; `many` if it is a folder or a pattern, even of one file."""

    location: str
    files: tuple[File, ...]
    many: bool

    def pin(self, hashes: Mapping[str, str]) -> str:
        """The SHA-256 of the only file, or the hash of hashes: of the lines that `sha256sum` prints, by name."""
        return files.pin(hashes) if self.many else hashes[self.files[0].name]


def find(location: str, key: str = "data.path") -> Found:
    """The files at a path, a URI, a pattern of either, or a pointer file of DVC, which `key` of config.yaml names.

    Raises InputError if there is none, or their store does not answer.
    """
    location = location.removeprefix("file://")
    if not location:
        raise InputError(f"{key} is empty and cannot be read; name a file, a folder, a pattern or a URI there.")
    with answering(location, key):
        if location.endswith(".dvc") and "://" not in location:
            listed, many = dvc.tracked(Path(location))
            found = [File(name, system, path, md5=digest) for name, digest, system, path in listed]
        else:
            found, many = _listed(location)
    if not found:
        raise InputError(f"{location} holds no file that ends in .parquet; correct {key}, or put one there.")
    if odd := next((file.name for file in found if ".." in Path(file.name).parts or file.name.startswith("/")), None):
        raise InputError(f"{location} names the file {odd}, which would lie outside of it; rename the file.")
    return Found(location, tuple(found), many)


def _listed(location: str) -> tuple[list[File], bool]:
    system, path = fsspec.url_to_fs(location)
    if _web(location):
        return [File(path.partition("?")[0].rpartition("/")[2], system, path)], False
    if any(sign in path for sign in "*?[") and not system.isfile(path):
        root = path[: min(path.find(sign) for sign in "*?[" if sign in path)].rpartition("/")[0]
        matches = system.glob(path, detail=True)
        folders = [name for name, one in matches.items() if one["type"] == "directory"]
        below = {name: one for folder in folders for name, one in system.find(folder, detail=True).items()}
        wanted = {name: one for name, one in matches.items() if name not in folders} | _parquet(below)
    elif (one := system.info(path))["type"] == "directory":
        root, below = path.rstrip("/"), system.find(path, detail=True)
        wanted = _parquet(below)
    else:
        return [File(path.rpartition("/")[2], system, path, one["size"] or 0)], False
    if kind := next((LOGS[sign] for sign in LOGS if any(sign in name for name in below)), None):
        raise InputError(f"{location} is a table of {kind}, of whose files some may be deleted; export it as Parquet.")
    return [
        File(name.removeprefix(root).lstrip("/"), system, name, wanted[name]["size"] or 0) for name in sorted(wanted)
    ], True


def _parquet(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in found.items() if name.endswith(".parquet")}


def _web(location: str) -> bool:
    """Whether a location is a web address, which has no folders, and a `?` that is no pattern."""
    return location.startswith(("http://", "https://"))


@contextmanager
def local(found: Found, key: str = "data.path") -> Iterator[dict[str, Path]]:
    """The path of each file on this machine, by name and in its order; copies of remote files go with the block.

    Raises InputError for a file that cannot be read, or is not what its pointer says.
    """
    with tempfile.TemporaryDirectory(prefix="data-") as folder:
        paths = {}
        for file in found.files:
            with answering(f"{file.name} of {found.location}" if found.many else found.location, key):
                paths[file.name] = _fetched(file, Path(folder))
            if file.md5 and (digest := dvc.md5(paths[file.name])) != file.md5:
                raise InputError(
                    f"{file.path} has md5 {digest}, not {file.md5} as {found.location} says; run `dvc push` where the "
                    "right file is, or `dvc add` the new one."
                )
        yield paths


def _fetched(file: File, folder: Path) -> Path:
    if isinstance(file.system, LocalFileSystem):
        Path(file.path).open("rb").close()
        return Path(file.path)
    path = folder / file.name
    path.parent.mkdir(parents=True, exist_ok=True)
    file.system.get_file(file.path, str(path))
    return path


@contextmanager
def answering(location: str, key: str) -> Iterator[None]:
    """Turn whatever a store raises into an InputError that says what to do."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # each kind of store raises exceptions of its own
        cause = error.__cause__ if _web(location) and error.__cause__ else error  # fsspec hides it behind another
        raise InputError(f"{location} cannot be read ({said(cause)}); {_remedy(location, cause, key)}.") from error


def _remedy(location: str, error: BaseException, key: str) -> str:
    kind, status = type(error).__name__, getattr(error, "status", None)
    if isinstance(error, ImportError):
        package = next((name for name in PACKAGES if name in str(error)), "the package that it names")
        return f"add {package} to model/pyproject.toml, then run `make lock GROUPS=model`"
    if "Credentials" in kind:
        return "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; on GitHub as secrets of the repository"
    if isinstance(error, PermissionError) or status in (401, 403):
        return "let its owner allow it, or correct the credentials in the environment"
    if isinstance(error, FileNotFoundError) or status == 404:
        return f"correct {key}, or {'run `dvc push` where the file is' if '.dvc' in location else 'put the file there'}"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "let TMPDIR name a folder with more space"
    if "Connect" in kind or isinstance(error, TimeoutError):
        return f"correct the host in {key}, or reach its network from this machine"
    return f"correct {key}, or its credentials"


def said(error: BaseException) -> str:
    """What a library said, as a part of a sentence."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200].rstrip('.;')}"
