"""Calls GitHub's REST API through `gh`, which handles sign-in, host and paging."""

import json
import os
import re
import shutil
import subprocess
from typing import Any
from urllib.parse import urlsplit

from lifecycle import InputError
from lifecycle.github import branches


class RefusedError(InputError):
    """GitHub refused a call; `status` is the HTTP status, or 0 if GitHub was not reached."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def host() -> str:
    """The host of the runner, or else of `gh`."""
    return urlsplit(os.environ.get("GITHUB_SERVER_URL", "")).hostname or os.environ.get("GH_HOST") or "github.com"


ABSENT = "GitHub's command line, gh, is not installed; install it from https://cli.github.com."


def present() -> bool:
    return shutil.which("gh") is not None


def gh(*arguments: str, content: str | None = None) -> str:
    """Run `gh`; raises RefusedError with its message."""
    try:
        done = subprocess.run(  # noqa: S603
            ["gh", *arguments],  # noqa: S607
            input=content,
            env={**os.environ, "GH_PROMPT_DISABLED": "1", "GH_TELEMETRY": "0", "GH_HOST": host()},
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise RefusedError(0, ABSENT) from error
    if done.returncode:
        reason = " ".join(done.stderr.split()) or " ".join(done.stdout.split())
        status = re.search(r"\(HTTP (\d{3})\)", reason)
        raise RefusedError(int(status[1]) if status else 0, f"GitHub refused `gh {' '.join(arguments[:4])}`: {reason}")
    return done.stdout


def call(method: str, path: str, body: Any = None) -> Any:
    """One call; returns the document in GitHub's answer, or None."""
    content = None if body is None else json.dumps(body)
    answer = gh("api", "--method", method, path, *([] if content is None else ["--input", "-"]), content=content)
    return json.loads(answer) if answer.strip() else None


def listed(path: str) -> list[Any]:
    """All pages of a list."""
    pages = json.loads(gh("api", "--paginate", "--slurp", path))
    return [entry for page in pages for entry in page]


def repository() -> str:
    """`owner/name` of the repository on GitHub, from the run or the remote `origin`."""
    if named := os.environ.get("GITHUB_REPOSITORY"):
        return named
    found = re.search(r"[:/]([^/:]+/[^/]+?)(\.git)?/?$", branches.remote())
    if found is None:
        raise InputError("This repository has no remote on GitHub; run `make setup-github`, or add the remote origin.")
    return found[1]


def root() -> str:
    return f"repos/{repository()}"


def issues(label: str, state: str) -> list[dict[str, Any]]:
    """The issues with a label that a bot opened: a person's are not ours to change."""
    found = listed(f"{root()}/issues?state={state}&labels={label}&per_page=100")
    return [one for one in found if one["user"]["type"] == "Bot"]


def event() -> dict[str, Any]:
    """The event that started the run; empty on a laptop."""
    path = os.environ.get("GITHUB_EVENT_PATH")
    if not path:
        return {}
    with open(path) as file:  # noqa: PTH123 - the runner's
        found: dict[str, Any] = json.load(file)
    return found


def say(name: str, text: str) -> None:
    """Append to the runner's `GITHUB_OUTPUT` or `GITHUB_STEP_SUMMARY`; does nothing on a laptop."""
    if path := os.environ.get(name):
        with open(path, "a") as file:  # noqa: PTH123 - the runner's
            file.write(text.rstrip("\n") + "\n")
