"""The commands of manifests/backup.md for an embedded MLflow and for a log, in folders instead of pods."""

import contextlib
import os
import re
import sqlite3
from pathlib import Path

import pytest
from conftest import ROOT, contents, run, unrendered

PAGE = (ROOT / "manifests/backup.md").read_text()
# Runs what follows `--` on this machine: a pod's folders are below $POD.
KUBECTL = r"""#!/bin/bash
[ "$1" = exec ] || exit 0
while [ "$1" != -- ]; do shift; done
shift
words=()
for word; do
  words+=("$(sed -E "s#(^|')/(data|tmp|predictions)#\1$POD/\2#g" <<<"$word")")
done
exec "${words[@]}"
"""
WRITE = """
import sys
import mlflow
mlflow.set_tracking_uri(f"sqlite:///{sys.argv[1]}/mlflow.db")
experiment = mlflow.create_experiment("x", artifact_location=f"{sys.argv[1]}/artifacts")
with mlflow.start_run(experiment_id=experiment, run_name="kept"):
    mlflow.log_metric("auc", 0.7)
    mlflow.log_text("a model", "model.txt")
"""


def commands(section: str) -> tuple[str, str]:
    """How a section saves and how it restores."""
    (text,) = re.findall(rf"(?ms)^## {section}\n(.*?)(?=^## |\Z)", PAGE)
    save, restore = re.findall(r"(?ms)^```sh cluster\n(.*?)^```$", text)
    return save, restore


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pod's folders, which `kubectl exec` reaches."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/kubectl").write_text(KUBECTL)
    (tmp_path / "bin/kubectl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    for name in ("data", "tmp", "predictions"):
        (tmp_path / "pod" / name).mkdir(parents=True)
    monkeypatch.setenv("POD", str(tmp_path / "pod"))
    return tmp_path / "pod"


def rows(database: Path) -> list[str]:
    """Everything in a database, as statements."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return list(connection.iterdump())


def emptied(folder: Path) -> None:
    run(["find", ".", "-mindepth", "1", "-delete"], folder)


def test_an_embedded_mlflow_is_restored_with_its_artefacts(pod: Path, tmp_path: Path) -> None:
    python = str(unrendered("train") / ".venv/train/bin/python")
    run([python, "-c", WRITE, str(pod / "data")], tmp_path)
    before = rows(pod / "data/mlflow.db"), contents(pod / "data/artifacts")
    save, restore = commands("MLflow, embedded")
    run(["bash", "-euc", save], tmp_path)
    for name in ("data", "tmp"):
        emptied(pod / name)
    run(["bash", "-euc", restore], tmp_path)
    assert (rows(pod / "data/mlflow.db"), contents(pod / "data/artifacts")) == before
    assert any("'kept'" in row for row in before[0])
    assert list(before[1].values()) == [b"a model"]


def test_a_log_is_restored_into_its_folders(pod: Path, tmp_path: Path) -> None:
    line = pod / "predictions/version=1/hour=2026-11-01T10/a.jsonl"
    line.parent.mkdir(parents=True)
    line.write_text("{}\n")
    save, restore = commands("A prediction log")
    run(["bash", "-euc", save], tmp_path)
    emptied(pod / "predictions")
    run(["bash", "-euc", restore], tmp_path)
    assert line.read_text() == "{}\n"
