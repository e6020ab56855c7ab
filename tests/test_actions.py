"""The workflows' text: permissions, pins, and that their linters find mistakes."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import PROJECT, ROOT, verbs
from hub.runner import CODE, actions

FOLDER = ROOT / PROJECT / ".github"
FILES = sorted((FOLDER / "workflows").iterdir())
LONGEST = 190  # release.yaml, which trains or builds anew, has the most
# Everything that steps run besides the Makefile's verbs.
OTHERS = {
    'cosign sign --yes "$SERVE@$SERVE_DIGEST" "$MONITOR@$MONITOR_DIGEST"',
    'cosign attest --yes --type "$TYPE" --predicate build/decision.json "$SERVE@$SERVE_DIGEST" '
    '"$MONITOR@$MONITOR_DIGEST"',
    'echo "$NUMBER" > build/number',
    'echo "serving=$(make serving)" >> "$GITHUB_OUTPUT"',
    "exit 1",
}


def read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.load(path.read_text(), yaml.BaseLoader)  # noqa: S506 - keeps `on` a word
    return document


def test_there_are_eight_and_the_docs_say_what_each_does() -> None:
    names = [path.stem for path in FILES]
    assert names == [
        "promote",
        "pull-request",
        "release",
        "report",
        "retrain",
        "rollback",
        "upgrade",
        "vulnerabilities",
    ]
    text = (ROOT / PROJECT / "docs/github.md").read_text()
    assert all(f"| `{name}` |" in text for name in names)


def words(command: str) -> set[str]:
    """The verbs of a call of make; TESTS names which of the tests are run."""
    return {word for word in command.split()[1:] if not word.startswith("TESTS=")}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_step_is_a_verb_or_an_action(path: Path) -> None:
    document = read(path)
    for job in document["jobs"].values():
        for step in job["steps"]:
            if command := step.get("run"):
                assert command in OTHERS or (command.startswith("make ") and words(command) <= verbs()), command
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] == "false"
    assert len(path.read_text().splitlines()) <= LONGEST


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_rights_are_few_and_each_has_its_reason(path: Path) -> None:
    document = read(path)
    assert document["permissions"] == {}
    for name, job in document["jobs"].items():
        assert job["name"]
        assert int(job["timeout-minutes"]) <= 120
        assert job.get("permissions") or name == "all-green"
    lines = path.read_text().splitlines()
    granted = [line for line in lines if re.fullmatch(r"      [a-z-]+: (read|write).*", line)]
    assert granted
    assert [line for line in granted if " # " not in line] == []
    assert ("cancel-in-progress: true" in path.read_text()) == (path.stem == "pull-request")


def reaching(path: Path) -> dict[str, dict[str, str]]:
    """What the steps of a workflow that read the data get to reach their store."""
    steps = [step for job in read(path)["jobs"].values() for step in job["steps"]]
    return {step["run"]: step.get("env", {}) for step in steps if step.get("run") in ("make data", "make pin")}


def test_what_runs_the_code_of_a_pull_request_has_no_secret_but_those_of_the_data_and_cannot_write() -> None:
    path = FOLDER / "workflows/pull-request.yaml"
    secrets = {value for step in reaching(path).values() for value in step.values() if "secrets." in value}
    assert secrets == {
        "${{ secrets.%s }}" % name  # noqa: UP031 - braces
        for name in (
            *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AZURE_STORAGE_CONNECTION_STRING"),
            *("ERASED_KEY", "FSSPEC_GS", "FSSPEC_HTTPS"),
        )
    }
    assert path.read_text().count("secrets.") == len(secrets)
    assert "write" not in "".join(str(job.get("permissions")) for job in read(FILES[1])["jobs"].values())
    assert all("pull_request_target" not in read(path)["on"] for path in FILES)
    # The job that may write runs main's code; the job that runs a template's hooks may not write.
    report = read(FOLDER / "workflows/report.yaml")
    assert all("ref" not in step.get("with", {}) for step in report["jobs"]["comment"]["steps"])
    assert read(FOLDER / "workflows/upgrade.yaml")["jobs"]["render"]["permissions"] == {"contents": "read"}


def test_the_apps_key_is_read_only_where_main_alone_may_run() -> None:
    for path in FILES:
        for name, job in read(path)["jobs"].items():
            assert ("secrets.BOT_PRIVATE_KEY" in str(job)) == (job.get("environment") == "bot"), (path.stem, name)


def test_the_data_are_reached_alike_wherever_they_are_read() -> None:
    found = {path.stem: reaching(path) for path in FILES if reaching(path)}
    assert {name: list(steps) for name, steps in found.items()} == {
        "pull-request": ["make data"],
        "release": ["make data"],
        "retrain": ["make pin"],
    }
    # Only what reads the rows leaves out persons who were erased.
    keys = {name: [env.pop("ERASED_KEY", "") for env in steps.values()] for name, steps in found.items()}
    assert keys == {
        "pull-request": ["${{ secrets.ERASED_KEY }}"],
        "release": ["${{ secrets.ERASED_KEY }}"],
        "retrain": [""],
    }
    given = [names for steps in found.values() for names in steps.values()]
    assert given == [given[0]] * 3
    assert all(value in (f"${{{{ secrets.{name} }}}}", f"${{{{ vars.{name} }}}}") for name, value in given[0].items())
    # The Makefile unsets these if they are empty.
    assert all(name.startswith(("AWS_", "AZURE_", "FSSPEC_")) for name in given[0])


def test_every_remote_action_is_pinned_and_has_a_stand_in() -> None:
    found = actions(FOLDER)
    assert len(found) == 8
    for action in found:
        name, _, commit = action.partition("@")
        assert re.fullmatch("[0-9a-f]{40}", commit)
        assert (CODE / "actions" / name.rpartition("/")[2] / "action.yml").is_file()
    texts = "".join(path.read_text() for path in FOLDER.rglob("*.yaml"))
    assert len(re.findall(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", texts, flags=re.M)) == len(
        re.findall(r"uses: \w+/", texts)
    )


def test_a_waiver_of_a_linter_has_its_reason() -> None:
    texts = "".join(path.read_text() for path in FOLDER.rglob("*.yaml"))
    waivers = re.findall(r"# zizmor: ignore\[[a-z-]+\](.*)", texts)
    assert len(waivers) == 6
    assert all(len(reason.split()) >= 5 for reason in waivers)


@pytest.mark.parametrize(
    ("old", "new", "linter"),
    [
        ("run: make check", "run: echo ${{ github.event.pull_request.title }}", "zizmor"),
        ("checkout@9c091bb21b7c1c1d1991bb908d89e4e9dddfe3e0", "checkout@v7", "zizmor"),
        ("permissions: {}", "permissions: write-all", "zizmor"),
        ("  pull_request:\n", "  pull_request_target:\n", "zizmor"),
        ("needs: changes", "needs: change", "actionlint"),
        ("steps.gate.conclusion", "steps.gates.conclusion", "actionlint"),
        ("timeout-minutes: 15", "timeout-minute: 15", "actionlint"),
    ],
)
def test_the_linters_find_what_is_wrong(old: str, new: str, linter: str, tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / ".github")
    path = tmp_path / ".github/workflows/pull-request.yaml"
    command = {
        "actionlint": ["actionlint", *map(str, sorted(path.parent.glob("*.yaml")))],
        "zizmor": ["zizmor", "--quiet", "--offline", "--persona", "pedantic", str(tmp_path / ".github")],
    }[linter]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode != 0


def test_the_token_is_the_apps_or_else_that_of_the_run() -> None:
    """Read, not run: act passes an inner action's outputs to the outer one unconditionally."""
    action = read(FOLDER / "actions/bot/action.yaml")
    assert action["outputs"]["token"]["value"] == "${{ steps.app.outputs.token || github.token }}"
    (step,) = action["runs"]["steps"]
    assert (step["id"], step["if"]) == ("app", "inputs.app != ''")
    rights = {name.removeprefix("permission-") for name in step["with"] if name.startswith("permission-")}
    assert rights == {"contents", "issues", "pull-requests", "workflows"}
