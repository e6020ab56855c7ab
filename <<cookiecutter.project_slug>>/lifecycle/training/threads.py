"""How many threads training uses: more than there are idle processors make it several times slower."""

import os
import time
from pathlib import Path

QUOTA = Path("/sys/fs/cgroup/cpu.max")  # microseconds of processors in a period; Source: kernel.org, Control Group v2
STAT = Path("/proc/stat")  # ticks of all processors since the start; Source: proc_stat(5)
SAMPLE = 0.25  # seconds


def free(quota: Path = QUOTA, stat: Path = STAT) -> int:
    """The processors that this process may use and that others leave idle, at least one."""
    return max(1, round(min(_allowed(), _limit(quota), _idle(stat))))


def _allowed() -> float:
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _limit(path: Path) -> float:
    """What a container may use; a file that is not there, or says `max`, sets no limit."""
    try:
        most, period = path.read_text().split()
        return int(most) / int(period)
    except (OSError, ValueError):
        return float("inf")


def _idle(path: Path) -> float:
    """Mean number of idle processors while this process waits; no limit where the system does not say."""
    try:
        before, begin = _ticks(path), time.monotonic()
        time.sleep(SAMPLE)
        return (_ticks(path) - before) / os.sysconf("SC_CLK_TCK") / (time.monotonic() - begin)
    except (OSError, ValueError, IndexError):
        return float("inf")


def _ticks(path: Path) -> int:
    """Ticks without work, also while a disk was waited for."""
    found = path.read_text().split(maxsplit=6)
    return int(found[4]) + int(found[5])
