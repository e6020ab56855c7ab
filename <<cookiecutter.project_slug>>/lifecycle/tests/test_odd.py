"""Odd input to the monitor: a sentence says what it is, and all that can be measured is."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from test_monitor import NOW, answered, traffic
from tiny import Trained

from lifecycle.documents.summary import Summary
from lifecycle.monitoring import monitor

type Line = dict[str, Any]


@pytest.fixture(scope="module")
def sent(models: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of a thousand answers, and their labels."""
    folder = tmp_path_factory.mktemp("odd")
    answered(models("binary_classification"), traffic(), folder)
    return folder


def rewritten(path: Path, change: Callable[[Line, int], Line]) -> None:
    lines = [change(json.loads(line), place) for place, line in enumerate(path.read_text().splitlines())]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def summarised(trained: Trained, folder: Path, **changes: Any) -> Summary:
    own = trained.settings.monitor.model_copy(update=changes)
    settings = trained.settings.model_copy(update={"monitor": own})
    places = [str(folder / "predictions")], str(folder / "labels")
    return Summary.model_validate_json(monitor.run(settings, trained.build / "model", *places, NOW).model_dump_json())


def one_class(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(label=1, prediction=1)


def all_alike(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(**{name: rows[name].iloc[0] for name in rows if name not in ("time", "chunk")})


@pytest.mark.parametrize("estimator", ["own", "nannyml"])
@pytest.mark.parametrize("change", [one_class, all_alike])
def test_a_reference_that_tells_no_performance_is_said(
    change: Callable[[pd.DataFrame], pd.DataFrame],
    estimator: str,
    binary: Trained,
    sent: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = monitor._reference
    monkeypatch.setattr(monitor, "_reference", lambda *given: change(known(*given)))
    found = summarised(binary, sent, estimator=estimator)
    said = "In the reference, what came true of these is undefined in each window, so they raise no alert: "
    assert f"{said}estimated F1, realised F1." in found.warnings
    assert not [one for one in found.windows if one.kind in ("estimated", "realised") and one.outside]
    assert {one.kind for one in found.windows} == {"estimated", "realised", "drift", "output", "quality"}


def alike(line: Line, _: int) -> Line:
    return line | {"answer": line["answer"] | {"probabilities": {"no": 0.3, "yes": 0.7}}}


def impossible(line: Line, place: int) -> Line:
    shares = {"no": 0.9, "yes": 0.9 if place % 2 else 0.1}
    return line | {"answer": line["answer"] | {"probabilities": shares}}


def former(line: Line, place: int) -> Line:
    return line | {"answer": line["answer"] | {"prediction": "former" if place % 2 else "yes"}}


def at_night(line: Line, place: int) -> Line:
    """Three hundred rows in each of three hours, but only fifty in one, and none in another."""
    hour = next(hour for hour, end in ((1, 10), (2, 310), (3, 610), (5, 660), (6, 960), (7, 1000)) if place < end)
    return line | {"context": line["context"] | {"moment": f"2020-02-10T0{hour}:00:00"}}


@pytest.mark.parametrize(
    ("change", "sentence", "windows"),
    [
        (alike, "All rows have the same value of probability_no in 10 windows, probability_yes in 10 windows;", 10),
        (impossible, "500 rows have an answer that the model cannot give", 5),
        (former, "500 rows have an answer that the model cannot give", 5),
        (at_night, "2 of the hours between the first and the last have no rows, or too few to count.", 3),
    ],
)
def test_odd_answers_are_told_and_the_others_measured(
    change: Callable[[Line, int], Line],
    sentence: str,
    windows: int,
    binary: Trained,
    sent: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copytree(sent, tmp_path, dirs_exist_ok=True)
    (path,) = (tmp_path / "predictions").glob("version=*/hour=*/*.jsonl")
    rewritten(path, change)
    changes = {"window": "hour"} if change is at_night else {}
    if changes:  # the reference keeps its windows
        known, usual = monitor._reference, binary.settings.monitor
        monkeypatch.setattr(monitor, "_reference", lambda one, two, three, _, last: known(one, two, three, usual, last))
    found = summarised(binary, tmp_path, estimator="own", **changes)
    assert any(one.startswith(sentence) for one in found.warnings), found.warnings
    measured = [one for one in found.windows if not one.reference and one.value is not None]
    assert [
        sum((one.kind, one.column) == key for one in measured) for key in (("estimated", None), ("drift", "number"))
    ] == [windows] * 2


@pytest.mark.parametrize(("every", "said"), [(1, True), (2, False)])
def test_labels_of_which_none_is_for_an_answer_are_told(
    every: int, said: bool, binary: Trained, sent: Path, tmp_path: Path
) -> None:
    """Some are: those of the version before lie beside them."""
    shutil.copytree(sent, tmp_path, dirs_exist_ok=True)
    rewritten(
        tmp_path / "labels/one.jsonl",
        lambda line, place: line | ({} if place % every else {"request": f"foreign {place}"}),
    )
    found = summarised(binary, tmp_path, estimator="own")
    assert any(one.startswith("None of ") for one in found.warnings) == said
    assert bool([one for one in found.windows if one.kind == "realised" and not one.reference]) != said


def test_numbers_too_large_to_square_leave_the_rest(models: Any, tmp_path: Path) -> None:
    trained = models("regression")
    answered(trained, traffic().head(300), tmp_path)
    rewritten(tmp_path / "labels/one.jsonl", lambda line, place: line | ({} if place % 2 else {"label": 1e300}))
    found = summarised(trained, tmp_path, estimator="own", metrics=("mae", "rmse"))
    assert {one.kind for one in found.windows} == {"estimated", "realised", "drift", "output", "quality"}
    assert found.alert
