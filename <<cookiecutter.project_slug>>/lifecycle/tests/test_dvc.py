"""The layouts are those that DVC 3.67 and 2.58 write."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import fsspec
import pandas as pd
import pytest
import yaml
from test_store import HALVES, given, halves
from tiny import rows, save

from lifecycle import InputError
from lifecycle.rows import data, store, tables

CONFIG = "[core]\n    remote = storage\n['remote \"storage\"']\n    url = {url}\n"


def fits(path: str, sha256: str) -> None:
    """The table of a pointer has the pin, and the tiny rows."""
    with data.fetch(given(path, sha256).data) as paths:
        pd.testing.assert_frame_equal(tables.frame(paths, path), rows())


def stored(content: bytes, remote: Path, hashed: dict[str, str], ending: str = "") -> str:
    """Put an object into a remote as DVC of a version does; returns its MD5."""
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest() + ending
    path = remote / ("files/md5" if hashed else "") / digest[:2] / digest[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return digest


def pointer(path: Path, digest: str, hashed: dict[str, str], **more: Any) -> None:
    path.write_text(yaml.safe_dump({"outs": [{"md5": digest, "path": path.stem} | hashed | more]}))


@pytest.fixture
def dvc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with DVC and a remote in a folder beside it; the present folder is below it."""
    (tmp_path / "repository/.dvc").mkdir(parents=True)
    (tmp_path / "repository/data").mkdir()
    (tmp_path / "repository/.dvc/config").write_text(CONFIG.format(url="../../remote"))
    monkeypatch.chdir(tmp_path / "repository")
    return tmp_path / "remote"


HASHED: list[dict[str, str]] = [{"hash": "md5"}, {}]


@pytest.mark.parametrize("hashed", HASHED, ids=["DVC 3", "DVC 2"])
def test_a_pointer_is_one_file_of_the_remote(
    hashed: dict[str, str],
    dvc: Path,
    tmp_path: Path,
) -> None:
    sha256 = save(rows(), tmp_path / "a.parquet")
    pointer(Path("data/a.parquet.dvc"), stored((tmp_path / "a.parquet").read_bytes(), dvc, hashed), hashed)
    fits("data/a.parquet.dvc", sha256)


@pytest.mark.parametrize("hashed", HASHED, ids=["DVC 3", "DVC 2"])
def test_a_pointer_to_a_folder_is_its_parquet(
    hashed: dict[str, str],
    dvc: Path,
    tmp_path: Path,
) -> None:
    sha256 = halves(tmp_path / "table")
    (tmp_path / "table/README").write_text("no rows")
    listing = [
        {"md5": stored((tmp_path / "table" / name).read_bytes(), dvc, hashed), "relpath": name}
        for name in ("README", *HALVES)
    ]
    digest = stored(json.dumps(listing).encode(), dvc, hashed, ".dir")
    pointer(Path("data/table.dvc"), digest, hashed, nfiles=3)
    fits("data/table.dvc", sha256)


def test_the_copy_beside_the_pointer_is_read_if_it_is_what_the_pointer_says(dvc: Path, tmp_path: Path) -> None:
    save(rows(), tmp_path / "a.parquet")
    content = (tmp_path / "a.parquet").read_bytes()
    digest = stored(content, dvc, HASHED[0])
    pointer(Path("data/a.parquet.dvc"), digest, HASHED[0])
    place = {content: "data/a.parquet", b"changed": f"files/md5/{digest[:2]}/{digest[2:]}"}
    for copy, expected in place.items():
        Path("data/a.parquet").write_bytes(copy)
        (found,) = store.find("data/a.parquet.dvc").files
        assert found.path.endswith(expected)
        with store.local(store.find("data/a.parquet.dvc")) as paths:
            assert paths["a.parquet"].read_bytes() == content


def test_the_folder_beside_the_pointer_needs_no_remote(dvc: Path) -> None:
    sha256 = halves(Path("data/table"))
    Path("data/table/README").write_text("no rows")
    listing = [
        {"md5": hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest(), "relpath": path.name}
        for path in sorted(Path("data/table").iterdir())
    ]
    pointer(Path("data/table.dvc"), stored(json.dumps(listing).encode(), dvc, HASHED[0], ".dir"), HASHED[0])
    Path(".dvc/config").write_text("")
    fits("data/table.dvc", sha256)
    Path("data/table/README").write_text("changed")
    with pytest.raises(InputError, match="has no default remote"):
        store.find("data/table.dvc")


def test_a_listing_cannot_name_a_file_outside_of_its_folder(dvc: Path) -> None:
    listing = json.dumps([{"md5": "0" * 32, "relpath": "../../a.parquet"}]).encode()
    pointer(Path("data/table.dvc"), stored(listing, dvc, HASHED[0], ".dir"), HASHED[0])
    with pytest.raises(InputError, match=r"names the file \.\./\.\./a.parquet, which would lie outside of it"):
        store.find("data/table.dvc")


def test_an_object_that_is_not_what_the_pointer_says_is_told(dvc: Path, tmp_path: Path) -> None:
    digest = stored(b"right", dvc, HASHED[0])
    (dvc / "files/md5" / digest[:2] / digest[2:]).write_bytes(b"wrong")
    pointer(Path("data/a.parquet.dvc"), digest, HASHED[0])
    told = f"has md5 {hashlib.md5(b'wrong', usedforsecurity=False).hexdigest()}, not {digest} as data/a.parquet.dvc"
    with pytest.raises(InputError, match=told), store.local(store.find("data/a.parquet.dvc")):
        pass
    listing = stored(b"[]", dvc, HASHED[0], ".dir")
    (dvc / "files/md5" / listing[:2] / listing[2:]).write_bytes(b"[{}]")
    pointer(Path("data/table.dvc"), listing, HASHED[0])
    with pytest.raises(InputError, match="has another md5 than data/table.dvc says"):
        store.find("data/table.dvc")


@pytest.mark.parametrize(
    ("text", "settings", "told"),
    [
        ("outs: []", None, "is not a pointer file of DVC with one output and its md5"),
        ("outs: [{path: a.parquet, etag: x}]", None, "is not a pointer file of DVC .*'md5'"),
        ("outs: [{path: a.parquet, md5: ../../x}]", None, "is not a pointer file of DVC .*md5 is ../../x"),
        ("{", None, "is not a pointer file of DVC"),
        (None, "", "is not beside it, and .dvc/config has no default remote; run `dvc pull`, or add the remote"),
        (None, "[core]\n    remote = other\n", "has no remote other"),
        (None, "url = x", "config cannot be read"),
        (None, CONFIG.format(url="gdrive://x"), "add the package that it names to model/pyproject.toml"),
        (None, CONFIG.format(url="gs://x"), "add gcsfs to model/pyproject.toml"),
        (None, CONFIG.format(url="azure://x"), "add adlfs to model/pyproject.toml"),
        (None, CONFIG.format(url="x\n    version_aware = true"), "keeps versions of a cloud, not objects by md5"),
        (
            None,
            CONFIG.format(url="../../remote"),
            "FileNotFoundError.*; correct data.path, or run `dvc push` where the file is",
        ),
    ],
)
def test_a_pointer_that_leads_nowhere_is_told(text: str | None, settings: str | None, told: str, dvc: Path) -> None:
    path = Path("data/a.parquet.dvc")
    pointer(path, "0" * 32, HASHED[0])
    if text is not None:
        path.write_text(text)
    if settings is not None:
        Path(".dvc/config").write_text(settings)
    with pytest.raises(InputError, match=told) as caught, store.local(store.find(str(path))):
        pass
    assert (
        "data/a.parquet.dvc" in str(caught.value) or "config" in str(caught.value) or "DVC remote" in str(caught.value)
    )


def test_a_remote_in_a_bucket_is_reached_with_its_options(
    bucket: str,
    dvc: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    endpoint = os.environ["AWS_ENDPOINT_URL_S3"]
    sha256 = save(rows(), tmp_path / "a.parquet")
    digest = stored((tmp_path / "a.parquet").read_bytes(), dvc, HASHED[0])
    fsspec.filesystem("s3").put(f"{dvc}/", f"{bucket}/dvc/", recursive=True)
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    Path(".dvc/config").write_text(CONFIG.format(url="s3://bucket/dvc") + f"    endpointurl = {endpoint}\n")
    local = "['remote \"storage\"']\n    access_key_id = a%b\n    secret_access_key = 'c'\n    region = us-east-1\n"
    Path(".dvc/config.local").write_text(local)
    pointer(Path("data/a.parquet.dvc"), digest, HASHED[0])
    fits("data/a.parquet.dvc", sha256)
