"""Takes the model that production runs out of its image, so that a candidate is measured against it."""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

from model import InputError, directory, files
from model.config import Promote
from model.release import current, folder

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


def run(settings: Promote, build: Path) -> str:
    """Write `champion/` under `build`, or remove it where production has no release.

    Raises InputError when the image cannot be had or holds another model: a comparison is never left out silently.
    """
    target = build / "champion"
    decision = current(folder(settings.order[-1], settings.order))
    if decision is None or decision.images is None:
        shutil.rmtree(target, ignore_errors=True)
        return f"{settings.order[-1]} has no release yet; there is no champion"
    origin, image = decision.evaluation.origin, decision.images.serve
    if password := os.environ.get("REGISTRY_PASSWORD"):
        with contextlib.suppress(InputError):  # an image that anyone may read needs none
            user = os.environ.get("REGISTRY_USER", "")
            _docker("login", "--username", user, "--password-stdin", image.partition("/")[0], content=password)
    container = _docker("create", image)
    try:
        with files.replaced(target) as part:
            _docker("cp", f"{container}:{INSIDE}/.", str(part))
            found = directory.load(part).sha256
            if found != origin.model:
                raise InputError(
                    f"{image} holds the model {found}, but the record of {settings.order[-1]} says "
                    f"{origin.model}; roll back to a release whose image is its own."
                )
    finally:
        _docker("rm", container)
    return f"{origin.version} from {image}"
