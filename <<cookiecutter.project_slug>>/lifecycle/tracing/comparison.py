"""Compares the log's lines of an answer with what was asked about, and chooses among the answers of one identity."""

import json
from collections.abc import Iterator
from typing import Any

from lifecycle import InputError
from lifecycle.tracing.asked import Asked
from lifecycle.tracing.lines import Logged


def _differences(ours: Any, theirs: Any, name: str = "") -> Iterator[str]:
    """The names of the values in which two documents differ."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in dict.fromkeys([*ours, *theirs]):
            yield from _differences(ours.get(key), theirs.get(key), f"{name}.{key}" if name else str(key))
    elif ours != theirs:
        yield f"{name} {ours!r} and not {theirs!r}"


def compared(given: Asked, own: list[Logged]) -> Iterator[str]:
    """Where the log and what was asked about disagree."""
    rows = {one.content["row"]: one for one in own}
    if given.version and given.version != own[0].content["version"]:
        yield f"the log says version {own[0].content['version']!r} and not {given.version!r}"
    for number, answer in given.rows.items():
        if number not in rows:
            yield f"the log has no row {number} of this answer"
            continue
        theirs = given.line or {"answer": answer}
        ours = {key: rows[number].content.get(key) for key in (rows[number].content if given.line else theirs)}
        yield from (f"{rows[number]} says {one}" for one in _differences(ours, theirs))
    if given.rows and not given.line and len(rows) > len(given.rows):
        yield f"the log has {len(rows)} rows of this answer, which has {len(given.rows)}"


def chosen(given: Asked, found: list[list[Logged]]) -> list[Logged]:
    """The lines of the answer that is meant; a request that was sent again may have got the same answer twice."""
    alike = [own for own in found if not any(compared(given, own))] or found
    said = {json.dumps([one.content | {"logged": ""} for one in own], sort_keys=True) for own in alike}
    if len(said) == 1:
        return alike[0]
    moments = ", ".join(own[0].content["logged"] for own in alike)
    raise InputError(
        f"{given.request!r} was answered {len(alike)} times ({moments}); "
        "give the line of the log, or the answer as it was sent."
    )
