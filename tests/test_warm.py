"""A verb that is run in a fork behaves as one that is started."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from hub import warm

VERB = """
import os, sys
known = [name for name in ("colorsys", "lifecycle.room") if name in sys.modules]
sys.stdout.write(f"{os.environ['WORD']} {os.getcwd()} {sys.argv[1:]} {known}")
if "die" in sys.argv:
    os.kill(os.getpid(), 9)
sys.exit({"told": "a reason", "three": 3}.get(sys.argv[1]))
"""


def test_a_verb_has_its_folder_environment_output_and_exit_code(tmp_path: Path) -> None:
    project, folder = tmp_path / "project/lifecycle", tmp_path / "folder/lifecycle"
    for path, text in (
        (project / "room/one.py", "import colorsys"),
        (project / "room/two.py", "import a_library_of_another_environment"),
        (folder / "__main__.py", VERB),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    with tempfile.TemporaryDirectory() as sockets:  # whose paths have to be short
        socket = f"{sockets}/one"

        def run(*words: str) -> tuple[int, str, str]:
            done = subprocess.run(
                [sys.executable, "-S", str(warm.ASK), socket, "-m", "lifecycle", *words],
                cwd=folder.parent,
                env={**os.environ, "WORD": "given"},
                capture_output=True,
                text=True,
            )
            return done.returncode, done.stdout, done.stderr

        with warm.started(socket, Path(sys.executable), project.parent, "room"):
            said = f"given {folder.parent} {{}} ['colorsys']"
            assert run("well") == (0, said.format(["well"]), "")
            assert run("three") == (3, said.format(["three"]), "")
            assert run("told") == (1, said.format(["told"]), "a reason\n")
            assert run("die")[0] == 1
        assert run("late")[0] == 1
