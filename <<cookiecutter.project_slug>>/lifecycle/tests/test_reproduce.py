import json
from pathlib import Path

import pytest
from tiny import Trained

from lifecycle import InputError
from lifecycle.documents import record
from lifecycle.evaluation import reproduce


@pytest.fixture
def build(binary: Trained, tmp_path: Path) -> Path:
    return binary.copy(tmp_path)


def reviewed(build: Path, **changes: float) -> None:
    """What was reviewed: what the evaluation found, but for some metrics."""
    found = {name: one.value for name, one in record.evaluation(build / "evaluation.json").metrics.items()}
    (build / "reviewed.json").write_text(json.dumps({"metrics": found | changes}))


def test_the_same_metrics_pass_and_others_do_not(build: Path) -> None:
    reviewed(build)
    value = record.evaluation(build / "evaluation.json").metrics["f1"].value
    assert "metrics match the review" in reproduce.run(0.0, build)
    reviewed(build, f1=value + 0.002)
    assert reproduce.run(0.003, build)
    for tolerance, told in [(0.001, r"F1 is 0\.\d+, but was 0\.\d+ in the review"), (0.0, r"tolerance \(0\)")]:
        with pytest.raises(InputError, match=told):
            reproduce.run(tolerance, build)
    reviewed(build, f1=value - 0.002)
    with pytest.raises(InputError, match="in the review"):
        reproduce.run(0.001, build)


def test_a_metric_that_only_one_side_has_is_told(build: Path) -> None:
    reviewed(build, speed=1.0)
    with pytest.raises(InputError, match="do not both have speed"):
        reproduce.run(1.0, build)


def test_without_a_review_there_is_nothing_to_compare(build: Path) -> None:
    (build / "reviewed.json").write_text('{"metrics": {}}')
    assert reproduce.run(0.0, build) == "there are no reviewed metrics to compare with"
    (build / "reviewed.json").unlink()
    with pytest.raises(InputError, match="run `make reviewed` first"):
        reproduce.run(0.0, build)
