"""The decision record: what was measured and decided on which data, code and model, in one versioned document.

Reports, pull requests, manifests and MLflow tags are rendered from it, so that they cannot disagree.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from model import InputError, files
from model.documents import Section, told
from model.tasks import Task

DIGEST = r"[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+@sha256:[0-9a-f]{64}"


class Measure(Section):
    """A metric on the test rows with its bootstrap interval."""

    value: float
    low: float
    high: float


class Origin(Section):
    """Where a model comes from; periods are in UTC, from the first day up to and without the second."""

    version: str
    commit: str
    dirty: bool
    model: str
    data: str
    lock: str
    train: tuple[str, str]
    test: tuple[str, str]
    run: str
    parameters: dict[str, float | int | str | bool | None]
    features: tuple[str, ...]


class Champion(Section):
    """The model in production on the same test rows; `differences` are candidate minus champion, paired."""

    origin: Origin
    metrics: dict[str, Measure]
    differences: dict[str, Measure]


class SlicePart(Section):
    """One part of a slice; a metric that is undefined there is left out."""

    column: str
    part: str
    rows: int
    metrics: dict[str, Measure]


class Bin(Section):
    """Test rows with a probability of the last class in one tenth: its mean, and the share of the class."""

    rows: int
    predicted: float
    observed: float


class Evaluation(Section):
    """A candidate on the test rows, beside the baseline and the champion."""

    schema_version: Literal[1] = 1
    name: str
    task: Task
    level: float
    rows: int
    origin: Origin
    metrics: dict[str, Measure]
    baseline: dict[str, Measure]
    champion: Champion | None
    slices: tuple[SlicePart, ...]
    calibration: tuple[Bin, ...]
    latency: Annotated[float, Field(description="median milliseconds for one row")]
    parity: Annotated[float, Field(description="largest difference between ONNX and scikit-learn")]
    bytes: Annotated[int, Field(description="size of the ONNX file")]


Outcome = Literal["pass", "fail", "warn", "skipped"]


class Verdict(Section):
    """What one gate said: `fail` blocks, `warn` does not, `skipped` had nothing to compare with."""

    gate: dict[str, str | float | int]
    outcome: Outcome
    reason: str


class Images(Section):
    """The images that a release runs, by digest."""

    serve: Annotated[str, Field(pattern=f"^{DIGEST}$")]
    monitor: Annotated[str, Field(pattern=f"^{DIGEST}$")]


class Decision(Section):
    """The record; `policy` is the hash of the gates that decided, `images` is there after release."""

    schema_version: Literal[1] = 1
    passed: bool
    policy: str
    gates: tuple[Verdict, ...]
    evaluation: Evaluation
    images: Images | None = None


def dump(part: Section) -> str:
    return part.model_dump_json(indent=1) + "\n"


def _parse[T: Section](kind: type[T], content: str | bytes, path: Path, step: str) -> T:
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        said = told(error, kind)
        raise InputError(f"{path} is damaged or foreign ({said}); run `make {step}` again.") from error


def evaluation(path: Path) -> Evaluation:
    """Read what `evaluate` wrote."""
    return _parse(Evaluation, files.read(path, "evaluate"), path, "evaluate")


def decision(path: Path, step: str = "gate", content: str | None = None) -> Decision:
    """Read a decision record, or its content at another time; `step` is the verb that writes it there."""
    return _parse(Decision, files.read(path, step) if content is None else content, path, step)
