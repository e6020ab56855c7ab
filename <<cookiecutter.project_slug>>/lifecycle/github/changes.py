"""Decides what a change needs: which tests, a new training, new images."""

from pathlib import Path
from typing import Any

import yaml

from lifecycle import git, imports
from lifecycle.config import Promote
from lifecycle.documents.environments import current, folder, touched
from lifecycle.github import api
from lifecycle.strict import parsed

# These decide how a model is trained or stored: a change retrains it.
TRAINING = ("lifecycle.rows.data", "lifecycle.training.train")
TRAINING_FILES = (".python-version", "data/", "locks/model.txt", "locks/train.txt", "model/")
TRAINING_SECTIONS = ("data", "name", "split", "task", "train")
# A change of these alone is evaluated on its pull request, but its merge releases nothing.
EVALUATION = ("lifecycle.evaluation.evaluate", "lifecycle.evaluation.gate")
EVALUATION_SECTIONS = ("evaluate", "gates", "schema")
# These also run in the images: a change rebuilds them around the same model.
IMAGES = (
    "lifecycle.__main__",
    "lifecycle.github.degraded",
    "lifecycle.monitoring.gauges",
    "lifecycle.monitoring.monitor",
    "lifecycle.privacy.erase",
    "lifecycle.serving.seldon",
    "lifecycle.serving.serve",
    "lifecycle.serving.smoke",
)
IMAGES_FILES = (
    ".dockerignore",
    "Dockerfile",
    "lifecycle/failures.py",
    "lifecycle/reporting/watch.py",
    *(f"locks/{name}.txt" for name in ("monitor", "seldon", "serve", "skops")),
)
IMAGES_SECTIONS = ("monitor", "serve")
# A pull request that changes these builds both images and starts each once, as no test here does.
START_FILES = (
    *(".dockerignore", ".python-version", "Dockerfile"),
    *(f"locks/{name}.txt" for name in ("model", "monitor", "seldon", "serve", "skops", "uv")),
)
# A change of these runs the team's tests, or the template's.
TEAM_FILES = ("config.yaml", "data/", "lifecycle/", "locks/", "model/", "pyproject.toml", "tests/")
LIFECYCLE_FILES = (
    "lifecycle/",
    *(f"locks/{name}.txt" for name in ("dev", "github", "monitor", "seldon", "serve", "skops")),
    *(f"locks/{name}.txt" for name in ("train", "upgrade", "uv")),
    "pyproject.toml",
)


def asked(names: list[str], sections: set[str]) -> dict[str, bool]:
    """What changed files, and changed sections of config.yaml, need."""

    def touches(files: tuple[str, ...], modules: tuple[str, ...] = (), keys: tuple[str, ...] = ()) -> bool:
        read = _needed(modules)
        listed = any(name in read or any(_is(name, one) for one in files) for name in names)
        return listed or bool(sections.intersection(keys))

    train = touches(TRAINING_FILES, TRAINING, TRAINING_SECTIONS)
    return {
        "train": train,
        "evaluate": train or touches((), EVALUATION, EVALUATION_SECTIONS),
        "images": touches(IMAGES_FILES, IMAGES, IMAGES_SECTIONS),
        "start": touches(START_FILES),
        "team": touches(TEAM_FILES),
        "lifecycle": touches(LIFECYCLE_FILES),
    }


def _needed(modules: tuple[str, ...]) -> set[str]:
    """The files that modules import; the command line counts without its imports, as it imports every room."""
    others = [module for module in modules if module != "lifecycle.__main__"]
    return imports.needed(*others) | (
        {"lifecycle/__main__.py", "lifecycle/verbs.py"} if len(others) < len(modules) else set()
    )


def _is(name: str, file: str) -> bool:
    """Whether a path is that file, or lies in that folder."""
    return name.startswith(file) if file.endswith("/") else name == file


def sections(base: str, path: Path) -> set[str]:
    """The sections of config.yaml whose meaning changed since the commit `base`; all if it was no valid YAML then."""
    now: dict[str, Any] = parsed(path.read_bytes())
    try:
        before = parsed(git.content(base, path) or "")
    except (yaml.YAMLError, ValueError, RecursionError):
        before = None
    before = before if isinstance(before, dict) else {}
    return {key for key in now.keys() | before.keys() if now.get(key) != before.get(key)}


def since(base: str, path: Path) -> tuple[list[str], dict[str, bool]]:
    """The files that differ from a commit, and what they ask for; of a first push, whose base is zeros, all."""
    if not base.strip("0"):
        every = git.run("ls-files").splitlines()
        return every, asked(every, {*TRAINING_SECTIONS, *EVALUATION_SECTIONS, *IMAGES_SECTIONS})
    names = git.changed(base)
    return names, asked(names, sections(base, path) if path.as_posix() in names else set())


def _moved_on(trained: str, path: Path) -> bool:
    """Whether what trains has changed since a commit, or git does not know the commit."""
    return git.ask("cat-file", "-e", f"{trained}^{{commit}}") is None or since(trained, path)[1]["train"]


def run(promotion: Promote, path: Path, base: str) -> str:
    """Compare HEAD with the commit `base`; each outcome is an output of the job, true or false.

    Images are rebuilt around the newest released model, unless what trains has changed since that was trained, by a
    merge that is still on its way; without a release, the model is trained.
    """
    names, found = since(base, path)
    released = current(folder(promotion.order[0], promotion.order))
    if found["images"] and not found["train"]:
        found["train"] = released is None or _moved_on(released.evaluation.origin.commit, path)
    found["evaluate"] = found["evaluate"] or found["train"]
    found["images"] = found["images"] and not found["train"]
    found["check"] = any(not touched([name], promotion.order) for name in names)
    for name, value in found.items():
        api.say("GITHUB_OUTPUT", f"{name}={str(value).lower()}")
    return ", ".join(name for name, value in found.items() if value) or "nothing"
