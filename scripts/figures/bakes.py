"""A bake with its hooks, beside the start of cookiecutter itself."""

import statistics
import tempfile
from pathlib import Path

from figures import ROOT, Row
from figures.command import seconds

LEAST = 7  # a bake is short


def template(folder: Path) -> tuple[Path, dict[str, str]]:
    """A clone of this template in a folder, and the environment in which cookiecutter writes nowhere else."""
    clone, settings = folder / "template", folder / "cookiecutter.yaml"
    seconds(["git", "clone", "--quiet", "--depth", "1", ROOT.as_uri(), str(clone)])
    settings.write_text(f"replay_dir: {folder}\ncookiecutters_dir: {folder}\n")
    return clone, {"COOKIECUTTER_CONFIG": str(settings), "TMPDIR": str(folder)}


def rows(runs: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clone, own = template(folder)
        start, bake = [], []
        for index in range(max(runs, LEAST)):
            start.append(seconds(["cookiecutter", "--version"], own))
            output = str(folder / str(index))
            bake.append(seconds(["cookiecutter", "--no-input", "--output-dir", output, str(clone)], own))
    median, base = statistics.median(bake), statistics.median(start)
    return [("a bake, hooks included", median, "s", f"{median / base:.1f} times the start of cookiecutter")]
