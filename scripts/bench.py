"""Measures what the README states: medians of interleaved runs on one machine, with what each is compared to."""

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BAKES = 7


def seconds(command: list[str], environment: dict[str, str] | None = None) -> float:
    begin = time.monotonic()
    subprocess.run(command, env={**os.environ, **(environment or {})}, check=True, capture_output=True)
    return time.monotonic() - begin


def bakes() -> list[tuple[str, float, str, str]]:
    """A bake with its hooks, beside the start of cookiecutter itself."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        template = folder / "template"
        seconds(["git", "clone", "--quiet", "--depth", "1", ROOT.as_uri(), str(template)])
        (folder / "cookiecutter.yaml").write_text(f"replay_dir: {name}\ncookiecutters_dir: {name}\n")
        own = {"COOKIECUTTER_CONFIG": str(folder / "cookiecutter.yaml"), "TMPDIR": name}
        start, bake = [], []
        for index in range(BAKES):
            start.append(seconds(["cookiecutter", "--version"], own))
            output = str(folder / str(index))
            bake.append(seconds(["cookiecutter", "--no-input", "--output-dir", output, str(template)], own))
    median, base = statistics.median(bake), statistics.median(start)
    return [("a bake, hooks included", median, "s", f"{median / base:.1f} times the start of cookiecutter")]


def memory(root: int) -> float:
    """MiB of a process and all below it, as the sum of their resident sets."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,rss="], check=True, capture_output=True, text=True).stdout
    rows = [tuple(map(int, line.split())) for line in listed.splitlines()]
    family, total = {root}, 0
    for pid, parent, resident in sorted(rows):
        if pid in family or parent in family:
            family.add(pid)
            total += resident
    return total / 1024


def demos(runs: int) -> list[tuple[str, float, str, str]]:
    """The demo from a warm package cache, with the memory of all its processes."""
    totals, memories = [], []
    for _ in range(runs):
        with subprocess.Popen([str(ROOT / "scripts/demo")], stdout=subprocess.PIPE, text=True) as process:
            largest = 0.0
            while process.poll() is None:
                largest = max(largest, memory(process.pid))
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


def main() -> int:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    print(f"| figure ({os.cpu_count()} cores) | median | |\n| --- | --- | --- |")
    for name, value, unit, note in [*bakes(), *demos(runs)]:
        print(f"| {name} | {value:,.{0 if value >= 100 else 2}f} {unit} | {note} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
