"""The list of persons whose rows no later table may have: keyed hashes in git, which tell nobody who they are."""

import json
import os
from typing import TYPE_CHECKING

import numpy as np

from lifecycle import InputError, files
from lifecycle.config import ERASED
from lifecycle.privacy import keyed

if TYPE_CHECKING:
    import pandas as pd

KEY = "ERASED_KEY"


def _entry(secret: bytes, wanted: dict[str, str]) -> str:
    hashes = {name: keyed.hashed(secret, name, text(value)) for name, value in sorted(wanted.items())}
    return json.dumps(hashes)


def text(value: object) -> str:
    """A value as text, so that 7 in a table, 7.0 and "7" on the command line are the same person's."""
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)


def add(wanted: dict[str, str]) -> bool:
    """Put columns and values on the list; false if they stand there already."""
    entry = _entry(keyed.key(os.environ, KEY, f"The list {ERASED}"), wanted)
    before = ERASED.read_text().splitlines() if ERASED.is_file() else []
    if entry in before:
        return False
    files.write(ERASED, "\n".join(sorted([*before, entry])) + "\n")
    return True


def contract() -> str:
    """What the list adds to a hash of all that the rows depend on; nothing if there is none."""
    return ERASED.read_text() if ERASED.is_file() else ""


def without(frame: "pd.DataFrame") -> "pd.DataFrame":
    """The rows of nobody on the list; raises InputError if the list is damaged or its key is not set."""
    if not ERASED.is_file():
        return frame
    secret = keyed.key(os.environ, KEY, f"The list {ERASED}")
    keep = np.ones(len(frame), bool)
    for line in ERASED.read_text().splitlines():
        try:
            entry = dict(json.loads(line))
        except (ValueError, TypeError) as error:
            raise InputError(f"{ERASED} is damaged ({error}); restore it from git.") from error
        if entry and entry.keys() <= set(frame):
            found = np.ones(len(frame), bool)
            for name, digest in entry.items():
                found &= frame[name].map(_Hashes(secret, name).of).eq(digest).to_numpy()
            keep &= ~found
    return frame if keep.all() else frame[keep].reset_index(drop=True)


class _Hashes:
    """The hashes of a column's values, each computed once."""

    def __init__(self, secret: bytes, name: str) -> None:
        self._secret, self._name = secret, name
        self._known: dict[object, str | None] = {}

    def of(self, value: object) -> str | None:
        if value not in self._known:
            missing = value is None or value != value
            self._known[value] = None if missing else keyed.hashed(self._secret, self._name, text(value))
        return self._known[value]
