"""Reads the answers that this repository was made with: the names of its images and namespaces."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from lifecycle import InputError, git
from lifecycle.strict import parsed

ANSWERS = Path(".cookiecutter.yaml")


@dataclass(frozen=True)
class Answers:
    """Where the images lie, the repository on GitHub, and its name, with which those of its namespaces begin."""

    images: str
    repository: str
    name: str


def read(commit: str) -> Answers:
    """The answers as they are in a commit; raises InputError if it does not have them."""
    try:
        found = parsed(git.content(commit, ANSWERS) or "")
        owner, name = found["owner"], found["project_slug"]
        return Answers(f"{found['registry']}/{owner.lower()}/{name}", f"{owner}/{name}", name)
    except (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"{ANSWERS} at {commit[:12]} lacks registry, owner or project_slug; restore it from git."
        ) from error
