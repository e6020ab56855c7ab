"""Moves the data pin to the newest snapshot, and both periods to its end without changing their lengths."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.compute as pc

from lifecycle import InputError, config, files
from lifecycle.artifact import frames
from lifecycle.config import Config
from lifecycle.documents.change import Change
from lifecycle.rows import store

BRANCH, KEY = "retrain/data", "data.snapshots"


def newest(section: config.Data) -> tuple[str, str, date | None]:
    """The snapshot with the latest row, its pin, and the UTC day of that row, possibly partial.

    A snapshot is whatever `data.path` may be, such as a folder; without `data.snapshots` it is `data.path`, which may
    have grown. Of those that end at the same moment, or without `data.time`, it is the last one by name.
    """
    tables = [store.find(name, KEY) for name in _matches(section.snapshots)] if section.snapshots else []
    tables = tables or [store.find(section.path)]
    moments = [end(table, section.time) for table in tables] if section.time else []
    latest = max(range(len(tables)), key=lambda place: (moments[place], place)) if moments else len(tables) - 1
    with store.local(tables[latest], KEY) as paths:
        pin = tables[latest].pin({name: files.hashed(path) for name, path in paths.items()})
    return tables[latest].location, pin, moments[latest].date() if moments else None


def _matches(pattern: str) -> list[str]:
    """The snapshots that a pattern of paths or URIs matches, in order of name."""
    with store.answering(pattern, KEY):
        system, path = fsspec.url_to_fs(pattern)
        names = sorted(system.glob(path))
    if not names:
        raise InputError(f"Nothing matches data.snapshots {pattern}; correct the pattern, or put a file there.")
    if "://" in pattern:
        return [str(system.unstrip_protocol(name)) for name in names]
    here = Path.cwd()
    return [(Path(one).relative_to(here) if Path(one).is_relative_to(here) else Path(one)).as_posix() for one in names]


def end(table: store.Found, time: str) -> datetime:
    """The latest moment of a snapshot, in UTC; raises InputError if it has none."""
    moments = []
    for file in table.files:
        name = f"{table.location}/{file.name}" if table.many else table.location
        with store.answering(name, KEY):
            content = file.system.open(file.path, "rb")
        try:
            with content:
                last = pc.max(frames.parquet(content, [time])[time]).as_py()
        except (pa.ArrowException, KeyError) as error:
            raise InputError(
                f"The snapshot {name} is not Parquet with a column {time} ({error}); correct it, or data.snapshots."
            ) from error
        if not isinstance(last, datetime):
            raise InputError(
                f"The snapshot {name} has no moment in the column {time}; correct it, or data.snapshots in config.yaml."
            )
        moments.append(last.astimezone(UTC) if last.tzinfo else last.replace(tzinfo=UTC))
    return max(moments)


def moved(text: str, pairs: dict[str, str]) -> str:
    """`config.yaml` with some words replaced; all else stays as written."""
    for old, new in pairs.items():
        if text.count(old) != 1:
            raise InputError(f"config.yaml must contain {old.strip()!r} exactly once; write `{new.strip()}` by hand.")
        text = text.replace(old, new)
    return text


def run(settings: Config, path: Path) -> Change | str:
    """Rewrite `config.yaml`; returns the change, or a sentence if there is no newer data."""
    name, sha256, last = newest(settings.data)
    split = settings.split
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
