"""Moves the data pin to the newest snapshot, and both periods to its end without changing their lengths."""

from datetime import date, timedelta
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.compute as pc

from lifecycle import InputError, config, files
from lifecycle.artifact import frames
from lifecycle.config import Config
from lifecycle.documents.change import Change

BRANCH = "retrain/data"


def newest(section: config.Data) -> tuple[str, bytes]:
    """The last file by name that matches `data.snapshots`, and its content."""
    pattern = section.snapshots or section.path
    try:
        system, path = fsspec.core.url_to_fs(pattern)
        names = sorted(system.glob(path))
        if not names:
            raise InputError(f"Nothing matches data.snapshots {pattern}; correct the pattern, or put a file there.")
        content: bytes = system.cat_file(names[-1])
    except (OSError, ValueError, ImportError) as error:
        raise InputError(f"The snapshots {pattern} cannot be read ({error}); correct data.snapshots.") from error
    if "://" in pattern:
        return str(system.unstrip_protocol(names[-1])), content
    found = Path(names[-1])
    return (found.relative_to(Path.cwd()) if found.is_relative_to(Path.cwd()) else found).as_posix(), content


def end(content: bytes, section: config.Data) -> date:
    """The snapshot's last, possibly partial day, in UTC."""
    try:
        last = pc.max(frames.parquet(content, [section.time])[section.time]).as_py()
    except (pa.ArrowException, KeyError) as error:
        raise InputError(
            f"The newest snapshot is not Parquet with a column {section.time} ({error}); correct it."
        ) from error
    if last is None:
        raise InputError("The newest snapshot has no rows; correct it.")
    found: date = last.date()
    return found


def moved(text: str, settings: Config, path: str, sha256: str, days: timedelta) -> str:
    """`config.yaml` with the new pin and later periods; all else stays as written."""
    split = settings.split
    pairs = {
        f"path: {settings.data.path}\n": f"path: {path}\n",
        f"sha256: {settings.data.sha256}": f"sha256: {sha256}",
        f"train: [{split.train[0]}, {split.train[1]}]": f"train: [{split.train[0] + days}, {split.train[1] + days}]",
        f"test: [{split.test[0]}, {split.test[1]}]": f"test: [{split.test[0] + days}, {split.test[1] + days}]",
    }
    for old, new in pairs.items():
        if text.count(old) != 1:
            raise InputError(f"config.yaml must contain {old.strip()!r} exactly once; write `{new.strip()}` by hand.")
        text = text.replace(old, new)
    return text


def run(settings: Config, path: Path) -> Change | str:
    """Rewrite `config.yaml`; returns the change, or a sentence if there is no newer data."""
    name, content = newest(settings.data)
    sha256, split = files.sha256(content), settings.split
    days = end(content, settings.data) - split.test[1]
    if days <= timedelta(0):
        return f"{name} has no full day after split.test, which ends {split.test[1]}; there is nothing to retrain on."
    files.write(path, moved(path.read_text(), settings, name, sha256, days))
    periods = config.load(path).split
    body = (
        f"The data pin moves to `{name}` (`{sha256[:12]}`, was `{settings.data.sha256[:12]}`), and both periods by "
        f"{days.days} days: trained from {periods.train[0]} until {periods.train[1]}, tested from {periods.test[0]} "
        f"until {periods.test[1]}.\n\nThe gates decide; a comment will show the evaluation.\n"
    )
    return Change(f"Retrain on data until {periods.test[1]}", body, BRANCH, (path.as_posix(),))
