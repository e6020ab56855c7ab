from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from conftest import Git
from steps import pipeline
from tiny import LOCK, Trained

from lifecycle import InputError, config
from lifecycle.documents import record
from lifecycle.evaluation import evaluate
from lifecycle.rows import data
from lifecycle.tasks import METRICS, Task
from lifecycle.training import train


def test_candidate_baseline_and_intervals_are_there_for_every_metric(trained: Trained) -> None:
    found = record.evaluation(trained.build / "evaluation.json")
    assert set(found.metrics) == set(METRICS[trained.task])
    assert set(found.baseline) == set(found.metrics)
    assert all(m.low <= m.value <= m.high for m in found.metrics.values())
    assert found.rows == 960
    assert found.champion is None
    assert found.parity < 1e-5
    assert 0 < found.latency < 1000


def test_slices_cover_the_test_rows(trained: Trained) -> None:
    found = record.evaluation(trained.build / "evaluation.json")
    assert [part.part for part in found.slices] == ["blue", "green", "red"]
    assert sum(part.rows for part in found.slices) == found.rows


def test_what_explains_the_model_is_there(trained: Trained) -> None:
    found = record.evaluation(trained.build / "evaluation.json")
    assert set(found.importance) == {"number", "colour"}
    assert all(part.mean > 0.02 for part in found.importance.values()), "the outcome depends on both"
    assert [part.feature for part in found.dependence] == list(found.importance)
    assert {part.feature for part in found.shap} == {"number", "colour"}
    assert found.batch
    assert found.batch.rows == 100
    assert found.data
    assert (found.data.train.rows, found.data.test.rows) == (1920, 960)
    assert found.data.features["number"].missing_test == pytest.approx(0.05, abs=0.02)
    assert found.data.features["colour"].missing_test == 0


def test_a_classifier_has_confusion_and_calibration_a_regressor_residuals(trained: Trained) -> None:
    found = record.evaluation(trained.build / "evaluation.json")
    regression = trained.task == "regression"
    assert (found.residuals is not None) == regression
    assert bool(found.calibration) == bool(found.confusion) == (not regression)
    if not regression:
        assert sum(map(sum, found.confusion)) == found.rows
        assert len(found.classes) == len(found.confusion)


def later(binary: Trained) -> config.Config:
    """Settings that test on the days after those that `binary` was tested on."""
    split = config.Split(train=(date(2020, 1, 1), date(2020, 1, 31)), test=(date(2020, 1, 31), date(2020, 2, 8)))
    return binary.settings.model_copy(update={"split": split})


def test_an_equal_champion_differs_by_nothing_and_a_worse_candidate_by_what_it_lost(
    binary: Trained, tmp_path: Path
) -> None:
    same = pipeline(binary.settings, tmp_path / "same", binary.build / "model")
    assert same.evaluation.champion
    assert same.evaluation.champion.differences["roc_auc"] == record.Measure(value=0, low=0, high=0)

    weak = binary.settings.train.model_copy(update={"parameters": {"max_iter": 1, "max_leaf_nodes": 2}})
    build = tmp_path / "weak"
    settings = binary.settings.model_copy(update={"train": weak})
    data.run(settings, build)
    train.run(settings, build, LOCK)
    evaluate.run(settings, build, binary.build / "model")
    found = record.evaluation(build / "evaluation.json")
    assert found.champion
    assert found.champion.differences["roc_auc"].high < 0
    assert found.champion.metrics["roc_auc"].value > found.metrics["roc_auc"].value


def test_a_champion_is_compared_on_the_candidates_rows(binary: Trained, tmp_path: Path) -> None:
    found = pipeline(later(binary), tmp_path / "build", binary.build / "model").evaluation
    assert found.champion
    assert found.champion.origin.test != found.origin.test
    assert found.rows == 8 * 96


def test_a_champion_that_learnt_from_the_test_rows_is_refused(binary: Trained, tmp_path: Path) -> None:
    settings = later(binary)
    data.run(settings, tmp_path / "newer")
    train.run(settings, tmp_path / "newer", LOCK)
    with pytest.raises(InputError, match=r"trained on rows until 2020-01-31, but split\.test begins 2020-01-21"):
        evaluate.run(binary.settings, binary.build, tmp_path / "newer" / "model")


def test_a_champion_of_another_task_is_refused(models: Callable[[Task], Trained]) -> None:
    binary, other = models("binary_classification"), models("multiclass_classification")
    with pytest.raises(InputError, match="cannot be compared"):
        evaluate.run(binary.settings, binary.build, other.build / "model")


def test_a_model_of_other_data_is_refused(binary: Trained, tmp_path: Path) -> None:
    build = binary.copy(tmp_path)
    data.run(later(binary), build)
    with pytest.raises(InputError, match="run `make train` again"):
        evaluate.run(later(binary), build, None)
    with pytest.raises(InputError, match="run `make data` again"):
        evaluate.run(binary.settings, build, None)


def test_a_champion_whose_column_is_gone_is_refused(binary: Trained, tmp_path: Path) -> None:
    from lifecycle.artifact.predictor import Predictor

    test, _ = data.read(binary.build / "data/test.parquet", binary.settings)
    with pytest.raises(InputError, match="needs colour, which the test rows lack"):
        evaluate.columns(test.drop(columns="colour"), Predictor(binary.build / "model"))


def test_what_changed_in_the_code_since_the_champion_comes_from_git(
    binary: Trained, repository: Git, tmp_path: Path
) -> None:
    first = repository("rev-parse", "HEAD")
    Path("notes.txt").write_text("new")
    second = repository.commit("Add | notes")
    assert evaluate.code(first, second) == record.Code(
        commits=1, subjects=("Add | notes",), changed=1, files=("notes.txt",)
    )
    Path("manifests/overlays/dev/release/decision.json").write_text("{}")
    assert evaluate.code(first, repository.commit("Release")) == evaluate.code(first, second), "a machine wrote it"
    assert evaluate.code("0" * 40, second) is None
    assert evaluate.code("", second) is None
