"""Personal data: features that the log does not show, and persons whose rows are removed."""

import copy
import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from served import client
from steps import pipeline
from test_monitor import answered, traffic, watched
from test_predictor import with_a_key
from test_serve import ROWS, URL, logged
from tiny import ROOT, Trained, rows, save, settings

from lifecycle import InputError, files, fresh
from lifecycle import __main__ as command
from lifecycle.artifact import directory
from lifecycle.config import ERASED
from lifecycle.documents import record
from lifecycle.privacy import blank, erase, erased, hidden, keyed
from lifecycle.rows import data

SECRET = "a secret of enough characters"  # noqa: S105 - of the tests
HIDING: dict[str, bool | str] = {"number": False, "colour": "hash"}


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (hidden.KEY, erased.KEY):
        monkeypatch.setenv(name, SECRET)


def hiding(trained: Trained, **features: bool | str) -> Trained:
    """The same with features whose `log` is another."""
    document = copy.deepcopy(trained.document)
    for name, how in features.items():
        document["data"]["features"][name]["log"] = how
    return trained.but(document=document, settings=settings(document))


def test_what_is_hidden_never_reaches_the_log(binary: Trained, tmp_path: Path) -> None:
    service = client(hiding(binary, **HIDING), tmp_path, {"LOG_KEY": SECRET})
    for _ in range(2):
        assert service.post(URL, json={"jsonData": [*ROWS, {"number": 0.25, "colour": "red"}]}).status_code == 200
    content = b"".join(path.read_bytes() for path in tmp_path.rglob("*.jsonl"))
    for value in (b'"red"', b'"blue"', b'"number":0'):
        assert value not in content
    found = [line["features"]["colour"] for line in logged(tmp_path)]
    assert found[:3] == found[3:]
    assert found[0] == found[2] != found[1]
    assert found[0] == keyed.hashed(SECRET.encode(), "colour", "red")


def test_a_key_that_is_a_hidden_feature_is_hidden_there_too(binary: Trained, tmp_path: Path) -> None:
    build = binary.copy(tmp_path)
    with_a_key(build, "colour")
    service = client(hiding(binary, colour=False).but(build=build), tmp_path / "log", {})
    service.post(URL, json={"jsonData": ROWS})
    assert all(line["context"] == {} for line in logged(tmp_path / "log"))
    assert b'"red"' not in b"".join(path.read_bytes() for path in (tmp_path / "log").rglob("*.jsonl"))


@pytest.mark.parametrize(("secret", "told"), [("", "is not set"), ("short", "has only 5 characters")])
def test_a_hash_without_a_key_stops_the_start(secret: str, told: str, binary: Trained, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"`log: hash` of colour needs a secret key, .* LOG_KEY {told}"):
        client(hiding(binary, colour="hash"), tmp_path, {"LOG_KEY": secret})


def test_equal_numbers_have_equal_hashes_and_other_keys_others() -> None:
    own = SECRET.encode()
    assert keyed.hashed(own, "a", 7) == keyed.hashed(own, "a", 7.0)
    assert len({keyed.hashed(key, name, 7) for key in (own, b"x" * 20) for name in "ab"}) == 4
    assert keyed.hashed(own, "a", None) is None
    assert keyed.hashed(own, "a", float("nan")) is None


@pytest.mark.parametrize("task", ["binary_classification", "regression"])
@pytest.mark.parametrize("names", [("number",), ("colour",), ("number", "colour")])
def test_the_monitor_says_what_it_cannot_see(task: Any, names: tuple[str, ...], models: Any, tmp_path: Path) -> None:
    trained = hiding(models(task), **{name: HIDING[name] for name in names})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("test_monitor.client", lambda own, folder: client(own, folder, {"LOG_KEY": SECRET}))
        answered(trained, traffic(), tmp_path)
    found = watched(trained, tmp_path, tmp_path / "build")
    (said,) = [one for one in found.warnings if "data.features: log" in one]
    assert f"does not show {', '.join(names)} " in said or f"does not show {', '.join(reversed(names))} " in said
    assert ("the errors are estimated without them" in said) == (task == "regression")
    assert not any("another schema" in one for one in found.warnings)
    assert found.log.unreadable == 0
    assert not {window.column for window in found.windows} & set(names)
    kinds = {window.kind for window in found.windows if not window.reference}
    assert {"estimated", "realised", "drift", "output"} <= kinds


def test_training_hides_what_the_log_hides_and_warns(models: Any, tmp_path: Path) -> None:
    trained = hiding(models("regression"), number=False)
    pipeline(trained.settings, tmp_path)
    model = directory.load(tmp_path / "model")
    assert model.metadata["log"] == {"number": False}
    assert "number" not in pd.read_parquet(tmp_path / "model/reference.parquet")
    assert record.decision(tmp_path / "decision.json").evaluation.hidden == ("number",)
    assert "The log will not show number" in (tmp_path / "report.md").read_text()
    plain = (models("regression").build / "decision.json").read_text()
    assert '"hidden"' not in plain  # older code refuses the key
    assert hidden.hidden(model, models("regression").settings.data.features) == {"number": False}


# Erasing a person.


def keyed_rows(trained: Trained, key: str = "order") -> Trained:
    document = copy.deepcopy(trained.document)
    document["data"]["key"] = [key]
    return trained.but(document=document, settings=settings(document))


@pytest.fixture
def people(binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trained:
    """A log of three requests about persons 7, 71 and "7 x", with labels, in the present folder."""
    build = binary.copy(tmp_path)
    with_a_key(build)
    monkeypatch.chdir(tmp_path)
    trained = keyed_rows(binary).but(build=build)
    service = client(trained, Path("predictions"))
    for name, persons in (("one", [7, 71]), ("two", ["7 x", "7"]), ("three", [71, None])):
        sent = [{**row, "order": person} for row, person in zip(ROWS, persons, strict=True)]
        service.post(URL, json={"jsonData": sent}, headers={"Seldon-Puid": name})
        feedback = {"response": {"meta": {"puid": name}}, "truth": {"jsonData": ["yes", "no"]}}
        assert service.post("/send-feedback", json=feedback).status_code == 200
    service.service.close()
    (tmp_path / ".git").mkdir()
    return trained


def left(folder: Path = Path("predictions")) -> tuple[list[tuple[str, Any]], list[tuple[str, int]]]:
    """Whom the log names, by request, and the labels."""
    answers, labels = [], []
    for path in sorted(folder.rglob("*.jsonl*")):
        for line in blank.read(path):
            if line.strip():
                row = json.loads(line)
                if "label" in row:
                    labels.append((row["request"], row["row"]))
                else:
                    answers.append((row["request"], row["context"].get("order")))
    return sorted(answers, key=str), sorted(labels)


REST = (
    [("one", 71), ("three", 71), ("three", None), ("two", "7 x")],
    [("one", 1), ("three", 0), ("three", 1), ("two", 0)],
)


def test_a_persons_rows_and_labels_go_and_no_others(people: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = {path: path.stat().st_size for path in Path("predictions").rglob("*.jsonl")}
    before = left()
    told = erase.run(people.settings, "order=7", ["predictions"], None, apply=False)
    assert told.startswith("would remove 2 rows and 2 labels in 2 files")
    assert left() == before
    assert not ERASED.exists()
    assert erase.run(people.settings, "order=7", ["predictions"], None, apply=True) == (
        "removed 2 rows and 2 labels in 2 files; data/erased.jsonl now names the person by a hash: "
        "commit it, and train again"
    )
    assert left() == REST
    assert sizes == {path: path.stat().st_size for path in Path("predictions").rglob("*.jsonl")}
    copies = capsys.readouterr().out
    for place in ("object store", "snapshots and backups", "git history", "images, MLflow", "train again"):
        assert place in copies
    again = erase.run(people.settings, "order=7", ["predictions"], None, apply=True)
    assert again.startswith("removed 0 rows and 0 labels in 0 files; data/erased.jsonl already named")
    assert len(ERASED.read_text().splitlines()) == 1
    assert "7" not in json.loads(ERASED.read_text()).values()


def test_what_is_blank_is_no_torn_line_to_the_monitor(people: Trained) -> None:
    erase.run(people.settings, "order=7", ["predictions"], None, apply=True)
    from lifecycle.monitoring import reader

    model, now = directory.load(people.build / "model"), datetime.now(UTC)
    with reader.connect(Path.cwd()) as connection:
        found = reader.load(connection, ["predictions"], model, now.replace(year=2000), now, False)
        told = reader.labels(connection, ["predictions"], None, model, now.replace(year=2000))
    assert (found.rows, found.unreadable, found.damaged) == (4, 0, 0)
    assert (told.odd, told.damaged) == (0, 0)


@pytest.mark.parametrize(
    ("key", "rows", "labels"),
    [
        ("order='7 x'", 1, 1),
        ("request=one", 2, 2),
        ("request=one order=71", 1, 1),
        ("order=71 colour=blue", 1, 1),
        ("colour=red", 3, 3),
        ("number=0.5", 3, 3),
        ("order=700", 0, 0),
    ],
)
def test_a_key_is_columns_with_their_values(key: str, rows: int, labels: int, people: Trained) -> None:
    told = erase.run(people.settings, key, ["predictions"], None, apply=False)
    assert told.startswith(f"would remove {rows} rows and {labels} labels")


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("", "name a column and its value"),
        ("7", "name a column and its value"),
        ("order=", "name a column and its value"),
        ("size=7", "KEY names size, which the log does not have; it has request, order"),
        ("order='7", "a quote does not end"),
    ],
)
def test_a_key_that_is_none_removes_nothing(key: str, told: str, people: Trained) -> None:
    with pytest.raises(InputError, match=told):
        erase.run(people.settings, key, ["predictions"], None, apply=True)


def test_packed_files_labels_of_ones_own_and_torn_lines_are_searched_too(people: Trained) -> None:
    (path,) = Path("predictions").glob("version=*/hour=*/*.jsonl")
    content = path.read_bytes()
    path.with_suffix(".jsonl.gz").write_bytes(gzip.compress(content))
    path.write_bytes(content.splitlines(keepends=True)[0][:-40])  # person 7, torn
    assert blank.file(path, lambda _: True) == 0  # its end may just be on its way
    os.utime(path, (0, 0))
    Path("own").mkdir()
    Path("own/a.jsonl").write_text(
        '{"request": "one", "row": 0, "label": "no"}\n{"request": "x", "row": 0, "label": "no"}\n'
    )
    erase.run(people.settings, "order=7", ["predictions"], "own", apply=True)
    assert left()[0] == REST[0]
    assert path.read_bytes().strip() == b""
    assert Path("own/a.jsonl").read_text().split("\n", 1)[1] == '{"request": "x", "row": 0, "label": "no"}\n'


def test_a_store_is_searched_and_written_again(people: Trained, bucket: str) -> None:
    import fsspec

    system = fsspec.filesystem("s3")
    for path in Path("predictions").rglob("*.jsonl"):
        name = f"bucket/p/{path.relative_to('predictions')}"
        system.pipe_file(name + ".gz", gzip.compress(path.read_bytes()))
    told = erase.run(people.settings, "order=7", [f"{bucket}/p"], None, apply=True)
    assert told.startswith("removed 2 rows and 2 labels in 2 files")
    for name in system.find("bucket/p"):
        local = Path("copy") / name
        local.parent.mkdir(parents=True)
        local.write_bytes(system.cat_file(name))
    assert left(Path("copy")) == REST


def test_hashed_values_are_found_by_what_they_were(people: Trained) -> None:
    own = hiding(people, colour="hash")
    service = client(own, Path("hashed"), {"LOG_KEY": SECRET})
    service.post(URL, json={"jsonData": ROWS})
    told = erase.run(own.settings, "colour=red", ["hashed"], None, apply=False)
    assert told.startswith("would remove 1 rows")


def test_a_service_may_write_on_and_a_shipper_read_on(people: Trained) -> None:
    service = client(people, Path("predictions"))
    service.post(URL, json={"jsonData": [{**ROWS[0], "order": 7}]})
    erase.run(people.settings, "order=7", ["predictions"], None, apply=True)
    assert service.post(URL, json={"jsonData": [{**ROWS[0], "order": 8}]}).status_code == 200
    assert "model_log_failures_total 0.0" in service.get("/metrics").text
    assert [person for _, person in left()[0] if person in (7, 8)] == [8]


KILLED = """
import os, signal, sys
from pathlib import Path
from lifecycle import config
from lifecycle.privacy import blank, erase

count, write = 0, os.pwrite

def pwrite(*given):
    global count
    if count == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    count += 1
    return write(*given)

os.pwrite, blank.STEP = pwrite, 40
print(erase.run(config.load(Path(sys.argv[1])), "order=7", ["predictions"], None, True))
"""


def test_it_can_be_killed_at_any_write_and_run_again(people: Trained) -> None:
    Path("config.yaml").write_text(yaml.safe_dump(people.document))
    saved = {path: path.read_bytes() for path in Path("predictions").rglob("*.jsonl")}
    place = 0
    while True:
        for path, content in saved.items():
            path.write_bytes(content)
        command_line = [sys.executable, "-c", KILLED, "config.yaml", str(place)]
        done = subprocess.run(command_line, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        erase.run(people.settings, "order=7", ["predictions"], None, apply=True)
        assert left() == REST, place
        place += 1
    assert place > 14


@pytest.fixture
def table(binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Trained]:
    """A table whose rows have a person, in a repository with an empty list."""
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()

    def make(values: Any) -> Trained:
        frame = rows()
        frame["order"] = values(frame)
        document = copy.deepcopy(binary.document)
        document["data"] |= {"path": "data/a.parquet", "sha256": save(frame, Path("data/a.parquet")), "key": ["order"]}
        return binary.but(document=document, settings=settings(document))

    return make


@pytest.mark.parametrize("kind", ["int64", "float64", "str", "category"])
def test_a_later_table_has_no_row_of_the_person(kind: str, table: Callable[[Any], Trained]) -> None:
    trained = table(lambda frame: pd.Series(range(len(frame)), dtype="int64").floordiv(4).astype(kind))
    data.run(trained.settings, Path("build"))
    before, contract = pd.read_parquet("build/data/train.parquet"), data.contract(trained.settings)
    assert (before["order"].astype(float) == 7).sum() == 4
    erased.add({"order": "7"})
    erased.add({"order": "nobody"})
    assert data.contract(trained.settings) != contract  # what was made before is out of date
    Path("config.yaml").write_text(yaml.safe_dump(trained.document))
    seen = fresh.inputs(fresh.STEPS["data"], Path("config.yaml"), Path("build"), (), None)
    assert files.hashed(ERASED) in seen.values()
    data.run(trained.settings, Path("build"))
    after = pd.read_parquet("build/data/train.parquet")
    assert len(after) == len(before) - 4
    assert not (after["order"].astype(float) == 7).any()


def test_a_list_without_its_key_or_damaged_stops_the_step(
    table: Callable[[Any], Trained], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = table(lambda frame: range(len(frame)))
    erased.add({"order": "7"})
    monkeypatch.delenv(erased.KEY)
    with pytest.raises(InputError, match=r"list data/erased.jsonl needs a secret key, .* ERASED_KEY is not set"):
        data.run(trained.settings, Path("build"))
    monkeypatch.setenv(erased.KEY, SECRET)
    ERASED.write_text("7\n")
    with pytest.raises(InputError, match=r"data/erased.jsonl is damaged"):
        data.run(trained.settings, Path("build"))


def test_the_verb_counts_and_then_removes(people: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    Path("config.yaml").write_text(yaml.safe_dump(people.document))
    assert command.main(["erase", "--key", "order=7"]) == 0
    assert "would remove 2 rows" in capsys.readouterr().out
    assert command.main(["erase", "--key", "order=7", "--apply"]) == 0
    assert left() == REST
