"""The gates that `config.yaml` can name, each kind with what it asks."""

from typing import Annotated, Literal

from pydantic import Field

from lifecycle.strict import Strict


class Gate(Strict):
    severity: Literal["block", "warn"] = "block"


class RowsGate(Gate):
    """At least `bound` test rows."""

    kind: Literal["rows"]
    bound: Annotated[int, Field(ge=1)]


class BoundGate(Gate):
    """The metric is at least (`floor`) or at most (`ceiling`) the bound; `by: interval` asks it of the worse end."""

    kind: Literal["floor", "ceiling"]
    metric: str
    bound: float
    by: Literal["value", "interval"] = "value"


class BaselineGate(Gate):
    """The metric is better than that of a model that ignores its input."""

    kind: Literal["baseline"]
    metric: str


class ChampionGate(Gate):
    """Non-inferiority: the paired interval shows the metric worse than the champion's by no more than the margin."""

    kind: Literal["champion"]
    metric: str
    margin: Annotated[float, Field(ge=0)]


class SliceGate(Gate):
    """The metric reaches the bound in every part of the slice that has at least `rows` rows; smaller ones warn."""

    kind: Literal["slice"]
    slice: str
    metric: str
    bound: float
    rows: Annotated[int, Field(ge=1)]


class GapGate(Gate):
    """The metric's best and worst parts of the slice lie at most the bound apart; parts below `rows` rows warn."""

    kind: Literal["gap"]
    slice: str
    metric: str
    bound: Annotated[float, Field(gt=0)]
    rows: Annotated[int, Field(ge=1)]


class FairnessGate(Gate):
    """The groups of a slice that is marked with `fairness` differ by at most the bound."""

    kind: Literal["fairness"]
    slice: str
    metric: str
    bound: Annotated[float, Field(gt=0)]


class CalibrationGate(Gate):
    """The expected calibration error, the mean distance between probability and share, is at most the bound."""

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
