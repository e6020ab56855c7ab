"""What the workflows do on GitHub, as far as it can be tested without one; the template's own tests run all of it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Git
from tiny import Trained

from lifecycle import InputError
from lifecycle import __main__ as command
from lifecycle.documents import record
from lifecycle.documents.change import Change
from lifecycle.github import api, branches, comment, issue, missing, offer, publish, reviewed, setup

ROOT = Path(__file__).parents[2]
RUN: dict[str, Any] = {
    "head_sha": "d" * 40,
    "head_repository": {"full_name": "acme/tiny"},
    "conclusion": "success",
    "html_url": "https://github.com/acme/tiny/actions/runs/1",
}


@pytest.fixture(autouse=True)
def _named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_REPOSITORY", "acme/tiny")


def gh(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a program in the place of `gh`."""
    (folder / "bin").mkdir()
    (folder / "bin/gh").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "bin/gh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:/usr/bin:/bin")


def test_a_refusal_of_github_is_one_sentence_with_its_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_REPOSITORY", "acme/tiny")
    gh(tmp_path, monkeypatch, "echo 'gh: Not Found (HTTP 404)' >&2; exit 1")
    with pytest.raises(api.RefusedError, match=r"GitHub refused `gh api --method GET repos/acme/tiny`: gh: Not Found"):
        api.call("GET", api.root())
    assert setup.get("repos/acme/tiny") is None
    (tmp_path / "bin/gh").write_text("#!/bin/sh\necho 'gh: Server Error (HTTP 500)' >&2; exit 1\n")
    with pytest.raises(api.RefusedError) as refused:
        setup.get("repos/acme/tiny")
    assert refused.value.status == 500
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(api.RefusedError, match="gh, is not installed"):
        api.call("GET", "user")


def test_the_repository_is_that_of_the_run_or_of_the_remote(repository: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    with pytest.raises(InputError, match="has no remote on GitHub"):
        api.repository()
    for address in ("git@github.com:acme/tiny.git", "https://github.com/acme/tiny", "ssh://git@github.com/acme/tiny/"):
        repository("config", "remote.origin.url", address)
        assert api.repository() == "acme/tiny"
    monkeypatch.setenv("GITHUB_REPOSITORY", "acme/other")
    assert api.root() == "repos/acme/other"


def test_the_report_of_a_deleted_fork_is_posted_nowhere() -> None:
    assert comment.pull(RUN | {"head_repository": None, "head_branch": "x"}, "7") is None


@pytest.mark.parametrize(
    ("branch", "user", "pushed", "closed"),
    [
        ("promote/dev/2", "bot", "verb", True),
        ("promote/dev/2", "ann", "verb", True),  # who runs the verb by hand
        ("promote/dev/2", "eve", "verb", False),
        ("promote/dev/2", "bot", "then a person", False),
        ("promote/dev/2", "ann", "person", False),
        ("promote/staging/2", "bot", "verb", False),
        ("retrain/data", "ann", "person", False),  # her own idea of a better model
        ("retrain/data", "bot", "person", False),  # opened for her by another program, with the bot's committer
        ("retrain/data", "bot", "verb", True),
    ],
)
def test_only_a_verbs_own_pull_request_is_superseded(
    branch: str, user: str, pushed: str, closed: bool, repository: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository("init", "--quiet", "--bare", str(tmp_path / "origin.git"))
    repository("remote", "add", "origin", str(tmp_path / "origin.git"))
    other = "retrain/new-features" if branch.startswith("retrain") else "promote/dev/1"
    if pushed != "person":
        assert branches.push(repository.commit("Earlier"), other)
    if pushed != "verb":  # under the same name and address
        repository.commit("Mine")
        repository("push", "--quiet", "origin", f"HEAD:refs/heads/{other}")
    head = {"ref": other, "sha": repository("rev-parse", "HEAD"), "repo": {"full_name": "acme/tiny"}}
    users = {name: {"login": name, "type": "Bot" if name == "bot" else "User"} for name in ("ann", "bot", "eve")}
    calls: list[str] = []
    monkeypatch.setattr(api, "listed", lambda _: [{"number": 7, "user": users[user], "head": head}])
    monkeypatch.setattr(api, "call", lambda method, path, *_: calls.append(f"{method} {path}"))
    mine = {"number": 8, "user": users["ann"]}
    assert offer._supersede(branch, mine) == ([7] if closed else [])
    assert bool(calls) is closed
    assert bool(branches.tip(other)) is not closed


@pytest.mark.parametrize(
    ("there", "mine", "newer"),
    [
        ("release/dev/2026.11.02-aaaaaaa", "release/dev/2026.11.01-bbbbbbb", True),
        ("release/dev/2026.11.01-aaaaaaa", "release/dev/2026.11.02-bbbbbbb", False),
        ("release/dev/2026.11.01-LATER", "release/dev/2026.11.01-EARLIER", True),
        ("release/dev/2026.11.01-EARLIER", "release/dev/2026.11.01-LATER", False),
        ("promote/production/2026.11.02-aaaaaaa-10", "promote/production/2026.11.01-bbbbbbb", True),
        ("promote/staging/2026.11.02-aaaaaaa", "promote/production/2026.11.01-bbbbbbb", False),
        ("rollback/dev/2026.11.02-aaaaaaa", "rollback/dev/2026.11.01-bbbbbbb", False),
    ],
)
def test_an_old_run_that_is_run_again_offers_nothing_over_a_newer_offer(
    there: str, mine: str, newer: bool, repository: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository("init", "--quiet", "--bare", str(tmp_path / "origin.git"))
    repository("remote", "add", "origin", str(tmp_path / "origin.git"))
    commits = {"EARLIER": repository("rev-parse", "--short=7", "HEAD")}
    commits["LATER"] = repository.commit("Later")[:7]
    for name, commit in commits.items():
        there, mine = there.replace(name, commit), mine.replace(name, commit)
    made = repository.commit("Offered")
    assert branches.push(made, there)
    head = {"ref": there, "sha": made, "repo": {"full_name": "acme/tiny"}}
    monkeypatch.setattr(api, "listed", lambda _: [{"number": 7, "user": {"type": "Bot"}, "head": head}])
    assert offer._newer(mine) == (7 if newer else None)
    if newer:
        Change("Release", "", mine, ("manifests",)).write(tmp_path)
        assert offer.run(tmp_path, waits=False) == "Release: #7 already offers a newer version, and was left as it is"
        assert branches.tip(mine) == ""


def test_a_branch_that_a_person_pushed_to_a_moment_ago_is_not_deleted(repository: Git, tmp_path: Path) -> None:
    repository("init", "--quiet", "--bare", str(tmp_path / "origin.git"))
    repository("remote", "add", "origin", str(tmp_path / "origin.git"))
    made = repository("rev-parse", "HEAD")
    assert branches.push(made, "retrain/data")
    repository.commit("Mine")
    repository("push", "--quiet", "origin", "HEAD:refs/heads/retrain/data")
    assert not branches.delete("retrain/data", made)
    assert branches.tip("retrain/data") == repository("rev-parse", "HEAD")


@pytest.mark.parametrize(
    ("head", "state", "posted"),
    [
        ({"sha": "d" * 40, "repo": {"full_name": "acme/tiny"}}, "open", True),
        ({"sha": "d" * 40, "repo": {"full_name": "acme/tiny"}}, "merged", True),
        ({"sha": "d" * 40, "repo": {"full_name": "acme/tiny"}}, "closed", False),
        ({"sha": "e" * 40, "repo": {"full_name": "acme/tiny"}}, "open", False),
        ({"sha": "d" * 40, "repo": {"full_name": "mallory/tiny"}}, "open", False),
        ({"sha": "d" * 40, "repo": None}, "open", False),
    ],
    ids=["as tested", "merged by itself", "closed", "pushed to since", "of another repository", "of a deleted fork"],
)
def test_a_report_is_posted_on_the_commit_that_was_tested(
    head: dict[str, Any], state: str, posted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_REPOSITORY", "acme/tiny")
    found = {"number": 7, "head": head, "state": state.replace("merged", "closed"), "merged_at": None}
    found["merged_at"] = "2026-01-01T00:00:00Z" if state == "merged" else None
    monkeypatch.setattr(api, "listed", lambda path: [found] if "state=all" in path or state == "open" else [])
    run = RUN | {"head_repository": {"full_name": "acme/tiny"}, "head_branch": "mine"}
    assert bool(comment.pull(run, "7")) is posted


def test_a_release_waits_for_the_report_of_a_pull_request_that_merged_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_REPOSITORY", "acme/tiny")
    sha, slept, comments = "d" * 40, [], list[Any]()
    body = comment.MARK + json.dumps({"commit": sha, "metrics": {"f1": 0.7}}) + " -->"

    def listed(path: str) -> list[Any]:
        if path.endswith("/pulls?per_page=100"):
            return [{"number": 7, "merged_at": "now", "head": {"sha": sha}}]
        return comments

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            comments.append({"body": body, "user": {"login": comment.BOT}})

    monkeypatch.setattr(api, "listed", listed)
    monkeypatch.setattr("time.sleep", sleep)
    assert reviewed.run(tmp_path) == "1 metrics were reviewed on #7"
    assert slept == [reviewed.PAUSE] * 3
    comments.clear()
    monkeypatch.setattr(reviewed, "PATIENCE", -1)
    with pytest.raises(InputError, match="#7 has no report on its last commit dddddddddddd"):
        reviewed.run(tmp_path)


class Cut(Exception):  # noqa: N818 - it is no error
    """A run that ends here."""


def test_a_release_that_was_cut_off_is_finished_by_the_next_run(
    decision: record.Decision, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_REPOSITORY", "acme/tiny")
    (tmp_path / "decision.json").write_text(record.dump(decision))
    (tmp_path / "report.md").write_text("Accepted")
    releases: list[dict[str, Any]] = []
    left = [2]  # uploads until the run is cut off

    def call(method: str, path: str, body: Any = None) -> Any:
        if method == "GET":
            raise api.RefusedError(404, "Not Found")
        if method == "POST":
            releases.append({**body, "id": 1, "upload_url": "up{?name}", "assets": []})
        if method == "PATCH":
            releases[0].update(body)
        if method == "DELETE":
            releases[0]["assets"] = [one for one in releases[0]["assets"] if not path.endswith(f"/{one['id']}")]
        return releases[0]

    def upload(*arguments: str) -> str:
        name = arguments[3].partition("name=")[2]
        assert name not in [one["name"] for one in releases[0]["assets"]]
        releases[0]["assets"].append({"id": name, "name": name})
        left[0] -= 1
        if left[0] == 0:
            raise Cut
        return ""

    monkeypatch.setattr(api, "call", call)
    monkeypatch.setattr(api, "listed", lambda _: releases)
    monkeypatch.setattr(api, "gh", upload)
    with pytest.raises(Cut):
        publish.run(tmp_path)
    assert releases[0]["draft"] is True
    assert publish.run(tmp_path) == decision.version
    assert (len(releases), releases[0]["draft"]) == (1, False)
    assert [one["name"] for one in releases[0]["assets"]] == list(publish.NAMES)


def test_the_same_change_is_the_same_commit_and_leaves_the_working_copy_alone(repository: Git) -> None:
    Path("manifests/new.yaml").write_text("a: 1\n")
    Path("other").write_text("mine")
    first = branches.commit(["manifests"], "Add")
    assert first == branches.commit(["manifests"], "Add")
    assert repository("show", "--name-only", "--format=%s", first).split() == ["Add", "manifests/new.yaml"]
    assert repository("status", "--porcelain").split("\n") == ["?? manifests/new.yaml", "?? other"]
    Path("manifests/new.yaml").unlink()
    assert branches.commit(["manifests"], "Add") == ""


def test_a_branch_is_refreshed_and_one_with_a_persons_commit_is_kept(
    repository: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository("init", "--quiet", "--bare", str(tmp_path / "remote"))
    repository("config", "remote.origin.url", str(tmp_path / "remote"))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")

    def made(text: str) -> str:
        Path("manifests/new.yaml").write_text(text)
        return branches.commit(["manifests"], "Add")

    for text in ("a: 1\n", "a: 1\n", "a: 2\n"):
        assert branches.push(made(text), "retrain/data")
    there = repository("ls-remote", "origin", "refs/heads/retrain/data").split()[0]
    assert there == made("a: 2\n")
    tree = repository("rev-parse", f"{there}^{{tree}}")
    for role in ("AUTHOR", "COMMITTER"):  # also with the bot's name and address, which anyone may give
        monkeypatch.setenv(f"GIT_{role}_NAME", branches.BOT[0])
        monkeypatch.setenv(f"GIT_{role}_EMAIL", branches.BOT[1])
    mine = repository("commit-tree", tree, "-p", there, "-m", "Mine")
    repository("push", "--quiet", "origin", f"{mine}:refs/heads/retrain/data")
    assert not branches.push(made("a: 3\n"), "retrain/data")
    assert repository("ls-remote", "origin", "refs/heads/retrain/data").split()[0] == mine


def test_a_run_that_pushes_the_same_a_moment_earlier_is_no_failure(
    repository: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository("init", "--quiet", "--bare", str(tmp_path / "remote"))
    repository("config", "remote.origin.url", str(tmp_path / "remote"))
    Path("manifests/new.yaml").write_text("a: 1\n")
    made, other = branches.commit(["manifests"], "Add"), branches.commit(["manifests"], "Another")
    tips = iter(["", made])  # of an empty remote, and then after the other run
    hook = tmp_path / "remote/hooks/pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    monkeypatch.setattr(branches, "tip", lambda _: next(tips))
    assert branches.push(made, "retrain/data")
    tips = iter(["", other])
    with pytest.raises(InputError, match="pre-receive hook declined"):
        branches.push(made, "retrain/data")


def said(folder: Path, **run: Any) -> str:
    return comment.text(comment.artefacts(folder), {**RUN, **run})


def test_a_comment_holds_the_report_and_at_most_65000_characters(binary: Trained, tmp_path: Path) -> None:
    decision = record.decision(binary.build / "decision.json")
    many = decision.evaluation.model_copy(
        update={
            "slices": tuple(
                part.model_copy(update={"part": f"{part.part} {'x' * 200} {index}"})
                for index in range(400)
                for part in decision.evaluation.slices
            )
        }
    )
    gates = tuple(gate.model_copy(update={"found": "x" * 290}) for gate in decision.gates * 60)
    long = decision.model_copy(update={"evaluation": many, "gates": gates})
    for one, words in ((decision, "✅ Accepted"), (long, "is cut here")):
        (tmp_path / "decision.json").write_text(record.dump(one))
        for text in ("", "x" * 19_000, "x" * 500_000):
            (tmp_path / "diff.json").write_text(json.dumps({"dev": text} if text else {}))
            posted = said(tmp_path)
            assert len(posted) <= 65_000
            assert words in posted
            assert posted.rstrip().endswith(f"of `{'d' * 12}`.")
    seen = json.loads(posted.removeprefix(comment.MARK).partition(" -->")[0])
    assert seen["metrics"] == {name: one.value for name, one in decision.evaluation.metrics.items()}


def test_a_link_among_the_files_of_a_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "number").symlink_to("/etc/hostname")
    with pytest.raises(InputError, match="'number', which is not a file of its workflow"):
        said(tmp_path)


def test_without_a_run_there_is_nothing_to_comment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GITHUB_EVENT_PATH", raising=False)
    assert command.main(["--build", str(tmp_path), "comment"]) == 1
    assert "comment: There is no run to report on" in capsys.readouterr().err


def test_a_comment_without_a_record_says_why(tmp_path: Path) -> None:
    assert "There is no evaluation" in said(tmp_path / "none", conclusion="failure")
    assert "The model is unchanged" in said(tmp_path / "none")


@pytest.mark.parametrize("conclusion", ["failure", "timed_out", "action_required"])
def test_a_record_that_says_accepted_in_a_run_that_failed_is_shown_as_failed(
    conclusion: str, binary: Trained, tmp_path: Path
) -> None:
    decision = record.decision(binary.build / "decision.json").model_copy(update={"passed": True})
    (tmp_path / "decision.json").write_text(record.dump(decision))
    posted = said(tmp_path, conclusion=conclusion)
    assert "✅ Accepted" not in posted
    assert f"## ❌ Failed: the run ended with {conclusion.replace('_', '\\_')}, although its record" in posted
    assert json.loads(posted.removeprefix(comment.MARK).partition(" -->")[0])["metrics"] == {}  # nothing was reviewed


def test_a_record_that_says_refused_in_a_run_that_succeeded_is_shown_as_refused(
    binary: Trained, tmp_path: Path
) -> None:
    decision = record.decision(binary.build / "decision.json").model_copy(update={"passed": False})
    (tmp_path / "decision.json").write_text(record.dump(decision))
    assert "## ❌ Refused" in said(tmp_path)


def test_what_a_fork_measured_is_marked_as_its_own(binary: Trained, tmp_path: Path) -> None:
    mark = "Measured by the fork's own run: "
    (tmp_path / "decision.json").write_bytes((binary.build / "decision.json").read_bytes())
    for folder in (tmp_path, tmp_path / "none"):
        assert f"\n> {mark}mallory/x\\_y " in said(folder, head_repository={"full_name": "mallory/x_y"})
        assert mark not in said(folder)


def test_another_programs_comment_is_not_taken_for_the_report() -> None:
    def by(login: str) -> dict[str, Any]:
        return {"body": f"{comment.MARK}x", "user": {"login": login, "type": "Bot"}}

    assert comment.mine([by("mallory-app[bot]")]) is None
    assert comment.mine([by("mallory-app[bot]"), by("github-actions[bot]")]) == by("github-actions[bot]")


def test_the_hidden_line_of_a_comment_cannot_be_ended_from_inside(binary: Trained, tmp_path: Path) -> None:
    decision = record.decision(binary.build / "decision.json")
    metrics = {**decision.evaluation.metrics, "--> <script>": next(iter(decision.evaluation.metrics.values()))}
    evaluation = decision.evaluation.model_copy(update={"metrics": metrics})
    (tmp_path / "decision.json").write_text(record.dump(decision.model_copy(update={"evaluation": evaluation})))
    first = said(tmp_path).split("\n")[0]
    assert first.count("-->") == 1
    assert "<script>" not in first


def test_a_pull_requests_text_has_manifests_monitor_and_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "repository", lambda: "acme/tiny")
    alert = {"number": 7, "labels": [{"name": "monitor"}, {"name": "production"}]}
    monkeypatch.setattr(api, "listed", lambda _: [alert])
    change = Change("T", "B", "promote/production/1")
    text = offer.body(change, {"production": "--- a\n+++ b\n+c"}, waits=True)
    assert "Rendered manifests of production: 1 lines differ" in text
    assert "Monitor of production: #7 is open." in text
    assert "without an App" in text
    other = offer.body(replace(change, branch="release/dev/1"), {}, waits=False)
    assert "Monitor of dev: no open alert. Alerts of other environments: #7." in other
    assert "Monitor" not in offer.body(replace(change, branch="retrain/data"), {}, waits=False)
    assert len(offer.body(replace(change, body="x" * 90_000), {}, waits=True)) == 65_000


def test_a_retraining_names_the_slice_that_asked_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The event comes from a cluster, and its names from data."""
    event = {"client_payload": {"environment": "production", "about": "estimated F1 of origin @all <b>EWR"}}
    monkeypatch.setattr(api, "event", lambda: event)
    change = Change("T", "B", "retrain/data")
    text = offer.body(change, {}, waits=False)
    asked = "The monitor of production asked for it. Out of bounds: estimated F1 of origin `@all` &lt;b&gt;EWR.\n"
    assert text == f"B\n{asked}"
    monkeypatch.setattr(api, "event", dict)
    assert offer.body(change, {}, waits=False) == "B"


def test_without_a_change_nothing_is_offered_and_without_a_remote_it_is_told(repository: Git, tmp_path: Path) -> None:
    assert offer.run(tmp_path, waits=True) == "there is nothing to offer"
    Change("T", "B", "retrain/data").write(tmp_path)
    with pytest.raises(InputError, match="has no remote origin"):
        offer.run(tmp_path, waits=False)


@pytest.mark.parametrize(
    "branch", ["main", "upgrade/main", "template", "release/dev", "retrain/../main", "promote/dev/1:main"]
)
def test_a_branch_that_no_verb_writes_is_not_pushed(branch: str, repository: Git, tmp_path: Path) -> None:
    repository("remote", "add", "origin", str(tmp_path / "nowhere"))
    Change("T", "B", branch).write(tmp_path)
    with pytest.raises(InputError, match="A verb never offers the branch"):
        offer.run(tmp_path, waits=False)


def test_an_alert_of_the_monitor_reaches_no_one_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    def call(_method: str, _path: str, body: Any) -> Any:
        made.append(body)
        return {"number": 1}

    (tmp_path / "event.json").write_text(
        json.dumps(
            {
                "client_payload": {
                    "environment": "production",
                    "raised": "2013-09-05--><script>",
                    "report": "@all <!-- x" + "y" * 90_000,
                }
            }
        )
    )
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(tmp_path / "event.json"))
    monkeypatch.setenv("GITHUB_REPOSITORY", "acme/tiny")
    monkeypatch.setattr(api, "listed", lambda _: [])
    monkeypatch.setattr(api, "call", call)
    assert issue.run() == "#1 was opened"
    assert len(made[0]["body"]) < 65_000
    mark, _, shown = made[0]["body"].partition("\n")
    assert mark == "<!-- told version= raised=2013-09-05-script- series= -->"
    assert shown.split("\n\n", 1)[1].startswith("```\n@all <!-- x")  # it mentions no one
    assert shown.endswith("\n```\n\n")


A, B = "aaaaaaaa", "bbbbbbbb"
ALERT = {"environment": "dev", "version": "v1", "raised": "2020-01-09", "since": "2020-01-06", "series": f"{B} {A}"}


@pytest.mark.parametrize("state", ["open", "closed"])
@pytest.mark.parametrize(
    ("before", "known"),
    [
        ({}, True),
        ({"raised": "2020-01-06"}, True),  # within the cooldown
        ({"raised": "2020-01-20"}, True),  # an older job is late
        ({"raised": "2020-01-05"}, False),
        ({"version": "v0"}, False),
        ({"series": B}, False),  # another series fell as well
        ({"series": f"{A} {B} cccccccc"}, True),
        ({"environment": "staging"}, False),
    ],
)
def test_an_alert_is_told_once_and_again_only_when_something_changed(
    before: dict[str, str], known: bool, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    issues: list[dict[str, Any]] = []
    comments: list[Any] = []

    def call(method: str, path: str, body: Any) -> Any:
        if path.endswith("/issues"):
            labels = [{"name": name} for name in body.pop("labels")]
            issues.insert(
                0, {"number": len(issues) + 1, "state": "open", "user": {"type": "Bot"}, "labels": labels, **body}
            )
        elif path.endswith("/comments"):
            comments.append(body["body"])
        else:
            next(one for one in issues if path.endswith(f"/{one['number']}")).update(body)
        return issues[0]

    def happen(payload: dict[str, str]) -> str:
        (tmp_path / "event.json").write_text(json.dumps({"client_payload": payload}))
        (tmp_path / "output").unlink(missing_ok=True)
        return issue.run()

    monkeypatch.setenv("GITHUB_EVENT_PATH", str(tmp_path / "event.json"))
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    monkeypatch.setenv("GITHUB_REPOSITORY", "acme/tiny")
    monkeypatch.delenv("GITHUB_RUN_ATTEMPT", raising=False)
    monkeypatch.setattr(api, "listed", lambda _: issues)
    monkeypatch.setattr(api, "call", call)
    happen(ALERT | before)
    issues[0]["state"] = state
    said = happen(ALERT)
    assert (said == "#1 already tells of the alert of 2020-01-09") == known
    assert (tmp_path / "output").exists() == known
    again = state == "open" and not known and "environment" not in before
    assert comments == ["Raised again: 2020-01-09."] * again
    assert len(issues) == 1 + (not known and not again)
    assert "#" in happen(ALERT)  # told twice
    assert (len(issues), len(comments)) == (1 + (not known and not again), again)
    assert (tmp_path / "output").read_text() == "known=true\n"
    monkeypatch.setenv("GITHUB_RUN_ATTEMPT", "2")  # by a person, after a run whose later steps failed
    happen(ALERT)
    assert (tmp_path / "output").read_text() == "known=false\n"


@pytest.mark.parametrize(
    ("wanted", "found", "expected"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": 1}, {"a": 2}, False),
        ({"a": 1}, {}, False),
        ([{"a": 1}], [{"b": 1}, {"a": 1, "c": 2}], True),
        ([{"a": 1}], [{"a": 2}], False),
        ({"a": [1]}, {"a": None}, False),
        ({"bypass_actors": []}, {"bypass_actors": [{"actor_id": 5}]}, False),
        ({"bypass_actors": []}, {"bypass_actors": []}, True),
    ],
)
def test_what_is_wanted_of_github_is_there_or_not(wanted: Any, found: Any, expected: bool) -> None:
    assert setup.holds(wanted, found) is expected


def test_the_rules_demand_the_last_job_of_the_pull_requests_workflow() -> None:
    rules = {
        rule["type"]: rule.get("parameters")
        for rule in json.loads((ROOT / ".github/ruleset.json").read_text())["rules"]
    }
    workflow = (ROOT / ".github/workflows/pull-request.yaml").read_text()
    (check,) = rules["required_status_checks"]["required_status_checks"]
    assert f"\n    name: {check['context']}\n" in workflow.partition("\n  all-green:")[2]
    assert rules["required_status_checks"]["strict_required_status_checks_policy"]
    assert rules["pull_request"]["require_code_owner_review"]
    assert rules["pull_request"]["require_last_push_approval"]  # whoever pushed last may not be who approves
    assert rules["pull_request"]["allowed_merge_methods"] == ["merge"]


def test_github_that_cannot_be_asked_is_no_failure(
    repository: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from test_release import SETTINGS

    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    assert "has no remote on GitHub" in missing.run(SETTINGS)
    repository("config", "remote.origin.url", "git@github.com:acme/tiny.git")
    gh(tmp_path, monkeypatch, "echo 'no network' >&2; exit 1")
    assert missing.run(SETTINGS).startswith("GitHub could not be asked: GitHub refused")
