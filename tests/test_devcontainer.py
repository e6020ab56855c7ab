"""The container to work in has what the verbs need, and nothing of another version than the images."""

import json
import re

from conftest import PROJECT, ROOT

FOLDER = ROOT / PROJECT / ".devcontainer"


def test_its_python_is_that_of_the_images() -> None:
    base = re.compile(r"^FROM (\S+@sha256:[0-9a-f]{64})", flags=re.M)
    assert base.findall((FOLDER / "Dockerfile").read_text()) == base.findall(
        (ROOT / PROJECT / "Dockerfile").read_text()
    )


def test_it_installs_the_environments_that_verbs_run_in() -> None:
    """All but those of other servers and of upgrades, which a verb installs when it is first run."""
    given = json.loads((FOLDER / "devcontainer.json").read_text())["postCreateCommand"].split()
    rules = (ROOT / PROJECT / "Makefile").read_text()
    used = set(re.findall(r"\$\(VENV\)/(\w+)", rules)) - {"skops", "upgrade"}
    assert given[0] == "make"
    assert {word.removeprefix(".venv/") for word in given[1:]} == used | {"serve"}


def test_it_has_each_program_that_make_doctor_looks_for() -> None:
    text = (FOLDER / "Dockerfile").read_text() + (FOLDER / "devcontainer.json").read_text()
    for program in ("git", "kustomize", "docker", "gh", "make"):
        assert re.search(rf"\b{program}\b", text)
