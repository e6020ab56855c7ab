from datetime import date
from pathlib import Path

import pytest
import yaml
from tiny import Trained, periods, rows, save, settings

from lifecycle import InputError, config, files
from lifecycle.documents.change import Change
from lifecycle.rows import pin

TEXT = """# Written by a person.
name: tiny # keep this
data:
  path: {path}
  snapshots: {snapshots}
  sha256: {sha256}
split: # both periods
  train: [2020-01-01, 2020-01-21]
  test: [2020-01-21, 2020-01-31]
"""


@pytest.fixture
def written(binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration with comments, and its first snapshot, in the present folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    sha256 = save(rows(), tmp_path / "data/2020-02.parquet")
    rest = {name: part for name, part in binary.document.items() if name not in ("name", "data", "split")}
    head = TEXT.format(path="data/2020-02.parquet", snapshots="data/*.parquet", sha256=sha256)
    data = {name: binary.document["data"][name] for name in ("time", "target", "features")}
    indented = "".join(f"  {line}\n" for line in yaml.safe_dump(data).splitlines())
    path = tmp_path / "config.yaml"
    path.write_text(head.replace("split:", f"{indented}split:") + yaml.safe_dump(rest))
    return path


def test_the_pin_and_both_periods_move_to_the_newest_snapshot(written: Path) -> None:
    sha256 = save(rows(seed=1, count=6000), Path("data/2020-03.parquet"))
    before = written.read_text()
    change = pin.run(config.load(written), Path("config.yaml"))
    assert isinstance(change, Change)
    after = config.load(written)
    assert (after.data.path, after.data.sha256) == ("data/2020-03.parquet", sha256)
    last = rows(count=6000)["moment"].max().date()
    assert periods(after).test[1] == last
    assert periods(after).train[1] - periods(after).train[0] == date(2020, 1, 21) - date(2020, 1, 1)
    assert periods(after).test[1] - periods(after).test[0] == date(2020, 1, 31) - date(2020, 1, 21)
    changed = [line for line in written.read_text().splitlines() if line not in before.splitlines()]
    assert len(changed) == 4
    assert "name: tiny # keep this" in written.read_text()
    assert (change.branch, change.paths, change.title) == (
        "retrain/data",
        ("config.yaml",),
        f"Retrain on data until {last}",
    )
    assert pin.run(after, Path("config.yaml")) == (
        f"data/2020-03.parquet has no full day after split.test, which ends {last}; there is nothing to retrain on."
    )


def test_the_same_file_with_later_rows_counts_as_newer(written: Path) -> None:
    sha256 = save(rows(seed=1, count=6000), Path("data/2020-02.parquet"))
    assert isinstance(pin.run(config.load(written), Path("config.yaml")), Change)
    assert config.load(written).data.sha256 == sha256


def test_the_newest_snapshot_is_the_one_with_the_latest_row_whatever_its_name(written: Path) -> None:
    sha256 = save(rows(seed=1, count=6000), Path("data/2020-01-again.parquet"))
    assert isinstance(pin.run(config.load(written), Path("config.yaml")), Change)
    assert config.load(written).data.sha256 == sha256


@pytest.mark.parametrize(("zone", "count"), [("Asia/Tokyo", 6020), ("America/Los_Angeles", 5960), (None, 6020)])
def test_a_day_is_one_of_utc_whatever_zone_the_snapshot_is_in(zone: str | None, count: int, written: Path) -> None:
    """Its last row is of another day there."""
    frame = rows(seed=1, count=count)
    local = frame["moment"].dt.tz_convert(zone)
    save(frame.assign(moment=local), Path("data/2020-03.parquet"))
    pin.run(config.load(written), Path("config.yaml"))
    assert periods(config.load(written)).test[1] == frame["moment"].max().date()
    assert zone is None or local.max().date() != frame["moment"].max().date()


def test_a_snapshot_without_moments_is_told(written: Path) -> None:
    save(rows().assign(moment="yesterday"), Path("data/2020-03.parquet"))
    with pytest.raises(InputError, match=r"data/2020-03\.parquet has no moment in the column moment"):
        pin.run(config.load(written), Path("config.yaml"))


def test_a_snapshot_may_stand_in_an_object_store(binary: Trained, tmp_path: Path) -> None:
    import fsspec

    save(rows(), tmp_path / "a.parquet")
    memory = fsspec.filesystem("memory")
    for name in ("2020-01", "2020-02"):
        memory.pipe_file(f"/rows/{name}.parquet", (tmp_path / "a.parquet").read_bytes())
    document = binary.document | {"data": binary.document["data"] | {"snapshots": "memory://rows/*.parquet"}}
    name, sha256, last = pin.newest(settings(document).data)
    assert last == rows()["moment"].max().date()
    assert name == "memory:///rows/2020-02.parquet"
    assert sha256 == files.hashed(tmp_path / "a.parquet")


@pytest.fixture
def folder(written: Path) -> Path:
    """The first snapshot as a folder of files, which is pinned without a pattern of snapshots."""
    Path("data/table").mkdir()
    Path("data/2020-02.parquet").rename("data/table/1.parquet")
    sha256 = files.pin({"1.parquet": files.hashed(Path("data/table/1.parquet"))})
    lines = [line for line in written.read_text().splitlines(keepends=True) if "snapshots:" not in line]
    text = "".join(lines).replace("data/2020-02.parquet", "data/table")
    written.write_text(text.replace(config.load(written).data.sha256, sha256))
    return Path("data/table")


def later(path: Path) -> str:
    return save(rows(count=6000).tail(2000), path)


@pytest.mark.parametrize("pattern", ["data/table", "data/table/*.parquet"])
def test_a_file_that_arrived_moves_the_pin_of_the_folder(pattern: str, folder: Path, written: Path) -> None:
    written.write_text(written.read_text().replace("data/table", pattern))
    hashes = {"1.parquet": files.hashed(folder / "1.parquet"), "2.parquet": later(folder / "2.parquet")}
    assert isinstance(pin.run(config.load(written), Path("config.yaml")), Change)
    after = config.load(written)
    assert (after.data.path, after.data.sha256) == (pattern, files.pin(hashes))
    assert periods(after).test[1] == rows(count=6000)["moment"].max().date()
    assert "nothing to retrain on" in str(pin.run(after, Path("config.yaml")))


def test_a_snapshot_may_be_a_folder_and_is_ordered_by_what_it_holds(folder: Path, written: Path) -> None:
    """The pattern matches files, too; the latest row is in a file that is not the last by name."""
    written.write_text(written.read_text().replace("  path: data/table", "  path: data/table\n  snapshots: data/*"))
    Path("data/another").mkdir()
    pins = {
        "0.parquet": later(Path("data/another/0.parquet")),
        "1.parquet": save(rows(), Path("data/another/1.parquet")),
    }
    save(rows(count=3000), Path("data/zone.parquet"))
    assert isinstance(pin.run(config.load(written), Path("config.yaml")), Change)
    after = config.load(written).data
    assert (after.path, after.sha256) == ("data/another", files.pin(pins))


def test_what_cannot_be_moved_is_told_and_nothing_is_written(written: Path) -> None:
    save(rows(seed=1, count=6000), Path("data/2020-03.parquet"))
    text = written.read_text().replace("[2020-01-21, 2020-01-31]", "\n    - 2020-01-21\n    - 2020-01-31")
    written.write_text(text)
    with pytest.raises(InputError, match=r"must contain 'test: \[2020-01-21, 2020-01-31\]' exactly once"):
        pin.run(config.load(written), Path("config.yaml"))
    assert written.read_text() == text


@pytest.mark.parametrize(
    ("content", "told"), [(b"none", "is not Parquet with a column moment"), (None, "Nothing matches data.snapshots")]
)
def test_snapshots_that_are_damaged_or_missing_are_told(content: bytes | None, told: str, written: Path) -> None:
    settings = config.load(written)
    for path in Path("data").iterdir():
        path.unlink()
    if content:
        Path("data/2020-03.parquet").write_bytes(content)
    with pytest.raises(InputError, match=told):
        pin.run(settings, Path("config.yaml"))
