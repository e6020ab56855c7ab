"""What setting up does where GitHub refuses a call, or the repository was begun on GitHub."""

from pathlib import Path
from typing import Any

import pytest
from conftest import Git

from lifecycle import InputError
from lifecycle.github import api, branches, origin, setup

RULES = Path(__file__).parents[2] / ".github/ruleset.json"
SCOPE = (
    "refusing to allow an OAuth App to create or update workflow `.github/workflows/x.yaml` without `workflow` scope"
)


@pytest.fixture
def remote(repository: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty remote, and the branches that a new repository has."""
    monkeypatch.setenv("GITHUB_REPOSITORY", "acme/tiny")
    repository("init", "--quiet", "--bare", "--initial-branch=main", str(tmp_path / "origin.git"))
    repository("remote", "add", "origin", str(tmp_path / "origin.git"))
    repository("branch", "--move", "main")
    repository("branch", "template")
    return tmp_path / "origin.git"


class GitHub:
    """A repository with none of the settings, which refuses calls of some paths."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **refused: int) -> None:
        self.refused, self.made, self.default = refused, list[str](), "main"
        monkeypatch.setattr(api, "call", self.call)
        monkeypatch.setattr(api, "present", lambda: True)

    def call(self, method: str, path: str, _: Any = None) -> Any:
        name = path.rpartition("/")[2]
        if method == "GET":
            if path == "repos/acme/tiny":
                return {"private": False, "default_branch": self.default}
            raise api.RefusedError(404, "Not Found")
        if name in self.refused:
            raise api.RefusedError(self.refused[name], f"HTTP {self.refused[name]}")
        self.made.append(f"{method} {name}")
        return None


@pytest.fixture
def settings(repository: Git) -> Any:
    from test_release import SETTINGS

    Path(".cookiecutter.yaml").write_text("owner: acme\nproject_slug: tiny\n")
    Path(".github").mkdir()
    Path(".github/ruleset.json").write_text(RULES.read_text())
    return SETTINGS


@pytest.mark.parametrize("status", [403, 404, 409, 422])
def test_a_call_that_is_refused_keeps_no_other_from_being_made_and_the_rules_come_first(
    status: int, remote: Path, settings: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    github = GitHub(monkeypatch, workflow=status)
    said = setup.run(settings, apply=True)
    assert github.made[0] == "POST rulesets"
    assert {"PUT topics", "POST labels", "PUT bot", "POST deployment-branch-policies"} <= set(github.made)
    told = [line for line in capsys.readouterr().out.splitlines() if "not done" in line]
    assert len(told) == 2
    assert all("an owner of the organisation allows it for its repositories under Settings" in line for line in told)
    count = len(github.made)
    assert said == f"{count} of {count + 2} calls were made; run it again once what refused the others is changed"
    github.refused.clear()
    assert setup.run(settings, apply=True).startswith(f"{count + 2} of {count + 2} calls were made")


def test_without_githubs_command_line_the_calls_of_an_empty_repository_are_shown_and_none_is_made(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said = setup.run(settings, apply=False)
    shown = capsys.readouterr().out.splitlines()
    assert said.startswith(f"{len(shown)} calls for a repository where nothing is set up yet")
    assert said.endswith(api.ABSENT)
    assert shown[0].startswith("  POST repos/acme/tiny/rulesets  rules of the main branch")
    with pytest.raises(api.RefusedError, match="gh, is not installed"):
        setup.run(settings, apply=True)


def test_a_fault_of_github_ends_the_run(remote: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    GitHub(monkeypatch, workflow=500)
    with pytest.raises(api.RefusedError):
        setup.run(settings, apply=True)


def test_a_repository_that_github_began_with_a_readme_is_told_from_one_that_is_ahead(
    remote: Path, repository: Git, tmp_path: Path
) -> None:
    origin.pushed("acme/tiny")
    assert repository("ls-remote", "--heads", "origin").count("refs/heads/") == 2
    repository("commit", "--quiet", "--allow-empty", "--message", "Ahead")
    repository("push", "--quiet", "origin", "main")
    repository("reset", "--quiet", "--hard", "HEAD^")
    origin.pushed("acme/tiny")
    tree = repository("rev-parse", "HEAD^{tree}")
    other = repository("commit-tree", tree, "-m", "Initial commit")
    repository("push", "--quiet", "--force", "origin", f"{other}:refs/heads/main")
    with pytest.raises(InputError, match="acme/tiny on GitHub has no commit in common with the one here"):
        origin.pushed("acme/tiny")


def test_a_branch_that_is_missing_here_is_named(remote: Path, repository: Git) -> None:
    repository("branch", "--delete", "template")
    with pytest.raises(InputError, match="needs the branch template, which is not here"):
        origin.pushed("acme/tiny")


def test_another_default_branch_than_main_is_refused(
    remote: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    GitHub(monkeypatch).default = "trunk"
    with pytest.raises(InputError, match="The default branch of acme/tiny is 'trunk'"):
        setup.run(settings, apply=False)


def test_a_sign_in_that_may_push_no_workflow_is_told_how_to_get_that(
    remote: Path, repository: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = remote / "hooks/pre-receive"
    hook.write_text(f"#!/bin/sh\necho '{SCOPE}' >&2\nexit 1\n")
    hook.chmod(0o755)
    for push in (
        lambda: origin.pushed("acme/tiny"),
        lambda: branches.push(repository("rev-parse", "HEAD"), "retrain/data"),
    ):
        with pytest.raises(InputError, match="run `gh auth refresh --scopes workflow`"):
            push()
