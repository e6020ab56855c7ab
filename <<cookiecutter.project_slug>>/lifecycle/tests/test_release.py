import json
import os
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
import yaml
from conftest import Git
from hypothesis import given
from hypothesis import strategies as st
from tiny import ROOT, Trained

from lifecycle import InputError, config, files, git
from lifecycle.documents import environments, record
from lifecycle.documents.change import Change
from lifecycle.evaluation import gate, power
from lifecycle.releasing import promote, release, rollback

SETTINGS = config.Promote(order=("dev", "staging", "production"))
TODAY = date(2020, 3, 1)
IMAGES = {
    "serve": f"ghcr.io/acme/tiny-serve@sha256:{'a' * 64}",
    "monitor": f"ghcr.io/acme/tiny-monitor@sha256:{'b' * 64}",
}
OVERLAYS = Path("manifests/overlays")


def version(decision: record.Decision, name: str, commit: str = "") -> record.Decision:
    """The same decision on another version."""
    origin = decision.evaluation.origin.model_copy(update={"version": name, "commit": commit or "c" * 40})
    return decision.model_copy(update={"evaluation": decision.evaluation.model_copy(update={"origin": origin})})


def running(environment: str) -> str:
    found = environments.current(OVERLAYS / environment / "release")
    return found.evaluation.origin.version if found else "nothing"


def proven(binary: Trained) -> record.Decision:
    """What the pipeline decides on the present commit."""
    commit = git.head()
    measured = record.evaluation(binary.build / "evaluation.json")
    origin = measured.origin.model_copy(update={"version": commit.version, "commit": commit.sha, "dirty": False})
    decision = gate.decide(binary.settings, measured.model_copy(update={"origin": origin}))
    return power.told(decision, binary.settings.gates, power.read(binary.build))


def contents(environment: str) -> dict[str, str]:
    return {path.name: path.read_text() for path in (OVERLAYS / environment / "release").iterdir()}


def promoted(decision: record.Decision, repository: Git) -> None:
    """Release and promote to production, with a commit for each."""
    release.run(decision, IMAGES, "dev", SETTINGS)
    repository.commit("Release")
    for environment in ("staging", "production"):
        promote.run(environment, SETTINGS, TODAY)
        repository.commit(f"Promote to {environment}")


def newer(decision: record.Decision, repository: Git, name: str = "2020.02.02-bbbbbbb") -> None:
    """Release a later version with other images, and promote it to staging."""
    images = {
        "serve": f"ghcr.io/acme/tiny-serve@sha256:{'d' * 64}",
        "monitor": f"ghcr.io/acme/tiny-monitor@sha256:{'e' * 64}",
    }
    release.run(version(decision, name), images, "dev", SETTINGS)
    repository.commit("Release")
    promote.run("staging", SETTINGS, TODAY)
    repository.commit("Promote to staging")


def beside(decision: record.Decision, repository: Git) -> str:
    """Bring a release to production and a newer one beside it with a tenth of the requests; returns that commit."""
    promoted(decision, repository)
    newer(decision, repository)
    return repository.commit(promote.run("production", SETTINGS, TODAY, 10).title)


def test_a_release_pins_both_images_by_digest_and_keeps_the_record(decision: record.Decision, repository: Git) -> None:
    change = release.run(decision, IMAGES, "dev", SETTINGS)
    document = yaml.safe_load(contents("dev")["kustomization.yaml"])
    assert document["kind"] == "Component"
    assert document["images"] == [
        {"name": "serve", "newName": "ghcr.io/acme/tiny-serve", "digest": f"sha256:{'a' * 64}"},
        {"name": "monitor", "newName": "ghcr.io/acme/tiny-monitor", "digest": f"sha256:{'b' * 64}"},
    ]
    kept = environments.current(OVERLAYS / "dev" / "release")
    assert kept
    assert kept.images
    assert kept.images.model_dump() == IMAGES
    assert change.title == "Release 2020.02.01-aaaaaaa to dev"
    assert IMAGES["serve"] in change.body
    assert "`make rollback ENV=dev`" in change.body
    assert repository("status", "--porcelain").split()[1::2] == [
        "manifests/overlays/dev/release/kustomization.yaml",
        "manifests/overlays/dev/release/decision.json",
    ]


def test_a_promotion_copies_one_directory(decision: record.Decision, repository: Git) -> None:
    release.run(decision, IMAGES, "dev", SETTINGS)
    repository.commit("Release")
    promote.run("staging", SETTINGS, TODAY)
    assert contents("staging") == contents("dev")
    assert running("production") == "nothing"
    changed = {line.split()[-1] for line in repository("status", "--porcelain").splitlines()}
    assert all(name.startswith("manifests/overlays/staging/release/") for name in changed)


def test_a_promotion_says_since_when_both_environments_run_what_they_do(
    decision: record.Decision, repository: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2020-02-01T12:00:00Z")
    promoted(decision, repository)
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2020-02-05T12:00:00Z")
    newer(decision, repository)
    text = promote.run("production", SETTINGS, TODAY).body
    assert "`production` has run `2020.02.01-aaaaaaa` since 2020-02-01." in text
    assert "`staging` has run `2020.02.02-bbbbbbb` since 2020-02-05." in text
    assert "What it costs: " in text
    assert "On merge: " not in text  # that is said of what trains


def test_a_refused_candidate_is_not_released(decision: record.Decision, repository: Git) -> None:
    before = contents("dev")
    failed = record.Verdict(gate={"kind": "rows"}, outcome="fail", found="few", needed="more")
    refused = decision.model_copy(update={"passed": False, "gates": (failed,)})
    with pytest.raises(InputError, match="was refused by 1 gate"):
        release.run(refused, IMAGES, "dev", SETTINGS)
    assert contents("dev") == before


def test_a_failing_gate_refuses_whatever_the_record_says_of_itself(decision: record.Decision, repository: Git) -> None:
    failed = record.Verdict(gate={"kind": "rows"}, outcome="undecided", found="few", needed="more")
    with pytest.raises(InputError, match="was refused by 1 gate, see build/report.md"):
        release.run(decision.model_copy(update={"gates": (failed,)}), IMAGES, "dev", SETTINGS)
    release.run(decision, IMAGES, "dev", SETTINGS)
    path = OVERLAYS / "dev/release/decision.json"
    path.write_text(path.read_text().replace('"outcome": "pass"', '"outcome": "fail"', 1))
    with pytest.raises(InputError, match="was refused by its gates; roll dev back"):
        promote.run("staging", SETTINGS, TODAY)


def test_an_old_workflow_run_that_is_run_again_releases_nothing(decision: record.Decision, repository: Git) -> None:
    again = {name: f"{image[:-64]}{'9' * 64}" for name, image in IMAGES.items()}
    promoted(version(decision, "2020.02.01-aaaaaaa"), repository)
    newer(decision, repository)
    with pytest.raises(InputError, match=r"dev runs 2020\.02\.02-bbbbbbb, newer than 2020\.02\.01-aaaaaaa, as when"):
        release.run(version(decision, "2020.02.01-aaaaaaa"), again, "dev", SETTINGS)
    repository.commit(rollback.run("dev", SETTINGS).title)
    with pytest.raises(InputError, match=r"dev ran 2020\.02\.02-bbbbbbb before and was rolled back from it"):
        release.run(version(decision, "2020.02.02-bbbbbbb"), again, "dev", SETTINGS)
    assert running("dev") == "2020.02.01-aaaaaaa"
    assert release.run(version(decision, "2020.02.03-ccccccc"), again, "dev", SETTINGS)


@pytest.mark.parametrize("change", [{"dirty": True}, {"version": "unversioned"}])
def test_a_model_without_an_exact_origin_is_not_released(
    change: dict[str, object], decision: record.Decision, repository: Git
) -> None:
    origin = decision.evaluation.origin.model_copy(update=change)
    changed = decision.model_copy(update={"evaluation": decision.evaluation.model_copy(update={"origin": origin})})
    with pytest.raises(InputError, match="commit them, then run `make pipeline` again"):
        release.run(changed, IMAGES, "dev", SETTINGS)


@pytest.mark.parametrize("image", ["", "none", "ghcr.io/a/b:latest", "ghcr.io/a/b@sha256:abc", f"x@sha256:{'a' * 64}"])
def test_an_image_without_a_digest_is_refused(image: str, decision: record.Decision, repository: Git) -> None:
    with pytest.raises(InputError, match="Give images by digest"):
        release.run(decision, {**IMAGES, "serve": image}, "dev", SETTINGS)


@given(st.text(alphabet="abc/:@.-09A \n", max_size=30))
def test_no_text_but_a_digest_is_taken_for_an_image(text: str) -> None:
    with pytest.raises(ValueError, match="should match pattern"):
        record.Images(serve=text, monitor=text)


def test_an_unknown_environment_is_refused(decision: record.Decision, repository: Git) -> None:
    for environment in ("prod", "../dev", ""):
        with pytest.raises(InputError, match="ENV is one of dev, staging, production"):
            release.run(decision, IMAGES, environment, SETTINGS)


def test_the_same_version_is_neither_released_nor_promoted_twice(decision: record.Decision, repository: Git) -> None:
    promoted(decision, repository)
    with pytest.raises(InputError, match="dev already runs 2020.02.01-aaaaaaa"):
        release.run(decision, IMAGES, "dev", SETTINGS)
    with pytest.raises(InputError, match="production already runs 2020.02.01-aaaaaaa"):
        promote.run("production", SETTINGS, TODAY)


def test_nothing_is_promoted_without_a_release_or_to_the_first_environment(repository: Git) -> None:
    with pytest.raises(InputError, match="dev has no release to promote to staging"):
        promote.run("staging", SETTINGS, TODAY)
    with pytest.raises(InputError, match="dev is the first environment"):
        promote.run("dev", SETTINGS, TODAY)


def test_a_refused_record_is_not_promoted(decision: record.Decision, repository: Git) -> None:
    release.run(decision, IMAGES, "dev", SETTINGS)
    path = OVERLAYS / "dev" / "release" / "decision.json"
    path.write_text(record.dump(record.decision(path).model_copy(update={"passed": False})))
    with pytest.raises(InputError, match="was refused by its gates; roll dev back"):
        promote.run("staging", SETTINGS, TODAY)


def test_an_older_version_does_not_replace_a_newer_one(decision: record.Decision, repository: Git) -> None:
    promoted(version(decision, "2020.02.02-bbbbbbb"), repository)
    shutil.rmtree(OVERLAYS / "dev" / "release")
    release.run(version(decision, "2020.02.01-aaaaaaa"), IMAGES, "dev", SETTINGS)
    with pytest.raises(InputError, match=r"staging runs 2020\.02\.02-bbbbbbb, newer than 2020\.02\.01-aaaaaaa in dev"):
        promote.run("staging", SETTINGS, TODAY)


def test_on_one_day_the_later_commit_is_the_newer_version(decision: record.Decision, repository: Git) -> None:
    first, second = repository.commit("One"), repository.commit("Two")
    promoted(version(decision, "2020.02.01-2222222", second), repository)
    with pytest.raises(InputError, match=r"dev runs 2020\.02\.01-2222222, newer than 2020\.02\.01-1111111"):
        release.run(version(decision, "2020.02.01-1111111", first), IMAGES, "dev", SETTINGS)
    shutil.rmtree(OVERLAYS / "dev" / "release")
    release.run(version(decision, "2020.02.01-1111111", first), IMAGES, "dev", SETTINGS)
    with pytest.raises(InputError, match="newer than"):
        promote.run("staging", SETTINGS, TODAY)


def test_a_freeze_window_holds_from_its_first_day_until_its_last(decision: record.Decision, repository: Git) -> None:
    freeze = config.Freeze(environment="staging", begin=date(2020, 3, 1), end=date(2020, 3, 3), reason="holidays")
    frozen = SETTINGS.model_copy(update={"freeze": (freeze,)})
    release.run(decision, IMAGES, "dev", SETTINGS)
    for day in (1, 2):
        with pytest.raises(InputError, match=r"frozen from 2020-03-01 until 2020-03-03 \(holidays\)"):
            promote.run("staging", frozen, date(2020, 3, day))
    promote.run("staging", frozen, date(2020, 3, 3))
    assert running("staging") == "2020.02.01-aaaaaaa"


def test_rollbacks_go_back_one_release_each_and_restore_its_bytes(decision: record.Decision, repository: Git) -> None:
    names = ["2020.02.01-aaaaaaa", "2020.02.02-bbbbbbb", "2020.02.03-ccccccc"]
    before = {}
    for name in names:
        promoted(version(decision, name), repository)
        before[name] = contents("production")
    for name in reversed(names[:-1]):
        change = rollback.run("production", SETTINGS)
        assert running("production") == name
        assert contents("production") == before[name]
        assert f"Roll production back to {name}" in change.title
        assert "*Revert* on this page" in change.body
        repository.commit(change.title)
    with pytest.raises(InputError, match="production has no release earlier than 2020.02.01-aaaaaaa"):
        rollback.run("production", SETTINGS)


def test_after_a_rollback_the_next_release_rolls_back_to_what_ran_before_it(
    decision: record.Decision, repository: Git
) -> None:
    promoted(version(decision, "2020.02.01-aaaaaaa"), repository)
    promoted(version(decision, "2020.02.02-bbbbbbb"), repository)
    rollback.run("production", SETTINGS)
    repository.commit("Roll back")
    promoted(version(decision, "2020.02.03-ccccccc"), repository)
    rollback.run("production", SETTINGS)
    assert running("production") == "2020.02.01-aaaaaaa"


def test_a_rollback_needs_a_release_a_commit_and_a_history(
    decision: record.Decision, repository: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="dev has no release; there is nothing to roll back"):
        rollback.run("dev", SETTINGS)
    release.run(decision, IMAGES, "dev", SETTINGS)
    with pytest.raises(InputError, match="differs from every commit; commit it"):
        rollback.run("dev", SETTINGS)
    repository.commit("Release")
    repository("clone", "--quiet", "--depth", "1", f"file://{Path.cwd()}", str(tmp_path / "shallow"))
    monkeypatch.chdir(tmp_path / "shallow")
    with pytest.raises(InputError, match="git fetch --unshallow"):
        rollback.run("dev", SETTINGS)


def test_an_environment_whose_overlay_is_gone_is_told(repository: Git) -> None:
    shutil.rmtree(environments.OVERLAYS / "staging")
    with pytest.raises(InputError, match="manifests/overlays/staging is missing"):
        environments.folder("staging", SETTINGS.order)
    with pytest.raises(InputError, match="no environment 'prod'; ENV is one of dev, staging, production"):
        environments.folder("prod", SETTINGS.order)


def test_an_interrupted_write_leaves_the_earlier_release(
    decision: record.Decision, repository: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    release.run(decision, IMAGES, "dev", SETTINGS)
    before = contents("dev")
    write = files.write

    def interrupted(path: Path, content: str | bytes) -> None:
        write(path, content)
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        release.run(version(decision, "2020.02.02-bbbbbbb"), IMAGES, "dev", SETTINGS)
    assert contents("dev") == before
    assert [path.name for path in (OVERLAYS / "dev").iterdir() if path.name.startswith(".")] == []


def test_what_an_environment_was_rolled_back_from_is_not_promoted_again(
    decision: record.Decision, repository: Git
) -> None:
    promoted(version(decision, "2020.02.01-aaaaaaa"), repository)
    promoted(version(decision, "2020.02.02-bbbbbbb"), repository)
    rollback.run("production", SETTINGS)
    repository.commit("Roll back")
    with pytest.raises(InputError, match=r"production ran 2020\.02\.02-bbbbbbb before and was rolled back from it"):
        promote.run("production", SETTINGS, TODAY)


def test_only_what_an_environment_still_runs_is_promoted_or_rolled_back(
    decision: record.Decision, repository: Git
) -> None:
    promoted(decision, repository)
    first = decision.model_copy(update={"images": record.Images(**IMAGES)}).digests[0]
    other = version(decision, "2020.02.02-bbbbbbb")
    release.run(other, {name: f"{image[:-64]}{'0' * 64}" for name, image in IMAGES.items()}, "dev", SETTINGS)
    repository.commit("Release")
    assert "dev no longer runs" in str(promote.after("dev", first, SETTINGS, TODAY))
    assert "is the last environment" in str(promote.after("production", first, SETTINGS, TODAY))
    assert "production already runs" in str(promote.after("staging", first, SETTINGS, TODAY))
    assert isinstance(promote.after("dev", "", SETTINGS, TODAY), Change)
    assert running("staging") == "2020.02.02-bbbbbbb"
    repository.commit("Promote")
    assert "no longer runs" in str(rollback.failed("staging", first, "", SETTINGS))
    assert isinstance(rollback.failed("staging", f"sha256:{'0' * 64}", "", SETTINGS), Change)
    assert running("staging") == "2020.02.01-aaaaaaa"


def test_a_pull_request_says_when_production_runs_another_than_the_measured_champion(
    decision: record.Decision, repository: Git
) -> None:
    promoted(version(decision, "2020.02.01-aaaaaaa"), repository)
    change = release.run(version(decision, "2020.02.02-bbbbbbb"), IMAGES, "dev", SETTINGS)
    assert "Measured against `nothing`, but `production` now runs `2020.02.01-aaaaaaa`." in change.body
    assert (change.branch, change.paths) == (
        "release/dev/2020.02.02-bbbbbbb",
        ("manifests/overlays/dev/release",),
    )


def test_a_candidate_gets_a_share_of_the_requests_then_all_of_them(decision: record.Decision, repository: Git) -> None:
    promoted(version(decision, "2020.02.01-aaaaaaa"), repository)
    alone = contents("production")
    newer(decision, repository)
    change = promote.run("production", SETTINGS, TODAY, 10)
    assert change.title == "Promote 2020.02.02-bbbbbbb to 10% of production"
    assert (
        "`production` sends 10% of its requests to `2020.02.02-bbbbbbb` and the rest to `2020.02.01-aaaaaaa`."
        in change.body
    )
    assert "To send it all requests: `make promote ENV=production`." in change.body
    beside = contents("production")
    assert beside["decision.json"] == alone["decision.json"]
    assert beside["candidate.json"] == contents("staging")["decision.json"]
    document = yaml.safe_load(beside["kustomization.yaml"])
    assert [image["digest"][-1] for image in document["images"]] == ["a", "b", "d"]
    weights = [[one["value"] for one in json.loads(patch["patch"])] for patch in document["patches"][-2:]]
    assert weights == [[90, 10], [90, 10]]
    repository.commit(change.title)
    with pytest.raises(InputError, match=r"production already gives 2020\.02\.02-bbbbbbb 10% of its requests"):
        promote.run("production", SETTINGS, TODAY, 10)
    repository.commit(promote.run("production", SETTINGS, TODAY, 50).title)
    change = promote.run("production", SETTINGS, TODAY)
    assert change.title == "Promote 2020.02.02-bbbbbbb to production"
    assert contents("production") == contents("staging")
    repository.commit(change.title)
    rollback.run("production", SETTINGS)
    assert contents("production") == alone


def test_a_later_release_replaces_the_candidate_too(decision: record.Decision, repository: Git) -> None:
    beside(decision, repository)
    newer(decision, repository, "2020.02.03-ccccccc")
    change = promote.run("production", SETTINGS, TODAY)
    assert "instead of `2020.02.01-aaaaaaa`. The candidate `2020.02.02-bbbbbbb` is dropped." in change.body
    assert contents("production") == contents("staging")


def test_a_candidate_is_dropped_by_a_rollback_and_not_offered_again(decision: record.Decision, repository: Git) -> None:
    promoted(version(decision, "2020.02.01-aaaaaaa"), repository)
    alone = contents("production")
    newer(decision, repository)
    repository.commit(promote.run("production", SETTINGS, TODAY, 10).title)
    change = rollback.failed("production", f"sha256:{'a' * 64}", "", SETTINGS)
    assert isinstance(change, Change)
    assert change.title == "Drop 2020.02.02-bbbbbbb from production"
    assert "runs `2020.02.01-aaaaaaa` alone. The candidate `2020.02.02-bbbbbbb` is dropped." in change.body
    assert contents("production") == alone
    repository.commit(change.title)
    for share in (10, 100):
        with pytest.raises(InputError, match="was rolled back from it"):
            promote.run("production", SETTINGS, TODAY, share)


def test_a_candidate_needs_a_release_beside_it(decision: record.Decision, repository: Git) -> None:
    release.run(decision, IMAGES, "dev", SETTINGS)
    with pytest.raises(InputError, match=r"staging has no release for .* to run beside; promote it without SHARE"):
        promote.run("staging", SETTINGS, TODAY, 10)


def test_what_is_promoted_is_the_release_and_not_the_candidate_beside_it(
    decision: record.Decision, repository: Git
) -> None:
    promoted(version(decision, "2020.02.01-aaaaaaa"), repository)
    newer(decision, repository)
    shutil.copytree(OVERLAYS / "staging/release", OVERLAYS / "dev/release", dirs_exist_ok=True)
    release.run(version(decision, "2020.02.03-ccccccc"), IMAGES, "dev", SETTINGS)
    repository.commit("Release")
    repository.commit(promote.run("staging", SETTINGS, TODAY, 25).title)
    promote.run("production", SETTINGS, TODAY)
    assert running("production") == "2020.02.02-bbbbbbb"
    assert set(contents("production")) == {"decision.json", "kustomization.yaml"}


def test_what_the_cluster_refused_at_once_is_known_by_its_commit(decision: record.Decision, repository: Git) -> None:
    assert "has no release" in str(rollback.failed("production", "", repository("rev-parse", "HEAD"), SETTINGS))
    promoted(version(decision, "2020.02.01-aaaaaaa"), repository)
    first = repository("rev-parse", "HEAD")
    promoted(version(decision, "2020.02.02-bbbbbbb"), repository)
    assert f"no longer runs the release of {first}" in str(rollback.failed("production", "", first, SETTINGS))
    change = rollback.failed("production", "", repository("rev-parse", "HEAD"), SETTINGS)
    assert isinstance(change, Change)
    assert running("production") == "2020.02.01-aaaaaaa"


def test_a_failure_that_is_told_twice_drops_the_candidate_and_nothing_more(
    decision: record.Decision, repository: Git
) -> None:
    promoted(version(decision, "2020.02.01-0000000"), repository)
    revision = beside(decision, repository)
    digest = f"sha256:{'a' * 64}"  # of the release, which the cluster names also when the candidate fails
    repository.commit(str(rollback.failed("production", digest, revision, SETTINGS)))
    assert f"no longer runs the release of {revision}" in str(rollback.failed("production", digest, revision, SETTINGS))


@pytest.mark.parametrize("path", ["base/model.yaml", "overlays/production/route.yaml", "components/new.yaml"])
def test_a_release_is_not_rolled_back_for_what_another_commit_changed(
    path: str, decision: record.Decision, repository: Git
) -> None:
    promoted(version(decision, "2020.02.01-aaaaaaa"), repository)
    promoted(version(decision, "2020.02.02-bbbbbbb"), repository)
    (Path("manifests") / path).parent.mkdir(parents=True, exist_ok=True)
    (Path("manifests") / path).write_text("wrong")
    revision = repository.commit("Change a manifest")
    for digest in ("", f"sha256:{'a' * 64}"):
        told = rollback.failed("production", digest, revision, SETTINGS)
        assert "failed after a change to its manifests other than its release" in str(told)
    Path("manifests/overlays/staging/other.yaml").write_text("")
    assert isinstance(rollback.failed("staging", "", repository("rev-parse", "HEAD~1"), SETTINGS), Change)


def test_a_failure_is_put_down_to_the_commit_that_released_whatever_came_after(
    decision: record.Decision, repository: Git
) -> None:
    """Argo CD syncs the newest commit of the repository, which may be another environment's."""
    promoted(version(decision, "2020.02.01-aaaaaaa"), repository)
    promoted(version(decision, "2020.02.02-bbbbbbb"), repository)
    released = repository("rev-parse", "HEAD")
    Path("manifests/overlays/dev/other.yaml").write_text("")
    later = repository.commit("Change dev")
    said = "pod x: serve: see\n@acme <b> in build/model"
    change = rollback.failed("production", "", later, SETTINGS, said)
    assert isinstance(change, Change)
    assert running("production") == "2020.02.01-aaaaaaa"
    assert change.body.startswith(
        f"`2020.02.02-bbbbbbb` failed in `production`, where commit {released} released it. "
        "The cluster says: pod x: serve: see `@acme` &lt;b&gt; in build/model\n\n"
    )
    told = rollback.failed("production", f"sha256:{'0' * 64}", later, SETTINGS, said)
    assert told == (
        f"production no longer runs sha256:{'0' * 64}; there is nothing to roll back. "
        "The cluster says: pod x: serve: see @acme <b> in build/model"
    )


def test_a_revision_that_git_does_not_know_is_no_success(decision: record.Decision, repository: Git) -> None:
    promoted(decision, repository)
    with pytest.raises(InputError, match="git does not know the commit 'none'"):
        rollback.failed("production", "", "none", SETTINGS)


def test_a_candidate_that_another_one_replaced_was_not_rolled_back(decision: record.Decision, repository: Git) -> None:
    beside(decision, repository)
    newer(decision, repository, "2020.02.03-ccccccc")
    change = promote.run("production", SETTINGS, TODAY, 20)
    assert "The candidate `2020.02.02-bbbbbbb` is dropped." in change.body
    repository.commit(change.title)
    repository.commit(rollback.run("staging", SETTINGS).title)
    repository.commit(rollback.run("production", SETTINGS).title)
    assert promote.run("production", SETTINGS, TODAY).title == "Promote 2020.02.02-bbbbbbb to production"


def test_a_verification_gives_a_candidate_no_more_than_a_person_did(decision: record.Decision, repository: Git) -> None:
    promoted(version(decision, "2020.02.01-aaaaaaa"), repository)
    newer(decision, repository)
    change = promote.after("staging", "", SETTINGS, TODAY, 10)
    assert isinstance(change, Change)
    assert change.branch == "promote/production/2020.02.02-bbbbbbb-10"
    assert "monitor" not in change.body.partition("###")[0]
    repository.commit(change.title)
    told = promote.after("staging", "", SETTINGS, TODAY)
    assert told == "production runs it as a candidate; `make promote ENV=production` gives it all requests."
    assert isinstance(promote.after("staging", "", SETTINGS, TODAY, 100), Change)


def test_a_candidate_that_was_deleted_by_hand_is_said_before_a_rollback(
    decision: record.Decision, repository: Git
) -> None:
    beside(decision, repository)
    (OVERLAYS / "production/release/candidate.json").unlink()
    with pytest.raises(InputError, match="candidate.json is deleted since the last commit"):
        rollback.run("production", SETTINGS)


def test_an_interruption_between_the_two_renames_leaves_the_earlier_release(
    decision: record.Decision, repository: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    release.run(decision, IMAGES, "dev", SETTINGS)
    before, rename = contents("dev"), Path.rename

    def interrupted(part: Path, to: Path) -> Path:
        if to == OVERLAYS / "dev/release" and not part.name.endswith(".old.part"):
            raise KeyboardInterrupt
        return rename(part, to)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        release.run(version(decision, "2020.02.02-bbbbbbb"), IMAGES, "dev", SETTINGS)
    assert contents("dev") == before
    assert sorted(path.name for path in (OVERLAYS / "dev").iterdir() if path.name.startswith(".")) == []


def test_what_the_pipeline_decided_is_released_and_promoted(binary: Trained, genuine: Git) -> None:
    promoted(proven(binary), genuine)
    assert running("production") == git.described("HEAD~3").version


@pytest.mark.parametrize("name", ["serve", "monitor"])
def test_an_image_of_another_registry_is_neither_released_nor_promoted(
    name: str, binary: Trained, genuine: Git
) -> None:
    foreign = {**IMAGES, name: IMAGES[name].replace("ghcr.io/acme", "ghcr.io/evil")}
    told = f"runs ghcr.io/evil/tiny-{name}, not ghcr.io/acme/tiny-{name} as .cookiecutter.yaml says; release what"
    with pytest.raises(InputError, match=told):
        release.run(proven(binary), foreign, "dev", SETTINGS)
    decision = proven(binary).model_copy(update={"images": record.Images(**foreign)})
    environments.place({"decision.json": record.dump(decision)}, OVERLAYS / "dev/release")
    with pytest.raises(InputError, match=told):
        promote.run("staging", SETTINGS, TODAY)


def test_a_clone_without_history_releases_nothing(
    binary: Trained, genuine: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decision = proven(binary)
    genuine("clone", "--quiet", "--depth", "1", f"file://{Path.cwd()}", str(tmp_path / "shallow"))
    monkeypatch.chdir(tmp_path / "shallow")
    with pytest.raises(InputError, match="git fetch --unshallow"):
        release.run(decision, IMAGES, "dev", SETTINGS)


def staged(decision: record.Decision, repository: Git) -> None:
    """A release in production, and a newer one in staging."""
    promoted(decision, repository)
    newer(decision, repository)


def rolled(decision: record.Decision, repository: Git) -> None:
    """Two releases in production."""
    staged(decision, repository)
    repository.commit(promote.run("production", SETTINGS, TODAY).title)


@pytest.mark.parametrize(
    ("live", "verb"),
    [
        (lambda *_: None, ["release", "--environment", "dev"]),
        (promoted, ["release", "--environment", "dev"]),
        (staged, ["promote", "--environment", "production"]),
        (
            staged,
            ["promote", "--environment", "production", "--share", "10"],
        ),
        (rolled, ["rollback", "--environment", "production"]),
        (beside, ["rollback", "--environment", "production"]),
    ],
)
def test_a_verb_that_is_killed_anywhere_is_run_again(  # type: ignore[no-untyped-def]
    live, verb: list[str], binary: Trained, decision: record.Decision, repository: Git
) -> None:
    shutil.copy(ROOT / ".gitignore", ".gitignore")
    Path("config.yaml").write_text(yaml.safe_dump(binary.document))
    live(decision, repository)
    repository.commit("Live")
    if verb[0] == "release":
        files.write(Path("build/decision.json"), record.dump(version(decision, "2020.02.04-ddddddd")))
        repository("add", "--force", "build/decision.json")  # so that it outlives `git clean`
        repository("commit", "--quiet", "--message", "Decide")
        verb += ["--serve", IMAGES["serve"], "--monitor", IMAGES["monitor"]]
    driver = Path(__file__).with_name("killed.py")
    done = subprocess.run(
        [sys.executable, str(driver), *verb],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) > 10
