"""How a verb ends that fails: one sentence on stderr, never a traceback."""

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lifecycle import InputError

UNEXPECTED = 70  # as sysexits.h has it for an internal error
LOG = "error.log"
ELSEWHERE = ("GITHUB_ACTIONS", "KUBERNETES_SERVICE_HOST")  # set in a workflow, and in a pod
STOPPED = {"serve": "Server stopped."}


@dataclass
class Outcome:
    """The exit code of a verb."""

    code: int = 0


@contextmanager
def told(verb: str, build: Path) -> Iterator[Outcome]:
    """Run a verb inside; what it raises becomes a sentence and an exit code.

    1: a person has to put something right. 130: interrupted. 70: unexpected; the traceback is in `error.log` under
    `build`.
    """
    outcome = Outcome()
    try:
        yield outcome
    except InputError as error:
        outcome.code = _say(verb, str(error), 1, error)
    except KeyboardInterrupt:
        outcome.code = _say(verb, STOPPED.get(verb, "Interrupted; earlier outputs are unchanged."), 130)
    except OSError as error:
        outcome.code = _say(verb, _sentence(error), 1)
    except Exception as error:
        outcome.code = _say(verb, _unexpected(error, build), UNEXPECTED)
    return


def _say(verb: str, sentence: str, code: int, error: InputError | None = None) -> int:
    print(f"{verb}: {sentence}", file=sys.stderr)
    if os.environ.get("GITHUB_ACTIONS"):
        parts = (error and error.parts) or ((verb, sentence, 0),)
        for title, text, line in parts:
            print(annotation(text, title, error.file if error else "", line), flush=True)
    return code


def annotation(text: str, title: str, file: str = "", line: int = 0) -> str:
    """The line by which a runner shows an error beside the code; nothing in it can begin another command.

    Source: actions/toolkit, packages/core/src/command.ts.
    """

    def escaped(value: str, signs: str) -> str:
        return "".join(f"%{ord(sign):02X}" if sign in signs else sign for sign in value)

    about = {"title": title, "file": file, "line": str(line or "")}
    given = ",".join(f"{name}={escaped(value, '%\r\n:,')}" for name, value in about.items() if value)
    return f"::error {given}::{escaped(text, '%\r\n')}"


def _sentence(error: OSError) -> str:
    """What the system refused; some errors name no file, some no reason."""
    reason = error.strerror or str(error) or type(error).__name__
    if error.filename is None:
        return f"The system refuses: {' '.join(reason.split())}; look for the disk, memory or network that it names."
    return f"{error.filename2 or error.filename}: {reason}; free it or make it accessible."


def _unexpected(error: Exception, build: Path) -> str:
    """A sentence for what no one foresaw, with the traceback in a file for whoever mends it."""
    said = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    whole = "".join(traceback.format_exception(error))
    if any(name in os.environ for name in ELSEWHERE):  # the file is gone with the machine; its log stays
        print(whole, file=sys.stderr)
    try:
        build.mkdir(parents=True, exist_ok=True)
        (build / LOG).write_text(whole)
    except OSError:
        return f"An unexpected error, {said}; report it to the template's maintainers."
    return f"An unexpected error, {said}; the traceback is in {build / LOG}: report it to the template's maintainers."
