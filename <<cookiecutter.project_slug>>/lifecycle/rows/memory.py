"""Says how much memory this process may still take: what the machine has left, or its container if that is less."""

from pathlib import Path

# Of a control group of version 2 and of version 1: its limit, what it uses, and the line of its reclaimable files.
GROUPS = (
    ("", "memory.max", "memory.current", "inactive_file"),
    ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def available(root: Path = Path("/")) -> int | None:
    """Bytes that can be taken without swapping; None where the system does not say, as on macOS."""
    left = [*_machine(root / "proc/meminfo"), *_groups(root)]
    return max(min(left), 0) if left else None


def _machine(path: Path) -> list[int]:
    try:
        lines = dict(line.split(":", 1) for line in path.read_text().splitlines())
        return [int(lines["MemAvailable"].split()[0]) * 1024]
    except (OSError, ValueError, KeyError):
        return []


def _groups(root: Path) -> list[int]:
    """What each control group that holds this process has left."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
        own = {line.split(":")[1]: line.split(":", 2)[2] for line in lines}
    except (OSError, IndexError):
        own = {}
    left = []
    for kind, limit, used, files in GROUPS:
        top = root / "sys/fs/cgroup" / kind
        folder = top / own.get(kind, "/").lstrip("/")
        for group in {top, folder, *folder.parents}:  # a container may see its own group as the top
            try:
                bound, taken = int((group / limit).read_text()), int((group / used).read_text())
                statistics = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
            except (OSError, ValueError):  # there is none, or its limit is `max`
                continue
            left.append(bound - taken + int(statistics.get(files, 0)))
    return left


def size(count: float) -> str:
    """A number of bytes as people write it, such as 3.2 GB."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.4g} TB"
