"""Skips a step of the pipeline whose inputs and outputs are, by their hashes, those of its last success."""

import json
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from pathlib import Path
from typing import Any

from lifecycle import config, files, git, imports

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Step:
    """What a step depends on beside the lock files: its module with its imports, keys of config.yaml, `reads` under
    the build folder, ELSEWHERE's `others`; what it `writes` there, and `keeps`, of which only the presence counts."""

    module: str
    keys: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    keeps: tuple[str, ...] = ()


DATA, REPORTS, EVALUATED = ("task", "data", "split"), ("report.md", "report.html"), ("evaluation.json", "draws.json")
WATCHED = ("monitor.alert", "monitor.metrics", "monitor.sample", "monitor.window")
STEPS = {
    "data": Step("lifecycle.rows.data", DATA, others=("the data file", "the features", "the erased"), writes=("data",)),
    "train": Step(
        "lifecycle.training.train",
        ("name", *DATA, "train"),
        reads=("data",),
        others=("the commit", "MLflow"),
        writes=("model",),
        keeps=("mlflow.db",),
    ),
    "evaluate": Step(
        "lifecycle.evaluation.evaluate",
        ("name", *DATA, "evaluate", "gates", *WATCHED, "serve.rows", "train.trusted"),
        reads=("data", "model"),
        others=("the champion", "the metrics"),
        writes=(*EVALUATED, "curves.json"),
    ),
    "gate": Step("lifecycle.evaluation.gate", ("task", "gates", "schema_"), reads=EVALUATED, writes=("decision.json",)),
    "report": Step(
        "lifecycle.reporting.report",
        reads=("decision.json", "curves.json"),
        others=("the templates",),
        writes=REPORTS,
    ),
    "register": Step(
        "lifecycle.training.register",
        reads=("decision.json", *REPORTS),
        others=("MLflow",),
        writes=("mlflow.db",),
        keeps=("model",),
    ),
}


def _hash(path: Path) -> str:
    """Of a file's content, or of the names and contents in a folder; empty where there is neither."""
    if path.is_file():
        return files.hashed(path)
    inside = sorted(part for part in path.rglob("*") if part.is_file() and "__pycache__" not in part.parts)
    return files.sha256("".join(f"{_hash(part)} {part.relative_to(path)}\n" for part in inside).encode()) * bool(inside)


def _data(location: str) -> str:
    """Of the files at a path: of a pattern all that lie in its folder, of a pointer also what lies beside it.

    Remote files are named by data.sha256.
    """
    path = Path(location.removeprefix("file://"))
    while any(sign in str(path) for sign in "*?[") and not path.exists():
        path = path.parent
    return _hash(path) + (_hash(path.with_suffix("")) if path.suffix == ".dvc" else "")


def _optional(name: str) -> str:
    """Of the team's code if it has a module of this name, which may read all that lies beside it."""
    folder = imports.team()
    return _hash(folder) if (folder / f"{name}.py").is_file() else ""


ELSEWHERE: dict[str, Callable[[dict[str, Any], Path | None], str]] = {
    "the data file": lambda settings, _: _data(settings["data"]["path"]),
    "the erased": lambda *_: _hash(config.ERASED),
    "the features": lambda *_: _optional("features"),
    "the metrics": lambda *_: _optional("metrics"),
    "the commit": lambda *_: str(git.head()),
    "MLflow": lambda *_: os.environ.get("MLFLOW_TRACKING_URI", ""),
    "the champion": lambda _, champion: _hash(champion) if champion else "",
    "the templates": lambda *_: _hash(ROOT / "lifecycle/reporting/templates"),
}


def inputs(step: Step, path: Path, build: Path, locks: Iterable[Path], champion: Path | None) -> dict[str, Any]:
    """All that the step depends on, by name."""
    settings = config.load(path).model_dump(mode="json") if step.keys else {}
    needed, keys = imports.needed(step.module, root=ROOT), set(step.keys)
    found: dict[str, Any] = {name: _hash(ROOT / name) for name in needed if not name.startswith("model/")}
    if len(found) < len(needed):  # the team's code may read files beside it, and other keys
        team = imports.team()
        words = {word for code in team.rglob("*.py") for word in re.findall(rb"\w+", code.read_bytes())}
        found["model/"] = _hash(team)
        keys |= {key for key in settings if key.encode() in words}
    found |= {f"config.yaml: {key}": reduce(lambda node, part: node[part], key.split("."), settings) for key in keys}
    found |= {f"build/{name}": _hash(build / name) for name in step.reads}
    found |= {name: ELSEWHERE[name](settings, champion) for name in step.others}
    return found | {lock.as_posix(): _hash(lock) for lock in locks}


def _outputs(step: Step, build: Path) -> dict[str, Any]:
    return {name: _hash(build / name) for name in step.writes} | {name: (build / name).exists() for name in step.keeps}


def _last(stamp: Path) -> dict[str, Any]:
    """What was recorded last; nothing where the step never ended well, or the record is damaged."""
    try:
        last = json.loads(stamp.read_bytes())
    except (OSError, ValueError):
        return {}
    return last if isinstance(last, dict) else {}


def run(step: str, path: Path, build: Path, locks: Iterable[Path], champion: Path | None, do: Callable[[], str]) -> str:
    """Do the step, unless nothing changed since it ended well; FORCE=1 does it anyway.

    `path` is the configuration's. What fails or is interrupted is not recorded.
    """
    declared, stamp = STEPS[step], build / ".fresh" / f"{step}.json"
    before, last = inputs(declared, path, build, locks, champion), _last(stamp)
    same = last.get("inputs") == before and last.get("outputs") == _outputs(declared, build)
    if same and os.environ.get("FORCE", "0") in ("", "0"):
        return f"unchanged since {last['ended']}, nothing to do; FORCE=1 runs it again"
    said = do()
    last = {"ended": f"{datetime.now():%Y-%m-%d %H:%M}", "inputs": before, "outputs": _outputs(declared, build)}
    files.write_json(stamp, last)
    return said
