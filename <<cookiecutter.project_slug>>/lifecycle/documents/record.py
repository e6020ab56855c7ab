"""The decision record: what was measured and decided on which data, code and model, in one versioned document.

Reports, pull requests, manifests and MLflow tags are rendered from it, so that they cannot disagree.
`schemas/` has the JSON schema of each version; this module writes the newest and reads the one before it, too.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from lifecycle import InputError, files
from lifecycle.strict import Strict, problems
from lifecycle.tasks import Task

VERSION: Literal[2] = 2
DIGEST = r"[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+@sha256:[0-9a-f]{64}"


class Measure(Strict):
    """A metric on the test rows with its interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"

    @property
    def signed(self) -> str:
        """As a difference: with its sign."""
        return f"{self.value:+.3g} [{self.low:+.3g}, {self.high:+.3g}]"


class Origin(Strict):
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


class Code(Strict):
    """What git says changed since the champion: the number of commits and files, and the first of their names."""

    commits: int
    subjects: tuple[str, ...]
    changed: int
    files: tuple[str, ...]


class Champion(Strict):
    """The model in production on the same test rows; `differences` are candidate minus champion, paired."""

    origin: Origin
    metrics: dict[str, Measure]
    differences: dict[str, Measure]
    code: Annotated[Code | None, Field(description="null where git does not know the champion's commit")]


class SlicePart(Strict):
    """One part of a slice; a metric that is undefined there is left out."""

    column: str
    part: str
    rows: int
    metrics: dict[str, Measure]


class Group(Strict):
    """One group of rows with its rates (classification) or mean error, prediction minus truth (regression)."""

    part: str
    rows: int
    rates: dict[str, float]


class Fairness(Strict):
    """How much the groups of a slice differ; those with fewer than `smallest` rows are shown and left out of it."""

    column: str
    smallest: int
    groups: tuple[Group, ...]
    differences: dict[str, float]


class Bin(Strict):
    """Test rows with a probability in one tenth: its mean, and the share of them for which it came true.

    The probability is that of the second of two classes, or of the predicted one of more.
    """

    rows: int
    predicted: float
    observed: float


class Coverage(Strict):
    """A band around the prediction that held the share `nominal` of the earlier half of the test rows holds the share
    `observed` of the later half; `width` is half of the band, in the target's unit."""

    nominal: float
    width: float
    observed: float


class Residuals(Strict):
    """Truth minus prediction on the test rows, in the target's unit: its quantiles, and the coverage of bands."""

    quantiles: dict[str, float]
    coverage: tuple[Coverage, ...]


class Importance(Strict):
    """How much the first metric of the task worsens when a feature is shuffled: mean and deviation of the repeats."""

    mean: float
    deviation: float


class Dependence(Strict):
    """The mean prediction (of the last class's probability, or of the value) with a feature set to each value."""

    feature: str
    values: tuple[float | str, ...]
    predictions: tuple[float, ...]


class Shap(Strict):
    """Exact SHAP values of one feature on a few test rows, in what the estimator adds up: log-odds or probability of
    the last class, or the target's unit."""

    feature: str
    values: tuple[float | str | None, ...]
    effects: tuple[float, ...]


class FeatureProfile(Strict):
    """A feature: the shares of rows without it, and the Jensen-Shannon distance (0 to 1) of the test from the train
    rows."""

    missing_train: float
    missing_test: float
    drift: float


class PeriodProfile(Strict):
    """The rows of one period; the target's share of each class, or its mean, deviation and extremes."""

    rows: int
    target: dict[str, float]


class DataProfile(Strict):
    train: PeriodProfile
    test: PeriodProfile
    features: dict[str, FeatureProfile]


class Batch(Strict):
    """Median milliseconds for so many rows at once."""

    rows: int
    milliseconds: float


class Evaluation(Strict):
    """A candidate on the test rows, beside the baseline and the champion."""

    name: str
    task: Task
    classes: tuple[str, ...]
    level: float
    rows: int
    origin: Origin
    metrics: dict[str, Measure]
    baseline: dict[str, Measure]
    champion: Champion | None
    slices: tuple[SlicePart, ...]
    fairness: tuple[Fairness, ...]
    calibration: tuple[Bin, ...]
    confusion: Annotated[tuple[tuple[int, ...], ...], Field(description="rows: the truth; columns: the prediction")]
    residuals: Residuals | None
    importance: dict[str, Importance]
    dependence: tuple[Dependence, ...]
    shap: tuple[Shap, ...]
    data: DataProfile | None
    latency: Annotated[float, Field(description="median milliseconds for one row")]
    batch: Batch | None
    parity: Annotated[float, Field(description="largest difference between the served model and scikit-learn")]
    bytes: Annotated[int, Field(description="size of the served model's file")]

    @property
    def calibration_error(self) -> float:
        """Expected calibration error: each bin's distance of share from mean probability, weighted by its rows.

        Source: Naeini, Cooper and Hauskrecht, Obtaining Well Calibrated Probabilities Using Bayesian Binning, AAAI
        2015.
        """
        rows = sum(part.rows for part in self.calibration)
        return sum(part.rows * abs(part.predicted - part.observed) for part in self.calibration) / rows


Outcome = Literal["pass", "fail", "warn", "skipped"]


class Verdict(Strict):
    """What one gate said: `fail` blocks, `warn` does not, `skipped` had nothing to compare with."""

    gate: dict[str, str | float | int]
    outcome: Outcome
    found: str
    needed: str

    @property
    def reason(self) -> str:
        return ", ".join(filter(None, (self.found, f"{self.needed} needed" if self.needed else "")))

    @property
    def title(self) -> str:
        """The gate's name: its kind with the slice and the metric that it reads."""
        return " ".join(str(self.gate[key]) for key in ("kind", "slice", "metric") if key in self.gate)


class Images(Strict):
    """The images that a release runs, by digest."""

    serve: Annotated[str, Field(pattern=f"^{DIGEST}$")]
    monitor: Annotated[str, Field(pattern=f"^{DIGEST}$")]


class Decision(Strict):
    """The record; `policy` is the hash of the gates that decided, `images` is there after release.

    `built` is the version of the commit that the images were built from, where that is not the model's own.
    """

    schema_version: Literal[2] = VERSION
    passed: bool
    policy: str
    gates: tuple[Verdict, ...]
    evaluation: Evaluation
    images: Images | None = None
    built: str | None = None

    @property
    def version(self) -> str:
        """The version of the release: that of the model, or of the commit that its images were built anew from."""
        return self.built or self.evaluation.origin.version

    @property
    def commit(self) -> str:
        """The commit of the version, as git knows it."""
        return self.built.rpartition("-")[2] if self.built else self.evaluation.origin.commit

    @property
    def digests(self) -> tuple[str, ...]:
        """The digests of the images of a release."""
        return tuple(image.split("@")[1] for image in self.images.model_dump().values()) if self.images else ()


def dump(part: Strict) -> str:
    """As JSON; without `built` where there is none, since older code knows no such key."""
    without = {"built"} if isinstance(part, Decision) and part.built is None else None
    return part.model_dump_json(indent=1, exclude=without) + "\n"


def _from_version_1(document: dict[str, Any]) -> dict[str, Any]:
    """A record of version 1 as one of version 2: what was not measured then is empty."""
    evaluation = dict(document["evaluation"])
    del evaluation["schema_version"]
    evaluation |= {"residuals": None, "data": None, "batch": None, "importance": {}}
    evaluation |= dict.fromkeys(("classes", "fairness", "confusion", "dependence", "shap"), ())
    if evaluation["champion"]:
        evaluation["champion"] = {**evaluation["champion"], "code": None}
    gates = [
        {"gate": gate["gate"], "outcome": gate["outcome"], "found": gate["reason"], "needed": ""}
        for gate in document["gates"]
    ]
    return {**document, "schema_version": VERSION, "gates": gates, "evaluation": evaluation}


def _parse[T: Strict](kind: type[T], content: str | bytes, path: Path, mend: str) -> T:
    try:
        document = json.loads(content)
        if isinstance(document, dict) and document.get("schema_version") == 1:
            document = _from_version_1(document)
        return kind.model_validate_json(json.dumps(document))
    except ValidationError as error:
        said = problems(error, kind)
    except (ValueError, KeyError, TypeError) as error:
        said = f"{type(error).__name__} {error}"
    raise InputError(f"{path} is damaged or foreign ({said}); {mend}.")


def evaluation(path: Path) -> Evaluation:
    """Read what `evaluate` wrote."""
    return _parse(Evaluation, files.read(path, "evaluate"), path, "run `make evaluate` again")


class Reviewed(Strict):
    """The metrics that people saw before they merged; empty where there was no review."""

    metrics: dict[str, float]


def metrics(path: Path) -> dict[str, float]:
    """Read the metrics that were reviewed."""
    return _parse(Reviewed, files.read(path, "reviewed"), path, "run `make reviewed` again").metrics


def decision(path: Path) -> Decision:
    """Read what `gate` wrote."""
    return _parse(Decision, files.read(path, "gate"), path, "run `make gate` again")


def released(path: Path, content: str | bytes) -> Decision:
    """Read the record that a release has, or had, at a path of the repository."""
    return _parse(Decision, content, path, "restore it from an earlier commit with `git checkout`")
