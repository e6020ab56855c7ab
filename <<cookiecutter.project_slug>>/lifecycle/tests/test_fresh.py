import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import yaml
from conftest import Git
from tiny import ROOT, Trained, document

from lifecycle import InputError, fresh, imports, verbs
from lifecycle import __main__ as command
from lifecycle.config import Config

BUILD, CHAMPION = Path("build"), Path("champion")
LOCKS = (Path("locks/train.txt"), Path("locks/model.txt"))
WRITES = {
    "data": ["data/train.parquet", "data/test.parquet"],
    "train": ["model/MLmodel", "mlflow.db"],
    "evaluate": ["evaluation.json", "draws.json"],
    "gate": ["decision.json"],
    "report": ["report.md", "report.html"],
    "register": ["mlflow.db"],
}
ALL = set(fresh.STEPS)


def test_every_step_of_the_pipeline_says_what_it_depends_on() -> None:
    assert tuple(fresh.STEPS) == verbs.STEPS


def runs(step: str, build: Path = BUILD, ends: Callable[[], None] = lambda: None) -> bool:
    """Whether a step that writes what it always writes is run."""
    done: list[str] = []

    def do() -> str:
        done.append(step)
        for name in WRITES[step]:
            (build / name).parent.mkdir(parents=True, exist_ok=True)
            (build / name).write_text("written")
        ends()
        return "done"

    said = fresh.run(step, Path("config.yaml"), build, LOCKS, CHAMPION, do)
    assert bool(done) == (said == "done")
    return bool(done)


def again() -> set[str]:
    """The steps that run, each asked before the one whose output it reads."""
    return {step for step in reversed(fresh.STEPS) if runs(step)}


NEEDED = cache(imports.needed)  # no test changes what imports what


def enter(folder: Path, patch: pytest.MonkeyPatch) -> Git:
    """Make a folder the present one, and its sources those of the steps."""
    patch.chdir(folder)
    for role in ("AUTHOR", "COMMITTER"):
        patch.setenv(f"GIT_{role}_NAME", "Tester")
        patch.setenv(f"GIT_{role}_EMAIL", "tester@example.org")
    patch.setattr(fresh, "ROOT", Path())
    patch.setattr(imports, "find_spec", lambda _: None)
    patch.setattr(imports, "needed", NEEDED)
    patch.delenv("MLFLOW_TRACKING_URI")
    return Git()


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository in which every step was done and every source may be changed."""
    folder = tmp_path_factory.mktemp("done") / "repository"
    ignored = shutil.ignore_patterns("tests", "__pycache__")
    shutil.copytree(ROOT / "lifecycle", folder / "lifecycle", ignore=ignored)
    shutil.copytree(Path(__file__).parent / "example/model", folder / "model", ignore=ignored)
    with pytest.MonkeyPatch.context() as patch:
        git = enter(folder, patch)
        for name in (*map(str, LOCKS), "data/tiny.parquet", "champion/MLmodel", "README.md"):
            edited(name)()
        Path(".gitignore").write_text("build/\nother/\n")
        values = document("binary_classification", Path("data/tiny.parquet"), "0" * 64)
        Path("config.yaml").write_text(yaml.safe_dump(values))
        git("init", "--quiet")
        git.commit("Start")
        assert {step for step in fresh.STEPS if runs(step)} == ALL
    return folder


@pytest.fixture
def house(done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """A copy of it as the present folder."""
    shutil.copytree(done, tmp_path / "house")
    return enter(tmp_path / "house", monkeypatch)


def edited(name: str) -> Callable[[], None]:
    def edit() -> None:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((path.read_bytes() if path.exists() else b"") + b"\n")

    return edit


def configured(change: str) -> Callable[[], None]:
    """Another value for a key of the configuration."""

    def edit() -> None:
        values = yaml.safe_load(Path("config.yaml").read_text())
        *sections, key = change.partition("=")[0].split(".")
        node = values
        for section in sections:
            node = node[section]
        node[key] = yaml.safe_load(change.partition("=")[2])
        Path("config.yaml").write_text(yaml.safe_dump(values))

    return edit


@pytest.mark.parametrize(
    ("change", "steps"),
    [
        (lambda: None, ""),
        (edited("README.md"), ""),
        (edited("lifecycle/serving/serve.py"), ""),
        (edited("lifecycle/monitoring/reader.py"), ""),
        (edited("model/__pycache__/estimator.cpython-312.pyc"), ""),
        (edited("lifecycle/rows/data.py"), "data train evaluate"),
        (edited("lifecycle/training/parity.py"), "train"),
        (edited("lifecycle/evaluation/slices.py"), "evaluate"),
        (edited("lifecycle/evaluation/gate.py"), "gate"),
        (edited("lifecycle/drawing/plots.py"), "report"),
        (edited("lifecycle/reporting/templates/report.md"), "report"),
        (edited("lifecycle/training/register.py"), "register"),
        (edited("lifecycle/documents/record.py"), "evaluate gate report register"),
        (edited("model/estimator.py"), "train"),
        (edited("model/words.txt"), "train"),
        (edited("locks/train.txt"), "data train evaluate gate report register"),
        (edited("locks/model.txt"), "data train evaluate gate report register"),
        (edited("data/tiny.parquet"), "data"),
        (edited("champion/MLmodel"), "evaluate"),
        (configured("name=other"), "train evaluate"),
        (configured("data.key=[colour]"), "data train evaluate"),
        (configured("split.test=[2020-01-22, 2020-01-31]"), "data train evaluate"),
        (configured("train.parameters={max_iter: 11}"), "train"),
        (configured("evaluate.level=0.9"), "evaluate"),
        (configured("serve.rows=99"), "evaluate"),
        (configured("serve.port=9001"), ""),
        (configured("gates=[]"), "evaluate gate"),
        (configured("monitor.days=80"), ""),
        (configured("promote.order=[dev]"), ""),
        (edited("build/data/train.parquet"), "data train evaluate"),
        (edited("build/model/MLmodel"), "train evaluate"),
        (edited("build/evaluation.json"), "evaluate gate"),
        (edited("build/draws.json"), "evaluate gate"),
        (edited("build/decision.json"), "gate report register"),
        (edited("build/report.html"), "report register"),
        (edited("build/mlflow.db"), "register"),
        (lambda: Path("build/model/MLmodel").unlink(), "train evaluate"),
        (lambda: Path("build/mlflow.db").unlink(), "register"),
        (lambda: Path("build/decision.json").unlink(), "gate report register"),
        (lambda: Path("build/.fresh/gate.json").write_text("{"), "gate"),
        (lambda: Path("build/.fresh/gate.json").write_text("[]"), "gate"),
        (lambda: shutil.rmtree("build"), " ".join(fresh.STEPS)),
    ],
)
def test_a_step_runs_again_when_what_it_depends_on_changed_and_else_not(
    change: Callable[[], None], steps: str, house: Git
) -> None:
    change()
    dirty = {"train"} if house("status", "--porcelain", "--untracked-files=no") else set()  # the version says so
    assert again() == set(steps.split()) | dirty


@pytest.mark.parametrize(
    ("location", "other"),
    [("table", "2.parquet"), ("table/*.parquet", "2.parquet"), ("table/1.parquet.dvc", "1.parquet")],
)
def test_several_files_are_read_again_when_one_changes(
    location: str, other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("table").mkdir()
    Path("table/1.parquet.dvc").write_text("a pointer")
    before = fresh._data(location)
    (Path("table") / other).write_text("arrived")
    assert before != fresh._data(location) == fresh._data(f"file://{location}")


def test_training_depends_on_the_commit_and_the_server_of_mlflow(house: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    house.commit("Say something")
    assert again() == {"train"}
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example.org")
    assert again() == {"train", "register"}


def test_training_runs_again_when_the_local_store_of_mlflow_is_gone_and_not_when_it_grew(house: Git) -> None:
    edited("build/mlflow.db")()
    assert not runs("train")
    Path("build/mlflow.db").unlink()
    assert runs("train")


def test_a_key_that_the_teams_code_names_is_one_that_training_reads(house: Git) -> None:
    Path("model/estimator.py").write_text("def estimator(settings): return settings.monitor.days\n")
    assert again() == {"train"}
    configured("monitor.days=80")()
    assert again() == {"train"}
    Path("model/estimator.py").write_text("def estimator(\n")
    assert again() == {"train"}


@pytest.mark.parametrize("error", [KeyboardInterrupt, InputError("refused"), OSError("full")])
def test_a_step_that_failed_or_was_interrupted_runs_again(error: BaseException, house: Git) -> None:
    def fail() -> None:
        raise error

    configured("gates=[]")()
    for _ in range(2):
        with pytest.raises((KeyboardInterrupt, InputError, OSError)):
            runs("gate", ends=fail)
    assert runs("gate")
    assert not runs("gate")


def test_a_change_during_a_step_is_seen_by_the_next(house: Git) -> None:
    edited("build/decision.json")()
    assert runs("gate", ends=configured("gates=[]"))
    assert runs("gate")
    assert not runs("gate")


def test_build_folders_know_nothing_of_each_other(house: Git) -> None:
    assert runs("data", Path("other"))
    assert not runs("data", Path("other"))
    assert not runs("data")


@pytest.mark.parametrize(("force", "forced"), [("1", True), ("yes", True), ("0", False), ("", False)])
def test_force_runs_a_step_although_nothing_changed(
    force: str, forced: bool, house: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not runs("data")
    monkeypatch.setenv("FORCE", force)
    assert runs("data") == forced


@pytest.mark.parametrize("step", fresh.STEPS)
def test_the_table_names_every_key_and_file_that_the_sources_of_a_step_read(step: str) -> None:
    declared = fresh.STEPS[step]
    keys = {key.partition(".")[0] for key in declared.keys}
    for name in imports.needed(declared.module, root=ROOT) if keys else ():
        read = set(re.findall(r"settings\.(\w+)", (ROOT / name).read_text())) & Config.model_fields.keys()
        assert read <= keys, f"{name} reads {read - keys}"
    source = (ROOT / declared.module.replace(".", "/")).with_suffix(".py").read_text()
    files = set(re.findall(r'build / "([\w.]+)"', source))
    assert files <= {*declared.reads, *declared.writes, *declared.keeps}


def test_a_step_says_that_nothing_changed_and_a_refusal_is_repeated(
    binary: Trained, repository: Git, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build = binary.copy(tmp_path)
    Path("config.yaml").write_text(yaml.safe_dump(binary.document))
    gate = ["--build", str(build), "gate"]
    assert command.main(gate) == 0
    assert " passes: " in capsys.readouterr().out
    assert command.main(gate) == 0
    assert re.fullmatch(
        r"gate: unchanged since [\d-]+ [\d:]+, nothing to do; FORCE=1 runs it again\n", capsys.readouterr().out
    )
    refusing = {**binary.document, "gates": [{"kind": "rows", "bound": 1_000_000}]}
    Path("config.yaml").write_text(yaml.safe_dump(refusing))
    for _ in range(2):
        assert command.main(gate) == 1
        assert "is refused by 1 gate" in capsys.readouterr().err


def test_no_library_is_imported_to_see_that_nothing_changed() -> None:
    heavy = "{'pandas', 'numpy', 'sklearn', 'mlflow', 'pyarrow'}"
    code = f"import sys, lifecycle.__main__; print(*sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
