"""Lists what a runner of one's own lacks for the jobs that read the data, each with what brings it."""

import os
import sys
from collections.abc import Callable, Iterator


def here() -> bool:
    """Whether this machine runs a workflow."""
    return bool(os.environ.get("GITHUB_ACTIONS"))


def missing(answers: Callable[..., bool]) -> Iterator[tuple[str, bool, str]]:
    """The name of each need, whether the runner has it, and what to do; `answers` runs a command."""
    yield "Python is 3.12", sys.version_info[:2] == (3, 12), "install Python 3.12 with its module venv"
    for name, call, use in (
        ("git", ("git", "--version"), "reads the history"),
        ("docker", ("docker", "info"), "takes the champion out of production's image"),
        ("gh", ("gh", "--version"), "speaks to GitHub"),
    ):
        yield f"{name} answers", answers(*call), f"install it on the runner, where it {use}"
