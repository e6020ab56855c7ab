"""The fake results service keeps artifacts for those who may have them, and refuses the same calls as GitHub's."""

import base64
import hashlib
import io
import json
import os
import re
import subprocess
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hub import results, server
from hub.runner import CODE, code

CONTENT = b"what was uploaded"
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
REPOSITORY = "/repos/acme/my-model"


class Quiet(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Follow none, as the real action does, which must not send its token to the storage."""


class Fake:
    """The service on loopback, called with the tokens of two runs under way."""

    def __init__(self, folder: Path) -> None:
        self.state = server.State(folder / "remote", "acme/my-model")
        self.state.tokens["run"] = {"user": server.BOT, "rights": {"actions": "read"}}
        self.state.tokens["other"] = {"user": server.BOT, "rights": {"contents": "read"}}
        self.server = server.serve(self.state)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.tokens = {run: self.state.results.begin(run) for run in (1, 2)}
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), Quiet())

    def send(self, method: str, address: str, content: bytes | None = None, **headers: str) -> tuple[int, Any, bytes]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(address, content, named, method=method)  # noqa: S310 - ours
        try:
            with self.opener.open(request) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def call(self, method: str, /, run: int = 1, token: str | None = None, **asked: Any) -> tuple[int, Any]:
        body = {"workflow_run_backend_id": results.plan(run), "workflow_job_run_backend_id": "job", **asked}
        bearer = f"Bearer {token or self.tokens[run]}"
        address = f"{self.address}{results.SERVICE}{method}"
        status, _, content = self.send("POST", address, json.dumps(body).encode(), Authorization=bearer)
        return status, json.loads(content)

    def rest(self, path: str, token: str = "run") -> tuple[int, Any, bytes]:  # noqa: S107
        return self.send("GET", f"{self.address}{REPOSITORY}{path}", Authorization=f"token {token}")

    def listed(self, run: int = 1) -> list[str]:
        """What a run's artifacts are called, which both ways to ask agree on."""
        own = [one["name"] for one in self.call("ListArtifacts", run)[1]["artifacts"]]
        public = [one["name"] for one in json.loads(self.rest(f"/actions/runs/{run}/artifacts")[2])["artifacts"]]
        assert own == public
        return own

    def stored(self, address: str, kind: str = "application/zip") -> None:
        """Store CONTENT in two blocks, the second one first, as several are sent at a time."""
        for name, content in (("Mg==", CONTENT[5:]), ("MQ==", CONTENT[:5])):
            assert self.send("PUT", f"{address}&comp=block&blockid={name}", content)[0] == 201
        listed = b"<BlockList><Latest>MQ==</Latest><Latest>Mg==</Latest></BlockList>"
        assert self.send("PUT", f"{address}&comp=blocklist", listed, x_ms_blob_content_type=kind)[0] == 201

    def upload(self, name: str, run: int = 1, kind: str = "application/zip") -> str:
        """Upload CONTENT whole; returns the artifact's number."""
        self.stored(self.call("CreateArtifact", run, name=name, version=7)[1]["signed_upload_url"], kind)
        status, done = self.call("FinalizeArtifact", run, name=name, size=str(len(CONTENT)), hash=DIGEST)
        assert (status, done["ok"]) == (200, True)
        return str(done["artifact_id"])


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[Fake]:
    made = Fake(tmp_path)
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_a_token_names_its_run_as_the_actions_read_it(fake: Fake) -> None:
    head, claims, _ = fake.tokens[1].split(".")
    assert json.loads(base64.urlsafe_b64decode(f"{head}==")) == {"alg": "RS256", "typ": "JWT"}
    scopes = json.loads(base64.urlsafe_b64decode(f"{claims}=="))["scp"].split(" ")
    assert f"Actions.Results:{results.plan(1)}:job" in scopes
    assert fake.tokens[1] != fake.tokens[2]


def test_what_a_run_uploads_it_downloads_by_a_signed_address(fake: Fake) -> None:
    number = fake.upload("model")
    ((one,), _) = (fake.call("ListArtifacts", name_filter="model")[1]["artifacts"], fake.upload("report"))
    assert (one["database_id"], one["size"], one["digest"]) == (number, str(len(CONTENT)), DIGEST)
    assert fake.call("ListArtifacts", id_filter=number)[1]["artifacts"] == [one]
    assert fake.call("ListArtifacts", name_filter="none")[1]["artifacts"] == []
    signed = fake.call("GetSignedArtifactURL", name="model")[1]["signed_url"]
    status, headers, content = fake.send("GET", signed)
    assert (status, headers["Content-Type"], content) == (200, "application/zip", CONTENT)
    assert headers["Content-Disposition"] == "attachment; filename*=UTF-8''model.zip"


def test_a_single_file_keeps_its_type_and_name(fake: Fake) -> None:
    fake.upload("größe.html", kind="text/html")
    signed = fake.call("GetSignedArtifactURL", name="größe.html")[1]["signed_url"]
    _, headers, _ = fake.send("GET", signed)
    assert headers["Content-Type"] == "text/html"
    assert headers["Content-Disposition"] == "attachment; filename*=UTF-8''gr%C3%B6%C3%9Fe.html"


def test_another_run_downloads_it_by_the_api_with_the_right_to_read_actions(fake: Fake) -> None:
    number = fake.upload("model")
    status, _, content = fake.rest("/actions/runs/1/artifacts?name=model")
    (one,) = json.loads(content)["artifacts"]
    assert (status, str(one["id"]), one["size_in_bytes"], one["digest"]) == (200, number, len(CONTENT), DIGEST)
    status, headers, _ = fake.rest(f"/actions/artifacts/{number}/zip")
    assert status == 302
    assert fake.send("GET", headers["Location"])[2] == CONTENT
    for path in ("/actions/runs/1/artifacts", f"/actions/artifacts/{number}/zip"):
        assert fake.rest(path, "other")[0] == 403
        assert fake.rest(path, fake.tokens[1])[0] == 401


def test_the_api_lists_artifacts_in_pages_and_counts_them_all(fake: Fake) -> None:
    for name in "abc":
        fake.upload(name)
    pages = [json.loads(fake.rest(f"/actions/runs/1/artifacts?per_page=2&page={page}")[2]) for page in (1, 2)]
    assert [[one["name"] for one in page["artifacts"]] for page in pages] == [["a", "b"], ["c"]]
    assert {page["total_count"] for page in pages} == {3}


def test_a_run_sees_and_changes_only_its_own_artifacts(fake: Fake) -> None:
    fake.upload("model", run=2)
    assert (fake.listed(1), fake.listed(2)) == ([], ["model"])
    for name in ("CreateArtifact", "FinalizeArtifact", "GetSignedArtifactURL", "DeleteArtifact", "ListArtifacts"):
        status, told = fake.call(name, run=2, token=fake.tokens[1], name="model", size="1")
        assert (status, told["code"]) == (403, "permission_denied"), name
        assert fake.call(name, token="run", name="model")[0] == 401, name  # noqa: S106 - of the API
    assert fake.call("GetSignedArtifactURL", run=1, name="model")[0] == 404
    assert fake.listed(2) == ["model"]


def test_a_token_ends_with_its_run(fake: Fake) -> None:
    fake.state.results.end(fake.tokens[1])
    assert fake.call("ListArtifacts")[1]["code"] == "unauthenticated"


def test_a_name_is_given_once_in_a_run_until_it_is_deleted(fake: Fake) -> None:
    number = fake.upload("model")
    again = fake.call("CreateArtifact", name="model", version=7)
    words = "an artifact with this name already exists on the workflow run"
    assert again == (409, {"code": "already_exists", "msg": words})
    fake.upload("model", run=2)
    assert fake.call("DeleteArtifact", name="model") == (200, {"ok": True, "artifact_id": number})
    assert (fake.listed(1), fake.listed(2)) == ([], ["model"])
    assert fake.call("DeleteArtifact", name="model")[0] == 404
    assert fake.upload("model") != number


def test_what_is_not_finalized_is_no_artifact_yet(fake: Fake) -> None:
    address = fake.call("CreateArtifact", name="model", version=7)[1]["signed_upload_url"]
    assert fake.call("FinalizeArtifact", name="model", size="0")[1]["code"] == "failed_precondition"
    fake.stored(address)
    assert fake.listed() == []
    assert fake.rest("/actions/artifacts/1/zip")[0] == 404
    assert fake.call("GetSignedArtifactURL", name="model")[0] == 404
    assert fake.call("CreateArtifact", name="model", version=7)[0] == 409
    assert fake.call("FinalizeArtifact", name="model", size="3", hash=DIGEST)[1]["code"] == "failed_precondition"
    assert fake.call("FinalizeArtifact", name="model", size=str(len(CONTENT)), hash=DIGEST)[0] == 200
    assert fake.listed() == ["model"]
    assert fake.call("FinalizeArtifact", name="model", size=str(len(CONTENT)), hash=DIGEST)[0] == 404
    assert fake.send("PUT", f"{address}&comp=block&blockid=MQ==", b"x")[0] == 403


def test_a_signed_address_allows_one_verb_and_names_known_blocks(fake: Fake) -> None:
    address = fake.call("CreateArtifact", name="model", version=7)[1]["signed_upload_url"]
    unsigned = address.partition("?")[0]
    for method, wrong in [
        ("GET", address),
        ("GET", unsigned),
        ("PUT", f"{unsigned}?comp=blocklist"),
        ("POST", address),
    ]:
        status, headers, _ = fake.send(method, wrong, None if method == "GET" else b"")
        assert (status, headers["x-ms-error-code"]) == (403, "AuthenticationFailed")
    status, headers, _ = fake.send("PUT", f"{address}&comp=blocklist", b"<BlockList><Latest>MQ==</Latest></BlockList>")
    assert (status, headers["x-ms-error-code"]) == (400, "InvalidBlockList")
    assert fake.send("PUT", address, CONTENT)[0] == 400  # Put Blob, which the actions do not use


@pytest.mark.parametrize("name", ["", "a/b", "a:b", "a\nb"])
def test_a_name_that_some_file_systems_lack_is_refused(fake: Fake, name: str) -> None:
    assert fake.call("CreateArtifact", name=name, version=7)[1]["code"] == "invalid_argument"


def test_a_call_that_is_none_is_refused(fake: Fake) -> None:
    assert fake.call("MigrateArtifact", name="model")[1]["code"] == "bad_route"
    assert fake.call("CreateArtifact", version=7)[1]["code"] == "malformed"


# The actions: stand-ins, or the real ones' own code where ACTIONS has it


def played(fake: Fake, folder: Path, action: str, run: int = 1, **inputs: str) -> subprocess.CompletedProcess[str]:
    """Run an action in a folder as a step of a run would, with these inputs beside its defaults."""
    source = code(f"actions/{action}")
    described = yaml.safe_load((source / "action.yml").read_text())
    given = {name: str(one.get("default", "")) for name, one in described["inputs"].items()}
    given |= {name: "" for name, default in given.items() if "${{" in default}
    given |= {name.replace("_", "-"): value for name, value in {"run_id": str(run), **inputs}.items() if value}
    environment = {
        "PATH": os.environ["PATH"],
        "GITHUB_OUTPUT": str(folder / ".output"),
        "GITHUB_WORKSPACE": str(folder),
        "GITHUB_REPOSITORY": "acme/my-model",
        "GITHUB_RUN_ID": str(run),
        "GITHUB_API_URL": fake.address,
        "GITHUB_SERVER_URL": "https://github.localhost",
        "ACTIONS_RESULTS_URL": f"{fake.address}/",
        "ACTIONS_RUNTIME_TOKEN": fake.tokens[run],
        "HUB_CODE": str(CODE),
    }
    (folder / ".output").touch()
    if "main" in described["runs"]:
        command = ["node", str(source / described["runs"]["main"])]
        given["repository"] = "acme/my-model"
        environment |= {f"INPUT_{name.upper()}": value for name, value in given.items()}
    else:
        (step,) = described["runs"]["steps"]
        command = ["bash", "-c", step["run"]]
        for name, text in step["env"].items():
            environment[name] = re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda found: given[found[1]], text)
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60)


def fetched(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """What the jobs have: a folder, and files beside it."""
    for name in ("build/model/model.onnx", "build/model/.hidden", "build/report.html", "build/report.md", "other"):
        (tmp_path / "work" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "work" / name).write_text(name)
    return tmp_path / "work"


@pytest.mark.parametrize(
    ("paths", "kept"),
    [
        ("build/model", {"model.onnx": "build/model/model.onnx"}),
        ("build/report.html", {"report.html": "build/report.html"}),
        ("build/model\nbuild/none", {"model/model.onnx": "build/model/model.onnx"}),
        (
            "build/model\nbuild/report.*",
            {name: f"build/{name}" for name in ("model/model.onnx", "report.html", "report.md")},
        ),
    ],
)
def test_an_action_uploads_files_that_another_job_downloads(
    fake: Fake, work: Path, tmp_path: Path, paths: str, kept: dict[str, str]
) -> None:
    done = played(fake, work, "upload-artifact", name="build", path=paths)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "artifact-id" in (work / ".output").read_text()
    (tmp_path / "next").mkdir()
    done = played(fake, tmp_path / "next", "download-artifact", name="build", path="here")
    assert done.returncode == 0, done.stdout + done.stderr
    assert fetched(tmp_path / "next/here") == kept


def test_of_several_artifacts_each_gets_a_folder_and_a_single_one_gets_none(fake: Fake, work: Path) -> None:
    for name in ("report-a", "report-b", "model"):
        assert played(fake, work, "upload-artifact", name=name, path="other").returncode == 0
    assert played(fake, work, "download-artifact", pattern="report-*", path="many").returncode == 0
    assert fetched(work / "many") == {"report-a/other": "other", "report-b/other": "other"}
    assert played(fake, work, "download-artifact", pattern="mod*", path="one").returncode == 0
    assert fetched(work / "one") == {"other": "other"}


def test_another_runs_artifact_takes_a_token_that_reads_actions(fake: Fake, work: Path) -> None:
    assert played(fake, work, "upload-artifact", name="report-a", path="other").returncode == 0
    asked = {"pattern": "report-*", "run_id": "1", "path": "here"}
    done = played(fake, work, "download-artifact", run=2, github_token="run", **asked)  # noqa: S106
    assert done.returncode == 0, done.stdout + done.stderr
    assert fetched(work / "here") == {"other": "other"}
    assert played(fake, work, "download-artifact", run=2, github_token="other", **asked).returncode == 1  # noqa: S106
    done = played(fake, work, "download-artifact", run=2, name="report-a", run_id="1", path="there")
    assert "Artifact not found for name: report-a" in done.stdout + done.stderr
    assert done.returncode == 1
    assert not (work / "there").exists()


def test_an_action_uploads_a_name_once_and_nothing_if_there_are_no_files(fake: Fake, work: Path) -> None:
    assert played(fake, work, "upload-artifact", name="none", path="none", if_no_files_found="ignore").returncode == 0
    assert "artifact-id" not in (work / ".output").read_text()
    assert played(fake, work, "upload-artifact", name="one", path="other").returncode == 0
    done = played(fake, work, "upload-artifact", name="one", path="build")
    assert "an artifact with this name already exists on the workflow run" in done.stdout + done.stderr
    assert done.returncode == 1
    assert fake.listed() == ["one"]


def test_what_was_changed_since_fails_and_a_link_becomes_a_file(fake: Fake, work: Path) -> None:
    assert played(fake, work, "upload-artifact", name="one", path="other").returncode == 0
    entry, kept = zipfile.ZipInfo("link"), io.BytesIO()
    entry.external_attr = 0o120777 << 16
    with zipfile.ZipFile(kept, "w") as archive:
        archive.writestr(entry, "/etc/hostname")
    fake.state.results.artifacts[0].content = kept.getvalue()
    done = played(fake, work, "download-artifact", name="one", path="here")
    assert "Digest validation failed for artifact(s): one." in done.stdout + done.stderr
    assert done.returncode == 1
    assert not (work / "here/link").is_symlink()
    assert fetched(work / "here") == {"link": "/etc/hostname"}
