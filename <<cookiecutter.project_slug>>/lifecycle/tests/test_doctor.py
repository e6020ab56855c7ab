import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny import Trained

from lifecycle import InputError, doctor


@pytest.fixture(autouse=True)
def _laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)


def written(binary: Trained, folder: Path) -> Path:
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(binary.document))
    return path


def test_a_machine_with_everything_is_well(binary: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = doctor.findings(written(binary, tmp_path), answers=lambda *_: True)
    assert all(finding.holds for finding in found if finding.required)
    assert all(finding.fix for finding in found if not finding.holds)


def test_what_is_missing_is_named_with_its_fix(binary: Trained, tmp_path: Path) -> None:
    found = doctor.findings(written(binary, tmp_path), answers=lambda *command: command[0] != "git")
    missing = {finding.name: finding.fix for finding in found if finding.required and not finding.holds}
    assert missing["git is installed"] == "install git"
    assert "git config --global user.name" in missing["git knows your name"]


@pytest.mark.parametrize(("installed", "holds"), [(["kubectl"], True), (["kustomize"], True), ([], False)])
def test_either_program_that_renders_is_enough(
    installed: list[str], holds: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: name if name in installed else None)
    found = {one.name: one.holds for one in doctor.findings(tmp_path / "config.yaml", answers=lambda *_: True)}
    assert found["kustomize or kubectl renders manifests"] is holds


def test_a_wrong_configuration_and_a_changed_data_file_are_found(binary: Trained, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("speed: 1\n")
    names = {finding.name for finding in doctor.findings(tmp_path / "config.yaml") if not finding.holds}
    assert f"{tmp_path / 'config.yaml'} is valid" in names
    changed = binary.document | {"data": binary.document["data"] | {"sha256": "0" * 64}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(changed))
    assert "restore it with `git checkout --" in told(tmp_path, Path("nowhere"))["the data file has the pinned hash"]


def told(folder: Path, python: Path = Path(sys.executable)) -> dict[str, str]:
    """What fails, with its fix, on a machine with everything."""
    found = doctor.findings(folder / "config.yaml", lambda *_: True, python)
    return {finding.name: finding.fix for finding in found if not finding.holds and finding.required}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"data": {"sha256": "0" * 64}},
            f"not {'0' * 64} as data.sha256 says",
        ),
        ({"data": {"features": {"number": {"type": "category"}}}}, "holds float, but data.features says category"),
        ({"evaluate": {"slices": [{"column": "shape"}]}}, "evaluate.slices names shape, which"),
        ({"data": {"target": {"column": "outcome", "cuts": [99], "classes": ["no", "yes"]}}}, "lacks a class of"),
    ],
)
def test_what_the_data_lacks_is_told_as_by_the_step_that_reads_it(
    change: dict[str, dict[str, Any]], sentence: str, binary: Trained, tmp_path: Path
) -> None:
    changed = binary.document | {name: binary.document[name] | value for name, value in change.items()}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(changed))
    assert sentence in told(tmp_path)["the data file fits config.yaml"]


def test_good_data_is_well_and_nothing_is_written(binary: Trained, tmp_path: Path) -> None:
    written(binary, tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert "the data file fits config.yaml" not in told(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def test_remote_data_is_not_fetched(binary: Trained, tmp_path: Path) -> None:
    remote = binary.document | {"data": binary.document["data"] | {"path": "s3://bucket/x.parquet"}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(remote))
    assert not {name for name in told(tmp_path) if "data" in name}


@pytest.mark.parametrize("path", ["table", "table/*.parquet", "table.dvc"])
def test_several_files_are_found_and_left_to_the_step_that_reads_them(
    path: str, binary: Trained, tmp_path: Path
) -> None:
    changed = binary.document | {"data": binary.document["data"] | {"path": str(tmp_path / path)}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(changed))
    assert _data(tmp_path) == {"the data file has the pinned hash": False} or path == "table.dvc"
    (tmp_path / "table").mkdir()
    (tmp_path / "table/1.parquet").touch()
    (tmp_path / "table.dvc").touch()
    assert _data(tmp_path) == {"the data are there; `make data` compares their hash": True}


def _data(folder: Path) -> dict[str, bool]:
    found = doctor.findings(folder / "config.yaml", lambda *_: True, folder / "no python")
    return {finding.name: finding.holds for finding in found if "the data" in finding.name}


def test_something_required_that_is_missing_fails_the_step(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"checks fail \(.*config\.yaml is valid"):
        doctor.run(tmp_path / "config.yaml")


@pytest.mark.parametrize("lacking", ["git", "docker", "gh", ""])
def test_on_a_runner_it_looks_for_what_the_jobs_need(
    lacking: str, binary: Trained, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    found = doctor.findings(written(binary, tmp_path), lambda name, *_: name != lacking)
    assert [one.name for one in found if not one.holds] == ([f"{lacking} answers"] if lacking else [])
    assert all(one.required for one in found)
