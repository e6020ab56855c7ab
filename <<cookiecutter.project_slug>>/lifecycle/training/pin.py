"""Moves the data pin to the newest snapshot, and both periods to its end without changing their lengths."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import fsspec
import pyarrow as pa
import pyarrow.compute as pc

from lifecycle import InputError, config, files
from lifecycle.artifact import frames
from lifecycle.config import Config
from lifecycle.documents.change import Change

BRANCH = "retrain/data"


def newest(section: config.Data) -> tuple[str, bytes, date | None]:
    """The file of `data.snapshots` with the latest row, its content, and the UTC day of that row, possibly partial.

    Of files that end at the same moment, or without `data.time`, the last one by name.
    """
    pattern = section.snapshots or section.path
    try:
        system, path = fsspec.core.url_to_fs(pattern)
        names = sorted(system.glob(path))
        if not names:
            raise InputError(f"Nothing matches data.snapshots {pattern}; correct the pattern, or put a file there.")
        moments = {name: end(name, system.open(name, "rb"), section.time) for name in names if section.time}
        latest = max(names, key=lambda name: (moments.get(name), name)) if moments else names[-1]
        content: bytes = system.cat_file(latest)
    except (OSError, ValueError, ImportError) as error:
        raise InputError(f"The snapshots {pattern} cannot be read ({error}); correct data.snapshots.") from error
    day = moments[latest].date() if moments else None
    if "://" in pattern:
        return str(system.unstrip_protocol(latest)), content, day
    found = Path(latest)
    return (found.relative_to(Path.cwd()) if found.is_relative_to(Path.cwd()) else found).as_posix(), content, day


def end(name: str, file: BinaryIO, time: str) -> datetime:
    """The latest moment of a snapshot, in UTC; raises InputError if it has none."""
    try:
        with file:
            last = pc.max(frames.parquet(file, [time])[time]).as_py()
    except (pa.ArrowException, KeyError) as error:
        raise InputError(
            f"The snapshot {name} is not Parquet with a column {time} ({error}); correct it, or data.snapshots."
        ) from error
    if not isinstance(last, datetime):
        raise InputError(
            f"The snapshot {name} has no moment in the column {time}; correct it, or data.snapshots in config.yaml."
        )
    return last.astimezone(UTC) if last.tzinfo else last.replace(tzinfo=UTC)


def moved(text: str, pairs: dict[str, str]) -> str:
    """`config.yaml` with some words replaced; all else stays as written."""
    for old, new in pairs.items():
        if text.count(old) != 1:
            raise InputError(f"config.yaml must contain {old.strip()!r} exactly once; write `{new.strip()}` by hand.")
        text = text.replace(old, new)
    return text


def run(settings: Config, path: Path) -> Change | str:
    """Rewrite `config.yaml`; returns the change, or a sentence if there is no newer data."""
    name, content, last = newest(settings.data)
    sha256, split = files.sha256(content), settings.split
    pairs = {
        f"path: {settings.data.path}\n": f"path: {name}\n",
        f"sha256: {settings.data.sha256}": f"sha256: {sha256}",
    }
    what = f"The data pin moves to `{name}` (`{sha256[:12]}`, was `{settings.data.sha256[:12]}`)"
    if isinstance(split, config.Split) and last:
        days = last - split.test[1]
        if days <= timedelta(0):
            return (
                f"{name} has no full day after split.test, which ends {split.test[1]}; there is nothing to retrain on."
            )
        for part, (first, after) in (("train", split.train), ("test", split.test)):
            pairs[f"{part}: [{first}, {after}]"] = f"{part}: [{first + days}, {after + days}]"
        title = f"Retrain on data until {split.test[1] + days}"
        what += (
            f", and both periods by {days.days} days: trained from {split.train[0] + days} until "
            f"{split.train[1] + days}, tested from {split.test[0] + days} until {split.test[1] + days}"
        )
    elif sha256 == settings.data.sha256:
        return f"{name} is the newest snapshot and pinned already; there is nothing to retrain on."
    else:
        title = f"Retrain on {name}"
    files.write(path, moved(path.read_text(), pairs))
    config.load(path)
    body = f"{what}.\n\nThe gates decide; a comment will show the evaluation.\n"
    return Change(title, body, BRANCH, (path.as_posix(),))
