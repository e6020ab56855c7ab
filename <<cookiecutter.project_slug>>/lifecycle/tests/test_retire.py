"""The end of a service: out of its environments, the last one first, and nothing else goes."""

from pathlib import Path

import pytest
from conftest import Git
from test_release import IMAGES, OVERLAYS, SETTINGS, TODAY, contents, promoted, version

from lifecycle import InputError
from lifecycle.documents import record
from lifecycle.documents.change import Change
from lifecycle.github import offer
from lifecycle.releasing import audit, component, promote, release, retire, rollback


def prepared() -> Change:
    found = retire.run(SETTINGS)
    assert isinstance(found, Change)
    return found


def test_a_service_leaves_its_environments_the_last_one_first(decision: record.Decision, repository: Git) -> None:
    promoted(decision, repository)
    for environment in ("production", "staging", "dev"):
        base = repository("rev-parse", "HEAD")
        change = prepared()
        assert change.title == f"Take 2020.02.01-aaaaaaa out of {environment}"
        assert change.environment == environment
        assert offer.BRANCH.fullmatch(change.branch)
        assert contents(environment) == {"kustomization.yaml": component.RETIRED}
        assert prepared() == change  # of a verb that was killed, or run again
        repository.commit(change.title)
        assert audit.run(SETTINGS, base, TODAY) == f"3 environments, {environment} changed"
    assert "What a merge never deletes" in change.body
    said = retire.run(SETTINGS)
    assert isinstance(said, str)
    assert said.startswith("no environment has a release\n")
    assert repository("log", "--format=%s", "--", str(OVERLAYS / "production/release/decision.json")).count("\n") == 1


def test_an_environment_before_another_is_not_emptied_first(decision: record.Decision, repository: Git) -> None:
    promoted(decision, repository)
    base = repository("rev-parse", "HEAD")
    release_folder = OVERLAYS / "staging/release"
    (release_folder / "decision.json").unlink()
    (release_folder / "kustomization.yaml").write_text(component.RETIRED)
    repository.commit("Empty it")
    with pytest.raises(InputError, match="staging/release is empty, but production still runs a release; retire that"):
        audit.run(SETTINGS, base, TODAY)
    (release_folder / "kustomization.yaml").write_text(component.RETIRED.replace("retired", "other"))
    repository.commit("Empty it otherwise")
    with pytest.raises(InputError, match="staging/release lost its release"):
        audit.run(SETTINGS, base, TODAY)


def test_a_reverted_retirement_and_a_later_release_are_right(decision: record.Decision, repository: Git) -> None:
    promoted(decision, repository)
    repository.commit(prepared().title)
    base = repository("rev-parse", "HEAD")
    repository("revert", "--no-edit", "HEAD")
    assert audit.run(SETTINGS, base, TODAY) == "3 environments, production changed"
    for _ in range(3):
        repository.commit(prepared().title)
    with pytest.raises(InputError, match="has no release"):
        rollback.run("dev", SETTINGS)
    assert promote.after("dev", "", SETTINGS, TODAY) == "dev has no release to promote to staging; give dev one first."
    base = repository("rev-parse", "HEAD")
    release.run(version(decision, "2020.03.01-bbbbbbb"), IMAGES, "dev", SETTINGS)
    repository.commit("Release")
    assert audit.run(SETTINGS, base, TODAY) == "3 environments, dev changed"


def test_a_candidate_beside_a_release_goes_with_it(decision: record.Decision, repository: Git) -> None:
    from test_release import beside

    beside(decision, repository)
    prepared()
    assert contents("production") == {"kustomization.yaml": component.RETIRED}
    assert Path("manifests/overlays/production/kustomization.yaml").is_file()
