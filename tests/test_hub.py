"""The fake GitHub refuses the same calls as GitHub."""

import functools
import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import IDENTITY, run
from hub import server
from hub.runner import Hub, evaluated

REPOSITORY = "http://api.github.localhost/repos/acme/my-model"


class Caller:
    """Calls the fake with a token's permissions."""

    def __init__(self, folder: Path) -> None:
        run(["git", "init", "--quiet", "--bare", str(folder / "remote")], folder)
        run(["git", "clone", "--quiet", str(folder / "remote"), str(folder / "work")], folder)
        for branch in ("main", "change", "other"):
            run(["git", "switch", "--quiet", "--create", branch], folder / "work")
            run(["git", "commit", "--quiet", "--allow-empty", "--message", branch], folder / "work", **IDENTITY)
            run(["git", "push", "--quiet", "origin", branch], folder / "work")
        self.state = server.State(folder / "remote", "acme/my-model")
        self.server = server.serve(self.state)
        address = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": address}))

    def token(self, name: str, user: dict[str, str] = server.BOT, **rights: str) -> None:
        named = {key.replace("_", "-"): level for key, level in rights.items()}
        self.state.tokens[name] = {"user": user, "rights": named}

    def __call__(self, method: str, path: str, body: Any = None, user: str = "run") -> tuple[int, Any]:
        request = urllib.request.Request(f"{REPOSITORY}{path}", method=method)  # noqa: S310 - ours
        request.add_header("Authorization", f"token {user}")
        request.data = None if body is None else json.dumps(body).encode()
        try:
            with self.opener.open(request) as answer:
                return answer.status, json.loads(answer.read() or "null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())["message"]


@pytest.fixture
def call(tmp_path: Path) -> Iterator[Caller]:
    made = Caller(tmp_path)
    made.token("run", contents="write", issues="write", pull_requests="write")
    yield made
    made.server.shutdown()
    made.server.server_close()


PULL = {"title": "T", "body": "B", "head": "change", "base": "main"}


def test_a_token_does_only_what_it_may(call: Caller) -> None:
    call.token("fork", contents="read", issues="read", pull_requests="read")
    call.token("release", contents="write")
    assert call("GET", "/pulls", user="fork") == (200, [])
    for token in ("fork", "release"):
        assert call("POST", "/pulls", PULL, token) == (403, "Resource not accessible by integration")
        assert call("POST", "/issues", {"title": "T", "body": ""}, token)[0] == 403
    assert call("DELETE", "/git/refs/heads/other", user="fork")[0] == 403
    assert call("GET", "/pulls", user="nobody") == (401, "Bad credentials")
    assert call("PUT", "/topics", {"names": []})[0] == 403


def test_a_pull_request_is_opened_once_and_only_where_something_differs(call: Caller) -> None:
    status, made = call("POST", "/pulls", PULL)
    assert (status, made["user"]["login"]) == (201, "github-actions[bot]")
    assert call("POST", "/pulls", PULL) == (
        422,
        "Validation Failed: A pull request already exists for acme:change.",
    )
    assert call("POST", "/pulls", {**PULL, "head": "main"})[1].startswith("Validation Failed: No commits between")
    assert call("POST", "/pulls", {**PULL, "head": "none"})[1] == "Validation Failed: head is invalid"


def test_a_text_has_at_most_65536_characters(call: Caller) -> None:
    status, made = call("POST", "/pulls", {**PULL, "body": "x" * 65_536})
    assert status == 201
    for method, path, body in [
        ("PATCH", f"/pulls/{made['number']}", {"body": "x" * 65_537}),
        ("POST", f"/issues/{made['number']}/comments", {"body": "x" * 65_537}),
        ("POST", "/issues", {"title": "T", "body": "x" * 65_537}),
        ("POST", "/pulls", {**PULL, "head": "other", "body": "x" * 65_537}),
    ]:
        assert call(method, path, body)[0] == 422


def test_the_token_of_a_run_opens_none_unless_the_repository_lets_it(call: Caller) -> None:
    call.state.may_open = False
    call.token("app", server.APP, pull_requests="write")
    assert call("POST", "/pulls", PULL)[1] == "GitHub Actions is not permitted to create or approve pull requests."
    assert call("POST", "/pulls", PULL, "app")[0] == 201


def test_an_organisation_may_forbid_that_workflows_open_pull_requests(call: Caller) -> None:
    call.token("owner", all="write")
    call.state.forbids = True
    path = "/actions/permissions/workflow"
    assert call("PUT", path, {"can_approve_pull_request_reviews": True}, "owner")[0] == 409
    assert call("PUT", path, {"default_workflow_permissions": "read"}, "owner")[0] == 204
    call.state.forbids = False
    assert call("PUT", path, {"can_approve_pull_request_reviews": True}, "owner")[0] == 204


def test_a_long_list_comes_in_pages(call: Caller) -> None:
    for _ in range(3):
        call("POST", "/issues", {"title": "T", "body": "", "labels": ["monitor"]})
    pages = [call("GET", f"/issues?labels=monitor&per_page=2&page={page}")[1] for page in (1, 2, 3)]
    assert [len(page) for page in pages] == [2, 1, 0]


def test_gh_reads_all_pages(call: Caller) -> None:
    for _ in range(5):
        call("POST", "/issues", {"title": "T", "body": ""})
    address = f"http://127.0.0.1:{call.server.server_address[1]}"
    done = subprocess.run(
        ["gh", "api", "--paginate", "--slurp", "repos/acme/my-model/issues?per_page=2"],
        env={**os.environ, "HTTP_PROXY": address, "GH_HOST": "github.localhost", "GH_TOKEN": "run"},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert [len(page) for page in json.loads(done.stdout)] == [2, 2, 1]


def test_of_the_runs_of_a_group_that_wait_the_last_one_remains() -> None:
    hub = Hub.__new__(Hub)  # one that serves nothing
    done: list[str] = []
    hub.waiting = [(name[0], functools.partial(done.append, name)) for name in ("a1", "b1", "a2")]  # type: ignore[misc]
    hub.let()
    assert sorted(done) == ["a2", "b1"]


def test_a_group_is_named_by_the_event_or_its_inputs() -> None:
    group = "promote-${{ github.event.client_payload.environment || inputs.environment || 'merged' }}"
    assert evaluated(group, {"before": "0"}) == "promote-merged"
    assert evaluated(group, {"inputs": {"environment": "dev"}}) == "promote-dev"
    assert evaluated(group, {"client_payload": {"environment": "staging"}}) == "promote-staging"


def test_an_organisation_is_no_code_owner(call: Caller, tmp_path: Path) -> None:
    work = tmp_path / "work"
    run(["git", "switch", "--quiet", "main"], work)
    (work / ".github").mkdir()
    (work / ".github/CODEOWNERS").write_text("# who\n*   @acme @acme/reviewers\n")
    run(["git", "add", "."], work)
    run(["git", "commit", "--quiet", "--message", "Own"], work, **IDENTITY)
    run(["git", "push", "--quiet", "origin", "main"], work)
    ((status, found),) = [call("GET", "/codeowners/errors")]
    assert status == 200
    assert [(one["line"], one["column"], one["kind"]) for one in found["errors"]] == [(2, 5, "Unknown owner")]


def test_a_private_repository_on_a_free_plan_has_no_rules(call: Caller) -> None:
    call.token("owner", all="write")
    assert call("POST", "/rulesets", {"name": "main"}, "owner")[0] == 403
    call.state.plan = "team"
    assert call("POST", "/rulesets", {"name": "main"}, "owner")[0] == 201


def test_a_payload_has_at_most_ten_fields_and_64_kilobytes(call: Caller) -> None:
    def sent(payload: dict[str, str]) -> int:
        return call("POST", "/dispatches", {"event_type": "verified", "client_payload": payload})[0]

    assert sent({str(number): "" for number in range(10)}) == 204
    assert sent({str(number): "" for number in range(11)}) == 422
    assert sent({"report": "x" * 65_536}) == 422


def test_files_are_added_to_a_draft_alone(call: Caller) -> None:
    draft = {"tag_name": "1", "name": "1", "body": "", "draft": True}
    number = call("POST", "/releases", draft)[1]["id"]
    assert call("POST", f"/releases/{number}/assets?name=a", {})[0] == 201
    assert call("PATCH", f"/releases/{number}", {"draft": False})[0] == 200
    assert call("POST", f"/releases/{number}/assets?name=b", {})[0] == 422
