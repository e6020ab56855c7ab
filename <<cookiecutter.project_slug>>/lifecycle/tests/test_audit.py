import re
import shutil
from datetime import date

import pytest
from conftest import Git
from test_release import IMAGES, OVERLAYS, SETTINGS, TODAY, beside, newer, promoted, version

from lifecycle import InputError, config
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
