"""Checks that a service answers the golden rows as in training, from the image of the release.

Older pods still answer during a rollout, so it asks until several answers in a row are right or time runs out.
"""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lifecycle import InputError, files
from lifecycle.artifact import directory, golden

PATH = "/api/v1.0/predictions"
IN_A_ROW = 5  # right answers, because some requests may still reach older pods
PAUSE, PATIENCE = 2.0, 10.0  # seconds between attempts, and to wait for an answer


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


def problem(answer: dict[str, Any], expected: list[dict[str, Any]], image: str, version: str) -> str:
    """What is wrong with an answer, or nothing; an empty `image` allows any, as without Seldon's operator."""
    try:
        path, found = answer["meta"]["requestPath"], answer["meta"]["tags"]["version"]
        answers = answer["jsonData"]
        if image and image not in path.values():
            return f"{', '.join(map(str, path.values()))} answered, not {image}"
        if found != version:
            return f"version {found} answered, not {version}"
        different = golden.difference(answers, expected)
    except (KeyError, TypeError, AttributeError) as error:
        return f"the answer lacks {error}"
    return f"it answers {different}" if different else ""


def run(
    url: str,
    image: str,
    model: Path,
    seconds: float,
    asked: Callable[[str, list[dict[str, Any]]], dict[str, Any]] = ask,
    pause: float = PAUSE,
) -> str:
    """Ask for at most `seconds`; raises InputError with the last problem."""
    version = directory.load(model).version
    recorded = json.loads(files.read(model / "golden.json", "train"))
    until, right, wrong = time.monotonic() + seconds, 0, "nothing was asked"
    while right < IN_A_ROW:
        try:
            wrong = problem(asked(url, recorded["rows"]), recorded["answers"], image, version)
        except InputError as error:
            wrong = str(error)
        right = 0 if wrong else right + 1
        if wrong and time.monotonic() + pause > until:
            raise InputError(f"{url} does not answer as released within {seconds:g} seconds: {wrong}")
        time.sleep(pause if wrong else 0)
    return f"{version} answers {len(recorded['rows'])} golden rows as in training" + (
        f", from {image}" if image else ""
    )
