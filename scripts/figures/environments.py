"""The servers' Python environments: the model repository's, and one below `.tools` per rival."""

import filecmp
import shutil
import subprocess
from pathlib import Path

from figures import PROJECT, ROOT
from figures.command import seconds

LOCKS = Path(__file__).parent / "rivals/locks"


def own(name: str) -> Path:
    """An environment of the model repository, installed by its Makefile."""
    subprocess.run(["make", "--silent", "-C", str(PROJECT), f".venv/{name}"], check=True)
    return PROJECT / ".venv" / name


def rival(name: str) -> Path:
    """A rival's environment, reinstalled when its lock file changes."""
    lock, folder = LOCKS / f"{name}.txt", ROOT / ".tools/rivals" / name
    installed = folder / "lock.txt"
    if not installed.is_file() or not filecmp.cmp(lock, installed, shallow=False):
        make = ["make", "--silent", "--no-print-directory", "-C", str(PROJECT), "python"]
        python = subprocess.run(make, check=True, capture_output=True, text=True).stdout.strip()
        shutil.rmtree(folder, ignore_errors=True)
        seconds(["uv", "venv", "--quiet", "--no-project", "--python", python, str(folder)])
        seconds(["uv", "pip", "sync", "--quiet", "--require-hashes", "--python", f"{folder}/bin/python", str(lock)])
        shutil.copy(lock, installed)
    return folder


def size(environment: Path) -> float:
    """MiB of the installed packages, without compiled Python files."""
    found = environment / "lib/python3.12/site-packages"
    files = [path for path in found.rglob("*") if path.is_file() and path.parent.name != "__pycache__"]
    return sum(path.stat().st_blocks for path in files) * 512 / 2**20
