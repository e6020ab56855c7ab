"""Runs a verb in the present repository and kills it before the n-th change of a file, for every n: `killed.py VERB …`.

After each kill the same verb runs again, and has to leave what it leaves when nothing kills it; once for each state
that a kill leaves, since it knows nothing else. Prints the number of kills.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lifecycle import __main__ as command
from lifecycle import files
from lifecycle.releasing import promote, provenance, release, rollback  # noqa: F401 - so that no child does

CHANGES = ("os.chmod", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "tempfile.mkdtemp")
FOLDERS = (Path("manifests"), Path("build"))
CHANGE = Path("build/change.json")


def state() -> dict[str, bytes]:
    """All files of the manifests, and of build, where halves of files may lie, all but those."""
    paths = [path for folder in FOLDERS for path in folder.rglob("*") if path.is_file()]
    kept = (path for path in paths if path.is_relative_to("manifests") or path.suffix != files.PART)
    return {str(path): path.read_bytes() for path in kept}


def reset() -> None:
    """The last commit, and the text of an earlier verb's pull request."""
    for arguments in (["checkout", "--quiet", "HEAD", "--", "manifests"], ["clean", "-fdxq", "manifests", "build"]):
        subprocess.run(["git", *arguments], check=True)
    files.write(CHANGE, "stale")


def subset(found: dict[str, bytes], folder: str) -> dict[str, bytes]:
    return {name: content for name, content in found.items() if name.startswith(folder)}


def killer(last: int) -> Callable[[str, tuple[Any, ...]], None]:
    """Kills this process before its `last` + 1st change of a file."""
    count = 0

    def hook(event: str, given: tuple[Any, ...]) -> None:
        nonlocal count
        writes = event == "open" and isinstance(given[2], int) and given[2] & (os.O_WRONLY | os.O_RDWR)
        if writes or event in CHANGES:
            if count == last:
                os.kill(os.getpid(), signal.SIGKILL)
            count += 1

    return hook


def run(last: int = -1) -> int:
    """The end of the verb in a process of its own: 0, or minus the signal that ended it."""
    child = os.fork()
    if not child:
        if last >= 0:
            sys.addaudithook(killer(last))
        os._exit(command.main(sys.argv[1:]))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main() -> int:
    provenance.findings = lambda *_: ("", "")  # its commits are invented
    reset()
    before = state()
    assert run() == 0
    wanted, kills, seen = state(), 0, [before]
    assert wanted != before
    while True:
        reset()
        if run(kills) == 0:
            return kills
        shown = subprocess.run(["git", "status", "--porcelain", "-uall"], check=True, capture_output=True, text=True)
        assert ".part" not in shown.stdout, f"kill {kills}: {shown.stdout}"
        left = state()
        released, about = (subset(left, folder) for folder in ("manifests", "build"))
        if released != subset(before, "manifests"):
            assert b"stale" not in about.values(), f"kill {kills} leaves another verb's pull request"
        if left not in seen:
            seen.append(left)
            assert run() == 0, f"after kill {kills} it cannot be run again"
            found = state()
            wrong = sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
            assert wrong == [], f"after kill {kills}: {wrong}"
        kills += 1


if __name__ == "__main__":
    print(main())
