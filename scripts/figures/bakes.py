"""A bake with its hooks, beside the start of cookiecutter itself."""

import statistics
import tempfile
from pathlib import Path

from figures import ROOT, Row
from figures.command import seconds

LEAST = 7  # a bake is short


def rows(runs: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        template = folder / "template"
        seconds(["git", "clone", "--quiet", "--depth", "1", ROOT.as_uri(), str(template)])
        (folder / "cookiecutter.yaml").write_text(f"replay_dir: {name}\ncookiecutters_dir: {name}\n")
        own = {"COOKIECUTTER_CONFIG": str(folder / "cookiecutter.yaml"), "TMPDIR": name}
        start, bake = [], []
        for index in range(max(runs, LEAST)):
            start.append(seconds(["cookiecutter", "--version"], own))
            output = str(folder / str(index))
            bake.append(seconds(["cookiecutter", "--no-input", "--output-dir", output, str(template)], own))
    median, base = statistics.median(bake), statistics.median(start)
    return [("a bake, hooks included", median, "s", f"{median / base:.1f} times the start of cookiecutter")]
