"""The layout of the prediction log: the service writes it, the monitor reads it, `components/shipping` keeps it."""

from datetime import datetime

LABELS = "labels"
FILES = "*.jsonl*"  # a shipper may compress them
VERSIONS = "version=*"


def answers(version: str) -> str:
    """The folder of what one version of the model answered."""
    return f"version={version}"


def version(path: str) -> str:
    """The version whose answers lie in a folder."""
    return path.rsplit("version=", 1)[1]


def hour(moment: datetime) -> str:
    """The folder of an hour, below that of a version or of the labels; sorted by name they are sorted by time."""
    return f"hour={moment:%Y-%m-%dT%H}"


def pattern(folder: str) -> str:
    """Every file below such a folder."""
    return f"{folder}/hour=*/{FILES}"


def begun(path: str) -> str:
    """The folder of the hour that a file lies in."""
    return path.rsplit("/", 2)[1]
