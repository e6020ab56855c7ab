"""Runs commands and times them."""

import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from figures import ROOT


def seconds(command: list[str], environment: Mapping[str, str] | None = None, folder: Path = ROOT) -> float:
    """A command's duration in seconds; exits the bench with its output if it fails."""
    begin = time.monotonic()
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"bench: {' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return time.monotonic() - begin
