"""The layout of the prediction log: the service writes it, the monitor reads it, `components/shipping` keeps it."""

from datetime import UTC, datetime

LABELS = "labels"
FILES = "*.jsonl*"  # a shipper may compress them
VERSIONS, HOUR = "version=*", "hour=%Y-%m-%dT%H"
REPORTS = "reports"  # of the monitor, beside the log in a store
POSITIONS = "shipping/checkpoints.json"  # how far the shipper is; the first part is its source in vector.yaml


def answers(version: str) -> str:
    """The folder of one model version's answers."""
    return f"version={version}"


def version(path: str) -> str:
    """The model version of a folder of answers."""
    return path.rsplit("version=", 1)[1]


def hour(moment: datetime) -> str:
    """The folder of an hour, below a version or the labels; its name sorts by time, and HOUR parses it."""
    return f"hour={moment.isoformat(timespec='hours')[:13]}"


def report(version: str, moment: datetime) -> str:
    """The folder of a report that the monitor made of a version; its name sorts by time."""
    return f"{REPORTS}/{moment:%Y-%m-%dT%H-%M-%S}_{version}"


def moment(text: str) -> datetime:
    """A row's own time, as ISO 8601 has it, in UTC; without an offset it is UTC.

    Raises ValueError for any other text, and OverflowError for a moment outside the years 1 to 9999.
    """
    found = datetime.fromisoformat(text)
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def pattern(folder: str) -> str:
    """A glob of every file below a folder of answers or labels."""
    return f"{folder}/hour=*/{FILES}"


def begun(path: str) -> str:
    """The name of the hour's folder that holds a file."""
    return path.rsplit("/", 2)[1]
