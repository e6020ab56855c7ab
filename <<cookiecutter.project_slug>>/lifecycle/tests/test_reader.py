import contextlib
import gzip
import importlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import fsspec
import orjson
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tiny import ROOT, Trained

from lifecycle import InputError
from lifecycle.artifact import directory, golden
from lifecycle.artifact.predictor import Predictor
from lifecycle.artifact.requests import RequestError
from lifecycle.monitoring import lines as jsonl
from lifecycle.monitoring import reader, windows
from lifecycle.rows import memory
from lifecycle.serving import log

NOW = datetime(2020, 3, 1, 12, 30, tzinfo=UTC)
COLUMNS: dict[str, list[Any]] = {
    "number": [0.5, None, 1],
    "colour": ["red", "blue", ""],
    "moment": ["2020-02-29T10:00:00+02:00", "2020-02-29T10:00:00+00:00", None],
}


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    (tmp_path / "database").mkdir()
    with reader.connect(tmp_path / "database") as made:
        yield made


@pytest.fixture
def model(trained: Trained) -> directory.Model:
    return directory.load(trained.build / "model")


@pytest.fixture
def binary_model(binary: Trained) -> directory.Model:
    return directory.load(binary.build / "model")


def answers(model: directory.Model) -> list[bytes]:
    """Three rows of the last class, or the values 0.5, 1.5 and 2.5, as JSON."""
    if not model.classes:
        return [orjson.dumps({"prediction": row + 0.5}) for row in range(3)]
    shares = {name: (0.75 if name == model.classes[-1] else 0.25 / (len(model.classes) - 1)) for name in model.classes}
    return [orjson.dumps({"prediction": model.classes[-1], "probabilities": shares})] * 3


def lines(model: directory.Model, request: str, now: datetime = NOW) -> bytes:
    return log.lines(request, model, COLUMNS, answers(model), now, 10_000)


def logged(model: directory.Model, folder: Path, *requests: str, now: datetime = NOW) -> None:
    own = log.predictions(folder, model, 10_000)
    for request in requests:
        own.append(lines(model, request, now), now)
    own.close()


def load(connection: duckdb.DuckDBPyConnection, model: directory.Model, *places: Any) -> reader.Counts:
    return reader.load(connection, list(map(str, places)), model, NOW - timedelta(days=30), NOW, trusted=True)


def rows(connection: duckdb.DuckDBPyConnection, model: directory.Model) -> pd.DataFrame:
    """Every row that was loaded, as one window of three."""
    windows.cut(connection, "answered", 3, 1000)
    return reader.rows(connection, model)


def test_what_the_service_wrote_is_read(
    connection: duckdb.DuckDBPyConnection, model: directory.Model, tmp_path: Path
) -> None:
    logged(model, tmp_path, "a")
    assert load(connection, model, tmp_path) == reader.Counts(rows=3)
    reader.labels(connection, [], None, model, NOW)
    found = rows(connection, model)
    assert found["colour"].tolist() == ["red", "blue", ""]
    assert found["number"].fillna(-1).tolist() == [0.5, -1.0, 1.0]
    assert [moment.isoformat() for moment in found["time"]] == [
        "2020-02-29T08:00:00+00:00",
        "2020-02-29T10:00:00+00:00",
        "2020-03-01T12:30:00+00:00",
    ]
    expected = {"binary_classification": [1, 1, 1], "multiclass_classification": ["high"] * 3}
    assert found["prediction"].tolist() == expected.get(model.task, [0.5, 1.5, 2.5])
    assert [name for name in found if name.startswith("probability_")] == [f"probability_{c}" for c in model.classes]
    assert found["label"].isna().all()


DAYS = st.sampled_from(["%Y-%m-%d", "%Y%m%d", "%G-W%V-%u", "%GW%V%u", "%G-W%V", "%d.%m.%Y"])
HOURS = st.sampled_from(
    ["", "T%H", " %H:%M", "t%H:%M:%S", "T%H%M%S", "T%H:%M:%S.%f", "T%H:%M:%S,%f", "_%H%M%S.%f", "T24:00"]
)
ZONES = st.sampled_from(["", "Z", "z", "+02", "-0930", "+05:45", "-00:00", "+01:00:30", "+010030.5", "+23:59", " UTC"])
TIMES = st.builds(
    lambda moment, day, hour, zone: moment.strftime(day + hour) + zone, st.datetimes(), DAYS, HOURS, ZONES
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(TIMES | st.text(max_size=20) | st.from_regex(r"\d{4}-\d\d-\d\d(T\d\d(:\d\d)?)?"), max_size=40))
@example(
    texts=["2026-W48-5", "20261127T101112", "2026-11-27T10:11:12,5", "2026-11-27T10", "2026-11-27", "2026-11-27T10+02"]
)
@example(texts=["0001-01-01", "0001-01-01T00:00+01:00", "9999-12-31T23:59:59.999999", "9999-12-31T23:59-01:00"])
def test_any_time_is_refused_by_the_service_or_read_by_the_monitor_as_the_same_moment(
    texts: list[str], connection: duckdb.DuckDBPyConnection, binary: Trained
) -> None:
    predictor, taken = Predictor(binary.build / "model"), []
    for text in texts:
        with contextlib.suppress(RequestError):
            predictor.inputs({"number": [1], "colour": ["red"], "moment": [text]})
            taken.append(text)
    columns: dict[str, list[Any]] = {"number": [1] * len(taken), "colour": ["red"] * len(taken), "moment": taken}
    with tempfile.TemporaryDirectory() as folder:
        own = log.predictions(Path(folder), predictor.model, 10**9)
        own.append(log.lines("a", predictor.model, columns, answers(predictor.model)[:1] * len(taken), NOW, 10**6), NOW)
        own.close()
        counts = load(connection, predictor.model, folder)
    found = connection.execute("select time from answered order by row").df()["time"]
    moments = [datetime.fromisoformat(text) for text in taken]
    moments = [moment if moment.tzinfo else moment.replace(tzinfo=UTC) for moment in moments]
    late = [moment > NOW + reader.SKEW for moment in moments]  # no row is later than its answer
    assert counts == reader.Counts(rows=len(taken), ahead=sum(late))
    moments = [NOW if ahead else moment for moment, ahead in zip(moments, late, strict=True)]
    assert [moment.to_pydatetime() for moment in found] == moments


def test_a_torn_line_is_counted_and_a_row_that_stands_twice_counts_once(
    connection: duckdb.DuckDBPyConnection, binary_model: directory.Model, tmp_path: Path
) -> None:
    logged(binary_model, tmp_path, "a", "a", "b")
    (path,) = tmp_path.glob("version=*/hour=*/*.jsonl")
    path.write_bytes(path.read_bytes() + lines(binary_model, "c")[:40])
    assert load(connection, binary_model, tmp_path) == reader.Counts(rows=6, unreadable=1, repeated=3)


def test_a_reused_identity_keeps_its_rows_and_labels_only_the_first(
    connection: duckdb.DuckDBPyConnection, binary_model: directory.Model, tmp_path: Path
) -> None:
    for minute in range(3):
        logged(binary_model, tmp_path, "constant", now=NOW - timedelta(minutes=minute))
    logged(binary_model, tmp_path, "constant", now=NOW)
    assert load(connection, binary_model, tmp_path) == reader.Counts(rows=9, repeated=3, reused=6)
    feedback = log.labels(tmp_path, 1000)
    feedback.append(log.truths("constant", ["no", "yes", "no"], NOW), NOW)
    feedback.close()
    reader.labels(connection, [str(tmp_path)], None, binary_model, NOW - timedelta(days=30))
    windows.cut(connection, "answered", 9, 1000)
    assert len(reader.rows(connection, binary_model)["label"].dropna()) == 3


def test_windows_go_by_the_servers_time_unless_the_callers_is_trusted_and_not_later(
    connection: duckdb.DuckDBPyConnection, binary_model: directory.Model, tmp_path: Path
) -> None:
    """Rows that are dated far ahead would never leave the last windows."""
    columns = {**COLUMNS, "moment": ["2020-02-29T10:00:00Z", "9998-01-01", "2020-03-01T12:40:00Z"]}
    own = log.predictions(tmp_path, binary_model, 10_000)
    own.append(log.lines("a", binary_model, columns, answers(binary_model), NOW, 10_000), NOW)
    own.close()

    def times(trusted: bool) -> tuple[list[str], int]:
        found = reader.load(connection, [str(tmp_path)], binary_model, NOW - timedelta(days=30), NOW, trusted)
        chosen = connection.execute("select time from answered order by row").df()["time"]
        return [f"{moment:%Y-%m-%dT%H:%M}" for moment in chosen], found.ahead

    assert times(trusted=False) == (["2020-03-01T12:30"] * 3, 0)
    assert times(trusted=True) == (["2020-02-29T10:00", "2020-03-01T12:30", "2020-03-01T12:40"], 1)


def test_feedback_of_a_former_class_is_set_aside(
    connection: duckdb.DuckDBPyConnection, binary_model: directory.Model, tmp_path: Path
) -> None:
    feedback = log.labels(tmp_path, 1000)
    feedback.append(log.truths("a", ["former", "yes", 7], NOW), NOW)
    feedback.close()
    found = reader.labels(connection, [str(tmp_path)], None, binary_model, NOW)
    assert (told(connection), found) == ([("a", 1, "yes")], reader.LabelCounts(3, 2, 0))


@pytest.mark.parametrize("share", [1.7, -0.1, float("nan"), None, 0.999])
def test_an_answer_that_the_model_cannot_give_is_set_aside(
    share: float | None, connection: duckdb.DuckDBPyConnection, binary_model: directory.Model, tmp_path: Path
) -> None:
    """A probability outside 0 to 1, probabilities that sum to more, or a class that training never saw."""
    logged(binary_model, tmp_path, "a", "b")
    (path,) = tmp_path.glob("version=*/hour=*/*.jsonl")
    first, second, *rest = (json.loads(line) for line in path.read_text().splitlines())
    first["answer"]["probabilities"]["yes"] = share
    second["answer"]["prediction"] = "former"
    path.write_text("".join(json.dumps(line).replace("NaN", '"nan"') + "\n" for line in [first, second, *rest]))
    assert load(connection, binary_model, tmp_path) == reader.Counts(rows=4, impossible=2)


def test_the_smoke_test_does_not_count(
    connection: duckdb.DuckDBPyConnection, binary_model: directory.Model, tmp_path: Path
) -> None:
    """Else a service that nobody else asks would never be found."""
    logged(binary_model, tmp_path, f"{golden.REQUEST}1583064000000000000")
    assert load(connection, binary_model, tmp_path) == reader.Counts(rows=0)
    logged(binary_model, tmp_path, "a")
    assert load(connection, binary_model, tmp_path) == reader.Counts(rows=3)


@pytest.mark.parametrize("line", ["[]", "{}", "nonsense", '{"request": "a", "row": "b"}', '"text"', "null"])
def test_a_foreign_line_is_counted(
    line: str, connection: duckdb.DuckDBPyConnection, binary_model: directory.Model, tmp_path: Path
) -> None:
    logged(binary_model, tmp_path, "a")
    (path,) = tmp_path.glob("version=*/hour=*/*.jsonl")
    path.write_text(f"{line}\n{path.read_text()}")
    found = load(connection, binary_model, tmp_path)
    assert (found.rows, found.unreadable) == (3, 1)


def test_a_line_without_end_takes_no_other_with_it(
    connection: duckdb.DuckDBPyConnection, binary_model: directory.Model, tmp_path: Path
) -> None:
    logged(binary_model, tmp_path, "a")
    (path,) = tmp_path.glob("version=*/hour=*/*.jsonl")
    first, *rest = path.read_bytes().splitlines(keepends=True)
    endless = b'{"request": "' + b"x" * (jsonl.LONGEST + 1_000_000) + b'"}\n'
    path.write_bytes(b"".join([first, endless, *rest]))
    found = load(connection, binary_model, tmp_path)
    assert (found.rows, found.unreadable, found.damaged) == (3, 1, 0)


def test_only_the_partitions_of_the_version_and_of_the_hours_asked_for_are_opened(
    connection: duckdb.DuckDBPyConnection, binary_model: directory.Model, tmp_path: Path
) -> None:
    logged(binary_model, tmp_path, "new")
    logged(binary_model, tmp_path, "old", now=NOW - timedelta(days=31))
    own = tmp_path / f"version={binary_model.version}"
    other = tmp_path / "version=2019.01.01-ccccccc" / "hour=2020-03-01T12"
    other.mkdir(parents=True)
    for path in (other / "x.jsonl.gz", own / "hour=2020-01-30T12" / "x.jsonl.gz"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"cannot be unpacked")
    found = load(connection, binary_model, tmp_path)
    assert found == reader.Counts(rows=3, versions=("2019.01.01-ccccccc",))
    (own / "hour=2020-03-01T11").mkdir()
    (own / "hour=2020-03-01T11" / "x.jsonl.gz").write_bytes(b"cannot be unpacked")
    assert load(connection, binary_model, tmp_path).damaged == 1


def test_what_cannot_be_read_is_set_aside_and_counted(
    connection: duckdb.DuckDBPyConnection, binary_model: directory.Model, tmp_path: Path
) -> None:
    """An endless line, a torn archive, a vanished file and a folder instead of one; the rows around them count."""
    logged(binary_model, tmp_path, "a")
    (path,) = tmp_path.glob("version=*/hour=*/*.jsonl")
    endless = b'{"request": "' + b"x" * 20_000_000 + b'"}\n'
    path.write_bytes(endless + path.read_bytes() + lines(binary_model, "b") + endless + b"{")
    assert load(connection, binary_model, tmp_path) == reader.Counts(rows=6, unreadable=3)
    packed = gzip.compress(lines(binary_model, "c") + lines(binary_model, "d") * 10_000)
    path.with_name("torn.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    path.with_name("gone.jsonl").symlink_to(tmp_path / "nowhere")
    path.with_name("folder.jsonl").mkdir()
    (tmp_path / "labels" / "hour=2020-03-01T12").mkdir(parents=True)
    (tmp_path / "labels" / "hour=2020-03-01T12" / "x.jsonl.gz").write_bytes(b"cannot be unpacked")
    found = load(connection, binary_model, tmp_path)
    assert (found.rows, found.damaged) == (12, 3)
    reader.labels(connection, [str(tmp_path)], None, binary_model, NOW - timedelta(days=30))
    assert told(connection) == []


def test_an_empty_or_absent_folder_holds_nothing(
    connection: duckdb.DuckDBPyConnection, model: directory.Model, tmp_path: Path
) -> None:
    assert load(connection, model, tmp_path / "absent") == reader.Counts(rows=0)
    reader.labels(connection, [], None, model, NOW)
    assert rows(connection, model).empty


def test_a_store_that_cannot_be_reached_is_told_in_one_sentence(
    connection: duckdb.DuckDBPyConnection, binary_model: directory.Model
) -> None:
    with pytest.raises(InputError, match="^nowhere://x cannot be read .*; correct it, or its credentials.$"):
        load(connection, binary_model, "nowhere://x")


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """A bucket of an object store on loopback."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{port}")
        fsspec.filesystem("s3").makedirs("bucket", exist_ok=True)  # moto keeps one state in a process
        yield "s3://bucket/my-model"
    server.stop()


def test_shipped_files_and_those_still_here_are_read_together(
    store: str, connection: duckdb.DuckDBPyConnection, binary_model: directory.Model, tmp_path: Path
) -> None:
    logged(binary_model, tmp_path, "here", "both")
    shipped = f"{store}/version={binary_model.version}/hour=2020-03-01T11/1583060400-uuid.jsonl.gz"
    content = lines(binary_model, "shipped") + lines(binary_model, "both")
    with fsspec.open(shipped, "wb") as file:
        file.write(gzip.compress(content))
    with fsspec.open(f"{store}/labels/hour=2020-03-01T11/1.jsonl", "wb") as file:
        file.write(log.truths("shipped", ["no", "yes", "yes"], NOW))
    found = load(connection, binary_model, tmp_path, store)
    assert found == reader.Counts(rows=9, repeated=3)
    reader.labels(connection, [str(tmp_path), store], None, binary_model, NOW - timedelta(days=30))
    assert sorted(rows(connection, binary_model)["label"].dropna().tolist()) == [0, 1, 1]


def test_a_bucket_that_is_not_there_is_told(
    store: str, connection: duckdb.DuckDBPyConnection, binary_model: directory.Model
) -> None:
    with pytest.raises(InputError, match="s3://another/x cannot be read"):
        load(connection, binary_model, "s3://another/x")


def test_a_file_that_the_store_does_not_give_is_told_without_a_traceback(
    store: str, connection: duckdb.DuckDBPyConnection, binary_model: directory.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as one that may be listed and not read, or that was deleted in between."""

    def refuse(*_: Any) -> bytes:
        raise PermissionError("Access Denied")

    monkeypatch.setattr("s3fs.core.S3File._fetch_range", refuse)
    with fsspec.open(f"{store}/own/version={binary_model.version}/hour=2020-03-01T11/kept.jsonl", "wb") as file:
        file.write(lines(binary_model, "kept"))
    with pytest.raises(InputError) as caught:
        load(connection, binary_model, f"{store}/own")
    assert str(caught.value) == (
        "The log cannot be read (PermissionError: Access Denied); restore or remove the file, or permit reading it."
    )
    with fsspec.open(f"{store}/own/version={binary_model.version}/hour=2020-03-01T11/other.jsonl", "wb") as file:
        file.write(lines(binary_model, "other"))
    monkeypatch.undo()
    fetch = importlib.import_module("s3fs.core").S3File._fetch_range
    monkeypatch.setattr(
        "s3fs.core.S3File._fetch_range", lambda file, *at: refuse() if "kept" in file.path else fetch(file, *at)
    )
    found = load(connection, binary_model, f"{store}/own")
    assert (found.rows, found.damaged) == (3, 1)  # one of two is set aside
    monkeypatch.undo()
    fsspec.filesystem("s3").rm(f"{store}/own/version={binary_model.version}/hour=2020-03-01T11/other.jsonl")
    find = reader.find
    monkeypatch.setattr(reader, "find", lambda *given: [path.replace("kept", "gone") for path in find(*given)])
    assert load(connection, binary_model, f"{store}/own").damaged == 1


FULL = """
import resource, sys
from pathlib import Path
from lifecycle import failures
from lifecycle.monitoring import reader
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
folder = Path(sys.argv[1])
with failures.told("monitor", folder), reader.connect(folder) as connection:
    connection.execute("create table a as select range as i, md5(range::varchar) as t from range(1_000_000)")
"""


def test_a_disk_that_is_full_is_told_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    command = [sys.executable, "-c", FULL, str(tmp_path / "work")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr.startswith(f"monitor: The monitor cannot work in {tmp_path} (IO Error: Could not write file")
    assert done.stderr.endswith("make room on that disk, set TMPDIR to another one, or shorten monitor.days.\n")
    assert "Traceback" not in done.stderr


def test_more_rows_than_fit_into_memory_are_told_before_they_are_read(
    connection: duckdb.DuckDBPyConnection,
    binary_model: directory.Model,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logged(binary_model, tmp_path, "a")
    load(connection, binary_model, tmp_path)
    reader.labels(connection, [], None, binary_model, NOW)
    monkeypatch.setattr("lifecycle.rows.memory.available", lambda: 100)
    needed = 3 * (len(binary_model.columns) + 4) * reader.CELL
    with pytest.raises(
        InputError, match=f"needs about {memory.size(needed)} of memory for 3 rows, and 100 bytes are left"
    ):
        rows(connection, binary_model)
    monkeypatch.setattr("lifecycle.rows.memory.available", lambda: needed)
    assert len(rows(connection, binary_model)) == 3


def told(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, int, str]]:
    found: list[tuple[str, int, str]] = connection.execute("select * from labels order by request, row").fetchall()
    return found


def write(folder: Path, name: str, *labels: tuple[str, int, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps({"request": r, "row": n, "label": label}) + "\n" for r, n, label in labels)
    (folder / name).write_text(text)


def test_the_last_word_on_a_label_counts(
    connection: duckdb.DuckDBPyConnection, binary_model: directory.Model, tmp_path: Path
) -> None:
    feedback, own = log.labels(tmp_path / "log", 1000), tmp_path / "own"
    for label, later in (("no", 0), ("yes", 5)):
        moment = NOW + timedelta(minutes=later)
        feedback.append(log.truths("a", [label, label], moment), moment)
    feedback.close()
    write(own, "1.jsonl", ("007", 0, "yes"), ("a", 1, "yes"))
    write(own, "2.jsonl", ("007", 0, "yes"), ("007", 0, "no"), ("a", 1, "no"))
    reader.labels(connection, [str(tmp_path / "log")], str(own), binary_model, NOW)
    assert told(connection) == [("007", 0, "no"), ("a", 0, "yes"), ("a", 1, "no")]


def test_a_label_may_say_when_it_was_logged_in_any_notation(
    connection: duckdb.DuckDBPyConnection, binary_model: directory.Model, tmp_path: Path
) -> None:
    (tmp_path / "1.jsonl").write_text('{"request": "a", "row": 0, "label": "yes", "logged": "Friday"}')
    reader.labels(connection, [], str(tmp_path), binary_model, NOW)
    assert told(connection) == [("a", 0, "yes")]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"request": "a", "row": 0}', "have 1 lines that are not JSON objects with request, row and label"),
        ("not json", "have 1 lines that are not JSON objects"),
        ('{"request": "a", "row": 0, "label": "maybe"}', "hold maybe, but each must be one of no, yes; correct them"),
        (None, "holds no"),
    ],
)
def test_labels_that_cannot_be_read_are_refused(
    text: str | None,
    sentence: str,
    connection: duckdb.DuckDBPyConnection,
    binary_model: directory.Model,
    tmp_path: Path,
) -> None:
    if text is not None:
        (tmp_path / "one.jsonl").write_text(text + "\n")
    with pytest.raises(InputError, match=sentence):
        reader.labels(connection, [], str(tmp_path), binary_model, NOW)


def test_labels_of_a_regression_are_numbers(connection: duckdb.DuckDBPyConnection, models: Any, tmp_path: Path) -> None:
    model = directory.load(models("regression").build / "model")
    write(tmp_path / "good", "1.jsonl", ("a", 0, 1.5), ("a", 1, -2))
    reader.labels(connection, [], str(tmp_path / "good"), model, NOW)
    assert [float(label) for _, _, label in told(connection)] == [1.5, -2.0]
    write(tmp_path / "bad", "1.jsonl", ("a", 0, "much"))
    with pytest.raises(InputError, match="hold much, but each must be a number"):
        reader.labels(connection, [], str(tmp_path / "bad"), model, NOW)


def test_names_of_columns_and_classes_are_only_names() -> None:
    assert jsonl.quoted('a"; drop table log; --') == '"a""; drop table log; --"'
