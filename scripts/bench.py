"""Measures what the README states: medians of interleaved runs on one machine, with what each is compared to."""

import hashlib
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import yaml

ROOT = Path(__file__).resolve().parents[1]
PROJECT = ROOT / "<<cookiecutter.project_slug>>"
BAKES = 7
TRAIN_ROWS, TEST_ROWS = 20_000, (5_000, 50_000, 500_000)


def seconds(command: list[str], environment: dict[str, str] | None = None, folder: Path = ROOT) -> float:
    begin = time.monotonic()
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"bench: {' '.join(command)} failed:\n{done.stdout}{done.stderr}")
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


def rows(count: int, path: Path) -> None:
    """Three categories and nine numbers that a binary outcome depends on: 20,000 rows to train on, then so many."""
    numbers = ", ".join(f"random() - 0.5 AS n{index}" for index in range(9))
    categories = ", ".join(f"('c' || (random() * {size})::INT) AS c{index}" for index, size in enumerate((3, 5, 8)))
    known = "6 * n0 + 4 * n1 * n2 + n3 + (c0 = 'c1')::INT"
    duckdb.sql("SELECT setseed(0.5)")
    duckdb.sql(
        f"""COPY (SELECT *, {known} + (random() - 0.5) * 4 AS outcome FROM (
            SELECT TIMESTAMP '2020-01-01' + CASE WHEN range < {TRAIN_ROWS} THEN INTERVAL (range) SECOND
            ELSE INTERVAL (30 * 86400 + range - {TRAIN_ROWS}) SECOND END AS moment, {numbers}, {categories}
            FROM range({TRAIN_ROWS + count})) ORDER BY moment) TO '{path}' (FORMAT parquet)"""  # noqa: S608 - our numbers
    )


def settings(path: Path) -> dict[str, Any]:
    """The template's configuration for those rows, with ten slices."""
    document: dict[str, Any] = yaml.safe_load((PROJECT / "config.yaml").read_text())
    names = [*(f"n{index}" for index in range(9)), *(f"c{index}" for index in range(3))]
    document["data"] = {
        "path": str(path),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "time": "moment",
        "target": {"column": "outcome", "cuts": [1], "classes": ["no", "yes"]},
        "features": {name: {"type": "number" if name[0] == "n" else "category"} for name in names},
    }
    document["split"] = {"train": [date(2020, 1, 1), date(2020, 1, 31)], "test": [date(2020, 1, 31), date(2021, 1, 1)]}
    document["evaluate"]["slices"] = [{"column": f"c{index}", "fairness": {"rows": 100}} for index in range(3)]
    document["evaluate"]["slices"] += [{"column": f"n{index}", "cuts": [-0.2, 0.2]} for index in range(7)]
    document["gates"] = [{"kind": "champion", "metric": "roc_auc", "margin": 0.01}]
    return document


def evaluations(runs: int) -> list[tuple[str, float, str, str]]:
    """`make evaluate` against a champion, as it comes, on more and more test rows; then `make report`."""
    found: list[tuple[str, float, str, str]] = []
    python = PROJECT / ".venv/train/bin/python"
    own = {"OMP_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
    subprocess.run(["make", "--silent", "-C", str(PROJECT), ".venv/train"], check=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for count in TEST_ROWS:
            rows(count, folder / "rows.parquet")
            document = settings(folder / "rows.parquet")
            step = [str(python), "-m", "model", "--config", str(folder / "config.yaml"), "--build"]
            for role, leaves in (("champion", 15), ("candidate", 31)):
                document["train"]["parameters"]["max_leaf_nodes"] = leaves
                (folder / "config.yaml").write_text(yaml.safe_dump(document))
                for verb in ("data", "train"):
                    seconds([*step, str(folder / role), verb], own, PROJECT)
            candidate = [*step, str(folder / "candidate")]
            compare = [*candidate, "evaluate", "--champion", str(folder / "champion/model")]
            times = [seconds(compare, own, PROJECT) for _ in range(runs)]
            median = statistics.median(times)
            ratio = f"{median / found[0][1]:.1f} times that of {TEST_ROWS[0]:,}" if found else "10 slices, importances"
            found.append((f"evaluation against a champion, {count:,} test rows", median, "s", ratio))
        seconds([*candidate, "gate"], own, PROJECT)
        times = [seconds([*candidate, "report"], own, PROJECT) for _ in range(runs)]
        found.append(("its report, Markdown and HTML", statistics.median(times), "s", f"{len(times)} runs"))
    return found


def main() -> int:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    print(f"| figure ({os.cpu_count()} cores) | median | |\n| --- | --- | --- |")
    for name, value, unit, note in [*bakes(), *evaluations(runs), *demos(runs)]:
        print(f"| {name} | {value:,.{0 if value >= 100 else 2}f} {unit} | {note} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
