"""Compares what the candidate takes as a request with what the callers of production's model send."""

from lifecycle.artifact.directory import Column, Model
from lifecycle.documents.record import Requests


def _kind(column: Column) -> str:
    return "true or false" if column.boolean else column.type


def requests(candidate: Model, champion: Model) -> Requests:
    """The differences in words; only another optional input, or an input no longer required, breaks no caller."""
    new, old = ({column.name: column for column in model.requests} for model in (candidate, champion))
    breaks: list[str] = []
    other: list[str] = []
    for name, was in old.items():
        now = new.get(name)
        if now is None:
            if name not in candidate.metadata["key"]:
                breaks.append(f"{name} is gone, and requests that have it are refused")
        elif _kind(now) != _kind(was):
            breaks.append(f"{name} was {_kind(was)} and is {_kind(now)}")
        elif now.missing != was.missing:
            (other if now.missing else breaks).append(f"{name} {'may' if now.missing else 'must not'} be missing")
    for name, now in new.items():
        if name not in old:
            state = "optional" if now.missing else "required"
            (other if now.missing else breaks).append(f"{name} ({_kind(now)}) is new and {state}")
    known = {*new, *candidate.context}
    breaks += [
        f"{name}, which told rows apart, is gone, and requests that have it are refused"
        for name in champion.context
        if name not in known
    ]
    return Requests(breaks=tuple(breaks), other=tuple(other))
