"""Takes the model that production runs out of its image, so that a candidate is measured against it."""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

from lifecycle import InputError, files, git
from lifecycle.artifact import directory
from lifecycle.config import Promote
from lifecycle.documents import record
from lifecycle.documents.environments import current, folder

INSIDE = "/model/build/model"  # where the Dockerfile puts it


def _docker(*arguments: str, content: str | None = None) -> str:
    command = ["docker", *arguments]
    try:
        done = subprocess.run(command, input=content, capture_output=True, text=True, check=False)  # noqa: S603
    except FileNotFoundError as error:
        raise InputError(
            "docker is not installed, which takes the model out of production's image; install it, or name a model "
            "directory as CHAMPION."
        ) from error
    if done.returncode:
        raise InputError(
            f"docker {arguments[0]} failed: {' '.join(done.stderr.split())}; sign in to the registry, or name a model "
            "directory as CHAMPION."
        )
    return done.stdout.strip()


def _taken(environment: str, promotion: Promote, target: Path) -> record.Decision | None:
    """Write the model directory that an environment serves to `target`; returns its record, or None where none runs.

    Raises InputError when the image cannot be had or holds another model: a comparison is never left out silently.
    """
    decision = current(folder(environment, promotion.order))
    if decision is None or decision.images is None:
        shutil.rmtree(target, ignore_errors=True)
        return None
    image, expected = decision.images.serve, decision.evaluation.origin.model
    if password := os.environ.get("REGISTRY_PASSWORD"):
        with contextlib.suppress(InputError):  # an image that anyone may read needs none
            user = os.environ.get("REGISTRY_USER", "")
            _docker("login", "--username", user, "--password-stdin", image.partition("/")[0], content=password)
    container = _docker("create", image)
    try:
        with files.replaced(target) as part:
            _docker("cp", f"{container}:{INSIDE}/.", str(part))
            found = directory.load(part).sha256
            if found != expected:
                raise InputError(
                    f"{image} holds the model {found}, but the record of {environment} says {expected}; roll back to a "
                    "release whose image is its own."
                )
    finally:
        _docker("rm", container)
    return decision


def run(promotion: Promote, build: Path) -> str:
    """Write `champion/` under `build`, the model of production, or remove it where production has no release."""
    environment = promotion.order[-1]
    decision = _taken(environment, promotion, build / "champion")
    if decision is None or decision.images is None:
        return f"{environment} has no release yet; there is no champion"
    return f"{decision.version} from {decision.images.serve}"


def rebuild(promotion: Promote, build: Path) -> str:
    """Write `model/` and `decision.json` under `build`: those of the newest release, whose images are built anew."""
    environment, commit = promotion.order[0], git.head()
    decision = _taken(environment, promotion, build / "model")
    if decision is None:
        raise InputError(f"{environment} has no release whose images could be built anew; run `make pipeline`.")
    if commit.dirty:
        raise InputError("Images are built from a commit; commit your changes, then run `make rebuild` again.")
    built = decision.model_copy(update={"images": None, "built": commit.version})
    files.write(build / "decision.json", record.dump(built))
    return f"{decision.evaluation.origin.version}, to be built anew as {commit.version}"
