"""Runs commands, prints a line with its duration for each step, and shows progress meanwhile."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

QUIET_SECONDS = 10.0
RUNNING: set[subprocess.Popen[str]] = set()


class Failed(Exception):  # noqa: N818 - an outcome, not an error of ours
    """A command did not end as expected; the message has its output."""


def act(title: str) -> None:
    print(f"\n{title}", flush=True)


def step(name: str, seconds: float, outcome: str = "") -> None:
    print(f"  {seconds:5.1f} s  {name:<28} {outcome}".rstrip(), flush=True)


def run(
    name: str, command: list[str], folder: Path, environment: Mapping[str, str] | None = None, fails: bool = False
) -> str:
    """Run a command and print its last line; raises Failed if it does not end as expected."""
    begin = time.monotonic()
    process = start(command, folder, environment)
    try:
        output = _wait(process, name, begin)
    finally:
        stop(process)
    lines = [line for line in output.strip().splitlines() if not line.startswith(("make", "  "))]  # no details
    lines = [line for line in lines if not line.endswith(" so far")]
    if (process.returncode != 0) != fails:
        raise Failed(f"`{' '.join(command)}` ended with {process.returncode} in {folder}:\n{output}")
    said = lines[-1].partition(": ")[2] or lines[-1] if lines else ""
    step(name, time.monotonic() - begin, f"stopped, as it must: {said}" if fails else said)
    return output


def start(command: list[str], folder: Path, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start a command in its own process group, so that `stop` reaches all its children."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    RUNNING.add(process)
    return process


def interrupted(*_: object) -> None:
    """End all that runs, also in other threads, and then the demo; a second signal does not cut that off."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    for process in tuple(RUNNING):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
    raise KeyboardInterrupt


def stop(process: subprocess.Popen[str]) -> None:
    """End a running command and its children."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    RUNNING.discard(process)


def _wait(process: subprocess.Popen[str], name: str, begin: float) -> str:
    """Wait for the output; a terminal shows a running count of seconds, elsewhere a line is printed every ten."""
    terminal, shown = sys.stdout.isatty(), 0
    while True:
        try:
            output, _ = process.communicate(timeout=0.2 if terminal else QUIET_SECONDS)
        except subprocess.TimeoutExpired:
            shown += 1
            seconds = time.monotonic() - begin
            print(
                f"\r  {seconds:5.1f} s  {name} …" if terminal else f"           {name}, {seconds:.0f} s so far", end=""
            )
            print("" if terminal else "\n", end="", flush=True)
        else:
            if terminal and shown:
                print("\r\033[K", end="")
            return output
