"""The decision record: data, code, model, measurements and verdicts in one versioned document.

Reports, pull requests, manifests and MLflow tags are rendered from it, so they cannot disagree.
`schemas/` has the JSON schema of each version; this module writes the newest and also reads the one before.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from lifecycle import InputError, files
from lifecycle.documents.track import TrackRecord
from lifecycle.strict import Strict, problems
from lifecycle.tasks import METRICS, Task, label, sign

VERSION: Literal[2] = 2
DIGEST = r"[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+@sha256:[0-9a-f]{64}"


def _empty(value: Any) -> bool:
    """Whether a key is left out, because older code refuses it."""
    return value is None or value == ()


class Measure(Strict):
    """A metric on the test rows with its interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"

    @property
    def signed(self) -> str:
        """The measure as a difference, with signs."""
        return f"{self.value:+.3g} [{self.low:+.3g}, {self.high:+.3g}]"


class Origin(Strict):
    """A model's origin; periods are two UTC days, start inclusive, end exclusive, empty where `draw` split the rows."""

    version: str
    commit: str
    dirty: bool
    model: str
    data: str
    lock: str
    train: tuple[str, str]
    test: tuple[str, str]
    draw: str = ""
    run: str
    parameters: dict[str, float | int | str | bool | None]
    features: tuple[str, ...]
    seconds: Annotated[float | None, Field(description="how long the estimator took to fit", exclude_if=_empty)] = None

    def rows(self, part: Literal["train", "test"]) -> str:
        """In words, which rows it was trained or tested on."""
        return f"{self.draw}, {part} rows" if self.draw else " until ".join(getattr(self, part))


class Code(Strict):
    """The changes since the champion, from git: how many commits and files, and the first of each by name."""

    commits: int
    subjects: tuple[str, ...]
    changed: int
    files: tuple[str, ...]


class Requests(Strict):
    """In words, how the candidate's inputs differ from the champion's: what `breaks` its callers, what does not."""

    breaks: tuple[str, ...] = ()
    other: tuple[str, ...] = ()


class SlicePart(Strict):
    """One part of a slice; undefined metrics are left out."""

    column: str
    part: str
    rows: int
    metrics: dict[str, Measure]


class Champion(Strict):
    """The model in production on the same test rows; `differences` are candidate minus champion, paired.

    `slices` has the differences of the task's first metric on each part of each slice that has enough rows; their
    intervals hold for all parts at once. All are empty if it cannot answer the test rows, and `unanswered` says why.
    """

    origin: Origin
    metrics: dict[str, Measure]
    differences: dict[str, Measure]
    code: Annotated[Code | None, Field(description="null if git does not have the champion's commit")]
    requests: Requests = Requests()
    unanswered: str = ""
    slices: Annotated[tuple[SlicePart, ...], Field(exclude_if=_empty)] = ()


class Group(Strict):
    """One group of rows with its rates (classification) or mean error, prediction minus truth (regression)."""

    part: str
    rows: int
    rates: dict[str, float]


class Fairness(Strict):
    """How much the groups of a slice differ; groups of fewer than `smallest` rows are listed but not compared."""

    column: str
    smallest: int
    groups: tuple[Group, ...]
    differences: dict[str, float]


class Bin(Strict):
    """The test rows in one tenth of the probability range: mean predicted probability and observed share.

    The probability is of the second of two classes, or of the predicted class if there are more.
    """

    rows: int
    predicted: float
    observed: float


class Coverage(Strict):
    """A band around the prediction: it covers the share `nominal` of the earlier half of the test rows and the share
    `observed` of the later half; `width` is half the band, in the target's unit."""

    nominal: float
    width: float
    observed: float


class Residuals(Strict):
    """Truth minus prediction on the test rows, in the target's unit: quantiles, and the coverage of bands."""

    quantiles: dict[str, float]
    coverage: tuple[Coverage, ...]


class Importance(Strict):
    """How much shuffling a feature worsens the task's first metric: mean and standard deviation over the repeats."""

    mean: float
    deviation: float


class Dependence(Strict):
    """The mean prediction (the last class's probability, or the value) with a feature set to each of `values`."""

    feature: str
    values: tuple[float | str, ...]
    predictions: tuple[float, ...]


class Shap(Strict):
    """Exact SHAP values of one feature on a few test rows, in the unit that the estimator adds up: log-odds or
    probability of the last class, or the target's unit."""

    feature: str
    values: tuple[float | str | None, ...]
    effects: tuple[float, ...]

    @model_validator(mode="after")
    def _each_value_has_an_effect(self) -> Self:
        if not self.values or len(self.values) != len(self.effects):
            raise ValueError(f"{len(self.values)} values have {len(self.effects)} effects")
        return self


class FeatureProfile(Strict):
    """One feature: its shares of missing values, and the Jensen-Shannon distance (0 to 1) between train and test."""

    missing_train: float
    missing_test: float
    drift: float


class PeriodProfile(Strict):
    """The rows of one period; the target's share of each class, or its mean, deviation, median and extremes."""

    rows: int
    target: dict[str, float]


class DataProfile(Strict):
    train: PeriodProfile
    test: PeriodProfile
    features: dict[str, FeatureProfile]


class Batch(Strict):
    """Median milliseconds to predict `rows` rows at once."""

    rows: int
    milliseconds: float


class Evaluation(Strict):
    """A candidate measured on the test rows, beside the baseline and the champion."""

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
    runtime: Annotated[str, Field(description="onnx or skops")] = ""
    not_onnx: Annotated[str, Field(description="why the model is not served as ONNX")] = ""
    hidden: Annotated[
        tuple[str, ...], Field(description="features that the log does not show the monitor", exclude_if=_empty)
    ] = ()
    directions: Annotated[
        dict[str, Literal["higher", "lower"]],
        Field(default_factory=dict, description="the team's own metrics, and which side is better"),
    ]
    track: Annotated[
        TrackRecord | None,
        Field(description="how the monitor's estimate fared; null if unknown", exclude_if=_empty),
    ] = None

    @property
    def measured(self) -> tuple[str, ...]:
        """Every metric of the task, and the team's own."""
        return (*METRICS[self.task], *self.directions)

    def sign(self, metric: str) -> int:
        """1 when a higher value is better, -1 when a lower one is."""
        return {"higher": 1, "lower": -1}[self.directions[metric]] if metric in self.directions else sign(metric)

    @property
    def calibration_error(self) -> float:
        """Expected calibration error: each bin's gap between mean probability and observed share, weighted by rows.

        Source: Naeini, Cooper and Hauskrecht, Obtaining Well Calibrated Probabilities Using Bayesian Binning, AAAI
        2015.
        """
        rows = sum(part.rows for part in self.calibration)
        return sum(part.rows * abs(part.predicted - part.observed) for part in self.calibration) / rows


Outcome = Literal["pass", "fail", "undecided", "warn", "skipped"]
BLOCKING = ("fail", "undecided")


class Power(Strict):
    """What a gate can see on these test rows: a model that is worse by `sees` than the champion, the bound or the
    baseline fails in 80 of 100 cases. `equal` is the share that passes of models exactly as good as the champion,
    `rows` how many test rows would pass 0.95 of them."""

    sees: float
    equal: float | None = None
    rows: int | None = None


class Verdict(Strict):
    """One gate's outcome: `fail` and `undecided` (too few test rows to tell) block, `warn` does not, `skipped` had
    nothing to compare with."""

    gate: dict[str, str | float | int]
    outcome: Outcome
    found: str
    needed: str
    power: Annotated[Power | None, Field(exclude_if=_empty)] = None

    @property
    def reason(self) -> str:
        return ", ".join(filter(None, (self.found, f"needed: {self.needed}" if self.needed else "")))

    @property
    def title(self) -> str:
        """The gate's name: its kind, slice and metric."""
        named = [str(self.gate[key]) for key in ("kind", "slice") if key in self.gate]
        return " ".join([*named, *([label(str(self.gate["metric"]))] if "metric" in self.gate else [])])


class Images(Strict):
    """The images that a release runs, by digest."""

    serve: Annotated[str, Field(pattern=f"^{DIGEST}$")]
    monitor: Annotated[str, Field(pattern=f"^{DIGEST}$")]


class Decision(Strict):
    """The decision record; `policy` is the hash of its gates, `images` is set at release.

    `built` is the version of the commit that the images were built from, if it is not the model's own.
    """

    schema_version: Literal[2] = VERSION
    passed: bool
    policy: str
    gates: tuple[Verdict, ...]
    evaluation: Evaluation
    images: Images | None = None
    built: Annotated[str | None, Field(exclude_if=_empty)] = None
    refuses: Annotated[
        float | None,
        Field(description="share of models exactly as good as the champion that any gate refuses", exclude_if=_empty),
    ] = None

    @property
    def refused(self) -> bool:
        """Whether it did not pass, whichever of `passed` and the gates says so."""
        return not self.passed or any(verdict.outcome in BLOCKING for verdict in self.gates)

    def numbered(self, verdict: Verdict) -> str:
        """One gate's numbers: for a comparison with the champion how the metric moved, and what was allowed."""
        gate, metric = verdict.gate, str(verdict.gate.get("metric", ""))
        known = self.evaluation.champion.differences.get(metric) if self.evaluation.champion else None
        if gate.get("kind") != "champion" or known is None:
            return f"{verdict.title}: {verdict.reason}"
        better = self.evaluation.sign(metric) * known.value > 0
        return f"{label(metric)} {verdict.found}" + ("" if better else f", allowed {gate.get('margin')}")

    @property
    def version(self) -> str:
        """The release's version: the model's, or the version of the commit that its images were rebuilt from."""
        return self.built or self.evaluation.origin.version

    @property
    def commit(self) -> str:
        """The commit of `version`; a short hash if the images were rebuilt."""
        return self.built.rpartition("-")[2] if self.built else self.evaluation.origin.commit

    @property
    def digests(self) -> tuple[str, ...]:
        """The digests of the images of a release."""
        return tuple(image.split("@")[1] for image in self.images.model_dump().values()) if self.images else ()


def dump(part: Strict) -> str:
    return part.model_dump_json(indent=1) + "\n"


def _from_version_1(document: dict[str, Any]) -> dict[str, Any]:
    """Convert a record of version 1 to version 2; what version 1 did not measure is empty."""
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


def _parse[T: Strict](kind: type[T], content: str | bytes, path: Path, remedy: str) -> T:
    try:
        document = json.loads(content)
        if isinstance(document, dict) and document.get("schema_version") == 1:
            document = _from_version_1(document)
        return kind.model_validate_json(json.dumps(document))
    except ValidationError as error:
        reason = problems(error, kind)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        reason = f"{type(error).__name__} {error}"
    raise InputError(f"{path} is damaged or foreign ({reason}); {remedy}.")


def evaluation(path: Path) -> Evaluation:
    """Read what `evaluate` wrote."""
    return _parse(Evaluation, files.read(path, "evaluate"), path, "run `make evaluate` again")


class Reviewed(Strict):
    """The metrics shown to people before the merge; empty without a review."""

    metrics: dict[str, float]


def metrics(path: Path) -> dict[str, float]:
    """Read the metrics that were reviewed."""
    return _parse(Reviewed, files.read(path, "reviewed"), path, "run `make reviewed` again").metrics


def decision(path: Path) -> Decision:
    """Read what `gate` wrote."""
    return _parse(Decision, files.read(path, "gate"), path, "run `make gate` again")


def released(path: Path, content: str | bytes) -> Decision:
    """Read the record of a current or earlier release; errors name `path`."""
    return _parse(Decision, content, path, "restore it from an earlier commit with `git checkout`")
