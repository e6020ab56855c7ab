"""Runs verbs in forks of a process that has their libraries, as importing those is most of what a verb takes.

`ask.py SOCKET -m lifecycle …` runs a verb in the present folder, as the environment's own Python would.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

ASK = Path(__file__).with_name("ask.py")


@contextlib.contextmanager
def started(path: str, python: Path, project: Path, *rooms: str) -> Iterator[None]:
    """A process that waits at a socket with all that these rooms of a project's package import."""
    command = [str(python), "-W", "ignore:This process:DeprecationWarning", __file__, str(project), *rooms]
    once = {**os.environ, "OMP_NUM_THREADS": "1"}  # others' threads would be missing in a fork
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        process = subprocess.Popen(command, env=once, stdin=listening.fileno())
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def serve(project: Path, rooms: list[str]) -> None:
    """Import the libraries, and run a verb in a fork whenever one is asked for."""
    gc.disable()  # all that is made here stays
    sys.path[0] = str(project)
    for file in (file for room in rooms for file in sorted((project / "lifecycle" / room).glob("[a-z]*.py"))):
        with contextlib.suppress(ImportError):  # of another environment
            importlib.import_module(f"lifecycle.{file.parent.name}.{file.stem}")
    for name in [name for name in sys.modules if name.partition(".")[0] in ("lifecycle", "model")]:
        del sys.modules[name]  # a verb has its folder's
    gc.freeze()
    with socket.socket(fileno=0) as listening:
        while True:
            asked, _ = listening.accept()
            if not os.fork():
                run(asked)
            asked.close()
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def run(asked: socket.socket) -> None:
    """Run the verb that is asked for, and end this process."""
    gc.enable()
    content, files, _, _ = socket.recv_fds(asked, 1, 3)
    while part := asked.recv(1 << 16):
        content += part
    for place, file in enumerate(files):
        os.dup2(file, place)
    folder, environment, (_, module, *arguments) = json.loads(content)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[0], sys.argv[1:], tempfile.tempdir = folder, arguments, None
    code: object = 0
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    if isinstance(code, str):
        print(code, file=sys.stderr)
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    status = code if isinstance(code, int) else int(code is not None)
    asked.send(bytes([status]))
    os._exit(status)


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2:])
