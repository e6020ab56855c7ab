import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from conftest import Git
from tiny import LOCK, Trained, rows

from lifecycle import __main__ as command
from lifecycle import failures, files
from lifecycle.artifact import frames

BINARY = bytes(range(256))
DEEP = b"[" * 100_000
SHAP = b'[{"feature": "number", "values": %b, "effects": %b}]'


def refused(verb: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What a verb that must fail says: one sentence, for a mistake that a person can mend."""
    capsys.readouterr()
    code = command.main(verb.split())
    told = capsys.readouterr().err
    assert code == 1, told
    assert told.startswith(f"{verb.split()[0]}: ")
    assert told.endswith(".\n")
    assert told.count("\n") == 1
    assert not Path("build/error.log").exists()
    return told


@pytest.fixture
def house(binary: Trained, repository: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """A repository in which every step was done; returns its configuration, to be changed and written."""
    shutil.copytree(binary.build, "build")
    for name in ("data", "predictions"):
        Path(name).mkdir()
    shutil.copy(binary.folder / "tiny.parquet", "data/tiny.parquet")
    Path("config.yaml").write_text(yaml.safe_dump(binary.document))
    monkeypatch.setattr(command, "LOCKS", (LOCK,))
    return binary.document


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(), "The system refuses: OSError; look for the disk, memory or network that it names."),
        (OSError(28, "No space left"), "The system refuses: No space left; look for the disk, memory or network that"),
        (OSError("odd\nwords"), "The system refuses: odd words; look for"),
        (PermissionError(13, "Permission denied", "build"), "build: Permission denied; free it or make it accessible."),
        (IsADirectoryError(21, "Is a directory", ".x.part", None, "x"), "x: Is a directory; free it"),
    ],
)
def test_what_the_system_refuses_is_a_sentence(
    error: OSError, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with failures.told("gate", tmp_path) as outcome:
        raise error
    assert outcome.code == 1
    assert capsys.readouterr().err.startswith(f"gate: {sentence}")


def test_an_unexpected_error_says_so_and_where_the_traceback_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with failures.told("gate", tmp_path / "build") as outcome:
        raise ZeroDivisionError("by\nzero")
    assert outcome.code == 70
    told = capsys.readouterr().err
    assert told.startswith("gate: An unexpected error, ZeroDivisionError: by zero; the traceback is in ")
    assert told.count("\n") == 1
    assert "Traceback" in (tmp_path / "build/error.log").read_text()


def test_an_unexpected_error_is_told_where_no_log_can_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "build").write_text("a file")
    with failures.told("gate", tmp_path / "build") as outcome:
        raise ZeroDivisionError
    assert outcome.code == 70
    assert "report it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "config.yaml is empty or holds no keys"),
        (b"- a\n", "config.yaml is empty or holds no keys"),
        (BINARY, "config.yaml is not valid YAML"),
        ("name: \xe9".encode("latin1"), "config.yaml is not valid YAML"),
        (b"a: 2020-13-45", "config.yaml is not valid YAML: month must be in 1..12"),
        (b"a: " + b"9" * 5000, "config.yaml is not valid YAML: Exceeds the limit"),
        (DEEP[:5000], "config.yaml is not valid YAML: lists and keys are nested more than 50 deep"),
        (b"a: !!python/name:os.system", "config.yaml is not valid YAML"),
        (b"name: x", "config.yaml: task is missing; add it"),
    ],
)
@pytest.mark.parametrize("verb", ["data", "serve"])
def test_a_damaged_configuration_is_named(
    verb: str, content: bytes, sentence: str, house: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("config.yaml").write_bytes(content)
    assert sentence in refused(verb, capsys)


def corrupt(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="snappy", use_dictionary=False)
    content = bytearray(sink.getvalue().to_pybytes())
    content[200:2000] = b"\xff" * 1800
    return bytes(content)


def column(name: str, values: Callable[[int], pa.Array]) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.set_column(table.column_names.index(name), name, values(len(table)))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (corrupt, "cannot be read (ArrowInvalid: Corrupt snappy compressed data"),
        (lambda _: b"", "is not parquet"),
        (lambda _: b"a,b\n1,2\n", "is not parquet"),
        (lambda table: table.append_column("number", table["number"]), "has the column number twice; rename or drop"),
        (
            lambda table: table.append_column("x", table["number"]).append_column("x", table["number"]),
            "the column x twice",
        ),
        (
            column("number", lambda n: pa.array([[1.0]] * n)),
            "holds list<element: double>, but data.features says number",
        ),
        (column("outcome", lambda n: pa.array([{"a": 1}] * n)), "The target outcome of data/tiny.parquet holds object"),
        (
            column("outcome", lambda n: pa.array([float("inf")] * n)),
            "outcome of data/tiny.parquet is infinite in 4000 rows",
        ),
        (column("colour", lambda n: pa.nulls(n)), "holds null, but data.features says category"),
        (lambda table: table.append_column("k", pa.array([[1]] * len(table))), "which data.key cannot compare"),
    ],
)
def test_a_data_file_of_an_odd_kind_is_named(
    change: Callable[[pa.Table], pa.Table | bytes],
    sentence: str,
    house: dict[str, object],
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = Path("data/tiny.parquet")
    changed = change(pq.read_table(path))
    if isinstance(changed, bytes):
        path.write_bytes(changed)
    else:
        pq.write_table(changed, path)
    key = ["k"] if "data.key" in sentence else []
    section = {**house["data"], "path": str(path), "sha256": files.sha256(path.read_bytes()), "key": key}  # type: ignore[dict-item]
    Path("config.yaml").write_text(yaml.safe_dump({**house, "data": section}))
    assert sentence in refused("data", capsys)


@pytest.mark.parametrize("path", ["", "nope.parquet", "foo://x/y", "memory://nope", "a\0b", "http://127.0.0.1:9/x"])
def test_a_data_file_that_cannot_be_read_is_named(
    path: str, house: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("config.yaml").write_text(yaml.safe_dump({**house, "data": {**house["data"], "path": path}}))  # type: ignore[dict-item]
    assert "cannot be read" in refused("data", capsys)


@pytest.mark.parametrize("index", ["moment", ["moment", "colour"], "number"])
def test_an_index_that_is_saved_in_the_data_file_is_columns(
    index: str | list[str], house: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path("data/tiny.parquet")
    before = Path("build/data/train.parquet").read_bytes()
    rows().set_index(index).to_parquet(path)
    section = {**house["data"], "path": str(path), "sha256": files.sha256(path.read_bytes())}  # type: ignore[dict-item]
    Path("config.yaml").write_text(yaml.safe_dump({**house, "data": section}))
    assert command.main(["data"]) == 0, capsys.readouterr().err
    found, expected = frames.parquet(Path("build/data/train.parquet").read_bytes()), frames.parquet(before)
    assert found.select(expected.column_names).equals(expected)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"a,b\n",
        "bare",
        {b"origin": b"[1]"},
        {b"origin": b"{"},
        {b"other": b"{}"},
    ],
)
def test_prepared_rows_that_are_damaged_or_of_another_program_are_named(
    content: bytes | str | dict[bytes, bytes], house: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("train", "test"):
        path = Path(f"build/data/{name}.parquet")
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            bare = pa.table({"a": [1]})
            pq.write_table(bare if content == "bare" else bare.replace_schema_metadata(content), path)
    assert "build/data/train.parquet is damaged or foreign" in refused("train", capsys)
    assert "build/data/test.parquet is damaged or foreign" in refused("evaluate", capsys)


@pytest.mark.parametrize("content", [b"", BINARY, b"null", b"[1]", DEEP, b'{"schema_version": 1, "evaluation": []}'])
@pytest.mark.parametrize(
    ("name", "verb"),
    [
        ("evaluation.json", "gate"),
        ("draws.json", "gate"),
        ("decision.json", "report"),
        ("reviewed.json", "reproduce"),
        ("change.json", "offer"),
    ],
)
def test_a_damaged_document_is_named(
    name: str, verb: str, content: bytes, house: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("build", name).write_bytes(content)
    assert f"build/{name} is " in refused(verb, capsys)


def test_a_damaged_summary_is_named(
    house: dict[str, object], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("build/monitor").mkdir()
    Path("build/monitor/summary.json").write_text("{")
    assert "build/monitor/summary.json is not valid JSON" in refused("degraded --environment dev", capsys)


def absent(key: str) -> Callable[[bytes], bytes]:
    def without(content: bytes) -> bytes:
        document = yaml.safe_load(content)
        (document if key == "signature" else document["metadata"]).pop(key)
        return yaml.safe_dump(document).encode()

    return without


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("SHA256SUMS", lambda _: b"", "SHA256SUMS is empty"),
        ("SHA256SUMS", lambda _: BINARY, "is damaged: "),
        ("MLmodel", lambda _: BINARY, "its MLmodel has no format"),
        ("MLmodel", lambda _: b"[1]", "its MLmodel has no format"),
        ("MLmodel", absent("signature"), "build/model/MLmodel has no valid signature"),
        ("MLmodel", absent("task"), "build/model/MLmodel lacks task"),
        ("MLmodel", absent("runtime"), "build/model/MLmodel lacks runtime"),
        ("golden.json", lambda _: b"{", "build/model/golden.json is not valid JSON"),
        ("golden.json", lambda _: b"null", "build/model/golden.json has no rows and answers"),
        ("matrix.onnx", lambda _: BINARY, "build/model/matrix.onnx cannot be loaded"),
        ("matrix.json", lambda _: b"[1]", "build/model/matrix.json has no tables of the model's categories"),
        ("matrix.json", lambda content: content.replace(b"colour", b"colors"), "build/model/matrix.json has no tables"),
        ("shap.json", lambda _: b"", "build/model/shap.json is not valid JSON"),
        ("shap.json", lambda _: b'{"a": 1}', "build/model/shap.json is damaged (the document: "),
        ("shap.json", lambda _: b'[{"feature": "number"}]', "build/model/shap.json is damaged (0.values: "),
        ("shap.json", lambda _: SHAP % (b"[1]", b"[]"), "build/model/shap.json is damaged (0: "),
        ("shap.json", lambda _: SHAP % (b"[1]", b"[NaN]"), "build/model/shap.json is damaged (0.effects.0: "),
        ("shap.json", None, "build/model/shap.json does not exist; run `make train` first."),
        ("parity.json", lambda _: b"", "build/model/parity.json is not valid JSON"),
        ("parity.json", lambda _: b"[]", "build/model/parity.json is damaged (the document: "),
        ("parity.json", lambda _: b"{}", "build/model/parity.json is damaged (largest: "),
        ("parity.json", lambda _: b'{"largest": "much"}', "build/model/parity.json is damaged (largest: "),
        ("parity.json", lambda _: b'{"largest": NaN}', "build/model/parity.json is damaged (largest: "),
    ],
)
def test_a_model_directory_that_was_sealed_around_a_damaged_file_is_named(
    name: str,
    change: Callable[[bytes], bytes] | None,
    sentence: str,
    house: dict[str, object],
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = Path("build/model", name)
    if change is None:
        path.unlink()
    else:
        path.write_bytes(change(path.read_bytes()))
    if name != "SHA256SUMS":
        files.seal(Path("build/model"))
    assert sentence in refused("evaluate", capsys)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("reference.parquet", b"", "build/model/reference.parquet is damaged"),
        ("reference.parquet", None, "build/model/reference.parquet lacks colour, label, number, prediction, time"),
        ("categories.json", b"[1]", "build/model/categories.json has no categories by column"),
        ("categories.json", b"{", "build/model/categories.json is not valid JSON"),
    ],
)
def test_the_monitor_names_the_damaged_file_of_a_model(
    name: str, content: bytes | None, sentence: str, house: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    from lifecycle.artifact import directory

    path = Path("build/model", name)
    if content is None:
        pd.DataFrame({"a": [1]}).to_parquet(path)
    else:
        path.write_bytes(content)
    files.seal(Path("build/model"))
    if name == "categories.json":
        with pytest.raises(Exception, match=sentence):
            assert directory.load(Path("build/model")).categories
        return
    assert sentence in refused("monitor", capsys)


def test_a_log_that_is_not_there_is_named(house: dict[str, object], capsys: pytest.CaptureFixture[str]) -> None:
    assert "The folder nosuch is not there; name the log's" in refused("monitor --predictions nosuch", capsys)


def test_a_line_that_is_too_long_for_the_reader_is_told(
    house: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("labels").mkdir()
    Path("labels/one.jsonl").write_text(json.dumps({"request": "x" * 34_000_000}))
    assert "The labels in labels have 1 lines that are not JSON objects" in refused("monitor --labels labels", capsys)


@pytest.mark.parametrize("content", [b"no database at all " * 50, None])
def test_a_damaged_store_of_mlflow_is_named(
    content: bytes | None,
    house: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    path = tmp_path / "store.db"
    monkeypatch.setattr(time, "sleep", lambda _: None)  # MLflow tries for 100 s to open what is no file
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path}")
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    assert f"MLflow at sqlite:///{path} cannot be used" in refused("register", capsys)


@pytest.mark.parametrize("content", [BINARY, b"[1]", b"{a: [", b"", b"x: 1", None])
def test_damaged_answers_are_named(
    content: bytes | None, house: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        Path(".cookiecutter.yaml").write_bytes(content)
    assert ".cookiecutter.yaml is missing or damaged; restore it" in refused("upgrade", capsys)


def test_cuts_of_a_text_and_an_address_that_is_none_are_named(
    house: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    slices = [{"column": "colour", "cuts": [1]}]
    changed = {**house, "evaluate": {**house["evaluate"], "slices": slices}}  # type: ignore[dict-item]
    Path("config.yaml").write_text(yaml.safe_dump(changed))
    assert "evaluate.slices gives cuts for colour, which holds no numbers" in refused("evaluate", capsys)
    assert "nope" in refused("smoke --url nope --seconds 0", capsys)
