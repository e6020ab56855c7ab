"""The workflows' text: permissions, pins, and that their linters find mistakes."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import PROJECT, ROOT, verbs
from hub.runner import CODE, actions, evaluated

FOLDER = ROOT / PROJECT / ".github"
FILES = sorted((FOLDER / "workflows").iterdir())
LONGEST = 220  # release.yaml, which trains or builds anew, has the most
# Everything that steps run besides the Makefile's verbs.
OTHERS = {
    'cosign sign --yes "$SERVE@$SERVE_DIGEST" "$MONITOR@$MONITOR_DIGEST"',
    'cosign attest --yes --type "$TYPE" --predicate build/decision.json "$SERVE@$SERVE_DIGEST" '
    '"$MONITOR@$MONITOR_DIGEST"',
    'echo "$NUMBER" > build/number',
    'echo "serving=$(make serving)" >> "$GITHUB_OUTPUT"',
    'echo "::warning title=Not in MLflow::$LATER"',
    'echo "::error title=Not all green::$RESULTS" && exit 1',
    'echo "::add-matcher::.github/matchers.json"',
    'gh api "repos/$GITHUB_REPOSITORY/statuses/$SHA" --silent -f state="$STATE" -f context=Report -f target_url="$RUN"',
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


def test_the_last_job_waits_for_each_other_one_and_fails_when_one_that_was_asked_for_is_not_green() -> None:
    jobs = read(FOLDER / "workflows/pull-request.yaml")["jobs"]
    last = jobs.pop("all-green")
    (step,) = last["steps"]
    assert last["needs"] == list(jobs)
    for name, job in jobs.items():
        asked = set(re.findall(r"needs\.changes\.outputs\.(\w+) == 'true'", job.get("if", "")))
        assert len(asked) == (name != "changes"), name
        assert f"{job['name']} ${{{{ needs.{name}.result }}}}" in step["env"]["RESULTS"]
        for output in asked:
            assert f"(needs.changes.outputs.{output} != 'false' && needs.{name}.result != 'success')" in step["if"]


def test_the_report_takes_nothing_but_the_files_that_it_knows_and_the_images_get_the_model_that_was_measured() -> None:
    def given(name: str, action: str) -> list[Any]:
        jobs = read(FOLDER / f"workflows/{name}.yaml")["jobs"].values()
        steps = [step for job in jobs for step in job["steps"]]
        return [step["with"] for step in steps if step.get("uses", "").startswith(f"actions/{action}-artifact@")]

    assert [one["pattern"] for one in given("report", "download")] == ["report-*"]
    uploaded = [one["name"] for one in given("pull-request", "upload")]
    assert uploaded == ["report-manifests", "report-evaluation", "model"]
    assert given("pull-request", "download") == [{"name": "model", "path": "build/model"}]


def test_the_apps_key_is_read_only_where_main_alone_may_run() -> None:
    for path in FILES:
        for name, job in read(path)["jobs"].items():
            assert ("secrets.BOT_PRIVATE_KEY" in str(job)) == (job.get("environment") == "bot"), (path.stem, name)


@pytest.mark.parametrize(
    ("owner", "said", "found"),
    [
        ("mypy", 'lifecycle/files.py:7: error: Name "x" is not defined  [name-defined]', ("lifecycle/files.py", "7")),
        (
            "actionlint",
            ".github/workflows/x.yaml:9:3: unexpected key [syntax-check]",
            (".github/workflows/x.yaml", "9"),
        ),
    ],
)
def test_what_a_tool_says_that_knows_no_runner_is_matched(owner: str, said: str, found: tuple[str, str]) -> None:
    matchers = json.loads((FOLDER / "matchers.json").read_text())["problemMatcher"]
    ((pattern,),) = [one["pattern"] for one in matchers if one["owner"] == owner]
    match = re.fullmatch(pattern["regexp"], said)
    assert match
    assert (match[pattern["file"]], match[pattern["line"]]) == found
    assert not any(re.match(one["pattern"][0]["regexp"], "lifecycle/files.py:7: note: See above") for one in matchers)


def test_an_image_says_where_it_comes_from() -> None:
    job = read(FOLDER / "workflows/release.yaml")["jobs"]["images"]
    builds = [step for step in job["steps"] if step.get("uses", "").startswith("docker/build-push-action@")]
    assert [step["with"]["labels"] for step in builds] == ["${{ env.LABELS }}"] * 2
    assert dict(line.split("=", 1) for line in job["env"]["LABELS"].splitlines()) == {
        "org.opencontainers.image.source": "${{ github.server_url }}/${{ github.repository }}",
        "org.opencontainers.image.revision": "${{ github.sha }}",
    }


def test_a_month_without_news_of_the_template_ends_with_the_job_that_asked() -> None:
    jobs = read(FOLDER / "workflows/upgrade.yaml")["jobs"]
    assert jobs["offer"]["if"] == "needs.render.outputs.news != ''"
    assert jobs["render"]["outputs"]["news"] == "${{ steps.upload.outputs.artifact-id }}"
    assert not any("continue-on-error" in step for step in jobs["offer"]["steps"])


def test_mlflow_is_asked_after_the_offer_and_cannot_hold_a_release_up() -> None:
    jobs = read(FOLDER / "workflows/release.yaml")["jobs"]
    asking = {name for name, job in jobs.items() if "MLFLOW_" in str(job) or "make register" in str(job)}
    assert asking == {"register"}
    assert not any("register" in job.get("needs", []) for job in jobs.values())
    assert {"model", "offer"} <= set(jobs["register"]["needs"])
    (step,) = (step for step in jobs["register"]["steps"] if step.get("run") == "make register")
    assert step["continue-on-error"] == "true"


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
    assert action["outputs"]["app"]["value"] == "${{ inputs.key != '' && inputs.app || '' }}"
    step, warning = action["runs"]["steps"]
    assert (step["id"], step["if"]) == ("app", "inputs.app != '' && inputs.key != ''")
    assert warning["if"] == "inputs.app != '' && inputs.key == ''"
    assert warning["run"].startswith('echo "::warning title=The App has no key::Store BOT_PRIVATE_KEY')
    offering = [
        step["env"]
        for path in FILES
        for job in read(path)["jobs"].values()
        for step in job["steps"]
        if "APP" in step.get("env", {})
    ]
    assert {one["APP"] for one in offering} == {"${{ steps.bot.outputs.app }}"}
    rights = {name.removeprefix("permission-") for name in step["with"] if name.startswith("permission-")}
    assert rights == {"contents", "issues", "pull-requests", "workflows"}


@pytest.mark.parametrize(
    ("workflow", "one", "other"),
    [
        ("promote", {"environment": "dev", "digest": "sha256:a"}, {"environment": "dev", "digest": "sha256:b"}),
        ("promote", {"environment": "dev", "digest": "sha256:a"}, {"environment": "staging", "digest": "sha256:a"}),
        ("rollback", {"environment": "dev", "digest": "sha256:a"}, {"environment": "dev", "digest": "sha256:b"}),
        ("rollback", {"environment": "dev", "revision": "1"}, {"environment": "dev", "revision": "2"}),
    ],
)
def test_a_report_of_the_cluster_that_waits_is_cancelled_by_none_of_another_release(
    workflow: str, one: dict[str, str], other: dict[str, str]
) -> None:
    group = read(FOLDER / f"workflows/{workflow}.yaml")["concurrency"]["group"]
    groups = [evaluated(group, {"client_payload": payload}) for payload in (one, other)]
    assert groups[0] != groups[1]
    assert groups[0] == evaluated(group, {"client_payload": {**one, "report": "again"}})
    assert evaluated(group, {"inputs": {"environment": "dev", "share": 10}}) not in groups
