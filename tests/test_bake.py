"""Properties of a baked repository."""

import os
import resource
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from conftest import TASKS, Bake, run, unrendered

Baked = Callable[..., Path]


def files(repository: Path) -> set[str]:
    return set(run(["git", "ls-files"], repository).split())


def test_no_answer_changes_the_set_of_files(baked: Baked, bake: Bake, tmp_path: Path) -> None:
    sets = [files(baked(task)) for task in TASKS]
    bake(project_name="Other", owner="else", registry="localhost:5000", description="Another.")
    sets.append(files(tmp_path / "out/other"))
    sets.append(files(baked("binary_classification", "seldon-core")))
    assert all(found == sets[0] for found in sets)
    assert "config.yaml" in sets[0]
    assert not any(name.startswith("tasks/") for name in sets[0])


@pytest.mark.parametrize("task", TASKS)
def test_it_is_a_clean_git_repository_with_a_template_branch(task: str, baked: Baked) -> None:
    repository = baked(task)
    assert run(["git", "status", "--porcelain"], repository) == ""
    assert run(["git", "branch", "--format", "%(refname:short)"], repository).split() == ["main", "template"]
    assert run(["git", "log", "--format=%s"], repository).strip() == "Start from the template"


@pytest.mark.parametrize("task", TASKS)
def test_the_answers_are_kept_and_the_configuration_is_that_of_the_task(task: str, baked: Baked) -> None:
    repository = baked(task)
    answers = yaml.safe_load((repository / ".cookiecutter.yaml").read_text())
    assert (answers["task"], answers["project_slug"]) == (task, "my-model")
    settings = yaml.safe_load((repository / "config.yaml").read_text())
    assert (settings["task"], settings["name"]) == (task, "my-model")
    left = [name for name in files(repository) if not name.endswith((".parquet", ".png"))]
    assert [name for name in left if "<< cookiecutter" in (repository / name).read_text()] == []


def test_a_repository_with_seldons_wrapper_serves_with_it(baked: Baked) -> None:
    repository = baked("binary_classification", "seldon-core")
    assert yaml.safe_load((repository / ".cookiecutter.yaml").read_text())["serving"] == "seldon-core"
    settings = (repository / "config.yaml").read_text()
    assert yaml.safe_load(settings)["serve"]["server"] == "seldon-core"
    assert settings.replace("server: seldon-core", "server: asgi") == (
        (baked("binary_classification") / "config.yaml").read_text()
    )
    assert run(["make", "serving"], repository).strip() == "seldon"
    assert run(["make", "serving"], baked("binary_classification")).strip() == "serve"


def test_each_image_has_an_environment_of_its_own() -> None:
    """Service and monitor import only packages of their own locks, none of training."""
    repository = unrendered("serve", "monitor")
    absent = "import importlib.util as u; print([n for n in {names} if u.find_spec(n)])"
    watching = "lifecycle.monitoring.monitor, nannyml, lifecycle.github.degraded"
    for name, module, names in [
        ("serve", "lifecycle.serving.serve", ["pandas", "sklearn", "mlflow", "nannyml", "skl2onnx"]),
        ("monitor", watching, ["mlflow", "skl2onnx", "onnxruntime", "uvicorn"]),
    ]:
        python = str(repository / ".venv" / name / "bin/python")
        run([python, "-c", f"import {module}"], repository)
        assert run([python, "-c", absent.format(names=names)], repository).strip() == "[]"


def test_make_lists_its_verbs_and_installs_uv_where_it_is_missing(baked: Baked, tmp_path: Path) -> None:
    listed = run(["make"], baked("regression"))
    assert all(f"  {verb} " in listed for verb in ("data", "train", "gate", "promote", "monitor", "doctor"))
    dry = run(["make", "--dry-run", "lock"], baked("regression"), PATH="/usr/bin:/bin")
    assert "pip install" in dry
    assert "--require-hashes --only-binary :all: -r locks/uv.txt" in dry


def test_a_bake_takes_at_most_two_seconds(bake: Bake) -> None:
    """CPU seconds, since other work may slow the machine."""

    def used() -> float:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return children.ru_utime + children.ru_stime

    spent = []
    for index in range(5):
        before = used()
        assert bake(project_slug=f"timed-{index}").returncode == 0
        spent.append(used() - before)
    assert 0.1 < min(spent) < 2


def test_a_second_bake_into_the_same_folder_is_refused_and_changes_nothing(bake: Bake, tmp_path: Path) -> None:
    bake(project_slug="twice")
    (tmp_path / "out/twice/config.yaml").write_text("mine")
    assert bake(project_slug="twice").returncode != 0
    assert (tmp_path / "out/twice/config.yaml").read_text() == "mine"


def test_a_failing_step_stops_the_pipeline_and_still_reports(baked: Baked, tmp_path: Path) -> None:
    """`make pipeline` renders the report of a refused candidate, and fails."""
    fake = tmp_path / "fake/train/bin"
    fake.mkdir(parents=True)
    said = tmp_path / "said"
    (fake / "python").write_text(f'#!/bin/sh\necho "$5" >> {said}\n[ "$5" != gate ]\n')
    (fake / "python").chmod(0o755)
    environment = {**os.environ, "VENV": str(tmp_path / "fake")}
    lock = baked("regression") / "locks/train.txt"
    os.utime(tmp_path / "fake/train", (lock.stat().st_mtime + 10,) * 2)
    done = subprocess.run(
        ["make", "pipeline"], cwd=baked("regression"), env=environment, capture_output=True, check=False
    )
    assert said.read_text().split() == ["data", "train", "evaluate", "gate", "report", "register"]
    assert done.returncode != 0
