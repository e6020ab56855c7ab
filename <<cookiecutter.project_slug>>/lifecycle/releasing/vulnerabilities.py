"""Finds the known vulnerabilities of locked packages that have a fix, by asking OSV (https://osv.dev).

It is asked with names and versions alone. Its answers' form: docs/api/post-v1-querybatch.md and get-v1-vulns.md of
google/osv.dev, and the OSV schema.
"""

import json
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Collection, Iterator
from datetime import date
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from lifecycle import InputError
from lifecycle.documents import vulnerabilities as documents
from lifecycle.documents.vulnerabilities import EXCEPTIONS, Excepted, Vulnerabilities, Vulnerability

ADDRESS = "https://api.osv.dev"
MOST = 1_000  # queries in a request; OSV allows no more
LOCKS = Path("locks")
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", flags=re.M)

type Pin = tuple[str, str]  # a package and its version


def pins(folder: Path) -> dict[Pin, tuple[str, ...]]:
    """Every locked version, also those for other platforms, with the names of the locks that have it."""
    found: dict[Pin, tuple[str, ...]] = {}
    for path in sorted(folder.glob("*.txt")):
        for pin in dict.fromkeys(PIN.findall(path.read_text())):
            found[pin] = (*found.get(pin, ()), path.stem)
    return found


def _ask(path: str, body: Any = None) -> Any:
    """One call of OSV's API."""
    address = f"{os.environ.get('OSV', ADDRESS)}{path}"
    content = None if body is None else json.dumps(body).encode()
    try:
        request = urllib.request.Request(address, content, {"Content-Type": "application/json"})  # noqa: S310
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - the address is ours
            return json.load(answer)
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"OSV cannot be asked at {address} ({error}); try again later.") from error


def _ids(asked: Collection[Pin]) -> dict[Pin, list[str]]:
    """The ids of each version's vulnerabilities, of all pages."""
    found: dict[Pin, list[str]] = {}
    waiting = [(pin, "") for pin in asked]
    while waiting:
        part, waiting = waiting[:MOST], waiting[MOST:]
        queries = [
            {"package": {"name": name, "ecosystem": "PyPI"}, "version": version}
            | ({"page_token": token} if token else {})
            for (name, version), token in part
        ]
        for (pin, _), result in zip(part, _ask("/v1/querybatch", {"queries": queries})["results"], strict=True):
            found.setdefault(pin, []).extend(one["id"] for one in result.get("vulns", []))
            if token := result.get("next_page_token"):
                waiting.append((pin, token))
    return {pin: ids for pin, ids in found.items() if ids}


def _fixes(document: dict[str, Any], pin: Pin) -> tuple[str, ...]:
    """The versions newer than the locked one that mend a vulnerability, from the oldest."""
    ranges = (
        part
        for affected in document.get("affected", [])
        if affected.get("package", {}).get("ecosystem") == "PyPI" and _same(affected["package"]["name"], pin[0])
        for part in affected.get("ranges", [])
        if part["type"] == "ECOSYSTEM"
    )
    fixed = {event["fixed"] for part in ranges for event in part["events"] if "fixed" in event}
    return tuple(sorted((one for one in fixed if _newer(one, pin[1])), key=Version))


def _same(name: str, other: str) -> bool:
    return re.sub(r"[._-]+", "-", name).lower() == re.sub(r"[._-]+", "-", other).lower()


def _newer(version: str, other: str) -> bool:
    try:
        return Version(version) > Version(other)
    except InvalidVersion:
        return False


def known(locked: dict[Pin, tuple[str, ...]]) -> Iterator[Vulnerability]:
    """The vulnerabilities that have a fix; each once, though two databases of OSV may have it."""
    ids = _ids(locked)
    every = sorted({one for found in ids.values() for one in found})
    told = {one: _ask(f"/v1/vulns/{urllib.parse.quote(one, safe='')}") for one in every}
    for pin, found in sorted(ids.items()):
        names: set[str] = set()
        for one in sorted(found):
            own = (one, *told[one].get("aliases", []))
            fixes = _fixes(told[one], pin)
            if fixes and not told[one].get("withdrawn") and not names.intersection(own):
                names.update(own)
                yield Vulnerability(package=pin[0], version=pin[1], names=own, fixes=fixes, locks=locked[pin])


def judged(found: Collection[Vulnerability], excepted: Collection[Excepted], today: date) -> Vulnerabilities:
    """What is to be told: without those whose exception holds, and with what is to be said of the exceptions."""
    holding = {one.id for one in excepted if today < one.until}
    named = {name for one in found for name in one.names}
    ended = [one for one in excepted if one.id not in holding and one.id in named]
    unused = [one for one in excepted if one.id not in named]
    said = [f"The exception from {one.id} ended on {one.until}." for one in ended]
    said += [f"No locked package needs the exception from {one.id} any more; remove it." for one in unused]
    left = (one for one in found if not holding.intersection(one.names))
    return Vulnerabilities(vulnerabilities=tuple(left), said=tuple(said))


def run(build: Path, today: date) -> str:
    """Ask for all locked packages, and write and print what has a fix and no exception."""
    excepted = documents.exceptions(EXCEPTIONS)
    locked = pins(LOCKS)
    try:
        every = list(known(locked))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"OSV answered otherwise than its documentation says ({error!r}); try again later.") from error
    found = judged(every, excepted, today)
    documents.write(build / "vulnerabilities.json", found)
    for one in found.vulnerabilities:
        print(f"  {one.package} {one.version}: {', '.join(one.names)}; fixed in {', '.join(one.fixes)}")
    for sentence in found.said:
        print(f"  {sentence}")
    count = len({one.package for one in found.vulnerabilities})
    return f"{count} of {len({name for name, _ in locked})} locked packages have a known vulnerability with a fix"
