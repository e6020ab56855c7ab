"""Says whether a pull request touches what the model is trained or served from."""

from pathlib import Path

from github import api
from model import git

MODEL = (".python-version", "Dockerfile", "config.yaml", "data", "github", "locks", "model", "pyproject.toml")


def touches(names: list[str]) -> bool:
    return any(Path(name).parts[0] in MODEL for name in names)


def run(base: str) -> str:
    """Compare HEAD with the commit `base`; the job's output `model` is true or false."""
    found = "true" if touches(git.changed(base)) else "false"
    api.say("GITHUB_OUTPUT", f"model={found}")
    return f"model={found}"
