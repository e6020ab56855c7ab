"""The fake GitHub is asked, and answers, as GitHub's OpenAPI document has it."""

import json
from pathlib import Path

import pytest
from conftest import IDENTITY, PROJECT, ROOT, run, unrendered
from hub.results import Artifact
from openapi import Contract, document
from test_hub import Caller

# All calls of `make setup-github` where GitHub has nothing yet.
CALLS = """
import json
from lifecycle.github import setup
setup.get = lambda path: None
calls = setup.calls("acme/my-model", ("dev", "staging", "production"))
print(json.dumps([(call.method, call.path, call.body) for call in calls]))
"""


@pytest.fixture(scope="module")
def contract() -> Contract:
    return Contract(document())


@pytest.fixture
def call(tmp_path: Path) -> Caller:
    made = Caller(tmp_path)
    made.token("run", all="write")
    made.state.plan, made.state.seen = "team", []
    return made


def test_what_sets_a_repository_up_is_asked_as_github_has_it(contract: Contract) -> None:
    found = run([".venv/github/bin/python", "-c", CALLS], unrendered("github"))
    for method, path, body in json.loads(found):
        operation = contract.operation(method, f"/{path}")
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        assert list(contract.differences(schema, body, path, whole=True)) == []


def test_every_answer_of_the_fake_is_one_of_githubs(call: Caller, contract: Contract, tmp_path: Path) -> None:
    work = tmp_path / "work"
    run(["git", "switch", "--quiet", "main"], work)
    (work / ".github").mkdir()
    (work / ".github/CODEOWNERS").write_text("*   @acme @acme/reviewers\n")
    run(["git", "add", "."], work)
    run(["git", "commit", "--quiet", "--message", "Own"], work, **IDENTITY)
    run(["git", "push", "--quiet", "origin", "main"], work)
    text = {"title": "T", "body": "B"}
    sha = run(["git", "rev-parse", "HEAD"], work).strip()
    pull = call("POST", "/pulls", {**text, "head": "change", "base": "main"})[1]["number"]
    issue = call("POST", "/issues", {**text, "labels": ["monitor"]})[1]["number"]
    comment = call("POST", f"/issues/{issue}/comments", {"body": "B"})[1]["id"]
    kept = Artifact(number=1, name="model", run=1, job="job", content=b"{}", digest="sha256:0", finalized=True)
    call.state.results.artifacts.append(kept)
    for method, path, body in [
        ("GET", "", None),
        ("PATCH", "", {"allow_squash_merge": False}),
        ("GET", "/pulls?state=all", None),
        ("GET", f"/pulls/{pull}", None),
        ("POST", f"/issues/{pull}/labels", {"labels": ["promote"]}),
        ("GET", f"/commits/{sha}/pulls", None),
        ("PATCH", f"/pulls/{pull}", {"state": "closed"}),
        ("GET", f"/issues/{pull}", None),
        ("GET", "/issues?state=all", None),
        ("PATCH", f"/issues/{issue}", {"state": "closed"}),
        ("GET", f"/issues/{issue}/comments", None),
        ("PATCH", f"/issues/comments/{comment}", {"body": "C"}),
        ("POST", f"/statuses/{sha}", {"state": "success", "context": "Report", "target_url": "https://x"}),
        ("POST", "/dispatches", {"event_type": "verified", "client_payload": {"environment": "dev"}}),
        ("POST", "/releases", {"tag_name": "1", "name": "1", "body": "B", "target_commitish": sha, "draft": True}),
        ("GET", "/releases", None),
        ("PATCH", "/releases/1", {"draft": False}),
        ("GET", "/releases/tags/1", None),
        ("GET", "/codeowners/errors", None),
        ("POST", "/labels", {"name": "promote", "color": "1d76db"}),
        ("GET", "/labels/promote", None),
        ("PATCH", "/labels/promote", {"color": "1d76db"}),
        ("PUT", "/topics", {"names": ["mlaas-model"]}),
        ("GET", "/topics", None),
        (
            "PUT",
            "/environments/bot",
            {"deployment_branch_policy": {"protected_branches": False, "custom_branch_policies": True}},
        ),
        ("GET", "/environments/bot", None),
        ("POST", "/environments/bot/deployment-branch-policies", {"name": "main"}),
        ("GET", "/environments/bot/deployment-branch-policies", None),
        ("GET", "/environments/bot/secrets/BOT_PRIVATE_KEY", None),
        ("PUT", "/actions/permissions/workflow", {"default_workflow_permissions": "read"}),
        ("GET", "/actions/permissions/workflow", None),
        ("GET", "/actions/variables/BOT_APP_ID", None),
        ("GET", "/actions/runs/1/artifacts?name=model", None),
        ("GET", "/actions/artifacts/1/zip", None),
        ("POST", "/rulesets", json.loads((ROOT / PROJECT / ".github/ruleset.json").read_text())),
        ("GET", "/rulesets", None),
        ("GET", "/rulesets/1", None),
        ("PUT", "/rulesets/1", {"bypass_actors": []}),
        ("DELETE", "/git/refs/heads/other", None),
    ]:
        call(method, path, body)
    seen = call.state.seen or []
    told = {f"{method} {path}": contract.problems(method, path, *rest) for method, path, *rest in seen}
    assert len(told) > 35
    wrong = [f"{name}: {problem}" for name, problems in told.items() for problem in problems]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"event_type": "verified", "client_payload": {str(index): "" for index in range(11)}}, "more than 10 fields"),
        ({"client_payload": {}}, "asked.event_type is missing"),
        ({"event_type": 1}, "not of type string"),
        ({"event_type": "x", "payload": {}}, "asked.payload is no field of GitHub's"),
    ],
)
def test_a_call_that_github_would_refuse_is_found(body: dict[str, object], problem: str, contract: Contract) -> None:
    (found,) = contract.problems("POST", "/repos/acme/my-model/dispatches", body, 204, None)
    assert problem in found
