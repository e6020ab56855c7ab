"""A bake with its hooks, compared with the start of cookiecutter itself."""

import statistics
import tempfile
from pathlib import Path

import bake

from figures import Row
from figures.command import seconds

LEAST = 7  # runs; a bake is short


def template(folder: Path) -> tuple[Path, dict[str, str]]:
    """A copy of this template in a folder, and the environment that keeps cookiecutter's files in it."""
    copy, settings = bake.copied(folder / "template"), folder / "cookiecutter.yaml"
    settings.write_text(f"replay_dir: {folder}\ncookiecutters_dir: {folder}\n")
    return copy, {"COOKIECUTTER_CONFIG": str(settings), "TMPDIR": str(folder)}


def rows(runs: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy, own = template(folder)
        start, baked = [], []
        for index in range(max(runs, LEAST)):
            start.append(seconds(["cookiecutter", "--version"], own))
            output = str(folder / str(index))
            baked.append(seconds(bake.command(copy, Path(output), {}), own))
    median, base = statistics.median(baked), statistics.median(start)
    return [("a bake, hooks included", median, "s", f"{median / base:.1f} times the start of cookiecutter")]
