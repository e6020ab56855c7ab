import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from bake import command as bake_command
from conftest import IDENTITY, PROJECT, ROOT, Bake, cookiecutter, run

sys.path.insert(0, str(ROOT / "hooks"))
import post_gen_project
import pre_gen_project

GOOD = {
    "project_name": "Flight delay",
    "project_slug": "flight-delay",
    "description": "Says what it does.",
    "owner": "acme",
    "reviewers": "@acme/reviewers",
    "registry": "ghcr.io",
}


@pytest.mark.parametrize(
    "answers",
    [
        GOOD,
        GOOD | {"project_slug": "a1"},
        GOOD | {"project_slug": "a" * 40},
        GOOD | {"reviewers": "@ann-lee"},
        GOOD | {"reviewers": "@Acme/ml_team-2"},
        GOOD | {"registry": "localhost:5000/team_a/models"},
        GOOD | {"owner": "A-1", "project_name": "Détection d'«anomalies» 🛫"},
    ],
)
def test_good_answers_are_taken(answers: dict[str, str]) -> None:
    assert pre_gen_project.refusals(answers) == []


WRONG = [
    *(
        ("project_slug", slug)
        for slug in ["", "a", "A", "1a", "a_b", "a b", "a--b", "-a", "a-", "a/b", "../a", "a" * 41]
    ),
    *(("project_slug", slug) for slug in ["no", "on", "off", "yes", "true", "false", "null"]),
    *(("owner", owner) for owner in ["", "@me", "a/b", "-a", "a--b", "a" * 40, "me;ls"]),
    *(
        ("reviewers", who)
        for who in ["", "acme", "acme/team", "@", "@acme/", "@a/b/c", "@a b", "a@b.org", "@-a", "@a @b"]
    ),
    *(("registry", registry) for registry in ["", "https://ghcr.io", "GHCR.io", "ghcr.io/", "a b", "ghcr.io:x"]),
    *(("project_name", name) for name in ["", "  ", "two\nlines", "a" * 201, "bell\a"]),
    *(("description", text) for text in ["", "two\nlines", "a" * 201]),
]


@pytest.mark.parametrize(("name", "answer"), WRONG)
def test_a_bad_answer_is_refused_in_one_sentence(name: str, answer: str) -> None:
    (sentence,) = pre_gen_project.refusals(GOOD | {name: answer})
    assert sentence.startswith(f"{name} is ")
    assert sentence.endswith(".")
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("project_slug", "Bad"),
        ("project_slug", "a/b"),
        ("project_slug", "deep/er/still"),
        ("owner", "@me"),
        ("registry", "https://ghcr.io"),
        ("project_name", "' ''' \" \\ \n"),
        ("task", "clustering"),
        ("serving", "flask"),
    ],
)
def test_a_refused_answer_leaves_nothing_behind(name: str, answer: str, bake: Bake, tmp_path: Path) -> None:
    (tmp_path / "out/mine").mkdir()
    done = bake(**{"project_slug": "mine-too", name: answer})
    assert done.returncode != 0
    assert name in done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]
    assert list(tmp_path.glob("*.py")) == []


def test_odd_but_good_answers_stand_as_they_were_given(bake: Bake, tmp_path: Path) -> None:
    name, description = """Ol' "quoted" \\ name: #1 {x} | é""", "It's 100 % `safe`: <b>, & {{ yaml }} '''x'''."
    assert bake(project_name=name, project_slug="odd", description=description).returncode == 0
    answers = yaml.safe_load((tmp_path / "out/odd/.cookiecutter.yaml").read_text())
    assert (answers["project_name"], answers["description"]) == (name, description)
    assert name in (tmp_path / "out/odd/README.md").read_text()
    assert list(tmp_path.glob("*.py")) == []


def test_without_git_the_files_stand_and_a_sentence_says_what_to_do(bake: Bake, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("cookiecutter", "python"):
        (tools / tool).symlink_to(shutil.which(tool) or "")
    done = bake({"PATH": str(tools)}, project_slug="lonely")
    assert done.returncode == 0
    assert "git is not installed: install it, then run in lonely: git init" in done.stderr
    assert (tmp_path / "out/lonely/config.yaml").is_file()
    assert not (tmp_path / "out/lonely/.git").exists()


def test_without_a_git_user_the_files_stand_and_a_sentence_says_what_to_do(bake: Bake, tmp_path: Path) -> None:
    nobody = dict.fromkeys((name for name in IDENTITY if name.startswith(("GIT_AUTHOR", "GIT_COMMITTER"))), "")
    done = bake({"GIT_CONFIG_COUNT": "0"} | nobody, project_slug="nameless")
    assert done.returncode == 0
    assert "git does not know who you are" in done.stderr
    assert not (tmp_path / "out/nameless/.git").exists()


def test_a_git_user_of_the_environment_makes_the_first_commit(bake: Bake, tmp_path: Path) -> None:
    assert bake({"GIT_CONFIG_COUNT": "0"}, project_slug="named").returncode == 0
    assert run(["git", "log", "--format=%an", "main"], tmp_path / "out/named").strip() == "Tester"


def test_the_first_commit_has_every_file_whatever_git_ignores_here(bake: Bake, tmp_path: Path) -> None:
    (tmp_path / "ignored").write_text("*.parquet\n*.yaml\n")
    ignore = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.excludesFile"}
    assert bake({**ignore, "GIT_CONFIG_VALUE_0": str(tmp_path / "ignored")}, project_slug="whole").returncode == 0
    repository = tmp_path / "out/whole"
    assert run(["git", "ls-files", "data/flights.parquet", "config.yaml"], repository).count("\n") == 2


def test_a_checkout_that_was_worked_in_bakes_what_a_fresh_one_does(template: Path, tmp_path: Path) -> None:
    """Its environments, caches and outputs are neither read as templates nor committed."""
    used, found = tmp_path / "used", []
    shutil.copytree(template, used)
    for folder in ("lifecycle/__pycache__", *(used / PROJECT / ".gitignore").read_text().split()):
        (used / PROJECT / folder / "deep").mkdir(parents=True)
        (used / PROJECT / folder / "deep" / "of <% a tag").write_bytes(b"1 << 2 <% %> <# \xff")
    shutil.rmtree(used / PROJECT / ".venv")  # as `scripts/install` makes it; what it holds cannot be copied
    (used / ".tools/environments").mkdir(parents=True)
    (used / PROJECT / ".venv").symlink_to("../.tools/environments")
    os.mkfifo(used / ".tools/environments/pipe")
    for checkout in (template, used):
        command = bake_command(checkout, tmp_path / f"of {checkout.name}", {"project_slug": "mine"})
        done = subprocess.run(command, env={**os.environ, **IDENTITY}, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        repository = tmp_path / f"of {checkout.name}/mine"
        ours = [line for line in run(["git", "ls-files", "--stage"], repository).splitlines() if ".cookie" not in line]
        found.append((ours, sorted(path.name for path in repository.iterdir())))
    assert found[0] == found[1]


def test_a_folder_that_holds_files_is_left_as_it_is(template: Path, tmp_path: Path) -> None:
    """Also with `cookiecutter -f`, which would write over them and commit what git did not know yet."""
    repository = tmp_path / "mine"
    repository.mkdir()
    run(["git", "init", "--quiet"], repository)
    (repository / ".env").write_text("PASSWORD=x\n")
    command = [*bake_command(template, tmp_path, {"project_slug": "mine"}), "--overwrite-if-exists"]
    done = subprocess.run(command, env={**os.environ, **IDENTITY}, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "mine is not empty, so nothing was written: choose another folder, without -f." in done.stderr
    assert "run `make upgrade` in it" in done.stderr
    assert sorted(path.name for path in repository.iterdir()) == [".env", ".git"]
    assert run(["git", "log", "--all", "--format=%s"], repository) == ""


def test_a_failing_git_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "2")
    for index, (key, value) in enumerate({"user.name": "T", "user.email": "t@example.org"}.items()):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{index}", key)
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{index}", value)
    assert post_gen_project.commit(tmp_path).startswith("git init failed")


def cloned(template: Path, folder: Path) -> tuple[Path, str]:
    """A clone of the template under a name that no shell and no Python string would take as it is."""
    clone = folder / """Ol' "quoted" \\ '''' é"""
    shutil.copytree(template, clone)
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "Template"]):
        run(["git", *command], clone)
    return clone, run(["git", "rev-parse", "HEAD"], clone).strip()


def recorded(template: Path, folder: Path, slug: str) -> dict[str, str]:
    done = cookiecutter(template, folder, folder, {}, {"project_slug": slug})
    assert done.returncode == 0, done.stderr
    answers: dict[str, str] = yaml.safe_load((folder / slug / ".cookiecutter.yaml").read_text())
    return answers


def test_the_answers_record_version_and_commit_of_the_template(template: Path, tmp_path: Path) -> None:
    clone, commit = cloned(template, tmp_path)
    answers = recorded(clone, tmp_path, "clean")
    assert answers["_version"] == json.loads((ROOT / "cookiecutter.json").read_text())["_version"]
    assert answers["_commit"] == commit
    (clone / "LICENSE").write_text("Mine")
    assert recorded(clone, tmp_path, "changed")["_commit"] == f"{commit}-dirty"


def test_a_template_that_is_no_repository_has_no_commit(template: Path, tmp_path: Path) -> None:
    run(["git", "init", "--quiet"], tmp_path)  # that of a folder around it is another's
    (tmp_path / "inside").mkdir()
    shutil.copytree(template, tmp_path / "inside/template")
    run(["git", "commit", "--quiet", "--allow-empty", "--message", "Around"], tmp_path)
    assert recorded(tmp_path / "inside/template", tmp_path, "inside-out")["_commit"] == ""


def test_the_newest_entry_of_the_changelog_is_of_this_version() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / ".github/CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == json.loads((ROOT / "cookiecutter.json").read_text())["_version"]
    assert headings == sorted(headings, reverse=True)
    assert all(re.fullmatch(r"\d{4}\.\d{2}\.\d{2}", heading) for heading in headings)


def test_a_server_that_needs_a_licence_in_production_is_told(bake: Bake) -> None:
    assert "needs a licence from Seldon" in bake(project_slug="licensed", serving="seldon-core").stderr
    assert "licence" not in bake(project_slug="free").stderr
