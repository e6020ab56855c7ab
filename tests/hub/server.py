"""Answers the workflows' calls to GitHub, and refuses what GitHub refuses.

`gh` speaks plain HTTP to the host github.localhost, through this server as its proxy, on any port. Tests read the
state, which is one document.
"""

import json
import re
import subprocess
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from hub import results

LONGEST = 65_536
PRIVATE = {"labelled", "pull", "of", "edits", "checks"}  # what the fake keeps beside GitHub's fields
UNSAID = {"/actions/permissions/workflow", "/dispatches"}  # what GitHub does without a word
FOUND = ("/labels", "/deployment-branch-policies")  # of an issue, and of an environment: GitHub answers 200 to a POST
BOT = {"login": "github-actions[bot]", "type": "Bot"}
APP = {"login": "acme-bot[bot]", "type": "Bot"}


class Refused(Exception):  # noqa: N818 - an answer
    def __init__(self, status: int, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, headers


class State:
    """GitHub's state of one repository."""

    def __init__(self, remote: Path, name: str) -> None:
        self.lock = threading.RLock()
        self.remote = remote
        self.name = name
        self.repository: dict[str, Any] | None = {
            "full_name": name,
            "default_branch": "main",
            "private": True,
            "allow_squash_merge": True,
        }
        self.plan = "free"
        self.tokens: dict[str, dict[str, Any]] = {}
        self.may_open = True
        self.pulls: dict[int, dict[str, Any]] = {}
        self.issues: dict[int, dict[str, Any]] = {}
        self.comments: dict[int, dict[str, Any]] = {}
        self.statuses: dict[str, dict[str, str]] = {}
        self.releases: list[dict[str, Any]] = []
        self.results = results.Results()
        self.labels: dict[str, dict[str, Any]] = {}
        self.topics: list[str] = []
        self.owners = {"@acme/reviewers", "@ann"}  # with write access; an organisation is none
        self.environments: dict[str, dict[str, Any]] = {}
        self.policies: dict[str, list[dict[str, Any]]] = {}
        self.rulesets: list[dict[str, Any]] = []
        self.actions = {"default_workflow_permissions": "read", "can_approve_pull_request_reviews": False}
        self.forbids = False  # whether the organisation lets no workflow open pull requests, as it does from the start
        self.words: set[str] = set()
        self.osv: dict[str, dict[str, Any]] = {}  # what OSV knows, by id; see `Api.known_to_osv`
        self.count = 0
        self.calls: list[str] = []
        self.seen: list[tuple[str, str, Any, int, Any]] | None = None  # calls with their answers, for a test that asks

    def git(self, *arguments: str) -> str:
        command = ["git", "--git-dir", str(self.remote), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    def number(self) -> int:
        self.count += 1
        return self.count

    def head(self, pull: dict[str, Any]) -> dict[str, Any]:
        """A pull request as GitHub returns it, with the branch's current commit as its head."""
        origin = pull["head"]["repo"]["full_name"]
        space = "refs/heads/" if origin == self.name else f"refs/forks/{origin.partition('/')[0]}/"
        sha = self.git("rev-parse", "--verify", "--quiet", f"{space}{pull['head']['ref']}") or pull["head"]["sha"]
        if pull["state"] == "open":
            pull["head"]["sha"] = sha
        return {**pull, "labels": self.issue_labels(pull["number"])}

    def issue_labels(self, number: int) -> list[dict[str, str]]:
        return [{"name": name} for name in self.issues.get(number, {}).get("labelled", [])]


def shown(release: dict[str, Any]) -> dict[str, Any]:
    """A release as GitHub returns it; the fake's ids of files are made of the release's and the name."""
    return {**release, "assets": [{"id": f"{release['id']}-{name}", "name": name} for name in release["assets"]]}


def bounded(payload: dict[str, Any]) -> None:
    """Refuse a payload that GitHub refuses. Source: GitHub's OpenAPI, repos/create-dispatch-event."""
    if len(payload) > 10:
        raise Refused(422, "Invalid request. No more than 10 properties are allowed.")
    if len(json.dumps(payload)) >= 65_536:
        raise Refused(422, "client_payload is too large.")


def public(answer: Any) -> Any:
    """An answer as GitHub gives it, without what the fake keeps beside it."""
    if isinstance(answer, list):
        return [public(one) for one in answer]
    if isinstance(answer, dict):
        return {name: part for name, part in answer.items() if name not in PRIVATE}
    return answer


def succeeded(method: str, path: str) -> int:
    """The status of a call that succeeded. Source: GitHub's OpenAPI; tests/test_openapi.py compares them."""
    if method == "DELETE" or (method in ("PUT", "POST") and any(path.endswith(one) for one in UNSAID)):
        return 204
    return (
        201
        if method == "POST" and ("/issues/" not in path or not path.endswith(FOUND[0])) and not path.endswith(FOUND[1])
        else 200
    )


def longest(body: dict[str, Any]) -> None:
    if len(body.get("body") or "") > LONGEST:
        raise Refused(422, "Validation Failed: body is too long (maximum is 65536 characters)")


class Api:
    """The API's calls; each takes the path's parts, the query and the body, after a permission check."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.host = ""  # by which the server was called
        repo = "/repos/([^/]+/[^/]+)"
        self.routes: list[tuple[str, str, str, Callable[..., Any]]] = [
            ("GET", "/orgs/[^/]+", "", lambda *_: {"login": "acme"}),
            ("POST", "/(?:orgs/[^/]+|user)/repos", "administration", self.make),
            ("GET", repo, "", lambda *_: self.state.repository),
            ("PATCH", repo, "administration", self.change),
            ("GET", f"{repo}/pulls", "pull-requests:read", self.pulls),
            ("POST", f"{repo}/pulls", "pull-requests", self.open),
            ("GET", f"{repo}/pulls/([0-9]+)", "pull-requests:read", lambda _, n, *__: state.head(state.pulls[int(n)])),
            ("PATCH", f"{repo}/pulls/([0-9]+)", "pull-requests", self.update),
            ("GET", f"{repo}/commits/([^/]+)/pulls", "pull-requests:read", self.brought),
            ("GET", f"{repo}/issues", "issues:read", self.listed),
            ("POST", f"{repo}/issues", "issues", self.issue),
            ("GET", f"{repo}/issues/([0-9]+)", "issues:read pull-requests:read", self.about),
            ("PATCH", f"{repo}/issues/([0-9]+)", "issues", self.edit),
            ("GET", f"{repo}/issues/([0-9]+)/comments", "issues:read pull-requests:read", self.said),
            ("POST", f"{repo}/issues/([0-9]+)/comments", "issues pull-requests", self.say),
            ("PATCH", f"{repo}/issues/comments/([0-9]+)", "issues pull-requests", self.resay),
            ("POST", f"{repo}/issues/([0-9]+)/labels", "issues pull-requests", self.label),
            ("POST", f"{repo}/statuses/([0-9a-f]{{40}})", "statuses", self.status),
            ("POST", f"{repo}/dispatches", "contents", self.dispatch),
            ("DELETE", f"{repo}/git/refs/heads/(.+)", "contents", self.delete),
            ("GET", f"{repo}/releases/tags/(.+)", "contents:read", self.release),
            ("GET", f"{repo}/releases", "contents:read", lambda *_: [shown(one) for one in self.state.releases]),
            ("POST", f"{repo}/releases", "contents", self.draft),
            ("PATCH", f"{repo}/releases/([0-9]+)", "contents", self.publish),
            ("POST", f"{repo}/releases/([0-9]+)/assets", "contents", self.attach),
            ("DELETE", f"{repo}/releases/assets/([0-9]+)-(.+)", "contents", self.detach),
            ("GET", f"{repo}/codeowners/errors", "contents:read", self.codeowners),
            ("GET", f"{repo}/labels/(.+)", "issues:read", self.known),
            ("POST", f"{repo}/labels", "issues", lambda _, q, b: state.labels.setdefault(b["name"], b)),
            ("PATCH", f"{repo}/labels/(.+)", "issues", self.recolour),
            ("GET", f"{repo}/topics", "", lambda *_: {"names": state.topics}),
            (
                "PUT",
                f"{repo}/topics",
                "administration",
                self.tag,
            ),
            ("GET", f"{repo}/environments/([^/]+/secrets)/(.+)", "administration", self.word),
            ("GET", f"{repo}/environments/([^/]+)/deployment-branch-policies", "", self.policies),
            ("POST", f"{repo}/environments/([^/]+)/deployment-branch-policies", "administration", self.policy),
            ("GET", f"{repo}/environments/([^/]+)", "", self.environment),
            (
                "PUT",
                f"{repo}/environments/([^/]+)",
                "administration",
                self.arrange,
            ),
            ("GET", f"{repo}/actions/permissions/workflow", "administration", lambda *_: state.actions),
            ("PUT", f"{repo}/actions/permissions/workflow", "administration", self.permit),
            ("GET", f"{repo}/actions/(variables|secrets)/(.+)", "administration", self.word),
            ("GET", f"{repo}/actions/runs/([0-9]+)/artifacts", "actions:read", self.artifacts),
            ("GET", f"{repo}/actions/artifacts/([0-9]+)/zip", "actions:read", self.download),
            ("GET", f"{repo}/rulesets", "", self.rules),
            ("GET", f"{repo}/rulesets/([0-9]+)", "", lambda _, n, *__: state.rulesets[int(n) - 1]),
            ("POST", f"{repo}/rulesets", "administration", self.rule),
            (
                "PUT",
                f"{repo}/rulesets/([0-9]+)",
                "administration",
                self.rewrite,
            ),
        ]

    def answer(self, method: str, path: str, query: dict[str, str], body: Any, token: str) -> Any:
        who = self.state.tokens.get(token)
        if who is None:
            raise Refused(401, "Bad credentials")
        for verb, pattern, needed, function in self.routes:
            found = re.fullmatch(pattern, path)
            if verb != method or not found:
                continue
            rights = who["rights"]
            if needed and not any(allows(rights, one) for one in needed.split()):
                raise Refused(403, "Resource not accessible by integration")
            if path.startswith("/repos/") and (self.state.repository is None or found[1] != self.state.name):
                raise Refused(404, "Not Found")
            self.user = who["user"]
            return function(*(unquote(part) for part in found.groups()), query, body)
        raise Refused(404, f"Not Found: the fake knows no {method} {path}")

    def known_to_osv(self, path: str, body: Any) -> Any:
        """OSV's answers. Source: google/osv.dev, docs/api/post-v1-querybatch.md and get-v1-vulns.md."""
        if body is None:
            return self.state.osv[path.rpartition("/")[2]]
        has = {name: [one["package"]["name"] for one in record["affected"]] for name, record in self.state.osv.items()}
        asked = [one["package"]["name"] for one in body["queries"]]
        return {"results": [{"vulns": [{"id": one} for one in has if name in has[one]]} for name in asked]}

    def make(self, query: dict[str, str], body: dict[str, Any]) -> Any:
        self.state.repository = {"full_name": self.state.name, "default_branch": "main", "private": body["private"]}
        return self.state.repository

    def change(self, _: str, query: dict[str, str], body: dict[str, Any]) -> Any:
        assert self.state.repository is not None
        if body.get("allow_auto_merge") and self.state.repository["private"] and self.state.plan == "free":
            body = {**body, "allow_auto_merge": False}  # GitHub gives no error
        self.state.repository.update(body)
        return self.state.repository

    def pulls(self, _: str, query: dict[str, str], body: Any) -> list[Any]:
        found = [self.state.head(pull) for pull in self.state.pulls.values()]
        if (wanted := query.get("state", "open")) != "all":
            found = [pull for pull in found if pull["state"] == wanted]
        if head := query.get("head"):
            owner, _, ref = head.partition(":")
            found = [
                pull
                for pull in found
                if pull["head"]["ref"] == ref and pull["head"]["repo"]["full_name"].partition("/")[0] == owner
            ]
        return found

    def open(self, _: str, query: dict[str, str], body: dict[str, Any]) -> Any:
        longest(body)
        if self.user is BOT and not self.state.may_open:
            raise Refused(403, "GitHub Actions is not permitted to create or approve pull requests.")
        sha = self.state.git("rev-parse", "--verify", "--quiet", f"refs/heads/{body['head']}")
        main = self.state.git("rev-parse", f"refs/heads/{body['base']}")
        if not sha:
            raise Refused(422, "Validation Failed: head is invalid")
        if not self.state.git("rev-list", f"{main}..{sha}"):
            raise Refused(422, f"Validation Failed: No commits between {body['base']} and {body['head']}")
        if any(pull["head"]["ref"] == body["head"] and pull["state"] == "open" for pull in self.state.pulls.values()):
            raise Refused(422, f"Validation Failed: A pull request already exists for acme:{body['head']}.")
        return self.add(body["title"], body["body"], body["head"], sha, self.state.name, self.user)

    def add(self, title: str, text: str, ref: str, sha: str, origin: str, user: dict[str, str]) -> dict[str, Any]:
        number = self.state.number()
        pull = {
            "number": number,
            "title": title,
            "body": text,
            "state": "open",
            "merged_at": None,
            "merge_commit_sha": None,
            "user": user,
            "head": {"ref": ref, "sha": sha, "repo": {"full_name": origin}},
            "base": {"ref": "main", "sha": self.state.git("rev-parse", "refs/heads/main")},
            "html_url": f"https://github.localhost/{self.state.name}/pull/{number}",
        }
        self.state.pulls[number] = pull
        self.state.issues[number] = {"number": number, "labelled": [], "pull": True}
        return pull

    def update(self, _: str, number: str, query: dict[str, str], body: dict[str, Any]) -> Any:
        longest(body)
        self.state.pulls[int(number)].update(body)
        if body.get("state") == "closed":
            self.state.issues[int(number)]["closed_by"] = self.user
        return self.state.head(self.state.pulls[int(number)])

    def about(self, _: str, number: str, query: dict[str, str], body: Any) -> Any:
        """An issue, or a pull request as one. Source: GitHub's OpenAPI, issues/get."""
        return {"closed_by": None, **self.state.issues[int(number)], "labels": self.state.issue_labels(int(number))}

    def brought(self, _: str, sha: str, query: dict[str, str], body: Any) -> list[Any]:
        return [pull for pull in self.state.pulls.values() if pull["merge_commit_sha"] == sha]

    def listed(self, _: str, query: dict[str, str], body: Any) -> list[Any]:
        wanted = set(filter(None, query.get("labels", "").split(",")))
        return [
            {**issue, "labels": self.state.issue_labels(issue["number"])}
            for issue in self.state.issues.values()
            if not issue.get("pull")
            and query.get("state", "open") in (issue["state"], "all")
            and wanted <= set(issue["labelled"])
        ]

    def issue(self, _: str, query: dict[str, str], body: dict[str, Any]) -> Any:
        longest(body)
        number = self.state.number()
        labels = body.pop("labels", [])
        made = {"number": number, "state": "open", "user": self.user, "labelled": labels, **body}
        self.state.issues[number] = made
        return {**made, "html_url": f"https://github.localhost/{self.state.name}/issues/{number}"}

    def edit(self, _: str, number: str, query: dict[str, str], body: dict[str, Any]) -> Any:
        longest(body)
        self.state.issues[int(number)].update(body)
        return self.state.issues[int(number)]

    def said(self, _: str, number: str, query: dict[str, str], body: Any) -> list[Any]:
        return [one for one in self.state.comments.values() if one["of"] == int(number)]

    def say(self, _: str, number: str, query: dict[str, str], body: dict[str, Any]) -> Any:
        longest(body)
        identity = self.state.number()
        one = {"id": identity, "of": int(number), "user": self.user, "body": body["body"], "edits": 0}
        self.state.comments[identity] = one
        return one

    def resay(self, _: str, identity: str, query: dict[str, str], body: dict[str, Any]) -> Any:
        longest(body)
        one = self.state.comments[int(identity)]
        one.update(body=body["body"], edits=one["edits"] + 1)
        return one

    def label(self, _: str, number: str, query: dict[str, str], body: dict[str, Any]) -> Any:
        labelled = self.state.issues[int(number)]["labelled"]
        labelled.extend(name for name in body["labels"] if name not in labelled)
        return self.state.issue_labels(int(number))

    def status(self, _: str, sha: str, query: dict[str, str], body: dict[str, Any]) -> Any:
        self.state.statuses.setdefault(sha, {})[body["context"]] = body["state"]
        return body

    def dispatch(self, _: str, query: dict[str, str], body: dict[str, Any]) -> None:
        bounded(body["client_payload"])

    def delete(self, _: str, ref: str, query: dict[str, str], body: Any) -> None:
        self.state.git("update-ref", "-d", f"refs/heads/{ref}")

    def release(self, _: str, tag: str, query: dict[str, str], body: Any) -> Any:
        """A published release; a draft is found in the list only, by who may write. Source: GitHub's OpenAPI, repos."""
        found = [one for one in self.state.releases if one["tag_name"] == tag and not one["draft"]]
        if not found:
            raise Refused(404, "Not Found")
        return shown(found[0])

    def draft(self, _: str, query: dict[str, str], body: dict[str, Any]) -> Any:
        if any(one["tag_name"] == body["tag_name"] and not one["draft"] for one in self.state.releases):
            raise Refused(422, "Validation Failed: already_exists")
        number = len(self.state.releases) + 1
        address = f"http://uploads.github.localhost/repos/{self.state.name}/releases/{number}/assets{{?name,label}}"
        self.state.releases.append({"draft": False, **body, "id": number, "upload_url": address, "assets": {}})
        return shown(self.state.releases[-1])

    def publish(self, _: str, number: str, query: dict[str, str], body: dict[str, Any]) -> Any:
        self.state.releases[int(number) - 1].update(body)
        return shown(self.state.releases[int(number) - 1])

    def attach(self, _: str, number: str, query: dict[str, str], body: Any) -> Any:
        """Keep a file; as where releases are immutable, which GitHub offers since October 2025, only of a draft."""
        found = self.state.releases[int(number) - 1]
        if not found["draft"]:
            raise Refused(422, "Cannot upload assets to an immutable release.")
        if query["name"] in found["assets"]:
            raise Refused(422, "Validation Failed: already_exists")
        found["assets"][query["name"]] = body
        return {"name": query["name"]}

    def detach(self, _: str, number: str, name: str, query: dict[str, str], body: Any) -> None:
        del self.state.releases[int(number) - 1]["assets"][name]

    def artifacts(self, _: str, run: str, query: dict[str, str], body: Any) -> Any:
        """Source: GitHub's OpenAPI, actions/list-workflow-run-artifacts."""
        found = self.state.results.of(int(run), query.get("name"))
        page, size = int(query.get("page", 1)), int(query.get("per_page", 30))
        shown = [
            {
                "id": one.number,
                "name": one.name,
                "size_in_bytes": len(one.content or b""),
                "expired": False,
                "created_at": one.created,
                "digest": one.digest,
                "workflow_run": {"id": one.run},
            }
            for one in found[(page - 1) * size : page * size]
        ]
        return {"total_count": len(found), "artifacts": shown}

    def download(self, _: str, number: str, query: dict[str, str], body: Any) -> None:
        """Lead to the storage. Source: GitHub's OpenAPI, actions/download-artifact."""
        found = [one for one in self.state.results.artifacts if one.finalized and one.number == int(number)]
        if not found:
            raise Refused(404, "Not Found")
        raise Refused(302, "Found", Location=found[0].address(self.host, "GET"))

    def codeowners(self, _: str, query: dict[str, str], body: Any) -> Any:
        """Owners that GitHub ignores. Source: GitHub's OpenAPI, repos/codeowners-errors."""
        text = self.state.git("show", "refs/heads/main:.github/CODEOWNERS")
        lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line and not line.startswith("#")]
        return {
            "errors": [
                {
                    "line": number,
                    "column": line.index(owner) + 1,
                    "kind": "Unknown owner",
                    "source": line,
                    "suggestion": "make sure it exists and has write access to the repository",
                    "message": f"Unknown owner on line {number}: make sure {owner} exists and has write access",
                    "path": ".github/CODEOWNERS",
                }
                for number, line in lines
                for owner in line.split()[1:]
                if owner not in self.state.owners
            ]
        }

    def known(self, _: str, name: str, query: dict[str, str], body: Any) -> Any:
        if name not in self.state.labels:
            raise Refused(404, "Not Found")
        return self.state.labels[name]

    def recolour(self, _: str, name: str, query: dict[str, str], body: dict[str, Any]) -> Any:
        self.state.labels[name].update(body)
        return self.state.labels[name]

    def tag(self, _: str, query: dict[str, str], body: dict[str, Any]) -> Any:
        self.state.topics[:] = body["names"]
        return {"names": self.state.topics}

    def arrange(self, _: str, name: str, query: dict[str, str], body: dict[str, Any]) -> Any:
        self.state.environments[name] = body
        return {"name": name, **body}

    def rewrite(self, _: str, number: str, query: dict[str, str], body: dict[str, Any]) -> Any:
        self.state.rulesets[int(number) - 1].update(body)
        return self.state.rulesets[int(number) - 1]

    def policies(self, _: str, name: str, query: dict[str, str], body: Any) -> Any:
        return {"branch_policies": self.state.policies.get(name, [])}

    def policy(self, _: str, name: str, query: dict[str, str], body: dict[str, Any]) -> Any:
        if not (self.state.environments.get(name) or {}).get("deployment_branch_policy"):
            raise Refused(404, "Not Found")  # Source: GitHub's OpenAPI, repos/create-deployment-branch-policy
        self.state.policies.setdefault(name, []).append(body)
        return body

    def environment(self, _: str, name: str, query: dict[str, str], body: Any) -> Any:
        if name not in self.state.environments:
            raise Refused(404, "Not Found")
        return {"name": name, "deployment_branch_policy": None, **self.state.environments[name]}

    def word(self, _: str, kind: str, name: str, query: dict[str, str], body: Any) -> Any:
        if (f"bot/{name}" if kind == "bot/secrets" else name) not in self.state.words:
            raise Refused(404, "Not Found")
        return {"name": name}

    def permit(self, _: str, query: dict[str, str], body: dict[str, Any]) -> None:
        """Source: GitHub's OpenAPI, actions/set-github-actions-default-workflow-permissions-repository."""
        if self.state.forbids and body.get("can_approve_pull_request_reviews"):
            raise Refused(409, "Conflict: this setting is prevented by the owning organization.")
        self.state.actions.update(body)

    def _paid(self) -> None:
        assert self.state.repository is not None
        if self.state.repository["private"] and self.state.plan == "free":
            raise Refused(403, "Upgrade to GitHub Pro or make this repository public to enable this feature.")

    def rules(self, _: str, query: dict[str, str], body: Any) -> Any:
        self._paid()
        return [{"id": one["id"], "name": one["name"]} for one in self.state.rulesets]

    def rule(self, _: str, query: dict[str, str], body: dict[str, Any]) -> Any:
        self._paid()
        self.state.rulesets.append({**body, "id": len(self.state.rulesets) + 1})
        return self.state.rulesets[-1]


def allows(rights: dict[str, str], needed: str) -> bool:
    """Whether a token has the permission: `write` includes `read`, and an administrator may do everything."""
    name, _, level = needed.partition(":")
    held = rights.get(name, rights.get("all", ""))
    return held == "write" or (level == "read" and held == "read")


class Handler(BaseHTTPRequestHandler):
    api: Api
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        address = urlsplit(self.path)
        content = self._content()
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        token = self.headers.get("Authorization", "").rpartition(" ")[2]
        if address.path.startswith(results.PATHS):
            with self.api.state.lock:
                return self._send(*self.api.state.results.answer(self.command, address, self.headers, content))
        headers = {}
        with self.api.state.lock:
            self.api.host = self.headers["Host"]
            self.api.state.calls.append(f"{self.command} {address.path}")
            try:
                uploaded = address.netloc.startswith("uploads.")
                body = content if uploaded else json.loads(content or "null")
                if address.netloc.startswith("osv."):
                    status, answer = 200, self.api.known_to_osv(address.path, body)
                else:
                    answer = self.api.answer(self.command, address.path, query, body, token)
                    status = succeeded(self.command, address.path)
                if isinstance(answer, list):
                    page, size = int(query.get("page", 1)), int(query.get("per_page", 30))
                    if len(answer) > page * size:
                        following = urlencode({**query, "page": page + 1})
                        link = f"http://{address.netloc}{address.path}?{following}"
                        headers["Link"] = f'<{link}>; rel="next"'
                    answer = answer[(page - 1) * size : page * size]
            except Refused as refused:
                status, answer = refused.status, {"message": refused.message}
                headers = refused.headers
            answer = public(answer)
            if self.api.state.seen is not None:
                self.api.state.seen.append((self.command, address.path, body, status, answer))
            sent = b"" if answer is None else json.dumps(answer, default=str).encode()
        return self._send(status, {"Content-Type": "application/json", **headers}, sent)

    def _send(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve  # noqa: N815

    def _content(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def log_message(self, *_: object) -> None:
        pass


def serve(state: State) -> ThreadingHTTPServer:
    """Serve on a free port of loopback until `shutdown`."""
    handler = type("Served", (Handler,), {"api": Api(state)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server
