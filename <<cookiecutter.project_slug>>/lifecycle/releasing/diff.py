"""Shows how the rendered manifests differ from another commit."""

import difflib
import sys
import tempfile
from pathlib import Path

from lifecycle import files, git
from lifecycle.documents import change, limits
from lifecycle.documents.environments import OVERLAYS
from lifecycle.releasing import applied, render
from lifecycle.reporting import pages


def difference(base: str) -> dict[str, str]:
    """Unified diffs of all that Argo CD would apply since a commit, by overlay, without unchanged ones."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        before = Path(folder)
        git.extracted(base, OVERLAYS.parent, before)
        (before / OVERLAYS).mkdir(parents=True, exist_ok=True)
        if _sources(before) == _sources(Path()):
            return {}  # rendering takes longer than reading
        there, here = applied.overlays(before), applied.overlays()
        for name in sorted({*there, *here}):
            was = render.manifests(name, before) if name in there else ""
            now = render.manifests(name) if name in here else ""
            lines = difflib.unified_diff(was.splitlines(), now.splitlines(), base[:12], "now", lineterm="")
            if text := "\n".join(lines):
                found[name] = text
    return found


def _sources(root: Path) -> dict[str, bytes]:
    """The files that overlays are rendered from; `make audit` refuses an overlay that takes others."""
    paths = [path for path in (root / OVERLAYS.parent).rglob("*") if path.is_file()]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


def markdown(differences: dict[str, str]) -> str:
    """The diffs as folded blocks; their text cannot end the block or the fold."""
    if not differences:
        return "The rendered manifests do not change.\n"
    if sum(map(len, differences.values())) > limits.DIFFERENCES:
        return "The diff of the rendered manifests is too long for this page: `make diff` shows it.\n"
    parts = []
    for environment, text in differences.items():
        count = sum(line.startswith(("+", "-")) for line in text.splitlines()[2:])
        # The name stands outside of the fold: Markdown is not read in `summary`.
        parts.append(
            f"Rendered manifests of {pages.plain(environment)}: {count} lines differ.\n\n"
            f"<details><summary>Show them</summary>\n\n{pages.fenced(text, 'diff')}\n</details>\n"
        )
    return "\n".join(parts)


def run(base: str, build: Path) -> str:
    """Write `diff.json` under `build`, and print the diffs."""
    found = difference(base)
    files.write_json(build / change.DIFFERENCES, found)
    sys.stdout.write("".join(f"{text}\n" for text in found.values()))
    return f"{', '.join(found) or 'no environment'} would change"
