"""The house: which room may import from which, what a name means, what the machinery knows of the team."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny import ROOT

# Each imports only from those above it, and from the modules that lie in lifecycle/ itself.
ROOMS = (
    *("documents", "artifact", "privacy", "rows", "training", "estimation", "evaluation", "serving"),
    *("monitoring", "drawing", "reporting", "adopting", "papers", "releasing", "cluster", "github", "tracing"),
)
TEAM = {"model.estimator", "model.features", "model.metrics"}
LIFECYCLE = ROOT / "lifecycle"
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for path in LIFECYCLE.rglob("*.py")
    if "tests" not in path.relative_to(LIFECYCLE).parts
}


def imported(path: Path) -> Iterator[str]:
    """Every module of this repository that a file imports, at its top or later."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] in ("lifecycle", "model"))
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in ("lifecycle", "model"):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            inside = [name for name in names if name in MODULES or f"{name}.__init__" in MODULES or name in TEAM]
            yield from inside or [node.module]


def room(module: str) -> str:
    """The room that a module lies in; nothing for those of lifecycle/ itself."""
    parts = module.split(".")
    return parts[1] if len(parts) > 2 else ""


def floor(module: str) -> int:
    """The place of a module's room from the top, 0 for those of lifecycle/ itself."""
    return 0 if not room(module) else 1 + ROOMS.index(room(module))


def test_the_rooms_are_those_that_are_here() -> None:
    folders = {path.name for path in LIFECYCLE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == {*ROOMS, "schemas", "tests"}
    counts = Counter(room(module) for module in MODULES if not module.endswith("__init__"))
    assert all(2 <= count <= 16 for count in counts.values()), counts


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_imports_only_from_its_room_and_those_above(module: str) -> None:
    if module == "lifecycle.__main__":
        return
    below = [name for name in imported(MODULES[module]) if name not in TEAM and floor(name) > floor(module)]
    assert below == []


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_says_in_a_sentence_what_it_does(module: str) -> None:
    said = ast.get_docstring(ast.parse(MODULES[module].read_text()))
    assert said
    assert said.split("\n")[0].endswith(".")


def test_imports_have_no_cycles() -> None:
    arrows = {module: set(imported(path)) & set(MODULES) for module, path in MODULES.items()}
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " → ".join([*path, module])
        if module not in done:
            for other in arrows[module]:
                visit(other, (*path, module))
            done.add(module)

    for module in MODULES:
        visit(module, ())


def test_the_machinery_knows_the_team_by_three_modules_in_one_place() -> None:
    arrows = {(module, name) for module, path in MODULES.items() for name in imported(path) if name.startswith("model")}
    assert {name for _, name in arrows} <= TEAM
    assert {module for module, _ in arrows} == {"lifecycle.training.team"}


def test_a_class_has_its_name_alone() -> None:
    names = Counter(
        node.name
        for path in MODULES.values()
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_no_folder_of_ours_hides_a_package_of_others() -> None:
    """`from github import Github` is PyGithub's."""
    ours = {path.name for path in ROOT.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert ours <= {"lifecycle", "model", "tests"}


def test_git_and_the_limits_of_github_stand_in_one_place() -> None:
    texts = {module: path.read_text() for module, path in MODULES.items()}
    assert [module for module, text in texts.items() if '["git"' in text] == ["lifecycle.git"]
    limits = "lifecycle.documents.limits"
    assert [module for module, text in texts.items() if "65_" in text or "40_000" in text] == [limits]
