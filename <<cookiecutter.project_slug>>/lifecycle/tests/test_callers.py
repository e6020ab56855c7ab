from pathlib import Path
from typing import Any

import pytest
import tiny
from tiny import LOCK, Trained

from lifecycle.artifact.directory import Column, Model
from lifecycle.documents import record
from lifecycle.evaluation import callers, evaluate, gate
from lifecycle.rows import data
from lifecycle.training import train

COLOUR, SIZE, FLAG = (
    Column("colour", "category", False),
    Column("size", "number", True),
    Column("f", "number", True, True),
)


def model(*columns: Column, time: str | None = None, key: tuple[str, ...] = ()) -> Model:
    return Model(Path(), "0" * 64, {"time": time, "key": list(key)}, columns)


CHANGES: dict[str, tuple[Model, Model, str, str]] = {
    "none": (model(COLOUR, SIZE), model(COLOUR, SIZE), "", ""),
    "another order": (model(SIZE, COLOUR), model(COLOUR, SIZE), "", ""),
    "renamed": (
        model(Column("hue", "category", False)),
        model(COLOUR),
        "colour is gone, and requests that have it are refused; hue (category) is new and required",
        "",
    ),
    "added, optional": (model(COLOUR, SIZE), model(COLOUR), "", "size (number) is new and optional"),
    "added, required": (model(SIZE, COLOUR), model(SIZE), "colour (category) is new and required", ""),
    "retyped": (
        model(Column("colour", "number", False)),
        model(COLOUR),
        "colour was category and is number",
        "",
    ),
    "no longer boolean": (
        model(Column("f", "number", True)),
        model(FLAG),
        "f was true or false and is number",
        "",
    ),
    "required now": (model(Column("size", "number", False)), model(SIZE), "size must not be missing", ""),
    "optional now": (model(Column("colour", "category", True)), model(COLOUR), "", "colour may be missing"),
    "a key gone": (
        model(SIZE),
        model(SIZE, time="at", key=("id",)),
        "at, which told rows apart, is gone, and requests that have it are refused; "
        "id, which told rows apart, is gone, and requests that have it are refused",
        "",
    ),
    "a key more": (model(SIZE, key=("id",)), model(SIZE), "", ""),
    "a feature that is a key now": (model(SIZE, key=("colour",)), model(SIZE, COLOUR), "", ""),
}


@pytest.mark.parametrize(("new", "old", "breaks", "other"), CHANGES.values(), ids=CHANGES)
def test_each_change_of_the_inputs_is_named(new: Model, old: Model, breaks: str, other: str) -> None:
    found = callers.requests(new, old)
    assert ("; ".join(found.breaks), "; ".join(found.other)) == (breaks, other)


def renamed(binary: Trained, folder: Path, keep: bool) -> tuple[record.Decision, dict[str, Any]]:
    """The decision on a candidate whose column `colour` is called `hue`, with the old one kept in the data or not."""
    rows = tiny.rows()
    rows["hue"] = rows["colour"]
    rows = rows if keep else rows.drop(columns="colour")
    document = tiny.document(binary.task, folder / "hue.parquet", tiny.save(rows, folder / "hue.parquet"))
    document["data"]["features"]["hue"] = document["data"]["features"].pop("colour")
    document["evaluate"]["slices"] = []
    settings, build = tiny.settings(document), folder / "build"
    data.run(settings, build)
    train.run(settings, build, LOCK)
    evaluate.run(settings, build, binary.build / "model")
    return gate.decide(settings, record.evaluation(build / "evaluation.json")), document


@pytest.mark.parametrize("keep", [True, False])
def test_a_renamed_input_is_refused_and_named_whether_the_champion_can_be_compared_or_not(
    keep: bool, binary: Trained, tmp_path: Path
) -> None:
    found, document = renamed(binary, tmp_path, keep)
    outcomes = {verdict.title: verdict for verdict in found.gates}
    assert not found.passed
    assert outcomes["schema"].outcome == "fail"
    assert "colour is gone" in outcomes["schema"].found
    assert outcomes["champion ROC AUC"].outcome == ("pass" if keep else "fail")
    if not keep:
        assert "needs colour, which the test rows lack" in outcomes["champion ROC AUC"].found
    wanted = tiny.settings(document | {"schema": "breaking"})
    assert gate.decide(wanted, found.evaluation).passed == keep
