"""Writes a reproducible archive of the files that the Dockerfile copies; prints its digest."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(os.environ["HUB_CODE"]).parents[1] / "scripts"))
import image

target = os.environ["TARGET"]
digest, content = image.archive(Path(), target, target)
registry = Path(os.environ["HUB"]) / "registry"
registry.mkdir(exist_ok=True)
(registry / digest).write_bytes(content)
print(f"digest=sha256:{digest}")
