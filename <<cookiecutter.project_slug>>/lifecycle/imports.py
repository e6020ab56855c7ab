"""Finds the files of this repository that a module imports: what an image holds, what a change touches."""

import ast
from functools import cache
from importlib.util import find_spec
from pathlib import Path

OURS = ("lifecycle", "model")


def team() -> Path:
    """The folder of the team's package `model`, which is not imported."""
    return Path((getattr(find_spec("model"), "submodule_search_locations", None) or ["model"])[0])


def needed(*modules: str, root: Path = Path()) -> set[str]:
    """The files of the modules, of their packages and of everything they import, as paths in the repository."""
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        path = _file(waiting.pop(), root)
        if path is None or path.as_posix() in found:
            continue
        found.add(path.as_posix())
        packages = [".".join(parent.parts) for parent in path.parents if parent.parts]
        waiting += [*packages, *_imported((root / path).read_bytes(), path.parent.parts)]
    return found


def _file(module: str, root: Path) -> Path | None:
    """The file of a module in this repository; None for any other module."""
    parts = module.split(".")
    if parts[0] not in OURS:
        return None
    candidates = (Path(*parts).with_suffix(".py"), Path(*parts) / "__init__.py")
    return next((path for path in candidates if (root / path).is_file()), None)


@cache  # a verb asks for the same files several times
def _imported(content: bytes, package: tuple[str, ...]) -> list[str]:
    """Every name that a file of a package imports, at its top or later; `from a import b` gives `a` and `a.b`."""
    found: list[str] = []
    try:
        waiting: list[ast.AST] = [ast.parse(content)]
    except SyntaxError:  # in the team's code; the verb that imports it reports the error
        return found
    for node in waiting:
        # No expression holds an import, and most nodes are in one.
        waiting += (part for part in ast.iter_child_nodes(node) if not isinstance(part, ast.expr))
        if isinstance(node, ast.Import):
            found += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            found += [module, *(f"{module}.{alias.name}" for alias in node.names)]
    return found
