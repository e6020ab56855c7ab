"""A server's processes: started in a session of their own, weighed, and killed however the block ends."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def started(command: list[str], environment: Mapping[str, str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in `folder`, with what it says in the file `said` there, until the block ends."""
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
    """The fields of a process from its state on; none when it has ended. See proc_pid_stat(5)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def family(root: int) -> list[int]:
    """The processes of a session, and those that left it but have a parent in it."""
    found: list[int] = []
    for pid in sorted(int(path.name) for path in Path("/proc").glob("[0-9]*")):
        if (stat := _stat(pid)) and (int(stat[3]) == root or int(stat[1]) in found):
            found.append(pid)
    return found


def cpu(root: int) -> float:
    """Seconds that the processes have computed, in user and in system mode."""
    return sum(int(ticks) for pid in family(root) for ticks in _stat(pid)[11:13]) / TICKS


def memory(root: int) -> float:
    """MiB of the processes, where a page that several share counts once (PSS)."""
    rolled = [Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() for pid in family(root)]
    return sum(int(line.split()[1]) for lines in rolled for line in lines if line.startswith("Pss:")) / 1024
