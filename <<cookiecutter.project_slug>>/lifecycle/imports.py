"""Which files of this repository a module needs, read from the source: what an image holds, what a change touches."""

import ast
from collections.abc import Iterator
from pathlib import Path

OURS = ("lifecycle", "model")


def needed(*modules: str, root: Path = Path()) -> set[str]:
    """The files of the modules, of the packages they lie in and of all that they import, as paths in the repository."""
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        path = _file(waiting.pop(), root)
        if path is None or path.as_posix() in found:
            continue
        found.add(path.as_posix())
        packages = [".".join(parent.parts) for parent in path.parents if parent.parts]
        waiting += [*packages, *_imported(root / path)]
    return found


def _file(module: str, root: Path) -> Path | None:
    """Where a module of ours lies; None for any other name."""
    parts = module.split(".")
    if parts[0] not in OURS:
        return None
    candidates = (Path(*parts).with_suffix(".py"), Path(*parts) / "__init__.py")
    return next((path for path in candidates if (root / path).is_file()), None)


def _imported(path: Path) -> Iterator[str]:
    """Every name that a file imports, at its top or later; of `from a import b` both `a` and `a.b`."""
    try:
        tree = ast.parse(path.read_bytes())
    except SyntaxError:  # of the team's code; who imports it says so
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
