"""`make evaluate` with a champion on growing numbers of test rows, then `make report`."""

import hashlib
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import yaml

from figures import PROJECT, Row
from figures.command import seconds

TRAIN_ROWS, TEST_ROWS = 20_000, (5_000, 50_000, 500_000)


def _data(count: int, path: Path) -> None:
    """Write 20,000 training rows and `count` test rows: nine numbers, three categories, a binary outcome."""
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


def _settings(path: Path) -> dict[str, Any]:
    """The template's configuration for these rows, with ten slices."""
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


def rows(runs: int) -> Iterator[Row]:
    least = 0.0
    python = PROJECT / ".venv/train/bin/python"
    own = {"OMP_NUM_THREADS": "1"}
    subprocess.run(["make", "--silent", "-C", str(PROJECT), ".venv/train"], check=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for count in TEST_ROWS:
            _data(count, folder / "rows.parquet")
            document = _settings(folder / "rows.parquet")
            step = [str(python), "-m", "lifecycle", "--config", str(folder / "config.yaml"), "--build"]
            for role, leaves in (("champion", 15), ("candidate", 31)):
                document["train"]["parameters"]["max_leaf_nodes"] = leaves
                (folder / "config.yaml").write_text(yaml.safe_dump(document))
                for verb in ("data", "train"):
                    seconds([*step, str(folder / role), verb], own, PROJECT)
            candidate = [*step, str(folder / "candidate")]
            compare = [*candidate, "evaluate", "--champion", str(folder / "champion/model")]
            median = statistics.median(seconds(compare, own, PROJECT) for _ in range(runs))
            ratio = f"{median / least:.1f} times as long as {TEST_ROWS[0]:,}" if least else "10 slices, importances"
            least = least or median
            yield f"evaluation against a champion, {count:,} test rows", median, "s", ratio
        seconds([*candidate, "gate"], own, PROJECT)
        median = statistics.median(seconds([*candidate, "report"], own, PROJECT) for _ in range(runs))
        yield "its report, Markdown and HTML", median, "s", f"{runs} runs"
