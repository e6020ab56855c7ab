"""Reads `config.yaml`, the settings that a person may change, and refuses unknown keys."""

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, ValidationError, model_validator

from lifecycle import InputError
from lifecycle.policy import AnyGate, CalibrationGate, FairnessGate, GapGate, SliceGate
from lifecycle.strict import OPTION, Strict, parsed, placed, problems
from lifecycle.tasks import FAIRNESS, METRICS, MONITORED, Task

ERASED = Path("data/erased.jsonl")  # of whom no table may have rows, see privacy/erased.py

# Columns that the steps add to the features.
RESERVED = ("chunk", "label", "prediction", "request", "row", "time")


def _text(value: Any) -> Any:
    """A class as text; YAML makes true and false of an unquoted `yes` and `no`."""
    if isinstance(value, bool):
        words = "yes, on or true" if value else "no, off or false"
        raise ValueError(f"YAML reads an unquoted {words} as {str(value).lower()}; write the class in quotes")
    return str(value) if isinstance(value, int) else value


def _texts(values: Any) -> Any:
    return [_text(value) for value in values] if isinstance(values, list | tuple) else values


class Target(Strict):
    """What is predicted: a number, named classes, or classes cut from a number (a value at a cut belongs below).

    Of two classes the second is positive, as `positive` may say again.
    """

    column: str
    cuts: tuple[float, ...] = ()
    classes: Annotated[tuple[str, ...], BeforeValidator(_texts)] = ()
    positive: Annotated[str | None, BeforeValidator(_text)] = None

    @model_validator(mode="after")
    def _positive_is_last(self) -> Self:
        if self.positive is not None and (len(self.classes) != 2 or self.positive != self.classes[1]):
            raise ValueError(
                f"positive is {self.positive}, which must be the second of two classes, not {list(self.classes)}"
            )
        return self

    @model_validator(mode="after")
    def _cuts_fit(self) -> Self:
        if self.cuts and len(self.classes) != len(self.cuts) + 1:
            raise ValueError(f"{len(self.cuts)} cuts need {len(self.cuts) + 1} classes, not {len(self.classes)}")
        if list(self.cuts) != sorted(set(self.cuts)) or len(set(self.classes)) != len(self.classes):
            raise ValueError("cuts must increase and classes must differ")
        return self


class Feature(Strict):
    """One input of the model: a number within bounds or a category; `missing` allows rows without it.

    `encoding` tells `model/estimator.py` what a category becomes: a column for each value, or the mean of the target.
    `log: false` keeps a personal feature out of the prediction log, `log: hash` logs a hash with the key in LOG_KEY;
    the monitor then sees neither its drift nor its quality.
    """

    type: Literal["number", "category"]
    min: float | None = None
    max: float | None = None
    missing: bool = False
    encoding: Literal["one-hot", "target"] = "one-hot"
    log: bool | Literal["hash"] = True


class Raw(Strict):
    """A column that `features` in `model/features.py` reads and that requests send; a time is ISO 8601, in UTC."""

    type: Literal["number", "category", "time"]
    missing: bool = False


class Data(Strict):
    """The data and their columns; rows are sorted by `time`, without which `split` draws the test rows.

    `path` is a Parquet file, a folder of them, a glob pattern or a DVC pointer (`.dvc`), as a path or an fsspec URI.
    `sha256` pins a file by its SHA-256, a folder or a pattern by the SHA-256 of what `sha256sum` prints for its files,
    in order of name. `snapshots` is a glob pattern of such paths; the newest is the one with the latest row or, without
    `time`, the last one by name. `weight` is a column that says how much each row counts when the model learns; metrics
    count every row alike. With `raw`, `features` in `model/features.py` makes the features of these columns, in
    training and in serving.
    """

    path: str
    snapshots: str | None = None
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    time: str | None = None
    key: tuple[str, ...] = ()
    weight: str | None = None
    target: Target
    features: Annotated[dict[str, Feature], Field(min_length=1)]
    raw: Annotated[dict[str, Raw], Field(default_factory=dict)]

    @property
    def inputs(self) -> dict[str, Feature] | dict[str, Raw]:
        """The columns that the data file must have, and that requests send."""
        return self.raw or self.features

    @model_validator(mode="after")
    def _target_is_no_feature(self) -> Self:
        if self.target.column in self.features or self.time in self.features:
            both = ", ".join(name for name in (self.target.column, self.time) if name in self.features)
            raise ValueError(f"features names {both}, the target or the time, which cannot be a feature; remove it")
        if taken := [name for name in self.features if name in RESERVED or name.startswith("probability_")]:
            raise ValueError(f"the steps reserve {', '.join(taken)}; rename the feature")
        if len({name.lower() for name in self.features}) < len(self.features):
            raise ValueError("two feature names differ only in case; rename one")
        if self.target.column in self.raw:
            raise ValueError("the target cannot be a raw column: no request has it")
        return self


def _rises(period: tuple[date, date]) -> tuple[date, date]:
    if period[0] >= period[1]:
        raise ValueError(f"a period must begin before it ends, not {period[0]} to {period[1]}")
    return period


Period = Annotated[tuple[date, date], AfterValidator(_rises)]


class Split(Strict):
    """Periods of two UTC days, start inclusive, end exclusive; all test rows are later than all training rows."""

    train: Period
    test: Period

    @model_validator(mode="after")
    def _test_is_later(self) -> Self:
        if self.test[0] < self.train[1]:
            raise ValueError(f"test begins {self.test[0]}, before train ends {self.train[1]}")
        return self


class Draw(Strict):
    """A share of the rows to test on, drawn by a hash of `group`, else of `data.key`, else of the whole row.

    A row keeps its side when others are added, so a champion never saw the rows that it is tested on; all rows of a
    `group`, such as those of one customer, are on one side. What such a split cannot show is how the model fares later.
    """

    test: Annotated[float, Field(gt=0, lt=1)]
    seed: int = 0
    group: str | None = None


def _kind(value: Any) -> str:
    """Periods are two lists of days, a draw has a number as `test`."""
    test = value.get("test") if isinstance(value, dict) else getattr(value, "test", None)
    return f"{OPTION}{Draw.__name__ if isinstance(test, int | float) else Split.__name__}"


AnySplit = Annotated[
    Annotated[Split, Tag(f"{OPTION}Split")] | Annotated[Draw, Tag(f"{OPTION}Draw")], Discriminator(_kind)
]


class Train(Strict):
    """The estimator's `parameters`, read by `model/estimator.py`. With two classes, a probability of at least
    `threshold` predicts the second, unless the estimator tunes one. `parity` is the largest difference allowed between
    served and fitted model. `trusted` are types of your packages that a model served with skops may hold."""

    seed: int
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    parameters: dict[str, float | int | str | bool | None]
    parity: Annotated[float, Field(gt=0)]
    trusted: tuple[str, ...] = ()


class Groups(Strict):
    """The slice's parts are groups that should be treated alike; groups of fewer than `rows` rows are not compared."""

    rows: Annotated[int, Field(ge=1)]


class Slice(Strict):
    """Parts of the test rows: each value of a column, or ranges of a number (a value at a cut belongs below)."""

    column: str
    cuts: tuple[float, ...] = ()
    fairness: Groups | None = None


class Explain(Strict):
    """Permutation importance of every feature, shuffled `repeats` times each on a sample of `rows` test rows, and
    partial dependence of the most important `features`."""

    rows: Annotated[int, Field(ge=100)]
    repeats: Annotated[int, Field(ge=2)]
    features: Annotated[int, Field(ge=0)]


class Evaluate(Strict):
    """Intervals at the confidence `level`, in closed form or from `resamples` bootstrap resamples.

    `metrics` are functions of `model/metrics.py`, each with the side that is better; gates may name them.
    """

    seed: int
    resamples: Annotated[int, Field(ge=100)]
    level: Annotated[float, Field(gt=0.5, lt=1)]
    slices: tuple[Slice, ...] = ()
    explain: Explain
    metrics: Annotated[dict[str, Literal["higher", "lower"]], Field(default_factory=dict)]


class Freeze(Strict):
    """Blocks promotions to the environment: `from` inclusive, `until` exclusive."""

    environment: str
    begin: Annotated[date, Field(alias="from")]
    end: Annotated[date, Field(alias="until")]
    reason: str


class Promote(Strict):
    order: Annotated[tuple[str, ...], Field(min_length=1)]
    freeze: tuple[Freeze, ...] = ()


class Reproduce(Strict):
    """How far a metric may differ from the reviewed one when the model is trained again for its release."""

    tolerance: Annotated[float, Field(ge=0)]


class PredictionLog(Strict):
    """The prediction log: its largest file in bytes, and whether to refuse or serve requests when writing fails.

    With `durable`, an answer waits until its lines are on the disk, so that they survive a loss of power. Hours older
    than `monitor.days` are deleted.
    """

    enabled: bool = True
    bytes: Annotated[int, Field(ge=1)]
    failure: Literal["refuse", "serve"]
    durable: bool = False


class Serve(Strict):
    """The HTTP service: server, port (Seldon's operator may override it), the largest request in rows and bytes, and
    whether to accept categories unseen in training as unknown or refuse them. Its `workers` are processes that share
    the port, one for each core that a pod may use."""

    server: Literal["asgi", "seldon-core"]
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    port: Annotated[int, Field(ge=1, le=65535)]
    rows: Annotated[int, Field(ge=1)]
    bytes: Annotated[int, Field(ge=1)]
    unknown_categories: Literal["accept", "refuse"]
    log: PredictionLog

    @model_validator(mode="after")
    def _workers_share(self) -> Self:
        if self.workers > 1 and self.server != "asgi":
            raise ValueError("several workers need server: asgi; set workers to 1, or change the server")
        return self


class AlertRule(Strict):
    """Alerts after `windows` of the last `of` windows are out of bounds, then pauses for `cooldown` windows.

    A column is out of bounds when its share of missing, unseen or out-of-range values exceeds the reference's by more
    than `quality`. The log raises an alert of its own when more than a share of `aside` of its rows, or of the
    feedback's labels, had to be set aside. With `quiet`, so many alerts on a metric at most in a year without change,
    bounds and `windows` of `of` follow from the reference by simulation. Slices have half of them, if there are any.
    """

    metrics: Annotated[tuple[str, ...], Field(min_length=1)]
    quality: Annotated[float, Field(ge=0, le=1)]
    aside: Annotated[float, Field(ge=0, le=1)] = 0.05
    quiet: Annotated[float | None, Field(gt=0)] = None
    windows: Annotated[int, Field(ge=1)] = 2
    of: Annotated[int, Field(ge=1)] = 3
    cooldown: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _windows_fit(self) -> Self:
        if self.quiet is not None and (given := sorted({"windows", "of"} & self.model_fields_set)):
            raise ValueError(f"quiet chooses windows and of; remove {' and '.join(given)}, or quiet")
        if self.windows > self.of:
            raise ValueError(f"windows ({self.windows}) cannot exceed of ({self.of})")
        return self


class Monitor(Strict):
    """The metrics to estimate in each window: a number of rows, or a period in UTC.

    Windows of more than `sample` rows are sampled. Log entries older than `days` days are not read. Windows of
    rows are counted anew every third of `days`, so that their edges stay. A row's `time` is
    that of its answer by the server's clock, or the one that its caller sent: choose `caller` only when you trust all
    of them, for who dates rows decides which window they are in. The `estimator` of performance without labels, and of
    drift, is NannyML or the template's own, which needs no package beyond those that train.
    """

    metrics: Annotated[tuple[str, ...], Field(min_length=1)]
    window: Annotated[int, Field(ge=100)] | Literal["hour", "day", "week", "month"]
    sample: Annotated[int, Field(ge=100)]
    days: Annotated[int, Field(ge=1)]
    time: Literal["server", "caller"] = "server"
    estimator: Literal["nannyml", "own"] = "nannyml"
    alert: AlertRule


class Card(Strict):
    """What only a person can say in the papers of a release; what is left out is a marked blank there."""

    description: str = ""
    developers: str = ""
    license: str = ""
    language: str = ""
    users: str = ""
    direct_use: str = ""
    out_of_scope_use: str = ""
    limitations: str = ""
    environment: str = ""
    contact: str = ""


class Config(Strict):
    """A candidate fails unless it answers all that production's callers send, or `schema` is `breaking`."""

    name: str
    task: Task
    data: Data
    split: AnySplit
    train: Train
    evaluate: Evaluate
    gates: tuple[AnyGate, ...]
    schema_: Annotated[Literal["compatible", "breaking"], Field(alias="schema")] = "compatible"
    reproduce: Reproduce
    promote: Promote
    serve: Serve
    monitor: Monitor
    card: Annotated[Card, Field(default_factory=Card)]

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        classes = len(self.data.target.classes)
        if (self.task == "regression") != (classes == 0) or (self.task == "binary_classification") != (classes == 2):
            raise ValueError(f"{self.task} does not fit {classes} classes in data.target")
        if self.task == "regression" and any(isinstance(gate, CalibrationGate) for gate in self.gates):
            raise ValueError("gates names calibration, which regression does not have")
        if self.data.time is None and isinstance(self.split, Split):
            raise ValueError("split has periods, which need data.time; name that column, or write `split: {test: 0.3}`")
        if self.data.time is None and isinstance(self.monitor.window, str):
            raise ValueError("monitor.window is a period, which needs data.time; give a number of rows")
        if self.data.time is None and self.monitor.alert.quiet is not None:
            raise ValueError("monitor.alert.quiet is about a year, which needs data.time; give windows and of instead")
        slices = {part.column for part in self.evaluate.slices}
        if len(slices) < len(self.evaluate.slices):
            raise ValueError("evaluate.slices names a column twice")
        ours = {name for metrics in METRICS.values() for name in metrics}
        if taken := sorted(ours & self.evaluate.metrics.keys()):
            raise ValueError(f"evaluate.metrics names {', '.join(taken)}, which the template measures; rename yours")
        groups = {part.column for part in self.evaluate.slices if part.fairness}
        fairness = [gate for gate in self.gates if isinstance(gate, FairnessGate)]
        measured = {gate.metric for gate in self.gates if hasattr(gate, "metric") and gate not in fairness}
        for place, names, allowed in [
            ("gates", measured, {*METRICS[self.task], *self.evaluate.metrics}),
            ("gates", {gate.metric for gate in fairness}, set(FAIRNESS[self.task])),
            ("gates", {gate.slice for gate in self.gates if isinstance(gate, SliceGate | GapGate)}, slices),
            ("gates", {gate.slice for gate in fairness}, groups),
            ("monitor.metrics", set(self.monitor.metrics), set(MONITORED[self.task])),
            ("monitor.alert.metrics", set(self.monitor.alert.metrics), set(self.monitor.metrics)),
            ("promote.freeze", {freeze.environment for freeze in self.promote.freeze}, set(self.promote.order)),
        ]:
            if unknown := names - allowed:
                told = f"allowed are {', '.join(sorted(allowed))}" if allowed else "there is none that it could name"
                raise ValueError(f"{place} names {', '.join(sorted(unknown))}; {told}")
        return self


def load(path: Path) -> Config:
    """Read and check the configuration; raises InputError naming each wrong key and what it allows."""
    if not path.is_file():
        raise InputError(f"{path} does not exist; run the command in the repository's root.")
    return read(path.read_bytes(), str(path))


def read(content: str | bytes, path: str) -> Config:
    """Check a configuration that stands at `path`, which its errors name."""
    try:
        document = parsed(content)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: an impossible date or number
        said = " ".join(str(error).split())
        at = re.search(r"line (\d+)", said)
        sentence = f"{path} is not valid YAML: {said}; correct it there."
        raise InputError(sentence, path, (("Not valid YAML", said, int(at[1]) if at else 0),)) from error
    if not isinstance(document, dict):
        raise InputError(f"{path} is empty or holds no keys; restore it with `git checkout -- {path}`.")
    try:
        return Config.model_validate(document)
    except ValidationError as error:
        parts = tuple(("Configuration", text, at) for text, at in placed(error, Config, content))
        raise InputError(f"{path}: {problems(error, Config)}.", path, parts) from error
