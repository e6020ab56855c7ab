"""Extracts the model that production runs from its image, to compare candidates with it."""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

from lifecycle import InputError, files, git
from lifecycle.artifact import directory
from lifecycle.config import Promote
from lifecycle.documents import curves, record
from lifecycle.documents.environments import current, folder

INSIDE = "/model/build/model"  # where the Dockerfile puts it


def _docker(*arguments: str, content: str | None = None) -> str:
    command = ["docker", *arguments]
    try:
        done = subprocess.run(command, input=content, capture_output=True, text=True, check=False)  # noqa: S603
    except FileNotFoundError as error:
        raise InputError(
            "docker is not installed; install it to extract the model from production's image, or name a model "
            "directory as CHAMPION."
        ) from error
    if done.returncode:
        raise InputError(
            f"docker {arguments[0]} failed: {' '.join(done.stderr.split())}; sign in to the registry, or name a model "
            "directory as CHAMPION."
        )
    return done.stdout.strip()


def _extracted(environment: str, promotion: Promote, target: Path) -> record.Decision | None:
    """Write the model directory that an environment serves to `target`; returns its record, or None without a release.

    Raises InputError when the image is unavailable or holds another model: a comparison is never skipped silently.
    """
    decision = current(folder(environment, promotion.order))
    if decision is None or decision.images is None:
        return None
    image, expected = decision.images.serve, decision.evaluation.origin.model
    if password := os.environ.get("REGISTRY_PASSWORD"):
        with contextlib.suppress(InputError):  # a public image needs no login
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
                    "release whose image matches its record."
                )
    finally:
        _docker("rm", container)
    return decision


def run(promotion: Promote, build: Path) -> str:
    """Write production's model to `champion/` under `build`; removes it if production has no release."""
    environment = promotion.order[-1]
    decision = _extracted(environment, promotion, build / "champion")
    if decision is None or decision.images is None:
        shutil.rmtree(build / "champion", ignore_errors=True)
        return f"{environment} has no release yet; there is no champion"
    return f"{decision.version} from {decision.images.serve}"


def rebuild(promotion: Promote, build: Path) -> str:
    """Write the newest release's `model/` and `decision.json` under `build`, to rebuild its images."""
    environment, commit = promotion.order[0], git.head()
    decision = _extracted(environment, promotion, build / "model")
    if decision is None:
        raise InputError(f"{environment} has no release to rebuild images for; run `make pipeline`.")
    if commit.dirty:
        raise InputError("Images are built from a commit; commit your changes, then run `make rebuild` again.")
    built = decision.model_copy(update={"images": None, "built": commit.version})
    (build / curves.NAME).unlink(missing_ok=True)  # of another evaluation
    files.write(build / "decision.json", record.dump(built))
    return f"{decision.evaluation.origin.version}, to be rebuilt as {commit.version}"
