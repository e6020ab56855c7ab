"""Removes a person's rows from the log and the labels, and keeps them out of later tables.

It may be interrupted and run again: labels go before the answers by which they are found. A service may go on writing.
"""

import json
import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from lifecycle import InputError
from lifecycle.config import ERASED, Config
from lifecycle.documents import log
from lifecycle.privacy import blank, erased, keyed, places
from lifecycle.privacy.hidden import KEY

REQUEST = "request"
COPIES = (
    "the object store: earlier versions of its objects, and its backups",
    "the shipper: it holds lines for up to 15 minutes; run this again for the store after that",
    "volumes: snapshots and backups of the claim `predictions`",
    "the data: the files that data.path pins, their git history, what DVC or the warehouse keeps",
    "trained models: their folder holds test rows, in build/model, images, MLflow and artifacts on GitHub; a model may "
    "remember rows that it learnt from, so train again",
    "whoever else keeps requests: callers, gateways, proxies",
)


class Person:
    """Who is wanted: the values of some columns, all of which a row must have."""

    def __init__(self, text: str, settings: Config) -> None:
        self.wanted = _parsed(text, settings)
        self._forms = {name: _forms(name, value, settings) for name, value in self.wanted.items()}
        self.found: set[tuple[str, int]] = set()  # request and row of each answer
        self._requests: set[str] = {
            value for name, value in self.wanted.items() if [*self.wanted] == [name] == [REQUEST]
        }

    def answer(self, line: bytes) -> bool:
        """Whether a line of the log is an answer about the person, or what a kill left of one."""
        if blank.begun(line):
            return True
        if not all(any(form.encode() in line for form in forms) for forms in self._forms.values()):
            return False
        try:
            row = json.loads(line)
            sent = {**row["features"], **row["context"], REQUEST: row[REQUEST]}
            same = all(_same(sent.get(name), forms) for name, forms in self._forms.items())
            if same:
                self.found.add((row[REQUEST], row["row"]))
            return same
        except (ValueError, KeyError, TypeError, RecursionError):
            return True

    def label(self, line: bytes) -> bool:
        """Whether a line of labels is about one of the answers that were found, or what a kill left of one."""
        if blank.begun(line):
            return True
        try:
            row = json.loads(line)
            return (row[REQUEST], row["row"]) in self.found or row[REQUEST] in self._requests
        except (ValueError, KeyError, TypeError, RecursionError):
            return False


def _parsed(text: str, settings: Config) -> dict[str, str]:
    allowed = [REQUEST, *settings.data.key, *settings.data.features]
    try:
        pairs = [word.partition("=") for word in shlex.split(text)]
    except ValueError as error:
        raise InputError(f"KEY is {text!r}, of which a quote does not end ({error}); close it.") from error
    wanted = {name: value for name, _, value in pairs}
    if not wanted or not all(sign and value for _, sign, value in pairs):
        raise InputError(f"KEY is {text!r}; name a column and its value, such as `KEY=customer=4711`.")
    if unknown := sorted(wanted.keys() - set(allowed)):
        raise InputError(f"KEY names {', '.join(unknown)}, which the log does not have; it has {', '.join(allowed)}.")
    return wanted


def _forms(name: str, value: str, settings: Config) -> tuple[str, ...]:
    """How a value may stand in the log: as text, as a number, or hashed."""
    forms = [json.dumps(value, ensure_ascii=False)[1:-1]]
    number = _number(value)
    if number is not None:
        forms.append(erased.text(number))
    feature = settings.data.features.get(name)
    if (feature and feature.log == "hash") or os.environ.get(KEY):
        secret = keyed.key(os.environ, KEY, f"`log: hash` of {name}")
        numeric = number is not None and feature is not None and feature.type == "number"
        forms.append(keyed.hashed(secret, name, number if numeric else value) or "")
    return tuple(dict.fromkeys(forms))


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def _same(value: object, forms: Sequence[str]) -> bool:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)[1:-1] in forms
    return value is not None and erased.text(value) in forms


def _sources(locations: Sequence[str], labels: str | None) -> Iterator[tuple[str, bool]]:
    """Every file of the locations, and whether it holds labels: those first."""
    own = [labels] if labels else []
    for place, pattern in [*((one, log.pattern(log.LABELS)) for one in locations), *((one, log.FILES) for one in own)]:
        yield from ((path, True) for path in places.find(place, pattern))
    for place in locations:
        yield from ((path, False) for path in places.find(place, log.pattern(log.VERSIONS)))


def run(settings: Config, key: str, locations: Sequence[str], labels: str | None, apply: bool) -> str:
    """Remove the rows with a key from log and labels, or say without `apply` how many there are."""
    person = Person(key, settings)
    sources, hits = list(_sources(locations, labels)), {}
    for path in (path for path, told in sources if not told):
        hits[path] = sum(person.answer(line) for line in places.read(path))
    for path in (path for path, told in sources if told):
        hits[path] = sum(person.label(line) for line in places.read(path))
    counts = [sum(hits[path] for path, told in sources if told is kind) for kind in (False, True)]
    what = f"{counts[0]:,} rows and {counts[1]:,} labels in {sum(map(bool, hits.values())):,} files"
    if not apply:
        return f"would remove {what}, and keep the person out of later tables; APPLY=yes does it"
    listed = _list(person)
    for path, told in sources:
        if hits[path]:
            places.blank(path, person.label if told else person.answer)
    for copy in COPIES:
        print(f"  a copy may be left in {copy}")
    return f"removed {what}; {listed}"


def _list(person: Person) -> str:
    """Keep the person out of what `make data` reads from now on, where the repository is."""
    wanted = {name: value for name, value in person.wanted.items() if name != REQUEST}
    if not wanted:
        return "a request's identity is in no table, so later tables were not looked at"
    if not Path(".git").exists():
        return "run `make erase` in the repository, too, for later tables"
    new = erased.add(wanted)
    return f"{ERASED} {'now names' if new else 'already named'} the person by a hash: commit it, and train again"
