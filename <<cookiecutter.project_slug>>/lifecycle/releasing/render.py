"""Renders an environment's manifests with Kustomize."""

import shutil
import subprocess
import sys
from pathlib import Path

from lifecycle import InputError
from lifecycle.documents.environments import OVERLAYS


def manifests(environment: str, root: Path = Path()) -> str:
    """The manifests of an environment; raises InputError if Kustomize is missing or refuses them."""
    found = next(
        (command for command in (["kustomize", "build"], ["kubectl", "kustomize"]) if shutil.which(command[0])), None
    )
    if found is None:
        raise InputError("Neither kustomize nor kubectl is installed; install one of them to render manifests.")
    known = sorted(path.name for path in (root / OVERLAYS).iterdir())
    if environment not in known:
        raise InputError(f"There is no environment {environment!r}; ENV is one of {', '.join(known)}.")
    done = subprocess.run(  # noqa: S603
        [*found, str(OVERLAYS / environment)], cwd=root, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise InputError(f"The overlay {environment} cannot be rendered: {' '.join(done.stderr.split())}; correct it.")
    return done.stdout


def run(environment: str) -> str:
    """Print the manifests, and nothing else."""
    sys.stdout.write(manifests(environment))
    return ""
