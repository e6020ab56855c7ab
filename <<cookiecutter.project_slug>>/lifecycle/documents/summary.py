"""The monitor's findings in one versioned document; `schemas/` has its JSON schema."""

from typing import Annotated, Literal

from pydantic import Field

from lifecycle.config import AlertRule
from lifecycle.documents.track import TrackRecord
from lifecycle.strict import Strict
from lifecycle.tasks import Task

VERSION: Literal[1] = 1
Kind = Literal["estimated", "realised", "drift", "output", "quality"]

# Windows in the reference, for bounds that can be relied on, and for any bounds.
REFERENCE_WINDOWS, FEWEST_WINDOWS = 10, 5
SPREAD = 1e-9  # a reference whose values lie closer together does not vary


def _empty(value: object) -> bool:
    return not value


class Window(Strict):
    """One number about `rows` rows from `begin` to `end`: a metric, or a measure of one column.

    `low` and `high` are the bounds; `outside` is true only beyond the worse one. Performance and drift are bounded by
    three standard deviations around the mean of the reference windows.
    """

    kind: Kind
    metric: str
    column: str | None
    reference: Annotated[bool, Field(description="true: test rows of the release; false: rows of the log")]
    begin: str
    end: str
    rows: int
    value: Annotated[float | None, Field(description="null where it is undefined")]
    low: float | None
    high: float | None
    outside: bool
    error: Annotated[float | None, Field(description="standard error of a performance; null if unknown")] = None
    labelled: Annotated[
        float | None,
        Field(
            description="share of the rows logged meanwhile that have a label; these are measured", exclude_if=_empty
        ),
    ] = None
    unlike: Annotated[
        tuple[str, ...],
        Field(description="columns in which its rows with labels do not look like those without", exclude_if=_empty),
    ] = ()


class Sliced(Strict):
    """The windows of one part of a slice, with bounds of its own; those with too few of its rows are left out."""

    slice: Annotated[str, Field(description="the column")]
    part: str
    windows: tuple[Window, ...]


class Alert(Strict):
    """The rule applied to one series of windows: how many of the last are outside, and when it last raised an alert."""

    kind: Kind
    metric: str
    column: str | None
    windows: int
    holds: bool
    raised: Annotated[str | None, Field(description="end of the window of its last alert; null if it never raised one")]
    since: Annotated[str | None, Field(description="end of the window of which an alert is still that one")] = None
    slice: Annotated[str | None, Field(description="column; null for all rows", exclude_if=_empty)] = None
    part: Annotated[str | None, Field(description="of the slice", exclude_if=_empty)] = None


class LogCounts(Strict):
    """The rows read from the log, and the lines left out by reason."""

    rows: int
    labelled: int
    unreadable: int
    repeated: int
    future: int
    versions: Annotated[tuple[str, ...], Field(description="other versions of the model in the log")]
    damaged: Annotated[int, Field(description="files that could not be read to their end")] = 0
    reused: Annotated[int, Field(description="rows under the request id of earlier ones; they count")] = 0
    ahead: Annotated[int, Field(description="rows whose own time is later than their answer, which counts")] = 0
    impossible: Annotated[int, Field(description="rows with an answer that the model cannot give")] = 0
    late: Annotated[int, Field(description="rows that came after their period was closed; in no window")] = 0
    told: Annotated[int, Field(description="labels of the feedback")] = 0
    odd: Annotated[int, Field(description="labels of the feedback that the model does not have")] = 0
    unmatched: Annotated[int, Field(description="labels for no answer of this version in the log")] = 0

    @property
    def aside(self) -> float:
        """The share of the rows, or of the feedback's labels if larger, that was set aside."""
        rows = self.unreadable + self.future + self.impossible
        return max(rows / max(1, self.rows + rows), self.odd / max(1, self.told))


class Summary(Strict):
    """The monitor's summary. `alert` is true while the rule holds for any series; `raised` is the end of the window of
    the latest alert. One that was raised at `since` or later is still the same: pauses after alerts are counted from
    the oldest window, which is no longer read one day."""

    schema_version: Literal[1] = VERSION
    name: str
    version: str
    task: Task
    alert: bool
    raised: str | None
    since: str | None = None
    rule: AlertRule
    estimator: Annotated[Literal["nannyml", "own"], Field(description="whose estimates and drift these are")] = (
        "nannyml"
    )
    log: LogCounts
    sampled: Annotated[int | None, Field(description="rows sampled from larger windows; null if none was sampled")]
    alerts: tuple[Alert, ...]
    warnings: tuple[str, ...]
    windows: tuple[Window, ...]
    slices: Annotated[tuple[Sliced, ...], Field(exclude_if=_empty)] = ()
    track: Annotated[TrackRecord | None, Field(description="how the estimate fared; null if it was not asked")] = None
    kept: Annotated[tuple[str, ...], Field(description="addresses at which this report can be opened")] = ()
