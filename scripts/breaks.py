"""Breaks a copy of this template in one place after the other, and runs the test that must notice."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import bake
import yaml

PROJECT = "<<cookiecutter.project_slug>>"
LIST = bake.ROOT / "tests/breaks.yaml"


def command(red: str, copy: Path) -> tuple[list[str], Path]:
    """What runs a test in a copy, and in which folder."""
    if red.startswith("tests/"):
        pytest = [sys.executable, "-m", "pytest", "-c", "tests/pyproject.toml", "--rootdir", "tests", "-n", "0"]
        return [*pytest, "-x", "-q", *red.split()], copy
    names = [f"lifecycle/tests/{word}" if word.endswith(".py") else word for word in red.split()]
    return [".venv/dev/bin/python", "-m", "pytest", "-x", "-q", *names], copy / PROJECT


def noticed(one: dict[str, Any], copy: Path) -> bool:
    """Whether the test fails with the defect; ends the run where the list is out of date."""
    inside = copy / PROJECT / one["file"]
    path = inside if inside.is_file() else copy / one["file"]
    whole = path.read_text()
    if one["old"] not in whole:
        sys.exit(f"breaks: {one['file']} has no {one['old']!r}; correct {LIST.name}.")
    path.write_text(whole.replace(one["old"], one["new"]))
    words, folder = command(one["red"], copy)
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    path.write_text(whole)
    if done.returncode not in (0, 1, 2):  # 2: a test module that cannot be imported
        sys.exit(f"breaks: {' '.join(words)} ran no test:\n{done.stdout}{done.stderr}")
    return done.returncode != 0


def main(named: list[str]) -> int:
    every = yaml.safe_load(LIST.read_text())
    chosen = [one for one in every if not named or any(word in one["file"] for word in named)]
    missed = 0
    with tempfile.TemporaryDirectory() as name:
        copy = bake.copied(Path(name) / "template")
        subprocess.run(["git", "init", "--quiet"], cwd=copy, check=True)
        subprocess.run(["git", "add", "--all"], cwd=copy, check=True)
        for installed in (".tools", f"{PROJECT}/.venv"):
            (copy / installed).symlink_to(bake.ROOT / installed)
        for red in dict.fromkeys(one["red"] for one in chosen):
            words, folder = command(red, copy)
            if subprocess.run(words, cwd=folder, capture_output=True, check=False).returncode:
                sys.exit(f"breaks: {red} fails without a defect; mend it first.")
        for one in chosen:
            seen = noticed(one, copy)
            missed += not seen
            print(f"{'noticed' if seen else 'MISSED '}  {one['file']}: {one['old']} ({one['red']})", flush=True)
            shutil.rmtree(copy / PROJECT / "build", ignore_errors=True)
    print(f"{len(chosen) - missed} of {len(chosen)} defects are noticed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
