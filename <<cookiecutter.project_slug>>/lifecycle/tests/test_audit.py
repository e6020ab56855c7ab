import json
import re
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import Git
from test_release import IMAGES, OVERLAYS, SETTINGS, TODAY, beside, newer, promoted, proven, version
from tiny import ROOT, Trained

from lifecycle import InputError, config, git
from lifecycle.documents import record
from lifecycle.releasing import audit, component, promote, release, rollback


def head(repository: Git) -> str:
    return repository("rev-parse", "HEAD")


def test_what_the_verbs_write_is_right(decision: record.Decision, repository: Git) -> None:
    assert audit.run(SETTINGS, head(repository), TODAY) == "3 environments, none changed"
    base = head(repository)
    release.run(decision, IMAGES, "dev", SETTINGS)
    repository.commit("Release")
    assert audit.run(SETTINGS, base, TODAY) == "3 environments, dev changed"
    for environment in ("staging", "production"):
        base = head(repository)
        promote.run(environment, SETTINGS, TODAY)
        repository.commit("Promote")
        assert audit.run(SETTINGS, base, TODAY) == f"3 environments, {environment} changed"


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("kustomization.yaml", "a" * 64, "c" * 64, "does not match the record beside it"),
        ("kustomization.yaml", "resources:", "resources: []\nother:", "does not match the record beside it"),
        ("decision.json", '"passed": true', '"passed": false', "was refused by its gates"),
        ("decision.json", '"outcome": "pass"', '"outcome": "fail"', "was refused by its gates"),
        ("decision.json", "a" * 64, "c" * 64, "does not match the record beside it"),
    ],
)
def test_an_edited_release_is_refused(
    name: str, old: str, new: str, told: str, decision: record.Decision, repository: Git
) -> None:
    release.run(decision, IMAGES, "dev", SETTINGS)
    path = OVERLAYS / "dev/release" / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(InputError, match=told):
        audit.run(SETTINGS, "", TODAY)


def test_a_foreign_file_and_a_lost_record_are_refused(decision: record.Decision, repository: Git) -> None:
    promoted(decision, repository)
    (OVERLAYS / "dev/release/extra.yaml").write_text("")
    with pytest.raises(InputError, match="holds decision.json, extra.yaml, kustomization.yaml"):
        audit.run(SETTINGS, "", TODAY)
    (OVERLAYS / "dev/release/extra.yaml").unlink()
    base = head(repository)
    (OVERLAYS / "staging/release/decision.json").unlink()
    (OVERLAYS / "staging/release/kustomization.yaml").write_text("")
    repository.commit("Lose it")
    with pytest.raises(InputError, match="lost its release"):
        audit.run(SETTINGS, base, TODAY)


@pytest.mark.parametrize("content", [b"{}", b'{"passed": ', b"\xff"])
def test_a_damaged_record_is_named_and_stops_a_rollback(
    content: bytes, decision: record.Decision, repository: Git
) -> None:
    release.run(decision, IMAGES, "dev", SETTINGS)
    repository.commit("Release")
    (OVERLAYS / "dev/release/decision.json").write_bytes(content)
    repository.commit("Damage it")
    told = "dev/release/decision.json is damaged or foreign .*restore it from an earlier commit with `git checkout`"
    with pytest.raises(InputError, match=told):
        audit.run(SETTINGS, "", TODAY)
    with pytest.raises(InputError, match=told):
        rollback.run("dev", SETTINGS)


def test_a_base_that_is_not_here_is_named_before_what_it_lacks(repository: Git) -> None:
    with pytest.raises(InputError, match="git does not know the commit 'origin/main'; fetch it"):
        audit.run(SETTINGS, "origin/main", TODAY)


def test_an_environment_gets_only_what_the_one_before_it_ran(decision: record.Decision, repository: Git) -> None:
    promoted(decision, repository)
    base = head(repository)
    other = version(decision, "2020.02.02-bbbbbbb")
    release.run(other, IMAGES, "staging", SETTINGS)
    repository.commit("Skip dev")
    with pytest.raises(InputError, match="staging/release has a release that dev never ran"):
        audit.run(SETTINGS, base, TODAY)


def test_one_environment_changes_at_a_time_and_nothing_beside_it(decision: record.Decision, repository: Git) -> None:
    base = head(repository)
    release.run(decision, IMAGES, "dev", SETTINGS)
    (OVERLAYS / "dev/extra.yaml").write_text("")
    repository.commit("Release")
    with pytest.raises(InputError, match="the release of dev changes together with other files"):
        audit.run(SETTINGS, base, TODAY)
    promote.run("staging", SETTINGS, TODAY)
    repository.commit("Promote")
    with pytest.raises(InputError, match="dev and staging change at once"):
        audit.run(SETTINGS, base, TODAY)


def test_a_freeze_refuses_what_is_new_and_lets_what_ran_before_come_back(
    decision: record.Decision, repository: Git
) -> None:
    freeze = config.Freeze(environment="production", begin=date(2020, 3, 1), end=date(2020, 3, 3), reason="sale")
    frozen = SETTINGS.model_copy(update={"freeze": (freeze,)})
    promoted(decision, repository)
    promoted(version(decision, "2020.02.02-bbbbbbb"), repository)
    before = repository("rev-parse", "HEAD~1")
    with pytest.raises(InputError, match=r"production is frozen from 2020-03-01 until 2020-03-03 \(sale\)"):
        audit.run(frozen, before, TODAY)
    assert audit.run(frozen, before, date(2020, 3, 3))
    base = head(repository)
    rollback.run("production", SETTINGS)
    repository.commit("Roll back")
    assert audit.run(frozen, base, TODAY) == "3 environments, production changed"


def test_a_candidate_is_one_that_the_environment_before_ran(decision: record.Decision, repository: Git) -> None:
    promoted(decision, repository)
    newer(decision, repository)
    base = head(repository)
    promote.run("production", SETTINGS, TODAY, 10)
    repository.commit("Promote")
    assert audit.run(SETTINGS, base, TODAY) == "3 environments, production changed"
    path = OVERLAYS / "production/release/candidate.json"
    kept = path.read_text()
    path.write_text(kept.replace("2020.02.02-bbbbbbb", "2020.02.02-ccccccc"))
    repository.commit("Edit it")
    with pytest.raises(InputError, match="production/release has a release that staging never ran"):
        audit.run(SETTINGS, base, TODAY)
    path.write_text(kept.replace('"passed": true', '"passed": false'))
    with pytest.raises(InputError, match="2020.02.02-bbbbbbb in .*production/release was refused by its gates"):
        audit.run(SETTINGS, "", TODAY)
    path.write_text(kept.replace("d" * 64, "f" * 64))
    with pytest.raises(InputError, match="does not match the record beside it"):
        audit.run(SETTINGS, "", TODAY)


@pytest.mark.parametrize("path", ["traffic", "weight"])
def test_shares_that_do_not_sum_to_all_requests_are_refused(
    path: str, decision: record.Decision, repository: Git
) -> None:
    beside(decision, repository)
    file = OVERLAYS / "production/release/kustomization.yaml"
    written = file.read_text()
    file.write_text(re.sub(rf'({path}", "value": )90', r"\g<1>50", written))
    assert file.read_text() != written
    with pytest.raises(InputError, match="does not match the record beside it"):
        audit.run(SETTINGS, "", TODAY)


def test_the_first_environment_has_no_candidate(decision: record.Decision, repository: Git) -> None:
    base = beside(decision, repository)
    shutil.rmtree(OVERLAYS / "dev/release")
    shutil.copytree(OVERLAYS / "production/release", OVERLAYS / "dev/release")
    repository.commit("Copy it")
    with pytest.raises(InputError, match="dev/release has a candidate that `make promote` would not place"):
        audit.run(SETTINGS, base, TODAY)


def test_a_freeze_refuses_a_candidate_and_a_greater_share_and_lets_it_be_dropped(
    decision: record.Decision, repository: Git
) -> None:
    freeze = config.Freeze(environment="production", begin=date(2020, 3, 1), end=date(2020, 3, 3), reason="sale")
    frozen = SETTINGS.model_copy(update={"freeze": (freeze,)})
    promoted(decision, repository)
    newer(decision, repository)
    for share in (10, 50):
        base = head(repository)
        with pytest.raises(InputError, match="production is frozen"):
            promote.run("production", frozen, TODAY, share)
        promote.run("production", SETTINGS, TODAY, share)
        repository.commit("Promote")
        with pytest.raises(InputError, match="production is frozen"):
            audit.run(frozen, base, TODAY)
    base = head(repository)
    rollback.run("production", SETTINGS)
    repository.commit("Drop it")
    assert audit.run(frozen, base, TODAY) == "3 environments, production changed"


def test_a_candidate_that_promote_would_not_place_is_refused(decision: record.Decision, repository: Git) -> None:
    promoted(decision, repository)
    newer(decision, repository)
    base = head(repository)
    target = OVERLAYS / "production/release"

    def placed(present: str, candidate: str) -> None:
        """Write both by hand, and commit them."""
        one, other = (record.decision(OVERLAYS / name / "release/decision.json") for name in (present, candidate))
        assert one.images
        (target / "decision.json").write_text(record.dump(one))
        (target / "candidate.json").write_text(record.dump(other))
        text = component.text(one, other, component.Placed(share=50))
        (target / "kustomization.yaml").write_text(text)
        repository.commit("By hand")

    (OVERLAYS / "old/release").mkdir(parents=True)
    shutil.copy(target / "decision.json", OVERLAYS / "old/release/decision.json")
    for present, candidate in (("staging", "old"), ("old", "old"), ("staging", "staging")):
        placed(present, candidate)
        with pytest.raises(InputError, match="has a candidate that `make promote` would not place"):
            audit.run(SETTINGS, base, TODAY)
    shutil.rmtree(OVERLAYS / "old")
    repository.commit("Clean up")


def test_a_folder_in_a_release_is_refused(decision: record.Decision, repository: Git) -> None:
    promoted(decision, repository)
    (OVERLAYS / "production/release/candidate.json").mkdir()
    (OVERLAYS / "production/release/candidate.json/x.yaml").write_text("")
    with pytest.raises(InputError, match="holds candidate.json, candidate.json/x.yaml, decision.json"):
        audit.run(SETTINGS, "", TODAY)


def test_a_genuine_record_passes_also_with_images_that_were_rebuilt(binary: Trained, genuine: Git) -> None:
    decision = proven(binary)
    promoted(decision, genuine)
    assert audit.run(SETTINGS, "", TODAY) == "3 environments, none changed"
    Path("Dockerfile").write_text("# patched")
    genuine.commit("Patch")
    base = head(genuine)
    rebuilt = decision.model_copy(update={"built": git.head().version})
    genuine.commit(release.run(rebuilt, IMAGES, "dev", SETTINGS).title)
    assert audit.run(SETTINGS, base, TODAY) == "3 environments, dev changed"


def _evaluation(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document["evaluation"].update(changes)


def _origin(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document["evaluation"]["origin"].update(changes)


@pytest.mark.parametrize(
    ("forge", "told"),
    [
        (_origin(version="2999.01.01-aaaaaaa", commit="a" * 40), "names the commit 'aaaaaaaaaaaa', which git does not"),
        (
            _origin(version="2999.01.01-aaaaaaa"),
            r"2999\.01\.01-aaaaaaa is not the version of its commit, which is 2020",
        ),
        (_origin(commit="HEAD"), "names 'HEAD' instead of a commit's whole hash"),
        (_origin(dirty=True), "was trained with uncommitted changes"),
        (lambda one: one.update(built="2999.01.01-aaaaaaa"), "names the commit 'aaaaaaa', which git does not have"),
        (lambda one: one.update(policy="0" * 64), "was judged by other gates than those of config.yaml"),
        (lambda one: one["gates"].pop(), "has verdicts that its metrics do not give"),
        (lambda one: one["gates"][1].update(found="9,999,999 test rows"), "has verdicts that its metrics do not give"),
        (_evaluation(rows=1), "does not pass the gates of config.yaml"),
        (_evaluation(metrics={}), "does not pass the gates of config.yaml"),
        (_evaluation(name="other"), "was measured otherwise than config.yaml"),
        (_evaluation(level=0.5), "was measured otherwise than config.yaml"),
        (_evaluation(directions={"f1": "lower"}), "was measured otherwise than config.yaml"),
        (_origin(data="0" * 64), "was measured otherwise than config.yaml"),
        (_origin(lock="0" * 64), "was trained with other lock files"),
        (
            lambda one: one["images"].update(serve=f"ghcr.io/evil/tiny-serve@sha256:{'a' * 64}"),
            "runs ghcr.io/evil/tiny-serve, not ghcr.io/acme/tiny-serve as .cookiecutter.yaml says",
        ),
    ],
)
def test_a_record_that_was_made_by_hand_is_refused(
    forge: Callable[[dict[str, Any]], None], told: str, binary: Trained, genuine: Git
) -> None:
    decision = proven(binary)
    base = head(genuine)
    release.run(decision, IMAGES, "dev", SETTINGS)
    target = OVERLAYS / "dev/release"
    document = json.loads((target / "decision.json").read_text())
    forge(document)
    forged = record.Decision.model_validate_json(json.dumps(document))
    (target / "decision.json").write_text(record.dump(forged))
    (target / "kustomization.yaml").write_text(component.text(forged))
    genuine.commit("By hand")
    for since in (base, ""):
        with pytest.raises(InputError, match=told):
            audit.run(SETTINGS, since, TODAY)
    with pytest.raises(InputError, match=told):
        promote.run("staging", SETTINGS, TODAY)


def test_a_record_without_a_champion_is_refused_once_production_has_a_release(binary: Trained, genuine: Git) -> None:
    """Else the gates that compare would be skipped for whoever leaves the champion out."""
    promoted(proven(binary), genuine)
    genuine.commit("Next")
    with pytest.raises(InputError, match="was compared with no champion, though production had a release at"):
        release.run(proven(binary), IMAGES, "dev", SETTINGS)


def test_a_record_of_a_commit_that_main_does_not_have_is_refused(binary: Trained, genuine: Git) -> None:
    base = head(genuine)
    Path("other").write_text("")
    genuine.commit("Only here")
    decision = proven(binary)
    Path("other").unlink()
    genuine.commit("Nothing to see")
    genuine.commit(release.run(decision, IMAGES, "dev", SETTINGS).title)
    with pytest.raises(InputError, match=f"is of a commit that {base[:12]} does not contain"):
        audit.run(SETTINGS, base, TODAY)


def test_gates_that_were_weaker_only_within_a_merge_do_not_count(binary: Trained, genuine: Git) -> None:
    main = genuine("branch", "--show-current")
    genuine("switch", "--quiet", "--create", "side")
    kept = Path("config.yaml").read_text()
    weak = binary.but(settings=binary.settings.model_copy(update={"gates": binary.settings.gates[:1]}))
    Path("config.yaml").write_text(yaml.safe_dump(binary.document | {"gates": binary.document["gates"][:1]}))
    genuine.commit("Weaker gates")
    decision = proven(weak)
    Path("config.yaml").write_text(kept)
    genuine.commit("As before")
    genuine("switch", "--quiet", main)
    genuine("merge", "--quiet", "--no-ff", "--message", "Merge", "side")
    with pytest.raises(InputError, match="was judged by other gates than those of config.yaml"):
        release.run(decision, IMAGES, "dev", SETTINGS)


def test_what_another_version_of_the_template_judged_is_said_and_not_refused(binary: Trained, genuine: Git) -> None:
    """A record of version 1, and a configuration with a kind of gate that is no more."""
    document = json.loads((ROOT / "lifecycle/tests/records/version-1.json").read_text())
    Path("config.yaml").write_text("gates: [{kind: luck}]")
    genuine.commit("In those days")
    commit = git.head()
    document["evaluation"]["origin"] |= {"version": commit.version, "commit": commit.sha, "dirty": False}
    old = record.released(Path("old"), json.dumps(document))
    with pytest.raises(InputError, match="cannot be judged again"):
        release.run(old, IMAGES, "dev", SETTINGS)
    Path("lifecycle").mkdir()
    Path("lifecycle/gate.py").write_text("")
    Path("config.yaml").write_text(yaml.safe_dump(binary.document))
    genuine.commit("Upgrade")
    genuine.commit(release.run(old, IMAGES, "dev", SETTINGS).title)
    said = audit.run(SETTINGS, "", TODAY)
    assert f"; unchecked, as another version of the template wrote it: {commit.version} cannot be judged again" in said


def test_a_release_that_ran_before_comes_back_whatever_the_answers_are_now(binary: Trained, genuine: Git) -> None:
    genuine.commit(release.run(proven(binary), IMAGES, "dev", SETTINGS).title)
    answers = Path(".cookiecutter.yaml")
    answers.write_text(answers.read_text().replace("ghcr.io", "r.io"))
    genuine.commit("Move to another registry")
    moved = {name: image.replace("ghcr.io", "r.io") for name, image in IMAGES.items()}
    genuine.commit(release.run(proven(binary), moved, "dev", SETTINGS).title)
    base = head(genuine)
    genuine.commit(rollback.run("dev", SETTINGS).title)
    assert audit.run(SETTINGS, base, TODAY) == "3 environments, dev changed"
    with pytest.raises(InputError, match="runs ghcr.io/acme/tiny-serve, not r.io/acme/tiny-serve"):
        audit.run(SETTINGS, "", TODAY)


def test_an_older_release_is_not_placed_over_a_newer_one_by_hand(decision: record.Decision, repository: Git) -> None:
    promoted(version(decision, "2020.02.02-bbbbbbb"), repository)
    base = head(repository)
    shutil.rmtree(OVERLAYS / "dev/release")
    release.run(version(decision, "2020.02.01-aaaaaaa"), IMAGES, "dev", SETTINGS)
    repository.commit("By hand")
    with pytest.raises(InputError, match=r"dev/release ran 2020\.02\.02-bbbbbbb, newer than 2020\.02\.01-aaaaaaa"):
        audit.run(SETTINGS, base, TODAY)
