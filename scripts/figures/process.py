"""Starts a server in its own session, measures its CPU time and memory, and kills all its processes at the end."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def started(command: list[str], environment: Mapping[str, str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in `folder` until the block ends, with its output in the file `said` there."""
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield process
    finally:
        for pid in family(process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()


def _stat(pid: int) -> list[str]:
    """A process's fields from its state on, or none if it has ended; see proc_pid_stat(5)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def family(root: int) -> list[int]:
    """A session's processes, and their children that left it."""
    found: list[int] = []
    for pid in sorted(int(path.name) for path in Path("/proc").glob("[0-9]*")):
        if (stat := _stat(pid)) and (int(stat[3]) == root or int(stat[1]) in found):
            found.append(pid)
    return found


def cpu(root: int) -> float:
    """The processes' CPU seconds, in user and system mode."""
    return sum(int(ticks) for pid in family(root) for ticks in _stat(pid)[11:13]) / TICKS


def memory(root: int) -> float:
    """The processes' MiB; shared pages count once (PSS)."""
    rolled = [Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() for pid in family(root)]
    return sum(int(line.split()[1]) for lines in rolled for line in lines if line.startswith("Pss:")) / 1024
