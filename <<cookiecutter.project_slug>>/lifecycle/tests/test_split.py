from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import Git
from served import client
from steps import pipeline
from test_monitor import NOW
from tiny import Trained, document, rows, save, settings

from lifecycle import InputError, config
from lifecycle.documents.change import Change
from lifecycle.documents.record import Decision
from lifecycle.evaluation import evaluate
from lifecycle.monitoring import monitor
from lifecycle.reporting import sections
from lifecycle.rows import data, pin, split

OF_NO_TIME = pd.DataFrame({name: column for name, column in rows().items() if name != "moment"})


def undated(path: Path, frame: pd.DataFrame = OF_NO_TIME, **draw: Any) -> config.Config:
    """Settings for a table without a time column, in whatever order it stands."""
    values = document("binary_classification", path, save(frame, path))
    del values["data"]["time"]
    return settings(values | {"split": {"test": 0.25, **draw}})


def sides(frame: pd.DataFrame, given: config.Config) -> dict[str, set[int]]:
    """The places of the rows on each side."""
    return {name: set(part.index) for name, (part, _) in split.parts(frame, given).items()}


def test_the_share_is_drawn_and_every_row_is_on_one_side(tmp_path: Path) -> None:
    found = sides(OF_NO_TIME, undated(tmp_path / "a.parquet"))
    assert len(found["train"] | found["test"]) == len(OF_NO_TIME)
    assert not found["train"] & found["test"]
    assert len(found["test"]) == pytest.approx(0.25 * len(OF_NO_TIME), abs=110)  # four standard deviations
    assert sides(OF_NO_TIME, undated(tmp_path / "a.parquet", seed=1)) != found


def test_a_row_keeps_its_side_when_others_come_and_the_order_changes(tmp_path: Path) -> None:
    given, few = undated(tmp_path / "a.parquet"), OF_NO_TIME.head(1000)
    before, after = sides(few, given), sides(OF_NO_TIME.sample(frac=1, random_state=0), given)
    assert before["test"] == after["test"] & set(few.index)
    larger = undated(tmp_path / "a.parquet", test=0.5)
    assert before["test"] < sides(few, larger)["test"]


def test_rows_of_few_different_values_are_on_both_sides_whatever_their_target(tmp_path: Path) -> None:
    """Were equal rows drawn together, the target would tell the side."""
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({"number": generator.integers(2, size=2000).astype("float32"), "colour": "red"})
    frame["outcome"] = np.where(generator.random(2000) < 0.5, 1.0, -1.0)
    found = sides(frame, undated(tmp_path / "a.parquet", frame))
    means = frame.assign(side=frame.index.isin(found["test"])).groupby("side")["outcome"].mean()
    assert abs(means[True] - means[False]) < 0.15
    assert frame.loc[list(found["test"]), ["number", "outcome"]].drop_duplicates().shape[0] == 4


def test_a_group_is_on_one_side(tmp_path: Path) -> None:
    frame = OF_NO_TIME.assign(customer=np.arange(len(OF_NO_TIME)) % 50)
    found = sides(frame, undated(tmp_path / "a.parquet", frame, group="customer"))
    train, test = (set(frame["customer"][list(found[name])]) for name in ("train", "test"))
    assert not train & test
    assert test


def test_a_group_that_the_table_does_not_have_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"split\.group is customer, which .* does not have"):
        sides(OF_NO_TIME, undated(tmp_path / "a.parquet", group="customer"))


@pytest.mark.parametrize("draw", [{"test": 0.0001}, {"test": 0.9999}])
def test_a_side_without_rows_is_told(draw: dict[str, float], tmp_path: Path) -> None:
    frame = OF_NO_TIME.head(20)
    with pytest.raises(InputError, match="split draws no row of .* of 20 in all; change split.test"):
        sides(frame, undated(tmp_path / "a.parquet", frame, **draw))


def test_a_class_that_is_not_drawn_is_named(tmp_path: Path) -> None:
    frame = OF_NO_TIME.assign(outcome=[1.0, *[-1.0] * (len(OF_NO_TIME) - 1)])
    with pytest.raises(InputError, match=r"What split draws to \w+ on lacks a class of .* \(yes\); change split.test"):
        data.run(undated(tmp_path / "a.parquet", frame), tmp_path / "build")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"split": {"train": ["2020-01-01", "2020-01-02"], "test": ["2020-01-02", "2020-01-03"]}}, "need data.time"),
        ({"monitor": {"window": "day"}}, "monitor.window is a period, which needs data.time"),
        (
            {"monitor": {"alert": {"metrics": ["f1"], "quality": 0.1, "quiet": 1, "cooldown": 3}}},
            "monitor.alert.quiet is about a year, which needs data.time",
        ),
    ],
)
def test_what_needs_a_time_is_refused_without_one(change: dict[str, Any], told: str, tmp_path: Path) -> None:
    values = undated(tmp_path / "a.parquet").model_dump(mode="json", by_alias=True)
    for section, keys in change.items():
        values[section] = keys if section == "split" else values[section] | keys
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(InputError, match=told):
        config.load(tmp_path / "config.yaml")


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory, models: Any) -> tuple[config.Config, Path, Decision]:
    """A table without time, from data to report."""
    folder = tmp_path_factory.mktemp("undated")
    models("binary_classification")  # whose store is copied
    given = undated(folder / "a.parquet")
    return given, folder / "build", pipeline(given, folder / "build")


def test_the_report_says_that_the_rows_were_drawn(lived: tuple[config.Config, Path, Decision]) -> None:
    _, build, decision = lived
    assert decision.evaluation.origin.draw == "drawn by colour, number, outcome (25% to test on, seed 0)"
    text = (build / "report.md").read_text()
    assert "how the model fares as time goes on was not measured" in text
    assert "(25% to test on, seed 0), test rows" in " ".join(sections.setting(decision))


def test_a_champion_is_compared_only_where_it_never_saw_the_test_rows(
    lived: tuple[config.Config, Path, Decision], tmp_path: Path, binary: Trained
) -> None:
    given, build, _ = lived
    assert "against" in evaluate.run(given, build, build / "model")
    for other in ({"seed": 7}, {"test": 0.5}):
        own = undated(tmp_path / "a.parquet", **other)
        pipeline(own, tmp_path / str(other))
        with pytest.raises(InputError, match="so the champion may have seen them"):
            evaluate.run(own, tmp_path / str(other), build / "model")
    with pytest.raises(InputError, match=r"trained on rows of a period, the candidate is tested on rows drawn by"):
        evaluate.run(given, build, binary.build / "model")


def test_it_is_served_and_watched(lived: tuple[config.Config, Path, Decision], tmp_path: Path) -> None:
    given, build, _ = lived
    trained = Trained("binary_classification", tmp_path).but(build=build, settings=given)
    service = client(trained, tmp_path / "predictions")
    sent = [
        {"number": None if pd.isna(n) else float(n), "colour": c}
        for n, c in zip(*map(OF_NO_TIME.get, ("number", "colour")), strict=True)
    ]
    for start in range(0, 1000, 100):
        assert service.post("/predict", json={"jsonData": sent[start : start + 100]}).status_code == 200
    service.service.close()
    found = monitor.run(given, build / "model", [str(tmp_path / "predictions")], None, NOW)
    assert found.log.rows == 1000
    first = min(window.begin for window in found.windows if not window.reference)
    assert all(window.end < first for window in found.windows if window.reference)


def test_a_newer_snapshot_is_pinned_by_its_name(tmp_path: Path, repository: Git) -> None:
    given = undated(tmp_path / "1.parquet")
    values = given.model_dump(mode="json", by_alias=True)
    values["data"]["snapshots"] = str(tmp_path / "*.parquet")
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(values, width=1000))
    assert "pinned already" in str(pin.run(config.load(path), path))
    sha256 = save(OF_NO_TIME.head(3000), tmp_path / "2.parquet")
    change = pin.run(config.load(path), path)
    assert isinstance(change, Change)
    assert change.title == f"Retrain on {tmp_path / '2.parquet'}"
    assert config.load(path).data.sha256 == sha256
