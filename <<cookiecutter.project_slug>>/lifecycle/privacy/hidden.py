"""Keeps features out of the log that are personal: `log: false` leaves one out, `log: hash` writes a keyed hash."""

from collections.abc import Mapping, Sequence
from typing import Any

from lifecycle.artifact.directory import Model
from lifecycle.config import Feature
from lifecycle.privacy import keyed

KEY = "LOG_KEY"


def hidden(model: Model, features: Mapping[str, Feature]) -> dict[str, bool | str]:
    """The features that the log does not show, each with false or `hash`.

    Both count what the model was trained with and what config.yaml says now: a model may be older than the wish.
    """
    now = {name: feature.log for name, feature in features.items() if feature.log is not True}
    return {**model.metadata.get("log", {}), **now}


class Veil:
    """Hides the values of such features in what is to be logged; raises InputError when a hash lacks its key."""

    def __init__(self, found: Mapping[str, bool | str], environment: Mapping[str, str]) -> None:
        self._absent = {name for name, how in found.items() if how != "hash"}
        self._hashed = sorted(found.keys() - self._absent)
        self._secret = b""
        if self._hashed:
            self._secret = keyed.key(environment, KEY, f"`log: hash` of {', '.join(self._hashed)}")

    def over(self, columns: Mapping[str, Sequence[Any]]) -> Mapping[str, Sequence[Any]]:
        """The columns as the log may have them."""
        if not (self._absent or self._hashed):
            return columns
        found = {name: values for name, values in columns.items() if name not in self._absent}
        for name in self._hashed:
            if name in found:
                found[name] = [keyed.hashed(self._secret, name, value) for value in found[name]]
        return found
