"""Copies one artifact to a folder, or those of a pattern to folders named for them; other runs need a token."""

import os
import shutil
import sys
from pathlib import Path

run = os.environ["RUN"] or os.environ["HUB_RUN"]
assert run == os.environ["HUB_RUN"] or os.environ["TOKEN"], "the artifacts of another run need a token"
source = Path(os.environ["HUB"]) / "artifacts" / run / os.environ["NAME"]
if os.environ["NAME"] and not source.is_dir():
    sys.exit(f"Unable to find any artifacts with the name {os.environ['NAME']}.")
for found in [source] if os.environ["NAME"] else sorted(source.glob(os.environ["PATTERN"])):
    target = Path(os.environ["TARGET"]) / ("" if os.environ["NAME"] else found.name)
    shutil.copytree(found, target, symlinks=True, dirs_exist_ok=True)
