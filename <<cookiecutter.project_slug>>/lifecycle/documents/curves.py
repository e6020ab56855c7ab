"""What a report draws of the answers to the test rows: curves, histograms and thresholds, never a single row.

`evaluate` writes them beside the decision record, which is shipped with each release and stays small.
"""

from pathlib import Path
from typing import Self

from pydantic import ValidationError, model_validator

from lifecycle import InputError, files
from lifecycle.documents import record
from lifecycle.documents.record import Evaluation
from lifecycle.strict import Strict, problems

NAME = "curves.json"


class Line(Strict):
    """Points of a curve."""

    x: tuple[float, ...]
    y: tuple[float, ...]

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if len(self.x) != len(self.y):
            raise ValueError(f"{len(self.x)} values stand against {len(self.y)}")
        return self


class Histogram(Strict):
    """Counts of rows between edges, which are one more."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]

    @model_validator(mode="after")
    def _between(self) -> Self:
        if len(self.edges) != len(self.counts) + 1:
            raise ValueError(f"{len(self.counts)} counts have {len(self.edges)} edges")
        return self


class OneClass(Strict):
    """One class against the others: ROC, precision (y) over recall (x), and the scores of its and of other rows."""

    name: str
    roc: Line
    precision: Line
    scores: tuple[Histogram, Histogram]


class Threshold(Strict):
    """The rows by truth and answer if the second class is answered from this probability on; null is undefined."""

    at: float
    true_positive: int
    false_positive: int
    true_negative: int
    false_negative: int
    precision: float | None
    recall: float | None


class Band(Strict):
    """Rows of about the same prediction: its mean, and quantiles of what came true."""

    rows: int
    predicted: float
    low: float
    median: float
    high: float


class OneModel(Strict):
    """One model on the test rows; `threshold` is the one it answers by."""

    classes: tuple[OneClass, ...] = ()
    threshold: float | None = None
    thresholds: tuple[Threshold, ...] = ()
    bands: tuple[Band, ...] = ()
    residuals: Histogram | None = None


class Curves(Strict):
    """Candidate and champion, with the hash of the evaluation that they belong to."""

    evaluation: str
    candidate: OneModel
    champion: OneModel | None


def identity(evaluation: Evaluation) -> str:
    """The hash of `evaluation.json`."""
    return files.sha256(record.dump(evaluation).encode())


def write(build: Path, found: Curves) -> None:
    files.write(build / NAME, found.model_dump_json() + "\n")


def read(build: Path, evaluation: Evaluation) -> Curves | None:
    """Read what `evaluate` wrote; None where a release's record came without it.

    Raises InputError if it is damaged or of another evaluation.
    """
    path = build / NAME
    if not path.exists():
        return None
    try:
        found = Curves.model_validate_json(files.read(path, "evaluate"))
        if found.evaluation == identity(evaluation):
            return found
        reason = "it belongs to another evaluation"
    except ValidationError as error:
        reason = problems(error, Curves)
    raise InputError(f"{path} is damaged or foreign ({reason}); run `make evaluate` again.")
