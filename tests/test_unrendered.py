"""The unrendered model repository; separate from test_bake.py so that another process can run it."""

import re
import shutil
from pathlib import Path

from conftest import PROJECT, run, unrendered


def test_the_teams_tests_pass_on_the_example() -> None:
    assert re.search(r"\d+ passed.* in ", run(["make", "test", "TESTS=tests"], unrendered("train")))


def test_the_templates_tests_pass_and_read_nothing_of_the_teams(template: Path, tmp_path: Path) -> None:
    """The team's files are all wrong here; servers that a fresh repository has not installed are tested, too."""
    repository = shutil.copytree(template / PROJECT, tmp_path / "repository")
    shutil.rmtree(repository / "data")
    shutil.rmtree(repository / "tests")
    for name in ("config.yaml", "model/__init__.py", "model/config.py", "model/estimator.py"):
        (repository / name).write_text("raise SystemExit('The team's own is read.")
    for folder in (repository / "manifests/overlays").glob("*/release"):
        (folder / "decision.json").write_text("The team's own release is read.")
        (folder / "kustomization.yaml").write_text("The team's own release is read.")
    (repository / ".venv").symlink_to(unrendered("dev", "seldon", "serve", "skops") / ".venv")
    disk = {"TMPDIR": "/tmp"}  # noqa: S108 - a container's root, which is read-only, has nothing below /dev
    said = run(["make", "test", "TESTS=lifecycle/tests", "PYTEST=-rs"], repository, **disk)
    assert re.search(r"\d+ passed.* in ", said)
    # Tests may be skipped for lack of root or a browser, not for a missing server.
    assert re.findall(r"SKIPPED .*not installed.*", said) == []
