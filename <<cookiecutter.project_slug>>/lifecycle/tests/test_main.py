import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import Git
from packaging.version import Version
from tiny import Trained

from lifecycle import __main__ as command
from lifecycle.serving import serve
from lifecycle.verbs import VERBS

ROOT = Path(__file__).parents[2]


def run(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "lifecycle", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_verb_is_a_function_a_target_and_an_entry_in_the_help() -> None:
    told = run("--help").stdout
    rules = r"^([a-z -]+): .*\n\t\$\(call verb,(?:train|github|upgrade|\$\(SERVING\)|monitor)\)"
    targets = re.findall(rules, (ROOT / "Makefile").read_text(), flags=re.M)
    assert sorted(verb for rule in targets for verb in rule.split()) == sorted(VERBS)
    for verb, sentence in VERBS.items():
        assert re.search(rf"^    {verb}\s+{re.escape(sentence[:20])}", told, flags=re.M)
        assert callable(getattr(command, f"_{verb.replace('-', '_')}"))


def test_a_persons_mistake_is_one_sentence_on_stderr_and_exit_1(tmp_path: Path) -> None:
    done = run("train", folder=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == "train: config.yaml does not exist; run the command in the repository's root.\n"


@pytest.mark.parametrize("share", ["0", "101", "-5", "10%", "10.5", " 10", "ten", "\N{ARABIC-INDIC DIGIT NINE}", "1e1"])
def test_a_share_is_a_whole_number_of_percent(
    share: str, binary: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(binary.document))
    arguments = ["--config", str(tmp_path / "config.yaml"), "promote", "--environment=production", f"--share={share}"]
    assert command.main(arguments) == 1
    told = f"promote: SHARE is a whole number of percent from 1 to 100, not {share!r}.\n"
    assert capsys.readouterr().err == told


@pytest.mark.parametrize(("given", "told"), [(None, "1"), ("2", "2")])
def test_the_service_predicts_with_one_thread_if_no_one_says_otherwise(
    given: str | None, told: str, binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = list[str]()
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(binary.document))
    monkeypatch.setattr(serve, "run", lambda *_: threads.append(os.environ["OMP_NUM_THREADS"]))
    monkeypatch.setenv("OMP_NUM_THREADS", given or "")
    if given is None:
        monkeypatch.delenv("OMP_NUM_THREADS")
    assert command.main(["--config", str(tmp_path / "config.yaml"), "serve"]) == 0
    assert threads == [told]


def test_an_unknown_step_shows_the_usage() -> None:
    done = run("fly")
    assert done.returncode == 2
    assert "usage: python -m lifecycle" in done.stderr


def test_a_file_that_cannot_be_written_is_named(
    binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(binary.document))

    def full(_: object) -> str:
        raise OSError(28, "No space left on device", "build/decision.json")

    monkeypatch.setattr(command, "_gate", full)
    assert command.main(["--config", str(tmp_path / "config.yaml"), "gate"]) == 1
    assert capsys.readouterr().err == (
        "gate: build/decision.json: No space left on device; free it or make it accessible.\n"
    )


@pytest.mark.parametrize(
    ("verb", "said"),
    [("gate", "gate: Interrupted; earlier outputs are unchanged.\n"), ("serve", "serve: Server stopped.\n")],
)
def test_an_interrupted_step_says_so(
    verb: str,
    said: str,
    binary: Trained,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(binary.document))

    def interrupted(_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, f"_{verb}", interrupted)
    assert command.main(["--config", str(tmp_path / "config.yaml"), verb]) == 130
    assert capsys.readouterr().err == said


def test_the_lock_files_agree_on_what_they_share_and_name_no_registry() -> None:
    versions: dict[str, set[str]] = {}
    for path in set((ROOT / "locks").glob("*.txt")) - {ROOT / "locks/model.txt"}:  # which is the team's
        text = path.read_text()
        assert "://" not in text
        if path.stem in ("seldon", "train"):  # Seldon's own limits are years old
            continue
        for name, version in re.findall(r"^([a-z0-9.-]+)==(\S+)", text, flags=re.M):
            versions.setdefault(name, set()).add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}
    assert len(versions) > 100
    # What serves may be newer than what trains: a fix reaches the images without training.
    trains = re.findall(r"^([a-z0-9.-]+)==(\S+)", (ROOT / "locks/train.txt").read_text(), flags=re.M)
    assert len(trains) > 50
    assert [
        name for name, version in trains if any(Version(one) < Version(version) for one in versions.get(name, ()))
    ] == []


def test_the_service_needs_neither_pandas_nor_scikit_learn() -> None:
    lock = (ROOT / "locks/serve.txt").read_text()
    assert not re.search(r"^(pandas|scikit-learn|mlflow|onnx|skl2onnx|nannyml)==", lock, flags=re.M)
    absent = "{'pandas', 'sklearn', 'mlflow', 'onnx', 'duckdb'}"
    code = f"import sys, lifecycle.serving.serve; print(*sorted({absent} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_release_promote_and_rollback_write_the_pull_requests_text(
    binary: Trained, repository: Git, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from steps import pipeline

    Path("config.yaml").write_text(yaml.safe_dump(binary.document))
    Path(".gitignore").write_text("build/\n")
    repository.commit("Configure")
    pipeline(binary.settings, Path("build"))
    images = ["--serve", f"r.io/s@sha256:{'a' * 64}", "--monitor", f"r.io/m@sha256:{'b' * 64}"]
    assert command.main(["release", "--environment", "dev", *images]) == 0, capsys.readouterr().err
    assert Path("build/pull-request.md").read_text().startswith("# Release 2")
    repository.commit("Release")
    assert command.main(["promote", "--environment", "staging"]) == 0
    assert Path("build/pull-request.md").read_text().startswith("# Promote 2")
    assert command.main(["rollback", "--environment", "dev"]) == 1
    assert "there is nothing to roll back to" in capsys.readouterr().err


def test_a_verb_does_not_wait_for_libraries_that_it_does_not_use() -> None:
    """Those that use the fewest first, as what one imports the next ones have."""
    names = ["releasing.release", "releasing.promote", "releasing.rollback", "reporting.report"]
    names += ["evaluation.gate", "rows.data", "evaluation.evaluate"]
    code = (
        "import importlib, sys\n"
        f"for name in {names}:\n"
        "    importlib.import_module('lifecycle.' + name)\n"
        "    print(name, *sorted({'mlflow', 'skl2onnx', 'nannyml'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == names
