"""Which promotions are offered after a verification or a merge."""

from pathlib import Path
from typing import Any

import pytest
from conftest import Git
from test_release import IMAGES, SETTINGS, TODAY, beside, newer, promoted, version

from lifecycle import InputError
from lifecycle.documents import record
from lifecycle.github import api, due
from lifecycle.releasing import diff, release, verify

SECOND, THIRD = "2020.02.02-bbbbbbb", "2020.02.03-ddddddd"


class GitHub:
    """The pull requests of a repository; a verb opens them as a bot."""

    def __init__(self) -> None:
        self.pulls: list[dict[str, Any]] = []
        self.closed_by: dict[int, dict[str, str] | None] = {}

    def add(self, branch: str) -> dict[str, Any]:
        head = {"ref": branch, "sha": "", "repo": {"full_name": "acme/tiny"}}
        number = len(self.pulls) + 1
        self.pulls.append({"number": number, "state": "open", "merged_at": None, "head": head, "html_url": "address"})
        self.pulls[-1]["user"] = {"login": "bot", "type": "Bot"}
        return self.pulls[-1]

    def close(self, number: int, by: str | None) -> None:
        self.pulls[number - 1]["state"] = "closed"
        self.closed_by[number] = {"type": by} if by else None

    def listed(self, path: str) -> list[Any]:
        state, branch = (path.partition(f"{key}=")[2].partition("&")[0] for key in ("state", "head"))
        return [
            one
            for one in (self.pulls if "/pulls?" in path else [])
            if one["state"] == state and branch in ("", f"acme:{one['head']['ref']}")
        ]

    def call(self, method: str, path: str, body: Any = None) -> Any:
        if method == "POST" and path.endswith("/pulls"):
            return self.add(body["head"])
        if method == "GET" and "/issues/" in path:
            return {"closed_by": self.closed_by[int(path.rpartition("/")[2])]}
        return {"default_branch": "main"}


@pytest.fixture
def github(repository: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GitHub:
    made = GitHub()
    monkeypatch.setenv("GITHUB_REPOSITORY", "acme/tiny")
    monkeypatch.setattr(api, "listed", made.listed)
    monkeypatch.setattr(api, "call", made.call)
    monkeypatch.setattr(verify, "run", lambda *_: "")
    monkeypatch.setattr(diff, "run", lambda *_: "")
    repository("init", "--quiet", "--bare", str(tmp_path / "origin.git"))
    repository("remote", "add", "origin", str(tmp_path / "origin.git"))
    return made


def offered(tmp_path: Path, verified: str = due.EVERY, digest: str = "", share: int | None = None) -> str:
    return due.run(tmp_path / "build", SETTINGS, TODAY, verified, digest, share, waits=False)


def branches(github: GitHub) -> list[str]:
    return [one["head"]["ref"] for one in github.pulls if one["state"] == "open"]


@pytest.fixture
def behind(decision: record.Decision, repository: Git) -> None:
    """The first release is in production, the second in staging, the third in dev."""
    promoted(decision, repository)
    newer(decision, repository, SECOND)
    release.run(version(decision, THIRD), IMAGES, "dev", SETTINGS)
    repository.commit("Release")


@pytest.mark.usefixtures("behind")
def test_a_merge_offers_all_that_is_due_and_leaves_the_working_copy_alone(
    github: GitHub, repository: Git, tmp_path: Path
) -> None:
    offered(tmp_path)
    assert branches(github) == [f"promote/staging/{THIRD}", f"promote/production/{SECOND}"]
    assert repository("status", "--porcelain") == ""
    for branch, environment in zip(branches(github), ("staging", "production"), strict=True):
        names = repository("diff", "--name-only", "HEAD", repository("ls-remote", "origin", branch).split()[0])
        assert {Path(name).parts[2] for name in names.splitlines()} == {environment}


@pytest.mark.usefixtures("behind")
def test_what_is_offered_is_left_alone_and_what_a_person_declined_only_a_person_offers_again(
    github: GitHub, tmp_path: Path
) -> None:
    offered(tmp_path)
    assert "#1 offers it" in offered(tmp_path)
    assert len(github.pulls) == 2
    for by in ("User", None):
        github.close(1, by)
        assert "#1 offered it until a person closed it" in offered(tmp_path)
        assert branches(github) == [f"promote/production/{SECOND}"]
    github.close(1, "Bot")
    offered(tmp_path)
    assert f"promote/staging/{THIRD}" in branches(github)
    github.close(3, "User")
    offered(tmp_path, "dev", share=100)
    assert f"promote/staging/{THIRD}" in branches(github)


@pytest.mark.usefixtures("behind")
def test_a_verification_offers_that_environments_release_alone(github: GitHub, tmp_path: Path) -> None:
    assert "dev no longer runs sha256:0" in offered(tmp_path, "dev", "sha256:0")
    offered(tmp_path, "staging")
    assert branches(github) == [f"promote/production/{SECOND}"]
    with pytest.raises(InputError, match="There is no environment ''"):
        offered(tmp_path, "")


@pytest.mark.usefixtures("behind")
def test_an_offer_of_some_of_the_requests_is_not_replaced_by_one_of_all(github: GitHub, tmp_path: Path) -> None:
    offered(tmp_path, "staging", share=10)
    assert "#1 offers it" in offered(tmp_path, "staging")
    assert branches(github) == [f"promote/production/{SECOND}-10"]


@pytest.mark.usefixtures("behind")
def test_what_cannot_be_verified_keeps_no_other_from_being_offered(
    github: GitHub, repository: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(environment: str, _: Any) -> str:
        if environment == "staging":
            raise InputError("staging is not attested.")
        return ""

    monkeypatch.setattr(verify, "run", refuse)
    with pytest.raises(InputError, match=r"staging is not attested\. #1 Promote"):
        offered(tmp_path)
    assert branches(github) == [f"promote/production/{SECOND}"]
    assert repository("status", "--porcelain") == ""


def test_a_candidate_gets_more_requests_from_a_person_alone(
    decision: record.Decision, repository: Git, github: GitHub, tmp_path: Path
) -> None:
    beside(decision, repository)
    assert "runs it as a candidate" in offered(tmp_path)
    assert branches(github) == []
