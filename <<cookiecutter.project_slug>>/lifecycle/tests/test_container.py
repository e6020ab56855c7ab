"""The service with what a container gives it: another user, nothing writable but a volume and a temporary folder."""

import os
import subprocess
import urllib.error
from pathlib import Path
from typing import Any

import pytest
from served import Process
from test_seldon import PYTHON, post, wrapper
from test_serve import ROWS, URL
from tiny import Trained

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0,
    reason="only root can mount file systems: run the tests as root, in a container that allows it",
)
USER = 10001
# Nothing can be written but these two; other users' files can be read, as the interpreter may lie in a home.
CONTAINED = """
mount -t tmpfs -o size="$1",mode=1777 log "$2/predictions"
mount -t tmpfs -o size=16m,mode=1777 temporary "$2/temporary"
mount -o remount,ro,bind /
reads=+dac_read_search
shift 2
exec setpriv --reuid 10001 --regid 10001 --clear-groups --no-new-privs \\
  --bounding-set -all,$reads --inh-caps -all,$reads --ambient-caps -all,$reads "$@"
"""


def contained(trained: Trained, folder: Path, size: str = "16m", server: str = "asgi") -> Process:
    for name in ("predictions", "temporary"):
        (folder / name).mkdir()
    prefix = ["env", f"TMPDIR={folder}/temporary", f"HOME={folder}/temporary", "unshare", "--mount", "sh", "-ec"]
    prefix += [CONTAINED, "sh", size, str(folder)]
    if server == "asgi":
        return Process(trained, folder, prefix=prefix)
    return wrapper(trained, folder, prefix=prefix)


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a short name: the wrapper makes sockets in it, whose paths have at most 107 characters."""
    return tmp_path_factory.mktemp("c")


def body(count: int) -> bytes:
    rows = [{"number": 1.5, "colour": "red"} for _ in range(count)]
    return str({"jsonData": rows}).replace("'", '"').encode()


@pytest.mark.parametrize(
    "server",
    [
        "asgi",
        pytest.param(
            "seldon-core", marks=pytest.mark.skipif(not PYTHON.exists(), reason="seldon-core is not installed")
        ),
    ],
)
def test_it_serves_and_logs_as_another_user_on_a_read_only_root(server: str, binary: Trained, place: Path) -> None:
    with contained(binary, place, server=server) as process:
        users = {path.stat().st_uid for path in Path("/proc").glob(f"{process.running.pid}/task/*")}
        assert users == {USER}
        assert post(process, URL, body(len(ROWS)))[0] == 200
        inside = Path(f"/proc/{process.running.pid}/root{place}")
        (path,) = inside.glob("predictions/version=*/hour=*/*.jsonl")
        assert len(path.read_text().splitlines()) == len(ROWS)
        assert path.stat().st_uid == USER
        assert os.statvfs(inside).f_flag & os.ST_RDONLY


def test_a_disk_that_is_really_full_refuses_until_there_is_room(binary: Trained, place: Path) -> None:
    with contained(binary, place, "6m") as process:
        found: list[tuple[int, Any]] = []
        while len(found) < 1000 and (not found or found[-1][0] == 200):
            found.append(post(process, URL, body(100)))
            if len(found) == 1:
                process.get("/health/status")
        found += [post(process, URL, body(100)) for _ in range(3)]
        with pytest.raises(urllib.error.HTTPError, match="503"):
            process.get("/health/status")
        statuses = [status for status, _ in found]
        assert (statuses[0], statuses[-1]) == (200, 503)
        assert statuses == sorted(statuses)
        assert found[-1][1]["status"]["info"] == "The prediction could not be logged; try again later."
        assert f"model_log_failures_total {float(statuses.count(503))}" in process.get("/metrics")
        inside = Path(f"/proc/{process.running.pid}/root{place}/predictions")
        logged = sorted(inside.glob("version=*/hour=*/*.jsonl"), key=lambda path: path.stat().st_size)
        whole = [line for path in logged for line in path.read_text().split("\n")[:-1]]
        assert len(whole) >= 100 * statuses.count(200)
        logged[-1].unlink()
        assert post(process, URL, body(1))[0] == 200


def test_a_folder_that_cannot_be_written_stops_the_start(binary: Trained, place: Path) -> None:
    (place / "predictions").write_text("a file")
    code, errors = Process(binary, place).ended()
    assert code == 1
    assert "cannot be written" in errors
    assert "serve.log.failure" in errors
