"""Runs every workflow on a fake GitHub: people's and clusters' actions, and the resulting pull requests."""

import fcntl
import hashlib
import io
import json
import os
import pickle
import re
import shutil
import tempfile
import threading
import zipfile
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import IDENTITY, PROJECT, SMALL, WARM, render, run, unrendered, warmed
from hub.runner import EMPTY, Hub, Run

if shutil.which("act") is None:
    if os.environ.get("CI"):
        raise RuntimeError("act is not installed, without which no workflow is run; run scripts/install.")
    pytest.skip("act is not installed; run scripts/install", allow_module_level=True)

ENVIRONMENTS = ("dev", "staging", "production")
RELEASE = "manifests/overlays/{}/release/"
# Another data file, with a hostile category name.
HOSTILE = "</details><script>alert(1)</script>[x](javascript:1)@acme`$(touch pwned)`|<!-- ${{ github.token }}"
SPOIL = f"""
import pathlib, pandas
frame = pandas.read_parquet("data/flights.parquet")
origin = frame["origin"].astype("object")
frame["origin"] = origin.where(origin != "JFK", {HOSTILE!r})
frame.to_parquet("data/flights.parquet", index=False)
"""


EXCEPTED = "exceptions:\n  - {id: CVE-2026-1, until: 2999-01-01, reason: The part that it is in is never called.}\n"


class Base:
    """Repositories on a fake GitHub for tests to copy, each a stage further than the one before.

    `fresh` was never pushed. `production` runs a first release. In `offered` another one is offered to dev, which in
    `staged` runs in staging. In `reviewed` a pull request has its report, in `forked` the checks of a fork's ended.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.venv = folder / "venv"

    def build(self, repository: Path) -> None:
        """Make the data small, and live up to a first release in production and on."""
        self.folder.mkdir()
        shutil.copytree(repository, self.folder / "repository")
        self.venv.mkdir()
        (self.venv / "upgrade").symlink_to(unrendered("upgrade") / ".venv/upgrade")
        stood = "[ ! -e broken ]"  # checks and tests, which are tested elsewhere
        programs = dict.fromkeys(
            (f"dev/bin/{name}" for name in ("actionlint", "mypy", "python", "ruff", "yamllint", "zizmor")),
            f"#!/bin/sh\n{stood}\n",
        )
        programs |= {f"{name}/bin/python": warmed(name, stood) for name in WARM}
        for name, text in programs.items():
            (self.venv / name).parent.mkdir(parents=True, exist_ok=True)
            (self.venv / name).write_text(text)
            (self.venv / name).chmod(0o755)
        run([str(self.venv / "train/bin/python"), "-c", SMALL], self.folder / "repository")
        run(["git", "commit", "--quiet", "--all", "--amend", "--no-edit"], self.folder / "repository")
        run(["git", "branch", "--force", "template"], self.folder / "repository")
        hub = self.hub(self.folder / "fresh")
        hub.start(self.folder / "repository")
        hub.close()
        self.keep(hub, "fresh")
        hub = self.copy("fresh", self.folder / "production")
        self.first = hub.pushed(EMPTY)
        assert {one.conclusion for one in self.first} == {"success"}, self.first[-1].log
        self.changed: list[list[str]] = []
        for _ in ENVIRONMENTS:
            (number,) = opened(hub)
            before = hub.main()
            hub.checks(number)
            self.first += hub.merge(number)
            self.changed.append(hub.state.git("diff", "--name-only", before, hub.main()).split("\n"))
        hub.close()
        self.keep(hub, "production")
        hub = self.copy("production", self.folder / "offered")
        again(hub)
        hub.close()
        self.keep(hub, "offered")
        hub = self.copy("offered", self.folder / "staged")
        promoted(hub, "staging")
        hub.close()
        self.keep(hub, "staged")
        hub = self.copy("production", self.folder / "reviewed")
        hub.edit("longer", {}, "Train longer", replace=("max_iter: 60", "max_iter: 61"))
        self.reviewed = hub.open("longer", "Train longer")
        self.checked, self.report = hub.runs[-2:]
        hub.close()
        self.keep(hub, "reviewed")
        hub = self.copy("production", self.folder / "forked")
        self.forked, self.calls = forked(hub)
        hub.close()
        self.keep(hub, "forked")

    def hub(self, folder: Path) -> Hub:
        folder.mkdir()
        store = f"import mlflow; mlflow.MlflowClient('sqlite:///{folder}/mlflow.db').search_experiments()"
        run([str(self.venv / "train/bin/python"), "-c", store], folder)
        return Hub(folder, self.venv)

    def keep(self, hub: Hub, name: str) -> None:
        hub.git("gc", "--quiet", cwd=hub.remote)  # every job of every copy fetches from it
        state = {key: part for key, part in vars(hub.state).items() if key != "lock"}
        (self.folder / f"{name}.state").write_bytes(pickle.dumps(state))

    def copy(self, name: str, folder: Path) -> Hub:
        """A private copy of a repository."""
        shutil.copytree(self.folder / name, folder, ignore=shutil.ignore_patterns("work", "home"), symlinks=True)
        hub = Hub(folder, self.venv)
        state = pickle.loads((self.folder / f"{name}.state").read_bytes())  # noqa: S301 - ours
        vars(hub.state).update(state, remote=hub.remote)
        hub.check_out()
        return hub


@pytest.fixture(scope="session")
def base(_warm: None, baked: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Base:
    """The repositories, built once by the first process that needs them."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    made = Base(shared / "hub")
    with (shared / "hub.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = shared / "hub.made"
        if not kept.exists():
            made.build(baked("binary_classification"))
            kept.write_bytes(
                pickle.dumps({name: part for name, part in vars(made).items() if name not in ("folder", "venv")})
            )
        vars(made).update(pickle.loads(kept.read_bytes()))  # noqa: S301 - ours
    return made


def lived(name: str) -> Any:
    """A fixture: a copy of one of the base's repositories, for one test to go on with."""

    @pytest.fixture
    def copy(base: Base, tmp_path: Path) -> Iterator[Hub]:
        made = base.copy(name, tmp_path / "hub")
        yield made
        made.close()

    return copy


fresh, hub, offered, staged = map(lived, ("fresh", "production", "offered", "staged"))
reviewed, fork = map(lived, ("reviewed", "forked"))


def opened(hub: Hub, kind: str = "") -> list[int]:
    """The open pull requests with this branch prefix."""
    return [
        number
        for number, pull in hub.state.pulls.items()
        if pull["state"] == "open" and pull["head"]["ref"].startswith(kind)
    ]


def comments(hub: Hub, number: int) -> list[dict[str, Any]]:
    return [one for one in hub.state.comments.values() if one["of"] == number]


def released(hub: Hub, environment: str, commit: str = "refs/heads/main") -> dict[str, Any]:
    """The decision record of an environment's release."""
    text = hub.state.git("show", f"{commit}:{RELEASE.format(environment)}decision.json")
    found: dict[str, Any] = json.loads(text)
    return found


def rendered(hub: Hub, environment: str) -> str:
    """An environment's manifests on main, as the cluster would get them."""
    with tempfile.TemporaryDirectory(dir=hub.folder) as folder:
        hub.git("clone", "--quiet", hub.address, folder, cwd=hub.folder)
        return render(Path(folder), environment)


def again(hub: Hub, message: str = "Train longer", iterations: int = 61) -> Run:
    """Merge a changed model without review and release it; returns the run."""
    before = hub.main()
    text = (hub.work / "config.yaml").read_text()
    found = re.search(r"max_iter: \d+", text)
    assert found
    hub.edit("main", {}, message, replace=(found[0], f"max_iter: {iterations}"))
    (done,) = hub.pushed(before)
    assert done.conclusion == "success", done.log
    return done


def patched(hub: Hub, words: str) -> Run:
    """Merge another service without its review, and release it around the same model; returns the run."""
    before, name = hub.main(), "lifecycle/serving/post.py"
    hub.edit("main", {name: (hub.work / name).read_text() + f"# {words}\n"}, "Patch the service")
    (done,) = hub.pushed(before)
    assert done.conclusion == "success", done.log
    return done


def promoted(hub: Hub, until: str = "production", since: str = "dev") -> None:
    """Merge the environments' open pull requests, from one environment up to another."""
    for environment in ENVIRONMENTS[ENVIRONMENTS.index(since) : ENVIRONMENTS.index(until) + 1]:
        (number,) = opened(hub, f"{'release' if environment == 'dev' else 'promote'}/{environment}/")
        assert hub.checks(number, report=False).conclusion == "success"
        hub.merge(number)


# 8 and 4: the first release ever, and its way to production


def test_the_first_release_needs_no_champion_no_secret_and_no_variable(base: Base, hub: Hub) -> None:
    assert [one.workflow for one in base.first] == ["promote.yaml", "release.yaml"] + ["promote.yaml"] * 3
    assert {one.conclusion for one in base.first} == {"success"}
    assert "production has no release yet; there is no champion" in base.first[1].log
    record = released(hub, "dev")
    assert record["evaluation"]["champion"] is None
    assert {gate["outcome"] for gate in record["gates"] if gate["gate"]["kind"] == "champion"} == {"skipped"}
    assert opened(hub) == []


def test_one_digest_goes_all_the_way_and_each_promotion_changes_one_release(base: Base, hub: Hub) -> None:
    assert base.changed == [
        [f"{RELEASE.format(name)}decision.json", f"{RELEASE.format(name)}kustomization.yaml"] for name in ENVIRONMENTS
    ]
    records = [released(hub, environment) for environment in ENVIRONMENTS]
    assert records[0] == records[1] == records[2]
    digest = records[0]["images"]["serve"].partition("sha256:")[2]
    content = (hub.folder / "registry" / digest).read_bytes()
    assert hashlib.sha256(content).hexdigest() == digest
    signed, attested = (hub.folder / "signatures").read_text().splitlines()
    images = [records[0]["images"]["serve"], records[0]["images"]["monitor"]]
    signer = "https://github.com/acme/my-model/.github/workflows/release.yaml@refs/heads/main"
    assert signed.split() == [signer, "sign", "--yes", *images]
    kind = "https://github.com/acme/my-model/decision"
    assert attested.split() == [
        signer,
        "attest",
        "--yes",
        "--type",
        kind,
        "--predicate",
        "build/decision.json",
        *images,
    ]


def test_a_release_is_on_github_with_report_and_record(hub: Hub) -> None:
    (found,) = hub.state.releases
    record = released(hub, "production")
    assert found["tag_name"] == record["evaluation"]["origin"]["version"]
    assert found["body"].startswith("## ✅ Accepted")
    papers = {"model-card.md", "bom.json", "lineage.jsonl"}
    assert set(found["assets"]) == {"report.md", "report.html", "decision.json", *papers}
    assert json.loads(found["assets"]["decision.json"])["gates"] == record["gates"]


def test_a_promotion_carries_its_evidence(hub: Hub) -> None:
    pull = next(pull for pull in hub.state.pulls.values() if pull["head"]["ref"].startswith("promote/production/"))
    record = released(hub, "production")
    body = pull["body"]
    assert "✅ Accepted" in body
    assert "### Gates" in body
    assert record["images"]["serve"] in body
    assert "Rendered manifests of production: " in body
    assert re.search(rf"^\+ +(- )?image: {record['images']['serve']}$", body, flags=re.M)
    assert "Monitor of production: no open alert." in body
    assert "`make rollback ENV=production`" in body
    assert "was opened without an App" in body
    assert len(body) <= 65_000
    assert hub.state.issue_labels(pull["number"]) == [{"name": "promote"}, {"name": "production"}]


# 1 and 2: a pull request, good or worse


def test_a_good_pull_request_gets_a_comment_and_its_merge_releases_what_was_reviewed(base: Base, reviewed: Hub) -> None:
    hub, number = reviewed, base.reviewed
    (comment,) = comments(hub, number)
    assert hub.state.pulls[number]["checks"][1] == "success"
    assert "✅ Accepted" in comment["body"]
    champion = released(hub, "production")["evaluation"]["origin"]["version"]
    assert f"The champion is {champion}" in comment["body"].replace("`", "").replace("\\", "")
    assert hub.state.pulls[number]["head"]["sha"][:12] in comment["body"]
    assert "Summary - <!-- model report" in base.report.log
    assert len(comment["body"]) <= 65_000
    del hub.state.comments[comment["id"]]  # it is merged before this is posted
    hub.variables["MLFLOW_TRACKING_URI"] = "nowhere://"  # it is down
    runs = hub.merged_at_once(number, base.checked)
    assert [one.conclusion for one in runs] == ["success", "success"], runs[1].log
    assert "metrics match the review" in runs[1].log
    assert "MLflow at nowhere:// cannot be used" in runs[1].log
    assert "The release goes on without it. Later: gh run download" in runs[1].log
    assert len(opened(hub, "release/dev/")) == 1


def test_a_worse_model_is_red_and_the_comment_says_by_how_much(hub: Hub) -> None:
    hub.edit(
        "worse", {}, "Train faster", replace=("learning_rate: 0.1, max_iter: 60", "learning_rate: 1.0, max_iter: 3")
    )
    number = hub.open("worse", "Train faster")
    done = next(one for one in reversed(hub.runs) if one.workflow == "pull-request.yaml")
    assert done.jobs["Evaluate"] == done.jobs["All green"] == "failure"
    assert done.jobs["Check"] == done.jobs["Test"] == done.jobs["Changes"] == "success"
    (comment,) = comments(hub, number)
    assert "❌ Refused" in comment["body"]
    (failed,) = [line for line in comment["body"].split("\n") if line.startswith(("| ❌ fail |", "| ❓ undecided |"))]
    by = r"\| champion F1 \| fell 0\.\d+ \(-?0\.\d+ to 0\.\d+\).* \| .* \| at most 0\.05 below the champion "
    assert re.search(by, failed), failed
    with pytest.raises(AssertionError, match="it is not green"):
        hub.merge(number)


def test_a_merge_queue_runs_the_same_checks(hub: Hub) -> None:
    base = hub.main()
    sha = hub.edit("queued", {"README.md": "Changed.\n"}, "Say so")
    event = {"action": "checks_requested", "merge_group": {"base_sha": base, "head_sha": sha}}
    done = hub.run("pull-request.yaml", "merge_group", event, sha)
    assert done.conclusion == "success", done.log
    assert "Evaluate" not in done.jobs
    assert done.jobs["All green"] == "success"


def test_a_broken_check_is_red(hub: Hub) -> None:
    hub.edit("broken", {"broken": ""}, "Break")
    number = hub.open("broken", "Break")
    done = next(one for one in reversed(hub.runs) if one.workflow == "pull-request.yaml")
    assert done.jobs["Check"] == done.jobs["All green"] == "failure"
    assert hub.state.pulls[number]["checks"][1] == "failure"


def test_a_run_without_evaluation_says_so(hub: Hub) -> None:
    hub.edit("broken", {"config.yaml": "nonsense: 1\n"}, "Break")
    number = hub.open("broken", "Break")
    done = next(one for one in reversed(hub.runs) if one.workflow == "pull-request.yaml")
    assert done.jobs == {"Changes": "failure", "All green": "failure"}
    assert "nonsense is not a known key" in done.log
    (comment,) = comments(hub, number)
    assert "There is no evaluation" in comment["body"]


def test_what_was_not_reviewed_as_it_measures_is_not_released(base: Base, reviewed: Hub) -> None:
    (comment,) = comments(reviewed, base.reviewed)
    comment["body"] = re.sub(r'"roc_auc": [0-9.]+', '"roc_auc": 0.99', comment["body"])
    (done,) = reviewed.merge(base.reviewed)
    assert done.conclusion == "failure"
    assert "but was 0.99 in the review" in done.log
    assert opened(reviewed) == []
    assert len(reviewed.state.releases) == 1


def test_a_patch_of_an_image_releases_the_same_model_without_training(hub: Hub) -> None:
    before = released(hub, "production")
    name = "lifecycle/serving/post.py"
    hub.edit("patch", {name: (hub.work / name).read_text() + "# patched\n"}, "Patch the service")
    number = hub.open("patch", "Patch the service")
    done = next(one for one in reversed(hub.runs) if one.workflow == "pull-request.yaml")
    assert set(done.jobs) == {"Changes", "Check", "Test", "All green"}
    (done,) = hub.merge(number)
    assert done.conclusion == "success", done.log
    assert set(done.jobs) == {"Changes", "Model", "Images", "Offer to dev"}
    built = f"{datetime.now(UTC):%Y.%m.%d}-{hub.main()[:7]}"
    promoted(hub)
    after = released(hub, "production")
    assert after["built"] == built
    assert after["evaluation"] == before["evaluation"]
    assert after["images"]["serve"] != before["images"]["serve"]
    assert [one["tag_name"] for one in hub.state.releases][-1] == built


def test_what_is_neither_in_a_model_nor_in_an_image_releases_nothing(hub: Hub) -> None:
    name = "lifecycle/reporting/charts.py"
    hub.edit("words", {name: (hub.work / name).read_text() + "# words\n"}, "Say it better")
    number = hub.open("words", "Say it better")
    (done,) = hub.merge(number)
    assert (done.conclusion, set(done.jobs)) == ("success", {"Changes"})
    assert opened(hub) == []


# 3: forks


def forked(hub: Hub) -> tuple[tuple[int, Run], list[str]]:
    """A fork's pull request that trains longer, its checks, and their calls to GitHub."""
    sha = hub.edit("elsewhere", {}, "Train longer", replace=("max_iter: 60", "max_iter: 61"))
    hub.state.git("update-ref", "-d", "refs/heads/elsewhere")
    number = hub.fork("improve", sha, "Train longer")
    hub.secrets = {"BOT_PRIVATE_KEY": "key", "REGISTRY_PASSWORD": "never-shown"}
    hub.state.calls.clear()
    return (number, hub.checks(number, report=False)), list(hub.state.calls)


def test_a_fork_gets_its_comment_from_the_trusted_half_only(base: Base, fork: Hub) -> None:
    number, done = base.forked
    assert done.conclusion == "success", done.log
    assert "never-shown" not in done.log
    assert [call for call in base.calls if not call.startswith("GET")] == []
    assert comments(fork, number) == []
    assert fork.report(number, fork.unapproved(number)).conclusion == "success"
    assert comments(fork, number) == []
    assert fork.state.pulls[number]["head"]["sha"] not in fork.state.statuses
    said = fork.report(number, done)
    assert said.conclusion == "success", said.log
    (comment,) = comments(fork, number)
    assert comment["user"]["login"] == "github-actions[bot]"
    assert "✅ Accepted" in comment["body"]


def unzipped(content: bytes | None) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content or b"")) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(files: dict[str, bytes], links: Collection[str] = ()) -> bytes:
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o120777 if name in links else 0o100644) << 16
            archive.writestr(entry, content)
    return kept.getvalue()


def test_a_tampered_artefact_is_refused_and_nothing_is_posted(base: Base, fork: Hub) -> None:
    number, done = base.forked
    kept = {one.name: unzipped(one.content) for one in fork.state.results.of(done.number)}
    record = kept["report-evaluation"]["decision.json"]

    def with_(artifact: str = "", name: str = "", content: bytes = b"", links: Collection[str] = ()) -> Run:
        for one in fork.state.results.of(done.number):
            changed = {name: content} if one.name == artifact else {}
            one.content = zipped({**kept[one.name], **changed}, links)
            one.digest = f"sha256:{hashlib.sha256(one.content).hexdigest()}"
        return fork.report(number, done)

    for artifact, name, content, told in [
        ("report-manifests", "number", b"1", "but belongs to #"),
        ("report-evaluation", "$(touch pwned).md", b"x", "which is not a file of its workflow"),
        ("report-evaluation", "decision.json", record + b" " * 10_000_000, "more than 2,000,000"),
        ("report-evaluation", "decision.json", record.replace(b'"passed"', b'"past"'), "is damaged or foreign"),
        ("report-manifests", "diff.json", b'["<script>"]', "a diff.json that is not valid"),
    ]:
        said = with_(artifact, name, content)
        assert said.conclusion == "failure"
        assert told in said.log
    said = with_("report-evaluation", "decision.json", b"/etc/hostname", ["decision.json"])
    assert said.conclusion == "failure"
    assert "is damaged or foreign" in said.log  # the action makes a file of a link
    assert comments(fork, number) == []
    shown = fork.state.statuses[fork.state.pulls[number]["head"]["sha"]]
    assert shown == {"Report": "failure"}
    assert with_().conclusion == "success"
    assert shown == {"Report": "success"}
    assert len(comments(fork, number)) == 1


def test_a_comment_is_updated_with_each_push_and_a_persons_is_never_taken_for_it(hub: Hub) -> None:
    hub.edit("words", {"README.md": "Changed.\n"}, "Say so")
    number = hub.open("words", "Say so")
    (comment,) = comments(hub, number)
    sha = hub.edit("words", {"README.md": "Changed again.\n"}, "Say it again")
    done = hub.checks(number)
    assert done.conclusion == "success"
    (updated,) = comments(hub, number)
    assert (updated["id"], updated["edits"]) == (comment["id"], 1)
    assert sha[:12] in updated["body"]
    updated["user"] = {"login": "mallory", "type": "User"}
    hub.report(number, done)
    assert [one["edits"] for one in comments(hub, number)] == [1, 0]


# 5: several candidates


def test_a_newer_candidate_supersedes_an_open_promotion(offered: Hub) -> None:
    hub = offered
    (first,) = opened(hub, "release/dev/")
    patched(hub, "patched")
    (second,) = opened(hub, "release/dev/")
    assert second != first
    assert hub.state.pulls[first]["state"] == "closed"
    assert [one["body"] for one in comments(hub, first)] == [f"Superseded by #{second}."]
    hub.checks(second, report=False)
    hub.merge(second)
    (staging,) = opened(hub, "promote/staging/")
    patched(hub, "patched again")
    (third,) = opened(hub, "release/dev/")
    hub.checks(third, report=False)
    hub.merge(third)
    (newer,) = opened(hub, "promote/staging/")
    assert hub.state.pulls[staging]["state"] == "closed"
    assert newer != staging
    assert hub.state.git("for-each-ref", "--format=%(refname)", "refs/heads/promote/staging/").count("\n") == 0


def test_two_promotions_at_once_do_not_double(offered: Hub) -> None:
    hub = offered
    (number,) = opened(hub, "release/dev/")
    hub.checks(number, report=False)
    hub.variables["CLUSTER_REPORTS"] = "true"
    (skipped,) = hub.merge(number)
    assert skipped.conclusion == "success"
    assert opened(hub) == []
    digest = released(hub, "dev")["images"]["serve"].partition("@")[2]
    payload = {"environment": "dev", "digest": digest, "revision": hub.main()}
    results: list[Run] = []
    both = [threading.Thread(target=lambda: results.extend(hub.dispatch("verified", payload))) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert [one.conclusion for one in results] == ["success", "success"], results[0].log + results[1].log
    (pull,) = opened(hub, "promote/staging/")
    (third,) = hub.dispatch("verified", payload)
    assert third.conclusion == "success"
    assert opened(hub, "promote/") == [pull]
    assert hub.by_hand("promote.yaml", environment="dev").conclusion == "success"
    assert opened(hub, "promote/") == [pull]


def test_a_promotion_whose_run_was_cancelled_by_a_later_push_is_offered_by_that(staged: Hub) -> None:
    hub = staged
    (offered,) = opened(hub, "promote/production/")
    del hub.state.pulls[offered]
    hub.waiting = []  # the run of an earlier push is busy; that of staging's merge waits
    hub.run("promote.yaml", "push", {"before": hub.state.git("rev-parse", "refs/heads/main^")}, hub.main())
    before = hub.main()
    path = f"{RELEASE.format('dev')}kustomization.yaml"
    hub.edit("main", {path: (hub.work / path).read_text() + "# dev alone\n"}, "Explain")
    assert [one.workflow for one in hub.pushed(before)] == ["promote.yaml"]
    (done,) = hub.let()
    assert done.conclusion == "success", done.log
    assert len(opened(hub, "promote/production/")) == 1


def test_a_record_that_the_release_workflow_did_not_attest_is_not_promoted(offered: Hub) -> None:
    hub = offered
    (number,) = opened(hub, "release/dev/")
    hub.checks(number, report=False)
    for kept in (hub.folder / "attestations").iterdir():
        kept.write_text(kept.read_text().replace("release.yaml@refs/heads/main", "release.yaml@refs/heads/mine"))
    (done,) = hub.merge(number)
    assert done.conclusion == "failure"
    assert "-serve@sha256:" in done.log
    assert (
        "has no record that https://github.com/acme/my-model/.github/workflows/release.yaml@refs/heads/main" in done.log
    )
    assert opened(hub, "promote/") == []


def test_a_verification_of_what_no_longer_runs_offers_nothing(hub: Hub) -> None:
    for environment, digest, told in (
        ("dev", f"sha256:{'0' * 64}", "dev no longer runs sha256:0000"),
        ("production", "", "production is the last environment"),
        ("dev", "", "staging already runs"),
    ):
        (done,) = hub.dispatch("verified", {"environment": environment, "digest": digest})
        assert done.conclusion == "success", done.log
        assert told in done.log
    assert opened(hub) == []


def test_a_freeze_holds_promotions_back_and_lets_rollbacks_through(staged: Hub) -> None:
    hub, today = staged, datetime.now(UTC).date()
    (open_before,) = opened(hub, "promote/production/")
    freeze = f"[{{environment: production, from: {today}, until: {today + timedelta(days=2)}, reason: sale}}]"
    before = hub.main()
    hub.edit("main", {}, "Freeze", replace=("freeze: []", f"freeze: {freeze}"))
    assert hub.checks(open_before, report=False).jobs["Changes"] == "failure"
    hub.state.pulls[open_before]["state"] = "closed"
    (done,) = hub.dispatch("verified", {"environment": "staging", "digest": ""})
    assert done.conclusion == "success"
    assert "production is frozen from" in done.log
    assert opened(hub, "promote/") == []
    assert before != hub.main()


# 6: failure and rollback


def test_a_failed_verification_offers_the_rollback_and_no_promotion_undoes_it(staged: Hub) -> None:
    hub = staged
    first, before = released(hub, "production"), rendered(hub, "production")
    promoted(hub, since="production")
    assert rendered(hub, "production") != before
    second = released(hub, "production")
    assert second != first
    payload = {
        "environment": "production",
        "digest": second["images"]["serve"].partition("@")[2],
        "revision": hub.main(),
        "said": "pod x: serve: `it` @acme",
    }
    (done,) = hub.dispatch("failed", payload)
    assert done.conclusion == "success", done.log
    (number,) = opened(hub, "rollback/production/")
    pull = hub.state.pulls[number]
    assert f"commit {hub.main()} released it. The cluster says: pod x: serve: \\`it\\` `@acme`" in pull["body"]
    versions = [record["evaluation"]["origin"]["version"] for record in (first, second)]
    assert pull["title"] == f"Roll production back to {versions[0]} from {versions[1]}"
    hub.dispatch("failed", payload)
    assert opened(hub) == [number]
    done = hub.checks(number, report=False)
    assert done.conclusion == "success"
    assert set(done.jobs) == {"Changes", "All green"}  # neither tests nor training
    (after,) = hub.merge(number)
    assert released(hub, "production") == first
    assert rendered(hub, "production") == before
    assert after.conclusion == "success"
    (late,) = hub.dispatch("verified", {"environment": "staging", "digest": ""})
    assert "was rolled back from it" in late.log
    (stale,) = hub.dispatch("failed", payload)
    assert "no longer runs sha256:" in stale.log
    (refused,) = hub.dispatch("failed", payload | {"digest": ""})  # rejected by the API server, before any pod
    assert "no longer runs the release of" in refused.log
    (unknown,) = hub.dispatch("failed", {"environment": "production", "digest": "", "revision": ""})
    assert unknown.conclusion == "failure"  # otherwise it would count as a manual rollback
    assert "git does not know the commit 'none'" in unknown.log
    assert opened(hub) == []


def test_a_candidate_gets_a_share_of_the_requests_and_is_dropped_when_it_fails(staged: Hub) -> None:
    hub = staged
    first, before = released(hub, "production"), rendered(hub, "production")
    (number,) = opened(hub, "promote/production/")
    done = hub.by_hand("promote.yaml", environment="staging", share="10")
    assert done.conclusion == "success", done.log
    (canary,) = opened(hub, "promote/production/")
    assert canary != number
    number = canary
    second = released(hub, "staging")
    versions = [record["evaluation"]["origin"]["version"] for record in (first, second)]
    pull = hub.state.pulls[number]
    assert pull["title"] == f"Promote {versions[1]} to 10% of production"
    assert "+    traffic: 10\n" in pull["body"]
    assert hub.checks(number, report=False).conclusion == "success"
    hub.merge(number)
    assert released(hub, "production") == first
    beside = rendered(hub, "production")
    assert [record["images"]["serve"] in beside for record in (first, second)] == [True, True]
    done = hub.by_hand("promote.yaml", environment="staging", share="100")
    (number,) = opened(hub, "promote/production/")
    assert hub.state.pulls[number]["title"] == f"Promote {versions[1]} to production"
    hub.state.pulls[number]["state"] = "closed"
    payload = {"environment": "production", "digest": first["images"]["serve"].partition("@")[2]}
    (failed,) = hub.dispatch("failed", payload | {"revision": hub.main()})
    assert failed.conclusion == "success", failed.log
    (number,) = opened(hub, "rollback/production/")
    assert hub.state.pulls[number]["title"] == f"Drop {versions[1]} from production"
    assert hub.checks(number, report=False).conclusion == "success"
    hub.merge(number)
    assert rendered(hub, "production") == before
    assert "was rolled back from it" in hub.by_hand("promote.yaml", environment="staging").log
    assert opened(hub) == []


def test_a_rollback_by_hand_says_when_there_is_nothing_to_go_back_to(hub: Hub) -> None:
    done = hub.by_hand("rollback.yaml", environment="production")
    version = released(hub, "production")["evaluation"]["origin"]["version"]
    assert done.conclusion == "failure"
    assert f"production has no release earlier than {version}" in done.log
    assert opened(hub) == []


# 7: the loop


def test_one_alert_is_one_issue_and_one_pull_request(hub: Hub) -> None:
    version = released(hub, "production")["evaluation"]["origin"]["version"]
    payload = {"environment": "production", "version": version, "raised": "2013-09-05", "report": "## @all it fell"}
    for _ in range(2):
        (done,) = hub.dispatch("degraded", payload)
        assert done.conclusion == "success", done.log
    (issue,) = [one for one in hub.state.issues.values() if not one.get("pull")]
    assert issue["labelled"] == ["monitor", "production"]
    assert "it fell" in issue["body"]
    assert "@all" not in re.sub(r"(?s)```.*?```", "", issue["body"])  # code mentions no one
    (number,) = opened(hub, "retrain/")
    assert comments(hub, issue["number"]) == []
    hub.dispatch("degraded", {**payload, "raised": "2013-10-05"})
    assert len([one for one in hub.state.issues.values() if not one.get("pull")]) == 1
    assert [one["body"] for one in comments(hub, issue["number"])] == ["Raised again: 2013-10-05."]
    assert opened(hub, "retrain/") == [number]
    pull = hub.state.pulls[number]
    assert pull["title"] == "Retrain on data until 2014-01-01"
    settings = yaml.safe_load(hub.state.git("show", "refs/heads/retrain/data:config.yaml"))
    assert [str(day) for day in settings["split"]["test"]] == ["2013-11-01", "2014-01-01"]
    done = hub.checks(number)
    assert "Evaluate" in done.jobs
    assert version in comments(hub, number)[0]["body"]
    monday = hub.run("retrain.yaml", "schedule", {"schedule": "17 4 * * 1"}, hub.main())
    assert monday.conclusion == "success", monday.log
    assert opened(hub, "retrain/") == [number]
    issue["state"] = pull["state"] = "closed"  # by a person, while the alert holds
    (done,) = hub.dispatch("degraded", {**payload, "raised": "2013-10-05"})
    assert done.conclusion == "success", done.log
    assert (issue["state"], opened(hub, "retrain/")) == ("closed", [])
    assert len([one for one in hub.state.issues.values() if not one.get("pull")]) == 1


def test_one_issue_tells_of_vulnerable_packages_until_they_are_mended_and_no_pull_request_waits(hub: Hub) -> None:
    ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.0"}]}]
    affected = [{"package": {"name": "starlette", "ecosystem": "PyPI"}, "ranges": ranges}]
    hub.state.osv["GHSA-a"] = {"id": "GHSA-a", "aliases": ["CVE-2026-1"], "affected": affected}
    for _ in range(2):
        done = hub.run("vulnerabilities.yaml", "schedule", {"schedule": "29 5 * * 2"}, hub.main())
        assert done.conclusion == "success", done.log
    (issue,) = [one for one in hub.state.issues.values() if not one.get("pull")]
    assert issue["labelled"] == ["vulnerabilities"]
    assert (
        "| 99.0 | GHSA-a, CVE-2026-1 | locks/dev.txt, locks/serve.txt, locks/skops.txt, locks/train.txt |"
        in issue["body"]
    )
    assert opened(hub) == []
    hub.edit("words", {"docs/words.md": "More.\n"}, "Explain")
    hub.open("words", "Explain")
    assert hub.runs[-2].workflow == "pull-request.yaml"
    assert hub.runs[-2].conclusion == "success", hub.runs[-2].log
    hub.edit("main", {"locks/exceptions.yaml": EXCEPTED}, "Except it")
    done = hub.by_hand("vulnerabilities.yaml")
    assert done.conclusion == "success", done.log
    assert issue["state"] == "closed"


def test_a_persons_commit_on_the_retraining_branch_is_kept(hub: Hub) -> None:
    hub.by_hand("retrain.yaml")
    sha = hub.edit("retrain/data", {"README.md": "Mine.\n"}, "Mine")
    done = hub.by_hand("retrain.yaml")
    assert done.conclusion == "success"
    assert "has a person's commits" in done.log
    assert hub.state.git("rev-parse", "refs/heads/retrain/data") == sha


# 9: hostile input


def test_hostile_names_and_values_do_nothing(hub: Hub) -> None:
    branch = "x$(touch${IFS}pwned);`touch${IFS}pwned`&&'\"<b>{{${{github.token}}"
    title = "$(touch pwned) `touch pwned` ${{ github.token }} <script>alert(1)</script>"
    run([str(hub.venv / "train/bin/python"), "-c", SPOIL], hub.work)
    spoilt = hashlib.sha256((hub.work / "data/flights.parquet").read_bytes()).hexdigest()
    data = (hub.work / "data/flights.parquet").read_bytes()
    hub.git("checkout", "--quiet", "data")
    pinned = re.search("sha256: [0-9a-f]{64}", (hub.work / "config.yaml").read_text())
    assert pinned
    hub.git("switch", "--quiet", "--create", "spoilt")
    (hub.work / "data/flights.parquet").write_bytes(data)
    text = (hub.work / "config.yaml").read_text()
    (hub.work / "config.yaml").write_text(text.replace(pinned[0], f"sha256: {spoilt}"))
    hub.git("commit", "--quiet", "--all", "--message", title)
    sha = hub.git("rev-parse", "HEAD")
    hub.git("push", "--quiet", "origin", "HEAD:refs/heads/spoilt")
    number = hub.fork(branch, sha, title)
    done = hub.checks(number)
    assert done.jobs["Changes"] == done.jobs["Check"] == "success", done.log
    (comment,) = comments(hub, number)
    assert "alert(1)" in comment["body"]
    outside = re.sub(r"(?<!\\)`[^`|\n]+`", "", comment["body"])  # of code, in which GitHub links nothing
    assert "`[x](javascript:1)@acme`" in comment["body"]
    for raw in ("<script", "</details><", "@acme", "[x](javascript"):
        assert raw not in outside, raw
    assert comment["body"].count("<!--") == 1
    assert list(hub.folder.rglob("pwned")) == []


@pytest.mark.parametrize("word", ["$(touch pwned)", '"; touch pwned; `touch pwned`'])
def test_a_hostile_payload_is_refused_as_a_name(word: str, hub: Hub) -> None:
    for kind in ("verified", "failed"):
        (done,) = hub.dispatch(kind, {"environment": word, "digest": word, "revision": word})
        assert done.conclusion == "failure"
    (done,) = hub.dispatch("degraded", {"environment": word, "version": word, "raised": word, "report": word})
    assert done.conclusion == "success", done.log
    assert list(hub.folder.rglob("pwned")) == []


# Who opens the pull requests


def test_an_app_opens_them_when_there_is_one(hub: Hub) -> None:
    hub.variables["BOT_APP_ID"], hub.secrets = "7", {"BOT_PRIVATE_KEY": "key"}
    hub.by_hand("retrain.yaml")
    (number,) = opened(hub)
    assert hub.state.pulls[number]["user"]["login"] == "acme-bot[bot]"
    assert "without an App" not in hub.state.pulls[number]["body"]


def test_where_no_one_may_open_them_the_run_is_green_and_says_what_to_do(hub: Hub) -> None:
    hub.state.may_open = False
    done = hub.by_hand("retrain.yaml")
    assert done.conclusion == "success"
    assert "open its pull request by hand (acme/my-model/compare/retrain/data?expand=1)" in done.log
    assert hub.state.git("rev-parse", "--verify", "refs/heads/retrain/data")


# Upgrades

# What a hook leaves behind: a process that writes all that the job may hand over, again and again.
HIJACK = """
import json, os, pathlib, time
work = pathlib.Path(os.environ["GITHUB_WORKSPACE"])
for _ in range(600):
    ready = (work / "build/upgrade/upgrade.bundle").exists()
    for folder in (work / "build", work / "build/upgrade"):
        folder.mkdir(parents=True, exist_ok=True)
        change = {"title": "@all", "body": "@all", "branch": "main", "commit": "HEAD"}
        (folder / "change.json").write_text(json.dumps(change))
    if ready:
        break
    time.sleep(0.05)
"""


@pytest.fixture
def newer(template: Path, tmp_path: Path) -> Path:
    """A template with one more line in its Makefile and a changed README."""
    shutil.copytree(template, tmp_path / "newer")
    folder = tmp_path / "newer" / PROJECT
    (folder / "Makefile").write_text((folder / "Makefile").read_text() + "\nnewer: # of the newer template\n")
    (folder / "README.md").write_text((folder / "README.md").read_text() + "\nNewer.\n")
    return tmp_path / "newer"


def test_an_upgrade_merges_the_newer_template_with_what_was_changed_here(hub: Hub, newer: Path) -> None:
    done = hub.by_hand("upgrade.yaml", template=str(newer))
    assert done.conclusion == "success", done.log
    (number,) = opened(hub, "upgrade/")
    ref = hub.state.pulls[number]["head"]["ref"]
    assert "newer: # of the newer template" in hub.state.git("show", f"refs/heads/{ref}:Makefile")
    # The repository keeps its data and releases.
    assert hub.state.git("rev-parse", f"refs/heads/{ref}:manifests/overlays/production/release") == hub.state.git(
        "rev-parse", "refs/heads/main:manifests/overlays/production/release"
    )
    before = hub.main()
    hub.checks(number, report=False)
    hub.merge(number)
    assert before != hub.main()
    nothing = hub.by_hand("upgrade.yaml", template=str(newer))
    assert nothing.conclusion == "success", nothing.log
    assert "has nothing new" in nothing.log
    assert opened(hub, "upgrade/") == []


def test_an_upgrade_names_the_files_that_both_sides_changed(hub: Hub, newer: Path) -> None:
    mine = {name: (hub.work / name).read_text() + "\nmine: # ours\n" for name in ("Makefile", "README.md")}
    hub.edit("main", mine, "Mine")
    hub.by_hand("upgrade.yaml", template=str(newer))
    (number,) = opened(hub, "upgrade/")
    assert "- Makefile" in hub.state.pulls[number]["body"]
    assert "- README.md" not in hub.state.pulls[number]["body"]  # it stays as it is


def hosted(template: Path) -> tuple[str, str]:
    """A template at an address, and its commit."""
    run(["git", "init", "--quiet"], template)
    run(["git", "add", "--force", "."], template)
    run(["git", "commit", "--quiet", "--message", "Newer"], template, **IDENTITY)
    return f"git+file://{template}", run(["git", "rev-parse", "HEAD"], template).strip()


def test_a_template_at_an_address_is_rendered_at_the_commit_that_a_person_confirmed(hub: Hub, newer: Path) -> None:
    address, commit = hosted(newer)
    hub.variables["TEMPLATE"] = address
    done = hub.run("upgrade.yaml", "schedule", {"schedule": "41 5 1 * *"}, hub.main())
    assert done.conclusion == "success", done.log
    assert f"confirm it as COMMIT={commit}" in done.log
    assert opened(hub, "upgrade/") == []
    run(["git", "commit", "--quiet", "--allow-empty", "--message", "After it was read"], newer, **IDENTITY)
    hub.variables["TEMPLATE_COMMIT"] = commit
    done = hub.run("upgrade.yaml", "schedule", {"schedule": "41 5 1 * *"}, hub.main())
    assert done.conclusion == "success", done.log
    (number,) = opened(hub, "upgrade/")
    ref = hub.state.pulls[number]["head"]["ref"]
    assert yaml.safe_load(hub.state.git("show", f"refs/heads/{ref}:.cookiecutter.yaml"))["_commit"] == commit


def test_a_hostile_template_pushes_no_branch_and_no_text_of_its_own(hub: Hub, newer: Path) -> None:
    """Its hook writes all that the job that renders may hand over."""
    hook = newer / "hooks/post_gen_project.py"
    left = f"subprocess.Popen([sys.executable, '-c', {HIJACK!r}], stdout=-3, stderr=-3, start_new_session=True)"
    hook.write_text(hook.read_text().replace("    sys.exit(main())", f"    {left}\n    sys.exit(main())"))
    before = hub.main()
    done = hub.by_hand("upgrade.yaml", template=str(newer))
    assert done.conclusion == "success", done.log
    (kept,) = hub.state.results.of(done.number, "upgrade")
    assert "change.json" in unzipped(kept.content)  # it was handed over
    refs = hub.state.git("for-each-ref", "--format=%(refname)", "refs/heads").split()
    (number,) = opened(hub)
    pull = hub.state.pulls[number]
    assert sorted(refs) == ["refs/heads/main", "refs/heads/template", f"refs/heads/{pull['head']['ref']}"]
    assert re.fullmatch("upgrade/[0-9a-f]{10}", pull["head"]["ref"])
    assert hub.main() == before
    assert pull["title"] == "Upgrade to the newest template"
    assert "@all" not in pull["body"]


def test_a_template_on_one_machine_is_no_error(hub: Hub) -> None:
    done = hub.by_hand("upgrade.yaml")
    assert done.conclusion == "success", done.log
    assert "is a folder of one machine" in done.log


# The repository's settings on GitHub


def test_setting_up_shows_each_call_makes_it_and_then_has_nothing_to_do(fresh: Hub) -> None:
    fresh.state.repository = None
    shown = fresh.make("setup-github").stdout
    assert "POST orgs/acme/repos" in shown
    assert fresh.state.repository is None
    fresh.state.forbids = True
    done = fresh.make("setup-github", "APPLY=yes").stdout
    assert fresh.state.repository
    assert fresh.state.topics == ["mlaas-model"]
    assert set(fresh.state.environments) == {*ENVIRONMENTS, "bot"}
    assert fresh.state.policies == {"bot": [{"name": "main"}]}
    assert {"release", "promote", "rollback", "retrain", "upgrade", "monitor", *ENVIRONMENTS} <= set(fresh.state.labels)
    assert not fresh.state.actions["can_approve_pull_request_reviews"]
    assert "(HTTP 409) (an owner of the organisation allows it" in done
    assert fresh.state.repository["allow_squash_merge"] is False
    assert "private repositories need GitHub Pro" in done
    assert fresh.state.rulesets == []
    fresh.state.plan, fresh.state.forbids = "team", False
    fresh.make("setup-github", "APPLY=yes")
    assert fresh.state.actions["can_approve_pull_request_reviews"]
    (rules,) = fresh.state.rulesets
    assert rules["rules"][-1]["parameters"]["required_status_checks"][0]["context"] == "All green"
    before = len(fresh.state.calls)
    assert "acme/my-model is set up" in fresh.make("setup-github").stdout
    assert all(call.startswith("GET") for call in fresh.state.calls[before:])
    told = fresh.make("doctor").stdout
    assert "variable BOT_APP_ID: pull requests of the workflows wait" in told
    fresh.state.words = {"BOT_APP_ID", "BOT_PRIVATE_KEY", "CLUSTER_REPORTS", "TEMPLATE", "TEMPLATE_COMMIT"}
    told = fresh.make("doctor").stdout
    assert "repository secret BOT_PRIVATE_KEY: a workflow on any branch reads it" in told
    assert "secret BOT_PRIVATE_KEY: the App's key is missing" in told
    fresh.state.words = fresh.state.words - {"BOT_PRIVATE_KEY"} | {"bot/BOT_PRIVATE_KEY"}
    assert "workflows may not approve pull requests" in fresh.make("setup-github").stdout  # the App opens them
    fresh.make("setup-github", "APPLY=yes")
    assert not fresh.state.actions["can_approve_pull_request_reviews"]
    assert "0 optional settings are missing on GitHub" in fresh.make("doctor").stdout
    rules["bypass_actors"] = [{"actor_id": 5, "actor_type": "RepositoryRole", "bypass_mode": "always"}]
    fresh.state.owners.remove("@acme/reviewers")
    told = fresh.make("doctor").stdout
    assert "the rules main: these pass them by: RepositoryRole" in told
    assert told.count("of .github/CODEOWNERS: Unknown owner, so nobody must agree") == 2
    fresh.make("setup-github", "APPLY=yes")
    assert fresh.state.rulesets[0]["bypass_actors"] == []
