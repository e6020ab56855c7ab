from pathlib import Path

import pytest

from lifecycle.rows import memory

KB = 1024


def write(root: Path, files: dict[str, object]) -> None:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(str(content))


def group(folder: str, bound: object, taken: int, inactive: int = 0) -> dict[str, object]:
    """The files of a control group of version 2."""
    return {
        f"sys/fs/cgroup/{folder}memory.max": bound,
        f"sys/fs/cgroup/{folder}memory.current": taken,
        f"sys/fs/cgroup/{folder}memory.stat": f"anon 1\ninactive_file {inactive}\n",
    }


MACHINE = {"proc/meminfo": "MemTotal:  9000 kB\nMemAvailable:    8000 kB\n", "proc/self/cgroup": "0::/a/b\n"}


@pytest.mark.parametrize(
    ("files", "left"),
    [
        ({}, 8000 * KB),
        (group("", "max", 5), 8000 * KB),
        (group("", 700, 500, 100), 300),  # inside of a container
        (group("a/b/", 700, 500), 200),
        (group("a/", 700, 500) | group("a/b/", 600, 100), 200),  # what the group above has left
        (group("", 700, 900), 0),
        (group("c/", 1, 1), 8000 * KB),  # of others
        (
            {
                "proc/self/cgroup": "4:memory:/a\n3:cpu,cpuacct:/a\n",
                "sys/fs/cgroup/memory/a/memory.limit_in_bytes": 700,
                "sys/fs/cgroup/memory/a/memory.usage_in_bytes": 500,
                "sys/fs/cgroup/memory/a/memory.stat": "total_inactive_file 50\n",
            },
            250,
        ),
    ],
)
def test_the_least_of_machine_and_container_is_left(files: dict[str, object], left: int, tmp_path: Path) -> None:
    write(tmp_path, MACHINE | files)
    assert memory.available(tmp_path) == left


def test_a_system_that_does_not_say_is_unknown(tmp_path: Path) -> None:
    assert memory.available(tmp_path) is None
    write(tmp_path, {"proc/meminfo": "nothing"})
    assert memory.available(tmp_path) is None


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="Only Linux says it.")
def test_this_machine_has_some_left() -> None:
    assert (memory.available() or 0) > 0


@pytest.mark.parametrize(
    ("count", "said"), [(12, "12 bytes"), (1500, "1.5 kB"), (3.21e9, "3.21 GB"), (2e12, "2 TB"), (5e15, "5,000 TB")]
)
def test_a_size_is_said_as_people_write_it(count: float, said: str) -> None:
    assert memory.size(count) == said
