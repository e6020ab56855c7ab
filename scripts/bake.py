"""Bakes a model repository from this template's tracked and addable files, without environments or outputs.

`python scripts/bake.py FOLDER [ANSWER=VALUE ...]` creates the repository in FOLDER.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def tracked() -> list[str]:
    """This template's files: those that git tracks, and new ones that it does not ignore."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return sorted(name for name in listed.split("\0") if name and (ROOT / name).is_file())


def copied(folder: Path) -> Path:
    """Copy this template to a folder, without environments, caches or outputs."""
    for name in tracked():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    return folder


def command(template: Path, folder: Path, answers: Mapping[str, str]) -> list[str]:
    """The command that bakes a repository in a folder."""
    given = [f"{name}={value}" for name, value in answers.items()]
    return ["cookiecutter", "--no-input", "--output-dir", str(folder), str(template), *given]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        answers = dict(word.partition("=")[::2] for word in sys.argv[2:])
        (Path(name) / "settings.yaml").write_text(f"replay_dir: {name}\ncookiecutters_dir: {name}\n")
        done = subprocess.run(
            command(copied(Path(name) / "template"), Path(sys.argv[1]), answers),
            env={**os.environ, "COOKIECUTTER_CONFIG": str(Path(name) / "settings.yaml")},  # not in the home folder
            check=False,
        )
    sys.exit(done.returncode)
