"""The stand-ins of remote actions take and give what the real ones do."""

import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from conftest import PROJECT, ROOT
from hub.runner import CODE, actions

FOLDERS = (ROOT / PROJECT / ".github", ROOT / ".github")
REAL: dict[str, dict[str, Any]] = yaml.safe_load((CODE / "actions/real.yaml").read_text())
PINNED = {name.partition("@")[0]: name.partition("@")[2] for name in sorted(actions(FOLDERS[0]))}


def given(part: Any) -> Iterator[tuple[str, set[str]]]:
    """Each action that a workflow uses, with the inputs that it is given."""
    if isinstance(part, dict):
        if "@" in str(part.get("uses", "")):
            yield part["uses"].partition("@")[0], set(part.get("with", {}))
        part = list(part.values())
    if isinstance(part, list):
        for one in part:
            yield from given(one)


def test_a_workflow_gives_an_action_only_inputs_that_it_has() -> None:
    """GitHub warns of others, and goes on without them."""
    for folder in FOLDERS:
        for path in folder.rglob("*.yaml"):
            for name, inputs in given(yaml.safe_load(path.read_text())):
                if name in REAL:
                    assert inputs <= set(REAL[name]["inputs"]), (path.name, name)


def test_each_remote_action_has_a_stand_in_with_the_real_ones_inputs_defaults_and_outputs() -> None:
    assert set(REAL) == set(PINNED)
    for name, real in REAL.items():
        stand_in = yaml.safe_load((CODE / "actions" / name.partition("/")[2] / "action.yml").read_text())
        assert set(stand_in.get("inputs", {})) == set(real["inputs"]), name
        assert set(stand_in.get("outputs", {})) <= set(real["outputs"]), name
        for key, one in stand_in.get("inputs", {}).items():
            known = {real["inputs"][key]} if "${{" not in real["inputs"][key] else {""}
            if name == "actions/download-artifact":
                known |= {"*", "."}  # which the real one's code says
            assert one.get("required") or str(one.get("default", "")) in known, (name, key)


@pytest.mark.parametrize("name", PINNED)
def test_what_is_known_of_an_action_is_what_its_pinned_commit_says(name: str) -> None:
    address = f"https://raw.githubusercontent.com/{name}/{PINNED[name]}/action.yml"
    try:
        with urllib.request.urlopen(address, timeout=20) as answer:
            found = yaml.safe_load(answer.read())
    except (urllib.error.URLError, TimeoutError) as error:
        if os.environ.get("GITHUB_ACTIONS"):
            raise
        pytest.skip(f"{address} cannot be read ({error})")
    inputs = {key: str(found.get("inputs", {})[key].get("default", "")).lower() for key in REAL[name]["inputs"]}
    assert inputs == REAL[name]["inputs"]
    assert list(found.get("outputs", {})) == REAL[name]["outputs"]
