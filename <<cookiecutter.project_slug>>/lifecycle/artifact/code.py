"""The team's code in a model directory: the classes of its estimator, and how it makes features of raw columns.

MLflow keeps it in the same place, and imports it from there when it loads the model.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDER, PACKAGE = "code", "model"


def ours(name: str) -> bool:
    """Whether a type of this dotted name is of the team's own package."""
    return name.startswith(f"{PACKAGE}.")


def _taken() -> list[str]:
    return [name for name in sys.modules if name.partition(".")[0] == PACKAGE]


@contextmanager
def carried(folder: Path) -> Iterator[bool]:
    """Inside the block, `import model` finds the code of this model directory; yields whether it has any.

    What was imported under that name before comes back: a candidate and a champion may differ in their code.
    """
    path = folder / FOLDER
    if not (path / PACKAGE).is_dir():
        yield False
        return
    before = {name: sys.modules.pop(name) for name in _taken()}
    sys.path.insert(0, str(path.resolve()))
    importlib.invalidate_caches()
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # the directory is sealed
    try:
        yield True
    finally:
        sys.dont_write_bytecode = writes
        sys.path.remove(str(path.resolve()))
        if before:
            for name in _taken():
                del sys.modules[name]
            sys.modules.update(before)
