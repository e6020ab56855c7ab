"""A team replaces the example's estimator, data and gates: its tests, the checks and the pipeline pass all the same."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from browser import browser, sound
from conftest import library_types, made_smaller, run

Baked = Callable[..., Path]
Team = Callable[[dict[str, Any]], tuple[str, str]]
NOISE = """
    CREATE TABLE noise AS
    SELECT i, TIMESTAMP '2024-01-01' + INTERVAL 20 MINUTE * i AS moment,
      random() AS a, random() AS b, random() AS c, random() AS d
    FROM range(3000) AS numbers(i)
"""


def tickets(settings: dict[str, Any]) -> tuple[str, str]:
    """Two named classes, a logistic regression with scaled numbers, and a gate that fails and only warns."""
    settings["data"] |= {
        "time": "opened",
        "key": ["ticket"],
        "target": {"column": "escalated", "classes": ["no", "yes"]},
        "features": {
            "words": {"type": "number", "min": 0},
            "hours": {"type": "number", "missing": True},
            "channel": {"type": "category", "missing": True},
        },
    }
    settings["train"] |= {"parameters": {"C": 0.5, "class_weight": "balanced"}, "threshold": 0.4}
    settings["evaluate"]["slices"] = [
        {"column": "channel", "fairness": {"rows": 50}},
        {"column": "words", "cuts": [50]},
    ]
    settings["gates"] = [
        {"kind": "floor", "metric": "roc_auc", "bound": 0.6},
        {"kind": "floor", "metric": "f1", "bound": 0.999, "severity": "warn"},
        {"kind": "gap", "slice": "words", "metric": "brier", "bound": 0.9, "rows": 50},
        {"kind": "fairness", "slice": "channel", "metric": "selection_rate_difference", "bound": 0.9},
    ]
    estimator = '''"""Whether a ticket is escalated."""

from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from lifecycle.config import Config


def estimator(settings: Config) -> Pipeline:
    """A logistic regression."""
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    channels = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    encode = ColumnTransformer([("numbers", numbers, ["words", "hours"]), ("channels", channels, ["channel"])])
    return Pipeline([("encode", encode), ("decide", LogisticRegression(**settings.train.parameters))])
'''
    rows = """
        SELECT moment AS opened, i AS ticket, (100 * a)::INTEGER AS words, CASE WHEN d < 0.9 THEN 24 * b END AS hours,
          CASE WHEN d > 0.05 THEN ['mail', 'phone', 'chat'][1 + i % 3] END AS channel,
          CASE WHEN a + 0.4 * c > 0.8 THEN 'yes' ELSE 'no' END AS escalated
        FROM noise
    """
    return estimator, rows


def houses(settings: dict[str, Any]) -> tuple[str, str]:
    """Four classes cut from a number and a random forest; neither slices nor fairness."""
    settings["data"] |= {
        "time": "sold",
        "key": [],
        "target": {"column": "price", "cuts": [100, 200, 300], "classes": ["D", "C", "B", "A"]},
        "features": {"Living area": {"type": "number", "min": 0}, "plot": {"type": "number"}},
    }
    settings["train"] |= {"seed": 7, "parameters": {"n_estimators": 20, "max_depth": 6}}
    settings["evaluate"]["slices"] = []
    settings["gates"] = [
        {"kind": "rows", "bound": 300},
        {"kind": "floor", "metric": "accuracy", "bound": 0.5, "by": "interval"},
        {"kind": "baseline", "metric": "f1_weighted"},
    ]
    estimator = '''"""Into which of four ranges the price of a house falls."""

from sklearn.ensemble import RandomForestClassifier

from model.config import Config


def estimator(settings: Config) -> RandomForestClassifier:
    """A random forest on the columns as they are."""
    return RandomForestClassifier(random_state=settings.train.seed).set_params(**settings.train.parameters)
'''
    rows = (
        'SELECT moment AS sold, 200 * a AS "Living area", (1000 * b)::FLOAT AS plot, 200 * (a + b) AS price FROM noise'
    )
    return estimator, rows


def energy(settings: dict[str, Any]) -> tuple[str, str]:
    """A number and a ridge regression without a parameter; two environments, and days as the monitor's windows."""
    settings["data"] |= {
        "time": "hour",
        "key": [],
        "target": {"column": "load"},
        "features": {name: {"type": "number"} for name in ("wind", "sun", "lag")},
    }
    settings["train"] |= {"parameters": {}, "parity": 0.001}
    settings["evaluate"] |= {"slices": [{"column": "wind", "cuts": [5]}], "level": 0.9}
    settings["gates"] = [{"kind": "baseline", "metric": "rmse"}]
    settings["promote"] |= {"order": ["dev", "production"]}
    settings["monitor"] |= {"metrics": ["rmse"], "window": "day"}
    settings["monitor"]["alert"] |= {"metrics": ["rmse"], "windows": 3, "of": 5}
    estimator = '''"""The load of the next hour."""

from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from model.config import Config


def estimator(settings: Config) -> Pipeline:
    """A ridge regression."""
    return make_pipeline(StandardScaler(), Ridge(**settings.train.parameters))
'''
    rows = """
        SELECT moment AS hour, 10 * a AS wind, b AS sun, (100 * c)::SMALLINT AS lag,
          300 * c - 20 * b - 10 * a + 5 * d AS load
        FROM noise
    """
    return estimator, rows


def replaced(repository: Path, team: Team) -> None:
    """Put a team's estimator, data and configuration in the place of the example's."""
    settings = yaml.safe_load((repository / "config.yaml").read_text())
    estimator, rows = team(settings)
    (repository / "model/estimator.py").write_text(estimator)
    (repository / "data/flights.parquet").unlink()
    with duckdb.connect(config={"threads": 1}) as database:
        database.execute("SELECT setseed(0.5)")
        database.execute(NOISE)
        database.execute(f"COPY ({rows}) TO '{repository / 'data/own.parquet'}' (FORMAT parquet)")
    content = (repository / "data/own.parquet").read_bytes()
    settings["data"] |= {"path": "data/own.parquet", "sha256": hashlib.sha256(content).hexdigest()}
    settings["split"] = {"train": ["2024-01-01", "2024-01-29"], "test": ["2024-01-29", "2024-02-12"]}
    settings["evaluate"]["resamples"] = 100
    settings["evaluate"]["explain"] = {"rows": 200, "repeats": 2, "features": 2}
    (repository / "config.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))


@pytest.fixture
def made(baked: Baked, environments: Path, tmp_path: Path) -> Baked:
    """The fresh repository for a task and a server, with environments."""

    def make(*answers: str) -> Path:
        repository: Path = shutil.copytree(baked(*answers), tmp_path / "repository")
        (repository / ".venv").symlink_to(environments)
        return repository

    return make


def make(repository: Path, *arguments: str) -> str:
    return run(["make", "--silent", *arguments], repository, OMP_NUM_THREADS="1")


def green(repository: Path) -> None:
    """Let the team's tests and the pipeline pass."""
    said = make(repository, "test", "TESTS=tests")
    assert " passed" in said
    assert "skipped" not in said
    make(repository, "data", "train", "evaluate", "gate", "report")
    assert (repository / "build/report.html").is_file()


def checked(repository: Path) -> None:
    library_types(repository / ".mypy_cache")
    make(repository, "check")


def test_strict_types_bind_the_template_and_not_the_team(made: Baked) -> None:
    repository = made("regression")
    untyped = "\n\ndef untyped(value):\n    return value\n"
    for name in ("model/estimator.py", "tests/test_data.py"):
        (repository / name).write_text((repository / name).read_text() + untyped)
    checked(repository)
    with (repository / "model/pyproject.toml").open("a") as rules:  # where the team may ask for more
        rules.write('\n[[tool.mypy.overrides]]\nmodule = "model.*"\ndisallow_untyped_defs = true\n')
    with pytest.raises(AssertionError, match=r"model/estimator.py:\d+: error: Function is missing a type"):
        make(repository, "check")
    (repository / "lifecycle/git.py").write_text((repository / "lifecycle/git.py").read_text() + untyped)
    with pytest.raises(AssertionError, match=r"lifecycle/git.py:\d+: error: Function is missing a type"):
        make(repository, "check")


@pytest.mark.parametrize(
    ("team", "task"),
    [(tickets, "binary_classification"), (houses, "multiclass_classification"), (energy, "regression")],
)
def test_a_teams_own_estimator_data_and_gates_leave_everything_green(team: Team, task: str, made: Baked) -> None:
    repository = made(task)
    replaced(repository, team)
    green(repository)
    if team is tickets:  # of code; the others differ in nothing that it looks at
        checked(repository)


@pytest.mark.parametrize(
    ("task", "serving"),
    [("multiclass_classification", "seldon-core"), ("regression", "asgi")],
)
def test_a_fresh_repository_of_each_other_task_is_green(task: str, serving: str, made: Baked) -> None:
    """The demo and the workflows go through a binary one."""
    repository = made(task, serving)
    made_smaller(repository)
    green(repository)


def test_an_adopted_table_is_green_up_to_its_first_release_and_after_it(made: Baked) -> None:
    """One that looks like the example in nothing: 569 rows, no time, names with spaces, two named classes."""
    repository = made("binary_classification")
    load = "import sklearn.datasets as s; d = s.load_breast_cancer(as_frame=True); f = d.frame; "
    load += "f['target'] = f['target'].map(dict(enumerate(d.target_names))); f.to_csv('cancer.csv', index=False)"
    run([".venv/train/bin/python", "-c", load], repository)
    said = make(repository, "adopt", "FILE=cancer.csv", "TARGET=target")
    assert "malignant is positive, the rarer one (37.3%)" in said
    if browser():
        sound(repository / "build/adopted.html", "adopt")
    (repository / "cancer.csv").unlink()
    (repository / "data/flights.parquet").unlink()
    run(["git", "add", "--all"], repository)
    run(["git", "commit", "--quiet", "--message", "Adopt our table"], repository)
    green(repository)
    checked(repository)
    images = {name: f"ghcr.io/acme/my-model-{name.lower()}@sha256:{'1' * 64}" for name in ("SERVE", "MONITOR")}
    make(repository, "release", "ENV=dev", *(f"{name}={image}" for name, image in images.items()))
    run(["git", "add", "--all"], repository)
    run(["git", "commit", "--quiet", "--message", "Release to dev"], repository)
    assert " passed" in make(repository, "test", "TESTS=tests")
    assert "config.yaml" not in run(["git", "status", "--short"], repository)
