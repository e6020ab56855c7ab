import hashlib
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny import ROOT, document, rows, save, settings

from lifecycle import InputError, config, files
from lifecycle.rows import data, memory, store, tables

HALVES = {"2020-01.parquet": slice(0, 2000), "2020-02.parquet": slice(2000, 4000)}


def halves(folder: Path) -> str:
    """The tiny rows in two files; their hash of hashes."""
    folder.mkdir(parents=True, exist_ok=True)
    return files.pin({name: save(rows().iloc[part], folder / name) for name, part in HALVES.items()})


def given(path: str | Path, sha256: str) -> config.Config:
    """The settings of the tiny rows at a path or a URI."""
    values = document("binary_classification", Path("x"), sha256)
    values["data"]["path"] = str(path)
    return settings(values)


def parts(build: Path) -> pd.DataFrame:
    return pd.concat([pd.read_parquet(build / f"data/{name}.parquet") for name in ("train", "test")])


@pytest.fixture
def whole(tmp_path: Path) -> pd.DataFrame:
    """What the rows become when they are in one file."""
    (tmp_path / "whole").mkdir()
    sha256 = save(rows(), tmp_path / "whole/tiny.parquet")
    data.run(given(tmp_path / "whole/tiny.parquet", sha256), tmp_path / "whole/build")
    return parts(tmp_path / "whole/build")


def fits(path: str | Path, sha256: str, whole: pd.DataFrame, tmp_path: Path) -> None:
    """The table at a path has the pin, and its rows are those of the one file."""
    data.run(given(path, sha256), tmp_path / "build")
    pd.testing.assert_frame_equal(parts(tmp_path / "build"), whole)
    with pytest.raises(InputError, match=f"{sha256}, not {'0' * 64} as data.sha256 says"):
        data.run(given(path, "0" * 64), tmp_path / "build")


@pytest.mark.parametrize("path", ["table", "table/", "table/*.parquet", "table/2020-*.parquet", "ta*"])
def test_a_folder_and_a_pattern_are_one_table(
    path: str, whole: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sha256 = halves(tmp_path / "table")
    (tmp_path / "table/README.md").write_text("no rows")
    if path == "ta*":  # then the folder is a part of each name
        sha256 = files.pin({f"table/{name}": files.hashed(tmp_path / "table" / name) for name in HALVES})
    if path == "table/*.parquet":
        (tmp_path / "table/README.md").unlink()
    fits(path, sha256, whole, tmp_path)


def test_the_pin_of_a_folder_is_what_a_person_computes(tmp_path: Path) -> None:
    (tmp_path / "year=2020/b").mkdir(parents=True)
    for name in ("year=2020/b/1.parquet", "year=2020/b-1.parquet", "year=2020/B.parquet", "é.parquet"):
        save(rows(count=10), tmp_path / name)
    page = (ROOT / "docs/own-data-and-model.md").read_text()
    (command,) = re.findall(r"&& (find .* sha256sum \| sha256sum)\)", page)
    by_hand = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    with store.local(store.find(str(tmp_path))) as paths:
        assert list(paths) == ["year=2020/B.parquet", "year=2020/b-1.parquet", "year=2020/b/1.parquet", "é.parquet"]
        assert files.pin({name: files.hashed(path) for name, path in paths.items()}) == by_hand.split()[0]


def test_a_folder_is_pinned_by_its_names_even_if_it_holds_one_file(tmp_path: Path) -> None:
    sha256 = save(rows(), tmp_path / "a.parquet")
    assert store.find(str(tmp_path / "a.parquet")).pin({"a.parquet": sha256}) == sha256
    pinned = hashlib.sha256(f"{sha256}  a.parquet\n".encode()).hexdigest()
    assert store.find(str(tmp_path)).pin({"a.parquet": sha256}) == pinned


def test_a_name_with_the_signs_of_a_pattern_may_be_a_file(tmp_path: Path) -> None:
    sha256 = save(rows(), tmp_path / "a[1].parquet")
    assert not store.find(str(tmp_path / "a[1].parquet")).many
    with data.fetch(given(tmp_path / "a[1].parquet", sha256).data) as paths:
        assert list(paths) == ["a[1].parquet"]


def test_files_out_of_order_are_told(tmp_path: Path) -> None:
    pins = {"a.parquet": save(rows().tail(2000), tmp_path / "a.parquet")}
    pins["b.parquet"] = save(rows().head(2000), tmp_path / "b.parquet")
    with pytest.raises(InputError, match="is not in order of moment: 1 rows come before the one above"):
        data.run(given(tmp_path, files.pin(pins)), tmp_path / "build")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"number": "float64"}, "differ in the column number: float in 2020-01.parquet, double in 2020-02.parquet"),
        ({"more": "int64"}, "differ in the column more: no such column in 2020-01.parquet, int64 in 2020-02.parquet"),
    ],
)
def test_files_of_other_columns_or_types_are_told(change: dict[str, str], told: str, tmp_path: Path) -> None:
    halves(tmp_path)
    other = rows().tail(2000).assign(**{name: np.ones(2000).astype(kind) for name, kind in change.items()})
    save(other, tmp_path / "2020-02.parquet")
    pin = files.pin({name: files.hashed(tmp_path / name) for name in HALVES})
    with pytest.raises(InputError, match=told):
        data.run(given(tmp_path, pin), tmp_path / "build")


@pytest.mark.parametrize("turns", [1, tables.TURNS])
def test_columns_in_another_order_are_the_same_columns(
    turns: int, whole: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "TURNS", turns)
    halves(tmp_path / "table")
    turned = rows().tail(2000)[["outcome", "colour", "number", "moment"]]
    save(turned, tmp_path / "table/2020-02.parquet")
    pin = files.pin({name: files.hashed(tmp_path / "table" / name) for name in HALVES})
    fits(tmp_path / "table", pin, whole, tmp_path)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("empty", "empty holds no file that ends in .parquet; correct data.path, or put one there"),
        ("text", "text holds no file that ends in .parquet"),
        ("text/*.parquet", "holds no file that ends in .parquet"),
        ("none", "none cannot be read .FileNotFoundError.*; correct data.path, or put the file there"),
        ("none.dvc", "none.dvc cannot be read .FileNotFoundError.*; correct data.path, or run `dvc push`"),
        ("csv", "1.parquet of .*csv is not parquet .*; convert it"),
        ("delta", "delta is a table of Delta, of whose files some may be deleted; export it as Parquet"),
        ("ftp9://host/a.parquet", "Protocol not known: ftp9"),
        ("gs://bucket/a.parquet", "add gcsfs to model/pyproject.toml, then run `make lock GROUPS=model`"),
        ("az://bucket/*.parquet", "add adlfs to model/pyproject.toml, then run `make lock GROUPS=model`"),
    ],
)
def test_what_cannot_be_a_table_is_told(path: str, told: str, tmp_path: Path) -> None:
    for name in ("empty", "text", "csv", "delta/_delta_log"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "text/1.csv").write_text("a,b\n")
    for name in ("1", "2"):
        (tmp_path / f"csv/{name}.parquet").write_text("a,b\n1,2\n")
    save(rows(), tmp_path / "delta/1.parquet")
    (tmp_path / "delta/_delta_log/0.json").write_text("{}")
    location = path if "://" in path else str(tmp_path / path)
    with pytest.raises(InputError, match=told) as caught, store.local(store.find(location)) as paths:
        tables.frame(paths, location)
    assert str(caught.value).endswith(".")


class Refusing(SimpleHTTPRequestHandler):
    """Files over HTTP, of which some are secret; no ranges."""

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        if self.path.startswith("/secret"):
            self.send_error(403)
        else:
            super().do_GET()

    do_HEAD = do_GET  # noqa: N815 - the library's name


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Refusing, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_web_address_is_one_file(web: str, whole: pd.DataFrame, tmp_path: Path) -> None:
    fits(f"{web}/a.parquet?token=1", save(rows(), tmp_path / "a.parquet"), whole, tmp_path)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/secret.parquet", "403.*; let its owner allow it, or correct the credentials in the environment"),
        ("/none.parquet", "correct data.path, or put the file there"),
    ],
)
def test_what_the_web_refuses_is_told(path: str, told: str, web: str) -> None:
    with pytest.raises(InputError, match=told):
        data.run(given(web + path, "0" * 64), Path("build"))


def test_a_host_that_is_not_there_is_told() -> None:
    with pytest.raises(InputError, match="correct the host in data.path, or reach its network from this machine"):
        data.run(given("http://127.0.0.1:9/a.parquet", "0" * 64), Path("build"))


@pytest.mark.parametrize("path", ["/table", "/table/*.parquet", "/table/2020-*"])
def test_a_bucket_holds_a_table(path: str, bucket: str, whole: pd.DataFrame, tmp_path: Path) -> None:
    sha256 = halves(tmp_path / "table")
    fsspec.filesystem("s3").put(f"{tmp_path}/table", f"{bucket}/", recursive=True)
    fits(bucket + path, sha256, whole, tmp_path)


@pytest.mark.parametrize(
    ("location", "change", "told"),
    [
        ("s3://bucket/a.parquet", {"AWS_ACCESS_KEY_ID": None}, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; on"),
        ("s3://bucket/*.parquet", {"AWS_ACCESS_KEY_ID": None}, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; on"),
        ("s3://another/a.parquet", {}, "correct data.path, or put the file there"),
        ("s3://another/*.parquet", {}, "s3://another"),
        ("s3://bucket/a.parquet", {}, "correct data.path, or put the file there"),
        ("s3://bucket/*.parquet", {}, "holds no file that ends in .parquet"),
        ("s3://bucket/a.parquet", {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}, "correct the host in data.path"),
    ],
)
def test_what_a_bucket_refuses_is_told(
    location: str, change: dict[str, str | None], told: str, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in change.items():
        monkeypatch.delenv(name) if value is None else monkeypatch.setenv(name, value)
    fsspec.filesystem("s3").clear_instance_cache()
    with pytest.raises(InputError, match=told) as caught:
        data.run(given(location, "0" * 64), Path("build"))
    assert location.rpartition("/")[0] in str(caught.value)


def test_a_table_that_does_not_fit_into_memory_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_now = given(tmp_path / "table", halves(tmp_path / "table"))
    need = tables.needed({name: tmp_path / "table" / name for name in HALVES}) * tables.FACTOR
    monkeypatch.setattr(memory, "available", lambda: int(need) + 1)
    data.run(given_now, tmp_path / "build")
    monkeypatch.setattr(memory, "available", lambda: int(need) - 1)
    monkeypatch.setattr(tables, "parquet", None)  # no row is read
    told = (
        r"need about \d+ kB of memory, and \d+ kB are free; use a larger machine .*RUNNER.*, or fewer rows or columns"
    )
    with pytest.raises(InputError, match=told):
        data.run(given_now, tmp_path / "build")


def test_a_file_that_is_larger_than_memory_is_not_even_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sha256 = save(rows(), tmp_path / "a.parquet")
    fsspec.filesystem("memory").pipe_file("/large/a.parquet", (tmp_path / "a.parquet").read_bytes())
    monkeypatch.setattr(memory, "available", lambda: 1000)
    monkeypatch.setattr(store, "local", None)
    with pytest.raises(InputError, match="need about .* of memory, and 1 kB are free"):
        data.run(given("memory://large/a.parquet", sha256), tmp_path / "build")


def test_the_estimate_is_about_what_the_rows_take(tmp_path: Path) -> None:
    count = 20_000
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({f"n{place}": generator.normal(size=count) for place in range(10)})
    frame["text"] = generator.integers(10**9, size=count).astype("str")
    frame["few"] = generator.choice(["a", "b"], size=count)
    save(frame, tmp_path / "a.parquet")
    taken = pa.parquet.read_table(tmp_path / "a.parquet").to_pandas().memory_usage(deep=True).sum()
    assert 0.5 < tables.needed({"a": tmp_path / "a.parquet"}) / taken < 1.2


def test_the_size_of_a_file_without_rows_is_nothing(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": pa.array([], "int64")}), tmp_path / "a.parquet")
    assert tables.needed({"a": tmp_path / "a.parquet"}) == 0


def test_empty_credentials_are_as_if_there_were_none() -> None:
    """An unset secret of GitHub is an empty variable; an empty region would make a host without a name."""
    given_now = {"AWS_DEFAULT_REGION": "", "FSSPEC_GS": "", "AWS_ACCESS_KEY_ID": "a$b", "FSSPEC_S3": '{"key": "$(x)"}'}
    shown = subprocess.run(
        ["make", "--no-print-directory", "--eval", "show: ; @env", "show"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]} | given_now,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in shown.stdout.splitlines() if line.startswith(("AWS_", "FSSPEC_"))]
    assert sorted(lines) == ["AWS_ACCESS_KEY_ID=a$b", 'FSSPEC_S3={"key": "$(x)"}']
