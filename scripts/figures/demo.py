"""The demo with a warm package cache, and the memory of all its processes."""

import re
import statistics
import subprocess
import time

from figures import ROOT, Row


def _memory(root: int) -> float:
    """MiB of a process and its descendants, as the sum of their resident sets."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,rss="], check=True, capture_output=True, text=True).stdout
    found = [tuple(map(int, line.split())) for line in listed.splitlines()]
    family, total = {root}, 0
    for pid, parent, resident in sorted(found):
        if pid in family or parent in family:
            family.add(pid)
            total += resident
    return total / 1024


def rows(runs: int) -> list[Row]:
    totals, memories = [], []
    for _ in range(runs):
        with subprocess.Popen([str(ROOT / "scripts/demo")], stdout=subprocess.PIPE, text=True) as process:
            largest = 0.0
            while process.poll() is None:
                largest = max(largest, _memory(process.pid))
                time.sleep(0.25)
            said = process.stdout.read() if process.stdout else ""
        found = re.search(r"Total: (\d+) s", said)
        if process.returncode or found is None:
            raise SystemExit(f"bench: scripts/demo failed:\n{said}")
        totals.append(float(found[1]))
        memories.append(largest)
    total = statistics.median(totals)
    return [
        ("`scripts/demo`, packages cached", total, "s", f"{min(totals):.0f} to {max(totals):.0f} in {runs} runs"),
        ("its memory, all processes", statistics.median(memories), "MiB", "largest sum of resident sets"),
    ]
