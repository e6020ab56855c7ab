"""GitHub's results service, which keeps the artifacts of runs, and refuses what GitHub's refuses.

Source: actions/toolkit, packages/artifact/src: generated/results/api/v1/artifact.ts for calls and fields, internal/ for
the token's claim and the order of calls; Twirp's specification for the codes of errors; public logs for the words about
a second artifact of one name.
"""

import base64
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message
from typing import Any
from urllib.parse import SplitResult

from hub import storage
from hub.storage import Answer, Blob

SERVICE = "/twirp/github.actions.results.api.v1.ArtifactService/"
PATHS = (SERVICE, storage.PATH)
FORBIDDEN = frozenset('":<>|*?\r\n\\/')
STATUSES = {"malformed": 400, "invalid_argument": 400, "unauthenticated": 401, "permission_denied": 403}
STATUSES |= {"not_found": 404, "bad_route": 404, "already_exists": 409, "failed_precondition": 412}


class Wrong(Exception):  # noqa: N818 - an answer
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(kw_only=True)
class Artifact(Blob):
    """A run's artifact; `run` is its number in GitHub's API."""

    run: int
    job: str
    created: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    digest: str | None = None


def plan(run: int) -> str:
    """A run's name in this service; GitHub's differs also with each attempt, but here no run is run again."""
    return f"plan-{run}"


class Results:
    """The artifacts of all runs, and the tokens of those that are under way."""

    def __init__(self) -> None:
        self.artifacts: list[Artifact] = []
        self.runs: dict[str, int] = {}
        self.count = 0

    def begin(self, run: int) -> str:
        """A run's ACTIONS_RUNTIME_TOKEN, valid until `end`; here all jobs have the same."""
        parts = {"alg": "RS256", "typ": "JWT"}, {"scp": f"Actions.GenericRead:0 Actions.Results:{plan(run)}:job"}
        coded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
        token = ".".join([*coded, secrets.token_urlsafe()])
        self.runs[token] = run
        return token

    def end(self, token: str) -> None:
        del self.runs[token]

    def of(self, run: int, name: str | None = None) -> list[Artifact]:
        """A run's finalized artifacts, or the one with a name."""
        return [one for one in self.artifacts if one.run == run and one.finalized and name in (None, one.name)]

    def answer(self, verb: str, address: SplitResult, headers: Message, content: bytes) -> Answer:
        try:
            if address.path.startswith(storage.PATH):
                wanted = address.path.removeprefix(storage.PATH)
                blob = next((one for one in self.artifacts if str(one.number) == wanted), None)
                return storage.answer(blob, verb, address, headers, content)
            run = self.runs.get(headers.get("Authorization", "").removeprefix("Bearer "))
            if run is None:
                raise Wrong("unauthenticated", "the token is not that of a run under way")
            calls: dict[str, Callable[..., dict[str, Any]]] = {
                "CreateArtifact": self._create,
                "FinalizeArtifact": self._finalize,
                "ListArtifacts": self._list,
                "GetSignedArtifactURL": self._sign,
                "DeleteArtifact": self._delete,
            }
            called = calls.get(address.path.removeprefix(SERVICE)) if verb == "POST" else None
            if called is None:
                raise Wrong("bad_route", f"no handler for path {address.path}")
            try:
                asked = json.loads(content)
                theirs = asked["workflow_run_backend_id"] != plan(run)
                named = asked["name"] if called != self._list else ""
            except (KeyError, TypeError, ValueError) as error:
                raise Wrong("malformed", "the body is not that of this call") from error
            if theirs:
                raise Wrong("permission_denied", "the token is of another run")
            given = called(run, named, asked, headers.get("Host", ""))
            return 200, {"Content-Type": "application/json"}, json.dumps(given).encode()
        except Wrong as wrong:
            told = json.dumps({"code": wrong.code, "msg": wrong.message}).encode()
            return STATUSES[wrong.code], {"Content-Type": "application/json"}, told

    def _create(self, run: int, name: str, asked: dict[str, Any], host: str) -> dict[str, Any]:
        if not name or FORBIDDEN & set(name):
            raise Wrong("invalid_argument", f"the artifact name {name!r} is not valid")
        if any(one.run == run and one.name == name for one in self.artifacts):
            raise Wrong("already_exists", "an artifact with this name already exists on the workflow run")
        self.count += 1
        made = Artifact(number=self.count, name=name, run=run, job=asked.get("workflow_job_run_backend_id", ""))
        self.artifacts.append(made)
        return {"ok": True, "signed_upload_url": made.address(host, "PUT")}

    def _finalize(self, run: int, name: str, asked: dict[str, Any], host: str) -> dict[str, Any]:
        found = [one for one in self.artifacts if one.run == run and one.name == name and not one.finalized]
        if not found:
            raise Wrong("not_found", "no artifact of this name is being uploaded")
        if found[0].content is None or len(found[0].content) != int(asked.get("size", 0)):
            raise Wrong("failed_precondition", "the artifact's content has another size, or is not there")
        found[0].finalized, found[0].digest = True, asked.get("hash")
        return {"ok": True, "artifact_id": str(found[0].number)}

    def _list(self, run: int, name: str, asked: dict[str, Any], host: str) -> dict[str, Any]:
        found = self.of(run, asked.get("name_filter"))
        wanted = asked.get("id_filter")
        return {
            "artifacts": [
                {
                    "workflow_run_backend_id": plan(one.run),
                    "workflow_job_run_backend_id": one.job,
                    "database_id": str(one.number),
                    "name": one.name,
                    "size": str(len(one.content or b"")),
                    "created_at": one.created,
                    "digest": one.digest,
                }
                for one in found
                if wanted in (None, str(one.number))
            ]
        }

    def _one(self, run: int, name: str) -> Artifact:
        if not (found := self.of(run, name)):
            raise Wrong("not_found", "the workflow run has no artifact of this name")
        return found[0]

    def _sign(self, run: int, name: str, asked: dict[str, Any], host: str) -> dict[str, Any]:
        return {"signed_url": self._one(run, name).address(host, "GET")}

    def _delete(self, run: int, name: str, asked: dict[str, Any], host: str) -> dict[str, Any]:
        found = self._one(run, name)
        self.artifacts.remove(found)
        return {"ok": True, "artifact_id": str(found.number)}
