"""Copies the matched files, relative to their common folder, like the real action."""

import os
import shutil
from pathlib import Path

patterns = os.environ["FILES"].split()
matched = sorted({name for pattern in patterns for name in Path().glob(pattern)})
files = sorted({file for path in matched for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()})
target = Path(os.environ["HUB"]) / "artifacts" / os.environ["HUB_RUN"] / os.environ["NAME"]
if files:
    roots = [path if path.is_dir() and len(matched) == 1 else path.parent for path in matched]
    root = Path(os.path.commonpath(roots))
    for file in files:
        (target / file.relative_to(root)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, target / file.relative_to(root))
    with open(os.environ["GITHUB_OUTPUT"], "a") as output:  # noqa: PTH123 - the runner's
        output.write("artifact-id=1\n")
print(f"{len(files)} files in {os.environ['NAME']}")
