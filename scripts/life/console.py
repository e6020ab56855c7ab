"""Prints one line for each step with the time it took, and runs commands with a sign of life."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

QUIET_SECONDS = 10.0


class Failed(Exception):  # noqa: N818 - what happened, not an error of ours
    """A command that should have succeeded, or failed, and did not; with what it said."""


def act(title: str) -> None:
    print(f"\n{title}", flush=True)


def step(name: str, seconds: float, said: str = "") -> None:
    print(f"  {seconds:5.1f} s  {name:<28} {said}".rstrip(), flush=True)


def run(
    name: str, command: list[str], folder: Path, environment: Mapping[str, str] | None = None, fails: bool = False
) -> str:
    """Run a command and print its last line; raises Failed when it does not end as expected."""
    begin = time.monotonic()
    process = start(command, folder, environment)
    try:
        output = _wait(process, name, begin)
    finally:
        stop(process)
    said = [line for line in output.strip().splitlines() if not line.startswith("make")]
    if (process.returncode != 0) != fails:
        raise Failed(f"`{' '.join(command)}` ended with {process.returncode} in {folder}:\n{output}")
    step(name, time.monotonic() - begin, said[-1].partition(": ")[2] or said[-1] if said else "")
    return output


def start(command: list[str], folder: Path, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start a command with a process group of its own, so that `stop` reaches all that it starts."""
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def stop(process: subprocess.Popen[str]) -> None:
    """End a command and all that it started, if it still runs."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def _wait(process: subprocess.Popen[str], name: str, begin: float) -> str:
    """Wait for the output; on a terminal the seconds count up, elsewhere a line tells every ten."""
    terminal, told = sys.stdout.isatty(), 0
    while True:
        try:
            output, _ = process.communicate(timeout=0.2 if terminal else QUIET_SECONDS)
        except subprocess.TimeoutExpired:
            told += 1
            seconds = time.monotonic() - begin
            print(
                f"\r  {seconds:5.1f} s  {name} …" if terminal else f"           {name}, {seconds:.0f} s so far", end=""
            )
            print("" if terminal else "\n", end="", flush=True)
        else:
            if terminal and told:
                print("\r\033[K", end="")
            return output
