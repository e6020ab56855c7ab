"""Shows how the rendered manifests differ from another commit."""

import difflib
import re
import sys
import tempfile
from pathlib import Path

from lifecycle import files, git
from lifecycle.documents import change, limits
from lifecycle.documents.environments import OVERLAYS
from lifecycle.releasing import render
from lifecycle.reporting import pages


def difference(order: tuple[str, ...], base: str) -> dict[str, str]:
    """Unified diffs of each environment's manifests since a commit, without unchanged environments."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        git.extracted(base, OVERLAYS.parent, Path(folder))
        for environment in order:
            if _sources(environment, Path(folder)) == _sources(environment, Path()):
                continue  # rendering takes longer than reading
            there = (Path(folder) / OVERLAYS / environment).is_dir()
            was = render.manifests(environment, Path(folder)) if there else ""
            lines = difflib.unified_diff(
                was.splitlines(), render.manifests(environment).splitlines(), base[:12], "now", lineterm=""
            )
            if text := "\n".join(lines):
                found[environment] = text
    return found


def _sources(environment: str, root: Path) -> dict[str, bytes]:
    """The files that an environment is rendered from: all manifests but the other overlays."""
    paths = [path.relative_to(root) for path in (root / OVERLAYS.parent).rglob("*") if path.is_file()]
    own = [path for path in paths if not path.is_relative_to(OVERLAYS) or path.is_relative_to(OVERLAYS / environment)]
    return {path.as_posix(): (root / path).read_bytes() for path in own}


def markdown(differences: dict[str, str]) -> str:
    """The diffs as folded blocks; their text cannot end the block or the fold."""
    if not differences:
        return "The rendered manifests do not change.\n"
    if sum(map(len, differences.values())) > limits.DIFFERENCES:
        return "The diff of the rendered manifests is too long for this page: `make diff` shows it.\n"
    parts = []
    for environment, text in differences.items():
        fence = "`" * max(3, 1 + max((len(ticks) for ticks in re.findall("`+", text)), default=0))
        count = sum(line.startswith(("+", "-")) for line in text.splitlines()[2:])
        parts.append(
            f"<details><summary>Rendered manifests of {pages.plain(environment)}: {count} lines differ</summary>\n\n"
            f"{fence}diff\n{text}\n{fence}\n\n</details>\n"
        )
    return "\n".join(parts)


def run(order: tuple[str, ...], base: str, build: Path) -> str:
    """Write `diff.json` under `build`, and print the diffs."""
    found = difference(order, base)
    files.write_json(build / change.DIFFERENCES, found)
    sys.stdout.write("".join(f"{text}\n" for text in found.values()))
    return f"{', '.join(found) or 'no environment'} would change"
