"""The team's own metrics are measured, gated, sliced and compared as ours are."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
from conftest import forget
from steps import pipeline
from tiny import Trained

from lifecycle import InputError
from lifecycle.artifact.predictor import Predictions
from lifecycle.config import Config
from lifecycle.documents.record import Measure
from lifecycle.evaluation import custom
from lifecycle.tasks import Task

METRICS = '''"""What an error costs."""

import numpy as np


def cost(truth, answers):
    """Euros of each row."""
    missed = (truth == "yes") & (answers["prediction"] == "no")
    return np.where(missed, 5.0, np.where(truth == answers["prediction"], 0.0, 1.0))


def hits(truth, answers):
    """The share of the ten surest rows that are right."""
    surest = answers["probability_yes"].nlargest(10).index
    return (truth[surest] == "yes").mean()


def distance(truth, answers):
    return abs(truth - answers["prediction"]).max()
'''


@pytest.fixture
def team(package: Path) -> Path:
    (package / "metrics.py").write_text(METRICS)
    (package / "estimator.py").write_text("from lifecycle.adopting.example import estimator\n")
    return package


def asking(trained: Trained, metrics: dict[str, str], *gates: dict[str, Any]) -> Config:
    document = trained.document | {"evaluate": trained.document["evaluate"] | {"metrics": metrics}}
    return tiny.settings(document | {"gates": [*document["gates"], *gates]})


def test_they_are_measured_sliced_gated_compared_and_shown(team: Path, binary: Trained, tmp_path: Path) -> None:
    settings = asking(
        binary,
        {"cost": "lower", "hits": "higher"},
        {"kind": "ceiling", "metric": "cost", "bound": 1.5},
        {"kind": "floor", "metric": "hits", "bound": 0.5},
        {"kind": "baseline", "metric": "cost"},
        {"kind": "champion", "metric": "cost", "margin": 0.5},
        {"kind": "slice", "slice": "colour", "metric": "cost", "bound": 2, "rows": 50},
    )
    decision = pipeline(settings, tmp_path / "build", binary.build / "model")
    evaluation = decision.evaluation
    assert decision.passed
    assert [one.outcome for one in decision.gates[-5:]] == ["pass"] * 5
    assert decision.gates[-2].needed == "at most 0.5 above the champion"
    cost, hits = evaluation.metrics["cost"], evaluation.metrics["hits"]
    assert 0 < cost.low < cost.value < cost.high < 1.5
    assert 0.5 <= hits.low <= hits.value <= hits.high <= 1
    assert evaluation.champion
    assert evaluation.champion.differences["cost"] == Measure(value=0, low=0, high=0)
    assert all("cost" in part.metrics for part in evaluation.slices)
    text = (tmp_path / "build/report.md").read_text()
    assert f"| cost | {cost.value:.4g} [" in re.sub(r"\\", "", text)
    assert 'cost<span class="note"> lower is better' in (tmp_path / "build/report.html").read_text()


def test_a_worse_candidate_is_refused_by_a_metric_of_the_teams_own(team: Path, binary: Trained, tmp_path: Path) -> None:
    gate = {"kind": "ceiling", "metric": "cost", "bound": 0.01}
    with pytest.raises(InputError, match=r"refused by 1 gate: ceiling cost: 0\.\d+ \["):
        pipeline(asking(binary, {"cost": "lower"}, gate), tmp_path / "build")


def test_the_interval_of_a_mean_is_that_of_the_rows_and_of_any_other_number_that_of_resamples(
    team: Path, models: Callable[[Task], Trained]
) -> None:
    settings = asking(models("regression"), {"distance": "lower"})
    settings = settings.model_copy(update={"evaluate": settings.evaluate.model_copy(update={"resamples": 400})})
    truth = np.arange(200.0)
    answers = Predictions(truth + np.where(truth == 0, 9.0, 1.0), None)
    found = custom.estimates(settings, truth, {"candidate": answers, "champion": answers})
    assert found["candidate"]["distance"].value == 9
    low, high = found["candidate"]["distance"].interval(0.95)
    assert (low, high) == (1, 9), "the one row is in most resamples, not in all"
    difference = found["candidate"]["distance"] - found["champion"]["distance"]  # type: ignore[operator]
    assert difference.interval(0.95) == (0, 0), "both models are drawn alike"


WRONG = {
    "absent": ("", "there is no model/metrics.py; write it"),
    "another name": ("def price(truth, answers): ...\n", "names cost, which model/metrics.py does not define"),
    "fails": (
        "def cost(truth, answers):\n    return answers['x']\n",
        r"cost\(\) in .* fails \(KeyError: 'x' in line 2 of",
    ),
    "two numbers": (
        "def cost(truth, answers):\n    return [1, 2]\n",
        r"returns the shape \(2,\) for \d+ rows; return one",
    ),
    "a text": ("def cost(truth, answers):\n    return 'much'\n", "fails|could not convert"),
    "broken": ("def cost(:\n", "cannot be imported"),
}


@pytest.mark.parametrize(("source", "sentence"), WRONG.values(), ids=WRONG)
def test_a_metric_that_is_none_is_told(source: str, sentence: str, team: Path, binary: Trained, tmp_path: Path) -> None:
    (team / "metrics.py").write_text(source)
    if not source:
        (team / "metrics.py").unlink()
    forget()
    with pytest.raises(InputError, match=sentence):
        pipeline(asking(binary, {"cost": "lower"}), tmp_path / "build")


def test_a_metric_that_is_undefined_is_left_out_and_its_gate_fails(team: Path, binary: Trained, tmp_path: Path) -> None:
    (team / "metrics.py").write_text("def cost(truth, answers):\n    return float('nan')\n")
    with pytest.raises(InputError, match=r"refused by 1 gate: baseline cost: undefined on the test rows"):
        pipeline(asking(binary, {"cost": "lower"}, {"kind": "baseline", "metric": "cost"}), tmp_path / "build")


def test_the_names_of_our_metrics_are_taken(binary: Trained) -> None:
    with pytest.raises(ValueError, match=r"evaluate.metrics names f1, which the template measures; rename yours"):
        asking(binary, {"f1": "lower"})
    with pytest.raises(ValueError, match="gates names cost; allowed are"):
        asking(binary, {}, {"kind": "baseline", "metric": "cost"})
