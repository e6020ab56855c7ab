"""How many processors other processes used while something was measured. Source: proc(5), /proc/stat."""

import os
import resource
import time
from pathlib import Path

STAT = Path("/proc/stat")
MOST = 0.5  # processors; with more, two commands are no longer compared on the same machine


class Watch:
    """Begins when it is made; a child's time is ours once it has ended."""

    def __init__(self) -> None:
        self._begun, self._busy, self._own = time.monotonic(), busy(), own()

    def others(self) -> float | None:
        """The processors that others used since the beginning; None where the system does not say, as on macOS."""
        now = busy()
        if now is None or self._busy is None:
            return None
        theirs = now - self._busy - (own() - self._own)
        return max(0.0, theirs / max(time.monotonic() - self._begun, 1e-9))


def busy() -> float | None:
    """Seconds that all processors worked for any process; interrupts are no one's, or our connections'."""
    if not STAT.is_file():
        return None
    return sum(map(int, STAT.read_text().split("\n", 1)[0].split()[1:4])) / os.sysconf("SC_CLK_TCK")


def own() -> float:
    """Seconds of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def refusal(figure: str, others: float | None) -> str:
    """Why a figure is not printed, in a sentence; empty if it may be."""
    if others is None or others <= MOST:
        return ""
    return (
        f"Other processes used {others:.1f} processors while {figure} was measured, more than {MOST}; let the machine "
        "come to rest, then try again."
    )
