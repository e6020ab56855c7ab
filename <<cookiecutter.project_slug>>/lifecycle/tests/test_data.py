import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tiny import TASKS, Trained, document, rows, save, settings

from lifecycle import InputError, config
from lifecycle.rows import data
from lifecycle.tasks import Task


def prepared(frame: pd.DataFrame, folder: Path, **changes: Any) -> config.Config:
    """Settings for a frame that is saved in the folder; `changes` replace keys of `data`."""
    path = folder / "tiny.parquet"
    values = document("binary_classification", path, save(frame, path))
    values["data"].update(changes)
    return settings(values)


def test_rows_are_split_by_time_and_labelled(tmp_path: Path) -> None:
    frame = rows()
    given = prepared(frame, tmp_path)
    data.run(given, tmp_path / "build")
    train, period = data.read(tmp_path / "build/data/train.parquet", given)
    test, _ = data.read(tmp_path / "build/data/test.parquet", given)
    assert len(train) == 20 * 96
    assert len(test) == 10 * 96
    assert train["moment"].max() < test["moment"].min()
    assert period == ["2020-01-01", "2020-01-21"]
    assert (train["label"] == (train["outcome"] > 0)).all()


@pytest.mark.parametrize("task", TASKS)
def test_a_label_is_a_code_in_the_order_of_the_classes_or_the_number(task: Task, tmp_path: Path) -> None:
    target = settings(document(task, tmp_path, "0" * 64)).data.target
    label = data.label(pd.Series([-2.0, 0.0, 2.0], name="outcome"), task, target, "a file")
    expected: dict[str, list[float]] = {
        "binary_classification": [0, 0, 1],
        "multiclass_classification": [0, 1, 2],
        "regression": [-2, 0, 2],
    }
    assert label.tolist() == expected[task]


def test_a_column_of_class_names_is_a_label_too() -> None:
    target = config.Target(column="outcome", classes=("no", "yes"))
    label = data.label(pd.Series(["yes", "no"], name="outcome"), "binary_classification", target, "a file")
    assert label.tolist() == [1, 0]
    with pytest.raises(InputError, match="maybe, which data.target.classes does not name"):
        data.label(pd.Series(["maybe"], name="outcome"), "binary_classification", target, "a file")


def test_a_slice_of_no_column_is_told_before_anything_is_trained(binary: Trained, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"evaluate\.slices names size, which .* does not have; it has moment, number"):
        data.run(binary.settings, tmp_path / "build", ["colour", "size"])


def later_first(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.iloc[::-1]


def twice(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame, frame.tail(2)]).sort_values("moment", ignore_index=True)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda f: f.drop(columns="colour"), "lacks the column colour; it has moment, number, outcome"),
        (lambda f: f.drop(columns="outcome"), "lacks the column outcome"),
        (lambda f: f.assign(number=f["number"].astype(str)), "number .* holds string, but data.features says number"),
        (lambda f: f.assign(colour=1), "colour .* holds int64, but data.features says category"),
        (lambda f: f.assign(moment=f["moment"].astype(str)), "data.time must be a timestamp"),
        (lambda f: f.assign(outcome="x"), "outcome .* not numbers; convert it"),
        (lambda f: f.assign(outcome=np.nan), "target outcome .* is missing in 4000 rows"),
        (lambda f: f.assign(moment=f["moment"].where(f.index > 2)), "moment is missing in 3 rows"),
        (later_first, "not in order of moment: 3999 rows come before the one above; sort it"),
        (twice, "has 2 rows with the same moment as another; drop them, or add the column to data.key"),
        (lambda f: f.assign(colour=f["colour"].where(f.index > 4)), "colour .* is missing in 5 rows; fill it"),
        (lambda f: f.assign(number=f["number"].where(f.index > 0, 11)), "leaves -10.0 to 10.0 in 1 rows"),
        (lambda f: f[f["moment"] < "2020-01-15"], r"split.test \(2020-01-21 to 2020-01-31\) holds no row"),
        (lambda f: f[f["moment"] > "2020-01-22"], r"split.train \(2020-01-01 to 2020-01-21\) holds no row"),
        (lambda f: f.assign(outcome=1.0), "lacks a class of data.target.classes"),
    ],
)
def test_data_that_break_the_contract_are_refused_and_leave_earlier_outputs(
    change: Callable[[pd.DataFrame], pd.DataFrame], sentence: str, tmp_path: Path
) -> None:
    build = tmp_path / "build"
    data.run(prepared(rows(), tmp_path), build)
    before = {path.name: path.read_bytes() for path in (build / "data").iterdir()}
    with pytest.raises(InputError, match=sentence) as caught:
        data.run(prepared(change(rows()), tmp_path), build)
    assert str(caught.value).endswith(".")
    assert {path.name: path.read_bytes() for path in (build / "data").iterdir()} == before
    assert [path.name for path in build.iterdir()] == ["data"]


def test_rows_of_one_moment_are_told_apart_by_the_key(tmp_path: Path) -> None:
    frame = twice(rows()).assign(name=lambda f: f.groupby("moment").cumcount().astype(str))
    data.run(prepared(frame, tmp_path, key=["name"]), tmp_path / "build")
    assert (tmp_path / "build/data/train.parquet").is_file()


def test_a_file_with_another_hash_is_refused(tmp_path: Path) -> None:
    given = prepared(rows(), tmp_path)
    save(rows(seed=1), tmp_path / "tiny.parquet")
    with pytest.raises(InputError, match=f"not {given.data.sha256} as data.sha256 says"):
        data.run(given, tmp_path / "build")


def test_a_file_that_is_missing_or_no_parquet_is_refused(tmp_path: Path) -> None:
    given = prepared(rows(), tmp_path)
    (tmp_path / "tiny.parquet").unlink()
    with pytest.raises(InputError, match="cannot be read"):
        data.run(given, tmp_path / "build")
    with pytest.raises(InputError, match="is not parquet"):
        data.table({"tiny.parquet": io.BytesIO(b"not parquet")}, given.data)


def test_a_uri_is_read_as_a_path_is(tmp_path: Path) -> None:
    given = prepared(rows(), tmp_path)
    by_uri = given.data.model_copy(update={"path": (tmp_path / "tiny.parquet").as_uri()})
    with data.fetch(by_uri) as paths, data.fetch(given.data) as same:
        assert paths == same == {"tiny.parquet": tmp_path / "tiny.parquet"}


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="Only Linux lists a process's threads as files.")
def test_reading_parquet_leaves_no_thread_that_outlives_python(tmp_path: Path) -> None:
    path = tmp_path / "tiny.parquet"
    save(rows(), path)
    count = "len(os.listdir('/proc/self/task'))"
    read = "frames.parquet(open(sys.argv[1], 'rb').read())"
    code = f"import os, sys; from lifecycle.artifact import frames; before = {count}; {read}"
    subprocess.run([sys.executable, "-c", f"{code}; sys.exit({count} - before)", path], check=True)


def test_reading_before_the_step_names_the_step(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="run `make data` first"):
        data.read(tmp_path / "data/train.parquet", prepared(rows(), tmp_path))
