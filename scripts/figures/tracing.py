"""`make trace` for an answer in a log of a million rows, in files as large as the service writes them."""

import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bake

from figures import PROJECT, Row, bakes
from figures.command import seconds

ROWS, FILES = 1_000_000, 6
IDENTITY = {"GIT_CONFIG_COUNT": "2", "GIT_CONFIG_KEY_0": "user.name", "GIT_CONFIG_VALUE_0": "bench"}
IDENTITY |= {"GIT_CONFIG_KEY_1": "user.email", "GIT_CONFIG_VALUE_1": "bench@example.org"}
ID = "sha256:" + "1" * 64
IMAGES = {name: f"ghcr.io/acme/model-{name.lower()}@{ID}" for name in ("SERVE", "MONITOR")}


def _log(folder: Path, version: str, rows: list[dict[str, Any]], answers: list[Any]) -> str:
    """Write the log of `ROWS` requests of one row; returns the identity of the last."""
    moment = time.gmtime()
    place = folder / f"predictions/version={version}/hour={time.strftime('%Y-%m-%dT%H', moment)}"
    place.mkdir(parents=True)
    logged = time.strftime("%Y-%m-%dT%H:%M:%S.123456+00:00", moment)
    about = {"row": 0, "logged": logged, "version": version, "context": {}}
    texts = [
        json.dumps(about | {"features": row, "answer": answer}, separators=(",", ":"))[1:]
        for row, answer in zip(rows, answers, strict=True)
    ]
    for name in range(FILES):
        with (place / f"{name}-a.jsonl").open("w") as file:
            for index in range(name, ROWS, FILES):
                file.write(f'{{"request":"{index:032x}",{texts[index % len(texts)]}\n')
    return f"{ROWS - 1:032x}"


def rows(runs: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy, own = bakes.template(folder)
        answers = {"project_slug": "model", "owner": "acme"}
        seconds(bake.command(copy, folder, answers), own | IDENTITY)
        (folder / "model/.venv").symlink_to(PROJECT / ".venv")
        for lock in (folder / "model/locks").iterdir():  # older than the environments that they made
            os.utime(lock, (0, 0))
        make = ["make", "--silent", "--no-print-directory", "-C", str(folder / "model")]
        seconds(["make", "--silent", "-C", str(PROJECT), ".venv/train", ".venv/github", ".venv/monitor"])
        seconds([*make, "pipeline"], {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"})
        git = ["git", "-C", str(folder / "model")]
        for verb, environment in (("release", "dev"), ("promote", "staging"), ("promote", "production")):
            seconds([*make, verb, f"ENV={environment}", *(f"{name}={image}" for name, image in IMAGES.items())])
            seconds([*git, "add", "manifests"])
            seconds([*git, "commit", "--quiet", "--message", f"{verb} to {environment}"], IDENTITY)
        golden = json.loads((folder / "model/build/model/golden.json").read_text())
        record = json.loads((folder / "model/build/decision.json").read_text())
        version = record["evaluation"]["origin"]["version"]
        last = _log(folder / "model", version, golden["rows"], golden["answers"])
        size = sum(path.stat().st_size for path in (folder / "model/predictions").rglob("*.jsonl"))
        spent = statistics.median(seconds([*make, "trace", f"REQUEST={last}"]) for _ in range(max(runs, 3)))
    yield f"`make trace`, {ROWS:,} logged rows", spent, "s", f"{size / 2**20:,.0f} MiB, three releases, without GitHub"
