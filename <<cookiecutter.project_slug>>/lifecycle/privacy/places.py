"""The files of the log on this machine or in an object store."""

import gzip
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from lifecycle import InputError
from lifecycle.privacy import blank as blanked


def _system(location: str) -> tuple[Any, str]:
    try:
        import fsspec

        found: tuple[Any, str] = fsspec.url_to_fs(location)
        return found
    except ImportError as error:
        raise InputError(
            f"{location} cannot be reached from here ({error}); run `make erase` in the repository for the store."
        ) from error


def find(location: str, pattern: str) -> list[str]:
    """The files below a folder or an address that match a pattern; raises InputError for a store that is silent."""
    if "://" not in location:
        return sorted(str(path) for path in Path(location).glob(pattern))
    system, root = _system(location)
    try:
        return [system.unstrip_protocol(path) for path in sorted(system.glob(f"{root.rstrip('/')}/{pattern}"))]
    except Exception as error:  # each store raises its own exceptions
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{location} cannot be read ({reason}); correct it, or its credentials.") from error


def read(path: str) -> Iterator[bytes]:
    """The lines of a file; none of one that is gone meanwhile."""
    if "://" in path:
        system, name = _system(path)
        with system.open(name, "rb", compression="gzip" if name.endswith(".gz") else None) as file:
            yield from file
        return
    try:
        yield from blanked.read(Path(path))
    except FileNotFoundError:
        return


def content(path: str) -> bytes:
    """A whole file, unpacked; empty if it is gone meanwhile."""
    if "://" in path:
        system, name = _system(path)
        found: bytes = system.cat_file(name)
    else:
        try:
            found = Path(path).read_bytes()
        except FileNotFoundError:
            return b""
    return gzip.decompress(found) if path.endswith(".gz") else found


def blank(path: str, wanted: blanked.Wanted) -> None:
    """Remove the wanted lines of a file, which in a store is written again as a whole."""
    if "://" not in path:
        with suppress(FileNotFoundError):  # deleted meanwhile, as it was too old
            blanked.file(Path(path), wanted)
        return
    system, name = _system(path)
    content, count = blanked.without(system.cat_file(name), wanted, name.endswith(".gz"))
    if count:
        system.pipe_file(name, content)
