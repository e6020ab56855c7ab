"""Checks that a service answers the golden rows as in training, from the image of the release.

Older pods still answer during a rollout, so it asks until several answers in a row are the release's or time runs out.
"""

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lifecycle import InputError, files
from lifecycle.artifact import directory, golden

PATH = "/api/v1.0/predictions"
IN_A_ROW = 5  # right answers, because some requests may still reach older pods; or wrong ones of the release itself
PAUSE, PATIENCE = 2.0, 10.0  # seconds between attempts, and to wait for an answer
SIGN = 10.0  # seconds between two lines on why it still asks


def ask(url: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The service's answer to rows; raises InputError if there is none."""
    body = json.dumps({"meta": {"puid": f"{golden.REQUEST}{time.time_ns()}"}, "jsonData": rows}).encode()
    try:
        request = urllib.request.Request(url + PATH, body, {"Content-Type": "application/json"})  # noqa: S310
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310 - the address is an argument
            found: dict[str, Any] = json.loads(answer.read())
            return found
    except urllib.error.HTTPError as error:
        raise InputError(f"{url} answers {error.code}: {error.read(500).decode(errors='replace')}") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{url} does not answer ({error}); see whether its pods are ready.") from error


class WrongError(InputError):
    """The release itself answered, and not as in training."""


def check(answer: dict[str, Any], expected: list[dict[str, Any]], image: str, version: str) -> None:
    """Raise InputError for an answer of another release, and WrongError for a wrong one of this release.

    An empty `image` allows any, as without Seldon's operator.
    """
    try:
        path, found = answer["meta"]["requestPath"], answer["meta"]["tags"]["version"]
        if image and image not in path.values():
            raise InputError(f"{', '.join(map(str, path.values()))} answered, not {image}")
        if found != version:
            raise InputError(f"version {found} answered, not {version}")
        different = golden.difference(answer["jsonData"], expected)
    except (KeyError, TypeError, AttributeError) as error:
        raise WrongError(f"the answer lacks {error}") from error
    if different:
        raise WrongError(f"it answers {different}")


def run(
    url: str,
    image: str,
    model: Path,
    seconds: float,
    asked: Callable[[str, list[dict[str, Any]]], dict[str, Any]] = ask,
    pause: float = PAUSE,
) -> str:
    """Ask until several answers in a row are right or wrong, at most `seconds`; raises InputError with the problem."""
    version = directory.load(model).version
    recorded = json.loads(files.read(model / "golden.json", "train"))
    until, said, right, wrong = time.monotonic() + seconds, -SIGN, 0, 0
    while right < IN_A_ROW:
        try:
            check(asked(url, recorded["rows"]), recorded["answers"], image, version)
        except InputError as error:
            right, wrong = 0, wrong + 1 if isinstance(error, WrongError) else 0
            if wrong == IN_A_ROW:
                raise InputError(f"{url} does not answer as released: {error}") from error
            now = time.monotonic()
            if now + pause > until:
                raise InputError(f"{url} does not answer as released within {seconds:g} seconds: {error}") from error
            if now - said >= SIGN:
                said = now
                print(f"smoke: asks for {until - now:.0f} seconds more: {error}", file=sys.stderr, flush=True)
            time.sleep(pause)
        else:
            right, wrong = right + 1, 0
    return f"{version} answers {len(recorded['rows'])} golden rows as in training" + (
        f", from {image}" if image else ""
    )
