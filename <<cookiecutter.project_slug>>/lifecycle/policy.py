"""The kinds of gate that `config.yaml` can name, and what each requires."""

from typing import Annotated, Literal

from pydantic import Field

from lifecycle.strict import Strict

# What an undecided gate does; a measured failure blocks all the same.
Undecided = Literal["refuse", "warn"]


class Gate(Strict):
    severity: Literal["block", "warn"] = "block"


class RowsGate(Gate):
    """At least `bound` test rows."""

    kind: Literal["rows"]
    bound: Annotated[int, Field(ge=1)]


class BoundGate(Gate):
    """The metric is at least (`floor`) or at most (`ceiling`) the bound; `by: interval` tests its worse end.

    It is undecided when the value reaches the bound and the worse end does not; an end without distance from the value
    counts as if three rows more could differ.
    """

    kind: Literal["floor", "ceiling"]
    metric: str
    bound: float
    by: Literal["value", "interval"] = "value"
    undecided: Undecided = "refuse"


class BaselineGate(Gate):
    """The metric beats a model that ignores its input."""

    kind: Literal["baseline"]
    metric: str


class ChampionGate(Gate):
    """Non-inferiority: the metric is worse than the champion's by at most the margin, across the paired interval.

    It is undecided when the difference is within the margin and its interval is not: the test rows are too few. An
    interval without width counts as if three rows more could differ.
    """

    kind: Literal["champion"]
    metric: str
    margin: Annotated[float, Field(ge=0)]
    undecided: Undecided = "refuse"


class SliceGate(Gate):
    """The metric reaches the bound in every part of the slice with at least `rows` rows; smaller parts only warn."""

    kind: Literal["slice"]
    slice: str
    metric: str
    bound: float
    rows: Annotated[int, Field(ge=1)]


class GapGate(Gate):
    """The metric's best and worst parts differ by at most the bound; parts of fewer than `rows` rows do not count."""

    kind: Literal["gap"]
    slice: str
    metric: str
    bound: Annotated[float, Field(gt=0)]
    rows: Annotated[int, Field(ge=1)]


class FairnessGate(Gate):
    """The groups of a slice with `fairness` differ by at most the bound."""

    kind: Literal["fairness"]
    slice: str
    metric: str
    bound: Annotated[float, Field(gt=0)]


class CalibrationGate(Gate):
    """The expected calibration error, the mean gap between probability and observed share, is at most the bound."""

    kind: Literal["calibration"]
    bound: Annotated[float, Field(gt=0, le=1)]


class ParityGate(Gate):
    """The largest difference between the served and the scikit-learn model is at most the bound."""

    kind: Literal["parity"]
    bound: Annotated[float, Field(gt=0)]


class LatencyGate(Gate):
    """The median time for one row, in milliseconds, is at most the bound."""

    kind: Literal["latency"]
    bound: Annotated[float, Field(gt=0)]


AnyGate = Annotated[
    RowsGate
    | BoundGate
    | BaselineGate
    | ChampionGate
    | SliceGate
    | GapGate
    | FairnessGate
    | CalibrationGate
    | ParityGate
    | LatencyGate,
    Field(discriminator="kind"),
]
