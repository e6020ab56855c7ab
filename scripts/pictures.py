"""Takes the READMEs' pictures of the demo's pages: from their tops, at one width, in light colours."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from browser import FLAGS, NAMES, browser  # noqa: E402

WIDTH = 1100
WORSE = "reports/4-worse-model.html"
# Each picture, the page in demo/ that it shows, and its height; the ending names the format.
PICTURES = {
    ".github/pictures/evaluation.webp": (WORSE, 860),
    ".github/pictures/monitor.webp": ("reports/6-monitor-in-winter.html", 1650),
    ".github/pictures/demo.webp": ("index.html", 1640),
    "<<cookiecutter.project_slug>>/docs/report.png": (WORSE, 860),
}


def take(command: str, page: Path, picture: Path, height: int) -> None:
    """Take one picture; nothing is written outside of it and of a folder that is deleted."""
    picture.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        flags = [*FLAGS, f"--user-data-dir={name}/profile", f"--window-size={WIDTH},{height}"]
        words = [command, *flags, f"--screenshot={picture}", page.as_uri()]
        environment = {**os.environ, "HOME": name}
        subprocess.run(words, env=environment, check=True, capture_output=True, timeout=120)


def main(demo: Path) -> int:
    command = browser()
    if command is None:
        print(f"pictures: this machine has none of {', '.join(NAMES)}; install one of them.", file=sys.stderr)
        return 1
    for name, (page, height) in PICTURES.items():
        if not (demo / page).is_file():
            print(f"pictures: {demo / page} is not there; run scripts/demo to its end first.", file=sys.stderr)
            return 1
        take(command, demo / page, ROOT / name, height)
        print(f"{name}  {(ROOT / name).stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main(ROOT / "demo"))
