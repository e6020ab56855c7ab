"""Tiny data with a known truth, and a configuration for it."""

import copy
import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from lifecycle import config
from lifecycle.tasks import Task

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "locks" / "train.txt"
TASKS: tuple[Task, ...] = ("binary_classification", "multiclass_classification", "regression")
ROWS, TRAIN_DAYS, TEST_DAYS = 4000, 20, 10
TARGETS: dict[str, dict[str, Any]] = {
    "binary_classification": {"column": "outcome", "cuts": [0], "classes": ["no", "yes"]},
    "multiclass_classification": {"column": "outcome", "cuts": [-1, 1], "classes": ["low", "middle", "high"]},
    "regression": {"column": "outcome"},
}
METRIC = {"binary_classification": "roc_auc", "multiclass_classification": "roc_auc_ovr", "regression": "mae"}
MONITORED = {"binary_classification": "f1", "multiclass_classification": "f1", "regression": "mae"}


def rows(seed: int = 0, count: int = ROWS) -> pd.DataFrame:
    """One row each quarter of an hour from 2020-01-01 on; `outcome` depends on both inputs, with noise."""
    generator = np.random.default_rng(seed)
    number = generator.normal(size=count).astype("float32")
    number[generator.random(count) < 0.05] = np.nan
    colour = generator.choice(["blue", "green", "red"], size=count)
    outcome = np.nan_to_num(number) + (colour == "red") + generator.normal(scale=0.5, size=count)
    return pd.DataFrame(
        {
            "moment": pd.date_range("2020-01-01", periods=count, freq="15min", tz="UTC"),
            "number": number,
            "colour": colour,
            "outcome": outcome.astype("float32"),
        }
    )


def save(frame: pd.DataFrame, path: Path) -> str:
    frame.to_parquet(path, index=False)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def document(task: str, path: Path, sha256: str) -> dict[str, Any]:
    """A configuration for the tiny data, as YAML holds it."""
    days = pd.date_range("2020-01-01", periods=50).strftime("%Y-%m-%d")
    better = "ceiling" if task == "regression" else "floor"
    return {
        "name": "tiny",
        "task": task,
        "data": {
            "path": str(path),
            "sha256": sha256,
            "time": "moment",
            "target": copy.deepcopy(TARGETS[task]),
            "features": {
                "number": {"type": "number", "min": -10, "max": 10, "missing": True},
                "colour": {"type": "category"},
            },
        },
        "split": {
            "train": [days[0], days[TRAIN_DAYS]],
            "test": [days[TRAIN_DAYS], days[TRAIN_DAYS + TEST_DAYS]],
        },
        "train": {"seed": 0, "parameters": {"max_iter": 10, "max_leaf_nodes": 7}, "parity": 1e-5},
        "evaluate": {
            "seed": 0,
            "resamples": 100,
            "level": 0.95,
            "slices": [{"column": "colour", "fairness": {"rows": 50}}],
            "explain": {"rows": 200, "repeats": 2, "features": 2},
        },
        "gates": [
            {"kind": "rows", "bound": 500},
            {"kind": better, "metric": METRIC[task], "bound": 0.8},
            {"kind": "baseline", "metric": METRIC[task]},
            {"kind": "champion", "metric": METRIC[task], "margin": 0.05},
        ],
        "reproduce": {"tolerance": 0.001},
        "promote": {"order": ["dev", "staging", "production"]},
        "serve": {
            "server": "asgi",
            "port": 9000,
            "rows": 100,
            "bytes": 100_000,
            "unknown_categories": "accept",
            "log": {"bytes": 1_000_000, "failure": "refuse"},
        },
        "monitor": {
            "metrics": [MONITORED[task]],
            "window": 100,
            "sample": 1000,
            "days": 90,
            "time": "caller",
            "alert": {"metrics": [MONITORED[task]], "quality": 0.05, "windows": 2, "of": 3, "cooldown": 3},
        },
    }


def settings(values: dict[str, Any]) -> config.Config:
    return config.Config.model_validate(yaml.safe_load(yaml.safe_dump(values)))


def periods(given: config.Config) -> config.Split:
    """The split of a table with a time."""
    assert isinstance(given.split, config.Split)
    return given.split


class Trained:
    """A build folder with everything from data to report, and the configuration that made it."""

    def __init__(self, task: Task, folder: Path) -> None:
        self.task = task
        self.folder = folder
        self.build = folder / "build"
        if not (folder / "tiny.parquet").is_file():
            save(rows(), folder / "tiny.parquet")
        content = (folder / "tiny.parquet").read_bytes()
        self.document = document(task, folder / "tiny.parquet", hashlib.sha256(content).hexdigest())
        self.settings = settings(self.document)

    def but(self, **changes: Any) -> "Trained":
        """The same with another build folder, document or settings."""
        own = copy.copy(self)
        own.__dict__.update(changes)
        return own

    def copy(self, folder: Path) -> Path:
        """A build folder of one's own, to change or to break."""
        shutil.copytree(self.build, folder / "build")
        return folder / "build"
