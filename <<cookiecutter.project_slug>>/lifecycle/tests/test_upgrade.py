"""A newer template, merged with what a team changed and without writing what the team owns."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from conftest import Git

from lifecycle import InputError, git
from lifecycle.documents.answers import ANSWERS
from lifecycle.github import merge, upgrade

# What the template rendered at first, and what it renders now.
OLD = {
    "Makefile": "1\n2\n3\n4\n5\n",
    "README.md": "# Old\n",
    "config.yaml": "bound: 1\n",
    "data/rows.parquet": "old",
    "locks/model.txt": "# none\n",
    "model/estimator.py": "old\n",
    "model/gate.py": "machinery\n" * 20,
    "model/report.py": "more machinery\n" * 20,
    "tests/test_estimator.py": "old\n",
    "tests/test_gate.py": "machinery's test\n" * 20,
}
NEW = {
    "Makefile": "its\n2\n3\n4\n5\n",
    "README.md": "# New\n",
    "config.yaml": "bound: 2\n",
    "data/rows.parquet": "new",
    "data/newest.parquet": "new",
    "lifecycle/gate.py": "machinery\n" * 20,
    "lifecycle/report.py": "more machinery\n" * 20,
    "lifecycle/tests/test_gate.py": "machinery's test\n" * 20,
    "locks/model.txt": "# none, in other words\n",
    "model/estimator.py": "new\n",
    "model/features.py": "new\n",
    "tests/test_data.py": "new\n",
    "tests/test_estimator.py": "new\n",
}


class Team:
    """A model repository in the present folder, and the template that made it."""

    def __init__(self, run: Git, template: Path) -> None:
        self.run, self.template = run, template
        run("rm", "-r", "--quiet", ".")
        self.start = self.edit(OLD | {".cookiecutter.yaml": self.answers("2026.01.01")})
        run("branch", "template")

    def answers(self, version: str) -> str:
        return f'project_slug: "tiny"\n_template: {json.dumps(str(self.template))}\n_version: "{version}"\n'

    def edit(self, files: Mapping[str, str | None]) -> str:
        """Commit these files, without those that are None."""
        for name, text in files.items():
            path = Path(name)
            if text is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        return self.run.commit("Edit")

    def render(self, files: dict[str, str], version: str = "2026.11.27") -> str:
        """What the template renders now, on the branch `template`; empty when that is nothing new."""
        for name, text in (files | {".cookiecutter.yaml": self.answers(version)}).items():
            path = self.template / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return upgrade.rendered(self.template, "template", "Render")

    def file(self, commit: str, name: str) -> str | None:
        return git.content(commit, Path(name))


@pytest.fixture
def team(repository: Git, tmp_path: Path) -> Team:
    (tmp_path / "new").mkdir()
    return Team(repository, tmp_path / "new")


def test_a_template_is_merged_with_what_was_changed_here(team: Team) -> None:
    team.edit({"Makefile": "1\n2\n3\n4\nmine\n"})
    commit = team.render(NEW)
    made, conflicts = merge.merged(commit, "Upgrade")
    assert conflicts == []
    assert team.file(made, "Makefile") == "its\n2\n3\n4\nmine\n"
    assert team.file(made, "README.md") == "# New\n"  # which no one had edited
    assert team.run("show", "--no-patch", "--format=%P", made).split() == [team.run("rev-parse", "HEAD"), commit]


def test_a_file_that_both_sides_changed_needs_a_choice(team: Team) -> None:
    team.edit({"Makefile": "mine\n2\n3\n4\n5\n", "config.yaml": "bound: 3\n"})
    commit = team.render(NEW)
    offered, conflicts = merge.merged(commit, "Upgrade")
    assert conflicts == ["Makefile"]
    assert team.run("merge-base", "--is-ancestor", commit, offered) == ""
    # Whoever merges it chooses there, and finds the team's files untouched.
    assert git.ask("merge", "--no-commit", offered) is None
    assert team.run("diff", "--name-only", "--diff-filter=U") == "Makefile"
    assert Path("config.yaml").read_text() == "bound: 3\n"
    assert Path("model/estimator.py").read_text() == "old\n"
    assert not Path("data/newest.parquet").exists()


def test_the_teams_files_stay_byte_for_byte(team: Team) -> None:
    mine = {
        "README.md": "# Mine\n",
        "config.yaml": "bound: 3\n",
        "data/rows.parquet": "mine",
        "locks/model.txt": "mine\n",
        "model/estimator.py": "mine\n",
        "model/words.py": "mine\n",
        "tests/records/words.json": "mine\n",
        "tests/test_words.py": "mine\n",
    }
    team.edit(dict(mine))
    made, conflicts = merge.merged(team.render(NEW), "Upgrade")
    assert conflicts == []
    assert {name: team.file(made, name) for name in mine} == mine
    assert team.file(made, "data/newest.parquet") is None  # it would be the newest snapshot


def test_files_that_the_team_did_not_edit_stay_too(team: Team) -> None:
    made, _ = merge.merged(team.render(NEW), "Upgrade")
    for name in ("config.yaml", "data/rows.parquet", "model/estimator.py", "tests/test_estimator.py"):
        assert team.file(made, name) == OLD[name]


def test_a_file_that_the_team_deleted_stays_deleted(team: Team) -> None:
    gone = ("README.md", "data/rows.parquet", "model/estimator.py", "tests/test_estimator.py")
    team.edit(dict.fromkeys(gone))
    made, conflicts = merge.merged(team.render(NEW), "Upgrade")
    assert conflicts == []
    assert not set(gone) & git.entries(made).keys()


def test_new_code_of_the_template_is_added_where_nothing_stands(team: Team) -> None:
    team.edit({"model/features.py": "mine\n", "tests/test_data.py/mine.py": "mine\n"})
    made, conflicts = merge.merged(team.render(NEW | {"model/new.py": "new\n"}), "Upgrade")
    assert conflicts == []
    assert team.file(made, "model/new.py") == "new\n"
    assert team.file(made, "model/features.py") == "mine\n"
    assert team.file(made, "tests/test_data.py/mine.py") == "mine\n"


def test_machinery_that_left_the_teams_folders_is_deleted_unless_the_team_changed_it(team: Team) -> None:
    team.edit({"model/report.py": OLD["model/report.py"] + "mine\n"})
    made, conflicts = merge.merged(team.render(NEW), "Upgrade")
    assert conflicts == []
    assert not {"model/gate.py", "tests/test_gate.py"} & git.entries(made).keys()
    assert team.file(made, "model/report.py") == OLD["model/report.py"] + "mine\n"
    assert team.file(made, "lifecycle/report.py") == NEW["lifecycle/report.py"]


def test_a_file_of_the_team_stays_in_a_folder_that_the_template_moved(team: Team) -> None:
    moved = {f"schemas/{name}.json": f"{name}\n" * 20 for name in "abc"}
    commit = team.render(OLD | moved)
    team.run("branch", "--force", "template", commit)
    team.run("merge", "--quiet", commit)
    team.edit({"schemas/mine.json": "mine\n"})
    for name in moved:
        (team.template / name).unlink()
    commit = team.render(OLD | {f"lifecycle/{name}": text for name, text in moved.items()})
    made, conflicts = merge.merged(commit, "Upgrade")
    assert conflicts == []
    assert team.file(made, "schemas/mine.json") == "mine\n"


def test_after_an_upgrade_the_next_one_starts_from_it(team: Team) -> None:
    team.edit({"config.yaml": "bound: 3\n"})
    commit = team.render(NEW)
    team.run("merge", "--quiet", merge.merged(commit, "Upgrade")[0])
    team.run("branch", "--force", "template", commit)
    assert team.render(NEW) == ""
    made, conflicts = merge.merged(team.render(NEW | {"Makefile": "its\n2\n3\n4\nits\n"}), "Upgrade")
    assert conflicts == []
    assert team.run("diff", "--name-only", "HEAD", made) == "Makefile"


def test_another_version_alone_is_no_upgrade(team: Team) -> None:
    team.render(OLD)
    assert team.render(OLD, version="2027.01.01") == ""
    assert team.render(OLD | {"config.yaml": "bound: 2\n"}, version="2027.01.01")


def run(team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(upgrade, "render", lambda *_: team.template)
    return upgrade.run(tmp_path / "build", "gh:acme/template", "c" * 40)


def test_a_template_that_changed_the_teams_files_alone_has_nothing_new(
    team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    team.render(OLD | {"config.yaml": "bound: 2\n", "data/rows.parquet": "new"})
    assert run(team, tmp_path, monkeypatch) == "gh:acme/template has nothing new"
    assert not (tmp_path / "build/change.json").exists()


def test_the_pull_request_says_which_versions_and_what_changed_between(
    team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / ".cookiecutters/template/.github/CHANGELOG.md"
    log.parent.mkdir(parents=True)
    log.write_text("# Changes\n\n## 2027.01.01\n- later\n\n## 2026.11.27\n- now\n\n## 2026.01.01\n- before\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    team.edit({"Makefile": "mine\n2\n3\n4\n5\n"})
    team.render(NEW)
    assert run(team, tmp_path, monkeypatch) == "Upgrade to the newest template: 1 files need a choice"
    body = json.loads((tmp_path / "build/change.json").read_text())["body"]
    assert "From version 2026.01.01 to 2026.11.27 of `gh:acme/template`" in body
    assert "```markdown\n### 2026.11.27\n- now\n```\n" in body  # a block of code
    assert "later" not in body
    assert "before" not in body
    assert "- Makefile\n" in body


def test_a_changed_answer_is_rendered_though_the_template_is_the_same(
    team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As docs/moving.md does it; the commit is the one that made this repository."""
    known = team.answers("2026.01.01") + f"_commit: {'c' * 40}\n"
    start = {".cookiecutter.yaml": known, "Makefile": "tiny\n"}
    team.edit(start)
    team.run("branch", "--force", "template", "HEAD")
    assert run(team, tmp_path, monkeypatch) == "gh:acme/template has nothing new"
    renamed = known.replace('"tiny"', '"large"')
    team.edit({".cookiecutter.yaml": renamed})
    monkeypatch.setattr(upgrade, "newest", lambda _: "c" * 40)
    assert "read what changed, then confirm" in upgrade.run(tmp_path / "build", "gh:acme/template", "")
    for name, text in (OLD | {".cookiecutter.yaml": renamed, "Makefile": "large\n"}).items():
        (team.template / name).parent.mkdir(parents=True, exist_ok=True)
        (team.template / name).write_text(text)
    assert run(team, tmp_path, monkeypatch) == "Upgrade to the newest template"
    made = json.loads((tmp_path / "build/change.json").read_text())["commit"]
    assert team.file(made, "Makefile") == "large\n"
    assert team.file(made, ".cookiecutter.yaml") == renamed


def test_a_repository_older_than_versions_is_told_as_such() -> None:
    assert "From version (none) to 2026.11.27" in upgrade.description("gh:acme/nowhere", "", "2026.11.27", "")


def test_a_branch_that_has_nothing_in_common_is_told(team: Team) -> None:
    commit = team.run("commit-tree", "HEAD^{tree}", "-m", "Elsewhere")
    with pytest.raises(InputError, match="have no commit in common"):
        merge.merged(commit, "Upgrade")


def test_a_template_that_cannot_be_rendered_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be rendered"):
        upgrade.render(str(tmp_path / "nowhere"), {"project_slug": "tiny"}, tmp_path)


def test_the_answers_record_version_and_commit_of_the_template() -> None:
    answers = yaml.safe_load((Path(__file__).parents[2] / ANSWERS).read_text())
    assert {f"{name}:" for name in answers} >= set(merge.RECORDED)


@pytest.mark.parametrize("commit", ["main", "v1", "c" * 39, "--upload-pack=x", "C" * 40])
def test_a_template_at_an_address_needs_a_whole_commit(commit: str, team: Team, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give all 40 digits"):
        upgrade.run(tmp_path / "build", "gh:acme/template", commit)


def test_without_a_confirmed_commit_nothing_of_the_template_runs(
    team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upgrade, "newest", lambda _: "d" * 40)
    monkeypatch.delattr(upgrade, "render")
    told = upgrade.run(tmp_path / "build", "gh:acme/template", "")
    assert f"confirm it as COMMIT={'d' * 40}" in told
    assert not (tmp_path / "build/change.json").exists()


def test_the_job_that_offers_takes_nothing_but_the_rendered_files(
    team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    team.edit({"Makefile": "1\n2\n3\n4\nmine\n"})
    (team.template / "x").parent.mkdir(exist_ok=True)
    team.render(NEW)
    run(team, tmp_path, monkeypatch)
    honest = json.loads((tmp_path / "build/change.json").read_text())
    (tmp_path / "build/change.json").unlink()
    tree = team.run("rev-parse", f"{honest['template']}^{{tree}}")
    evil = team.run("commit-tree", tree, "-p", "HEAD", "-m", "@all: a commit with another history")
    team.run("update-ref", "refs/upgrade/template", evil)
    bundle = tmp_path / "build/upgrade" / upgrade.BUNDLE
    team.run("bundle", "create", "--quiet", str(bundle), "refs/upgrade/template")
    (tmp_path / "build/upgrade/change.json").write_text(json.dumps(honest | {"branch": "main", "title": "@all"}))
    upgrade.unpack(tmp_path / "build", "gh:acme/template")
    assert json.loads((tmp_path / "build/change.json").read_text()) == honest


def filled(host: str, given: dict[str, str]) -> str:
    """What git would sign in with at a host."""
    variables = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "GIT_CONFIG_GLOBAL": os.devnull, **given}
    asked = f"protocol=https\nhost={host}\n\n"
    done = subprocess.run(["git", "credential", "fill"], input=asked, env=variables, capture_output=True, text=True)
    return done.stdout


def test_the_token_of_a_private_template_is_given_to_the_own_host_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert upgrade._token() == {}
    monkeypatch.setenv("TEMPLATE_TOKEN", "secret")
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.com")
    given = upgrade._token()
    assert "username=x-access-token\npassword=secret\n" in filled("github.com", given)
    assert "secret" not in filled("example.org", given)


def test_a_template_that_may_be_private_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: str, **__: str) -> str:
        raise InputError("`git ls-remote` failed: fatal: could not read Username for 'https://github.com'")

    monkeypatch.setattr(git, "run", refused)
    with pytest.raises(InputError, match="give a token that may read it as TEMPLATE_TOKEN"):
        upgrade.newest("https://github.com/acme/template")
