"""What the monitor found, as one versioned document; `schemas/` has its JSON schema."""

from typing import Annotated, Literal

from pydantic import Field

from lifecycle.config import AlertRule
from lifecycle.strict import Strict
from lifecycle.tasks import Task

VERSION: Literal[1] = 1
Kind = Literal["estimated", "realised", "drift", "output", "quality"]


class Window(Strict):
    """One number about `rows` rows from `begin` to `end`: a metric, or a measure of one column.

    `low` and `high` are the bounds; `outside` is true on their worse side only. Those of performance and drift lie
    three standard deviations around the mean of the reference windows.
    """

    kind: Kind
    metric: str
    column: str | None
    reference: Annotated[bool, Field(description="whether the rows are test rows of the release, or the log's")]
    begin: str
    end: str
    rows: int
    value: Annotated[float | None, Field(description="null where it is undefined")]
    low: float | None
    high: float | None
    outside: bool


class Alert(Strict):
    """What the rule says of one series of windows: how many of the last are outside, and when it was last raised."""

    kind: Kind
    metric: str
    column: str | None
    windows: int
    holds: bool
    raised: Annotated[str | None, Field(description="end of the window at which it was last raised; null if never")]


class LogCounts(Strict):
    """What the log held: rows that were read, and lines that were left out, by reason."""

    rows: int
    labelled: int
    unreadable: int
    repeated: int
    future: int
    versions: Annotated[tuple[str, ...], Field(description="other versions of the model that it holds")]


class Summary(Strict):
    """`alert` says whether the rule holds now for any series; `raised` is the last window at which one was raised, and
    changes only when there is something new to tell."""

    schema_version: Literal[1] = VERSION
    name: str
    version: str
    task: Task
    alert: bool
    raised: str | None
    rule: AlertRule
    log: LogCounts
    sampled: Annotated[int | None, Field(description="rows to which larger windows were sampled; null: none was")]
    alerts: tuple[Alert, ...]
    warnings: tuple[str, ...]
    windows: tuple[Window, ...]
