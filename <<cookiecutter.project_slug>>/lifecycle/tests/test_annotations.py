"""What is wrong is shown beside the code on GitHub, and no text of outsiders becomes a command there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import ROOT, Trained

from lifecycle import InputError, config, failures, strict
from lifecycle.evaluation import gate
from lifecycle.policy import BoundGate

HOSTILE = "a\r\n::add-mask::b,c:d%0A"


def told(error: InputError, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The annotations of a verb that fails."""
    with failures.told("gate", tmp_path):
        raise error
    return capsys.readouterr().out.splitlines()


@given(st.text(), st.text(), st.text())
def test_no_text_begins_another_command_or_another_field(text: str, title: str, file: str) -> None:
    line = failures.annotation(text, title, file, 3)
    assert len(re.findall("[\r\n]", line)) == 0
    about, _, said = line.removeprefix("::error ").partition("::")
    assert about.count(",") == 1 + bool(title) + bool(file) - 1
    back = said.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")
    assert back == text


def test_a_failure_is_shown_on_github_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    assert told(InputError(HOSTILE), tmp_path, capsys) == []
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert told(InputError(HOSTILE), tmp_path, capsys) == ["::error title=gate::a%0D%0A::add-mask::b,c:d%250A"]


def test_each_problem_of_the_configuration_has_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    text = "name: tiny\ntask: none\ngates:\n  - {kind: floor, metric: f1, bound: high}\nodd: 1\n"
    with pytest.raises(InputError) as caught:
        config.read(text, "config.yaml")
    shown = told(caught.value, tmp_path, capsys)
    assert len(shown) == len(caught.value.parts) > 3
    at = {line.partition("line=")[2].partition("::")[0]: line for line in shown}
    assert "task" in at["2"]
    assert "bound" in at["4"]
    assert "odd is not a known key" in at["5"]
    assert all(line.startswith("::error title=Configuration,file=config.yaml,line=") for line in shown)
    with pytest.raises(InputError) as caught:
        config.read("name: tiny\nname: again\n", "config.yaml")
    assert told(caught.value, tmp_path, capsys)[0].startswith("::error title=Not valid YAML,file=config.yaml,line=1::")


@pytest.mark.parametrize(
    ("location", "line"),
    [(("a",), 1), (("b", "c"), 3), (("b", "d", 1, "e"), 6), (("b", "of our own", "c"), 3), (("z",), 1)],
)
def test_a_key_has_the_line_where_it_stands(location: tuple[str | int, ...], line: int) -> None:
    assert strict.line("a: 1\nb:\n  c: 1\n  d:\n    - e: 1\n    - e: 2\n", location) == line


def test_each_gate_that_fails_is_shown(
    binary: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    build = binary.copy(tmp_path)
    strictly = tuple(BoundGate(kind="floor", metric=name, bound=0.9999) for name in ("roc_auc", "f1"))
    with pytest.raises(InputError) as caught:
        gate.run(binary.settings.model_copy(update={"gates": strictly}), build)
    assert [
        line.partition("::error title=")[2].partition("::")[0] for line in told(caught.value, tmp_path, capsys)
    ] == [
        "floor ROC AUC",
        "floor F1",
    ]


def test_a_test_that_fails_is_shown_with_its_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "def test_it():\n    pass\n\n\ndef test_other():\n    assert 1 == 2, 'a%\\nb'\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "lifecycle.annotated", "-q", "--rootdir", str(tmp_path), "-c"]
    command += ["/dev/null", str(tmp_path / "test_it.py")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("::error")]
    assert line.startswith("::error title=test_other,file=test_it.py,line=5::AssertionError: a%25%0A  b%0Aassert")
