"""Says what a change asks for: which tests, whether the model is trained, whether its images are built anew."""

from pathlib import Path
from typing import Any

import yaml

from lifecycle import git, imports
from lifecycle.config import Promote
from lifecycle.documents.environments import current, folder, touched
from lifecycle.github import api

# A model is trained anew by what decides how it is trained or kept.
TRAINING = ("lifecycle.training.data", "lifecycle.training.train")
TRAINING_FILES = (".python-version", "data/", "locks/train.txt", "model/")
TRAINING_SECTIONS = ("data", "name", "split", "task", "train")
# A pull request shows an evaluation also where only that changes; a merge then releases nothing.
EVALUATION = ("lifecycle.evaluation.evaluate", "lifecycle.evaluation.gate")
EVALUATION_SECTIONS = ("evaluate", "gates")
# Images are built anew around the same model by what else runs in them.
IMAGES = (
    "lifecycle.__main__",
    "lifecycle.github.degraded",
    "lifecycle.monitoring.gauges",
    "lifecycle.monitoring.monitor",
    "lifecycle.serving.seldon",
    "lifecycle.serving.serve",
    "lifecycle.serving.smoke",
)
IMAGES_FILES = (
    ".dockerignore",
    "Dockerfile",
    *(f"locks/{name}.txt" for name in ("monitor", "seldon", "serve", "skops")),
)
IMAGES_SECTIONS = ("monitor", "serve")
# Whose tests a change asks for.
TEAM_FILES = ("config.yaml", "data/", "lifecycle/", "locks/", "model/", "pyproject.toml", "tests/")
LIFECYCLE_FILES = ("lifecycle/", "locks/", "pyproject.toml")


def asked(names: list[str], sections: set[str]) -> dict[str, bool]:
    """What the files that differ, and the sections of config.yaml that do, ask for."""

    def touches(files: tuple[str, ...], modules: tuple[str, ...] = (), keys: tuple[str, ...] = ()) -> bool:
        read = _needed(modules)
        listed = any(name in read or any(_is(name, one) for one in files) for name in names)
        return listed or bool(sections.intersection(keys))

    train = touches(TRAINING_FILES, TRAINING, TRAINING_SECTIONS)
    return {
        "train": train,
        "evaluate": train or touches((), EVALUATION, EVALUATION_SECTIONS),
        "images": touches(IMAGES_FILES, IMAGES, IMAGES_SECTIONS),
        "team": touches(TEAM_FILES),
        "lifecycle": touches(LIFECYCLE_FILES),
    }


def _needed(modules: tuple[str, ...]) -> set[str]:
    """What the modules read; the command line itself imports every room, and counts alone."""
    others = [module for module in modules if module != "lifecycle.__main__"]
    return imports.needed(*others) | (
        {"lifecycle/__main__.py", "lifecycle/verbs.py"} if len(others) < len(modules) else set()
    )


def _is(name: str, file: str) -> bool:
    """Whether a path is that file, or lies in that folder."""
    return name.startswith(file) if file.endswith("/") else name == file


def sections(base: str, path: Path) -> set[str]:
    """The sections of config.yaml that mean something else than at the commit `base`; of one that was no YAML, all."""
    now: dict[str, Any] = yaml.safe_load(path.read_text())
    try:
        before = yaml.safe_load(git.content(base, path) or "")
    except yaml.YAMLError:
        before = None
    before = before if isinstance(before, dict) else {}
    return {key for key in now.keys() | before.keys() if now.get(key) != before.get(key)}


def run(promotion: Promote, path: Path, base: str) -> str:
    """Compare HEAD with the commit `base`; each outcome is an output of the job, true or false.

    Before a branch's first push there is the commit of zeros, and all is new. Images need a released model to be built
    around; where there is none, it is trained.
    """
    if not base.strip("0"):
        names = git.run("ls-files").splitlines()
        found = asked(names, {*TRAINING_SECTIONS, *EVALUATION_SECTIONS, *IMAGES_SECTIONS})
    else:
        names = git.changed(base)
        found = asked(names, sections(base, path) if path.as_posix() in names else set())
    released = current(folder(promotion.order[0], promotion.order)) is not None
    found["train"] = found["train"] or (found["images"] and not released)
    found["images"] = found["images"] and not found["train"]
    found["check"] = any(not touched([name], promotion.order) for name in names)
    for name, value in found.items():
        api.say("GITHUB_OUTPUT", f"{name}={str(value).lower()}")
    return ", ".join(name for name, value in found.items() if value) or "nothing"
