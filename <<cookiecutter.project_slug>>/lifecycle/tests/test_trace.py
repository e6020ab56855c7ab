"""From an answer to its data: what is found, and that a byte changed anywhere on the way is named."""

import gzip
import json
import shutil
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from conftest import Git, filled
from hypothesis import given
from hypothesis import strategies as st
from served import client
from test_release import IMAGES, SETTINGS, TODAY, proven
from test_serve import INFER, ROWS, TENSORS, URL, logged
from tiny import Trained

from lifecycle import InputError
from lifecycle import __main__ as command
from lifecycle.privacy import places
from lifecycle.releasing import promote, provenance, release
from lifecycle.tasks import Task
from lifecycle.tracing import asked, history, lines, trace

MOMENT = "2020-02-03T10:00:00+00:00"
IDENTITY = "request-1"


@pytest.mark.parametrize("body", ["rows", "table", "tensor", "tensors"])
def test_an_answer_says_what_the_log_has(body: str, trained: Trained, tmp_path: Path) -> None:
    service = client(trained, tmp_path, {"PREDICTIVE_UNIT_IMAGE": IMAGES["serve"]})
    names = list(ROWS[0])
    table = [[row[name] for name in names] for row in ROWS]
    tensor = {"shape": [len(table), len(names)], "values": [value for row in table for value in row]}
    sent: dict[str, Any] = {
        "rows": {"jsonData": ROWS},
        "table": {"data": {"names": names, "ndarray": table}},
        "tensor": {"data": {"names": names, "tensor": tensor}},
        "tensors": {"inputs": TENSORS},
    }
    answer = service.post(INFER if body == "tensors" else URL, json=sent[body])
    assert answer.status_code == 200
    found, line = asked.read(answer.text), logged(tmp_path)
    assert (found.request, found.version, found.image) == (line[0]["request"], line[0]["version"], IMAGES["serve"])
    assert found.rows == {one["row"]: one["answer"] for one in line}
    assert asked.read(json.dumps(line[1])).rows == {1: line[1]["answer"]}
    (tmp_path / "answer.json").write_text(answer.text)
    assert asked.read(str(tmp_path / "answer.json")) == found


@pytest.mark.parametrize(
    "text", ["", "  ", "{", "{}", '{"meta": 1}', '{"request": "a"}', '{"outputs": []}', "[" * 9000]
)
def test_what_is_neither_is_refused_or_an_identity(text: str) -> None:
    if text.startswith("["):
        assert asked.read(text).request == text
        return
    with pytest.raises(InputError, match="REQUEST is (empty|neither a line)"):
        asked.read(text)


@given(st.text(min_size=1, max_size=200), st.booleans())
def test_the_line_of_any_identity_is_found(identity: str, packed: bool) -> None:
    line = {"request": identity, "row": 0, "logged": MOMENT, "version": "v", "features": {}, "answer": {}}
    content = b"\n".join(orjson.dumps(one) for one in ({**line, "request": f"{identity} "}, line, {"note": identity}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(places, "find", lambda *_: ["log/version=v/hour=2020-02-03T10/1.jsonl"])
        patch.setattr(places, "content", lambda _: content + b"\n" * packed)
        ((found,), unread) = lines.find(["log"], identity)
    assert found.content == line
    assert list(found.problems()) == unread == []


def merged(repository: Git, day: int, subject: str, patch: pytest.MonkeyPatch) -> None:
    """A pull request of a bot that Ann merges, on a day of February."""
    patch.setenv("GIT_COMMITTER_DATE", f"2020-02-0{day}T08:00:00Z")
    patch.setenv("GIT_AUTHOR_NAME", "bot")
    repository("switch", "--quiet", "--create", f"branch-{day}")
    repository.commit("Change")
    patch.setenv("GIT_AUTHOR_NAME", "Ann")
    repository("switch", "--quiet", "-")
    repository("merge", "--quiet", "--no-ff", "--message", subject, f"branch-{day}")


@pytest.fixture(scope="module")
def made(models: Callable[[Task], Trained], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A repository with its data, a release in every environment, and a log with one answer; returns its line."""
    binary, folder = models("binary_classification"), tmp_path_factory.mktemp("traced")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(provenance, "findings", lambda *_: ("", ""))
        patch.setenv("GIT_COMMITTER_DATE", "2020-02-01T07:00:00Z")
        repository = filled(binary, folder, patch)
        Path("data").mkdir()
        Path("data/tiny.parquet").write_bytes((binary.folder / "tiny.parquet").read_bytes())
        document = {**binary.document, "data": {**binary.document["data"], "path": "data/tiny.parquet"}}
        Path("config.yaml").write_text(yaml.safe_dump(document))
        repository.commit("Pin the data")
        decision = proven(binary)
        release.run(decision, IMAGES, "dev", SETTINGS)
        merged(repository, 1, "Merge pull request #7 from acme/release", patch)
        for day, environment in ((2, "staging"), (3, "production")):
            promote.run(environment, SETTINGS, TODAY)
            merged(repository, day, f"Merge pull request #{day + 6} from acme/promote", patch)
        line = {
            "request": IDENTITY,
            "row": 0,
            "logged": MOMENT,
            "version": decision.version,
            "context": {},
            "features": {"number": 0.5, "colour": "red"},
            "answer": {"prediction": "yes", "probabilities": {"no": 0.25, "yes": 0.75}},
        }
        write(line)
    return folder / "repository", line


@pytest.fixture
def answered(made: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A copy of that repository as the present folder."""
    shutil.copytree(made[0], tmp_path / "repository")
    monkeypatch.chdir(tmp_path / "repository")
    return made[1]


def write(*rows: dict[str, Any], name: str = "1-a.jsonl") -> Path:
    path = Path("predictions") / f"version={rows[0]['version']}" / "hour=2020-02-03T10" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))
    return path


def body(line: dict[str, Any], image: str = IMAGES["serve"]) -> str:
    """The answer that the service sent."""
    meta = {"puid": line["request"], "requestPath": {"model": image}, "tags": {"version": line["version"]}}
    return json.dumps({"jsonData": [line["answer"]], "meta": meta})


def traced(text: str) -> str:
    return trace.run(text, ["predictions"])


@pytest.mark.parametrize("what", ["identity", "line", "answer"])
def test_an_answer_is_followed_to_its_data(
    what: str, answered: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GH_TOKEN", "")
    monkeypatch.setattr("lifecycle.tracing.reviews.people", lambda number: f"approved by reviewer {number}")
    text = {"identity": IDENTITY, "line": json.dumps(answered), "answer": body(answered)}[what]
    said = traced(text)
    told = capsys.readouterr().out
    assert said == f"all of this agrees; not checked here: {trace.MODEL}"
    for one in (answered["version"], IMAGES["serve"], "dev from 2020-02-01", "staging from 2020-02-02"):
        assert one in told
    assert "production from 2020-02-03" in told
    assert "'Merge pull request #9 from acme/promote' of bot, committed by Tester; #9 approved by reviewer 9" in told
    assert "data/tiny.parquet" in told
    assert "accepted by 5 gates" in told


def test_without_github_the_rest_is_told(
    answered: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(number: int) -> str:
        raise InputError("no network")

    monkeypatch.setattr("lifecycle.tracing.reviews.people", away)
    assert "who reviewed, as GitHub cannot be asked (no network)" in traced(IDENTITY)
    assert capsys.readouterr().out.count("release  ") == 3


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lifecycle.tracing.reviews.people", lambda _: "")


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"answer": {"prediction": "no"}}, r"1-a.jsonl at byte 0 says answer.prediction 'no' and not 'yes'"),
        ({"features": {"number": 0.5, "colour": "rot"}}, r"says features.colour 'rot' and not 'red'"),
        ({"logged": "2020-02-03T11:00:00+00:00"}, r"says '2020-02-03T11:00:00\+00:00', but lies in hour=2020-02-03T10"),
        ({"row": 1}, "the log has no row 0 of this answer"),
    ],
)
def test_another_byte_in_the_log_is_named(change: dict[str, Any], told: str, answered: dict[str, Any]) -> None:
    write(answered | change)
    with pytest.raises(InputError, match=told):
        traced(json.dumps(answered))


@pytest.mark.usefixtures("alone")
def test_a_line_in_the_folder_of_another_version_is_named(answered: dict[str, Any]) -> None:
    write(answered).rename(write(answered | {"version": "other"}))
    with pytest.raises(InputError, match=f"says version '{answered['version']}', but lies in the folder of other"):
        traced(IDENTITY)


@pytest.mark.usefixtures("alone")
def test_an_answer_of_another_image_or_moment_is_named(answered: dict[str, Any]) -> None:
    other = IMAGES["serve"].replace("a" * 64, "9" * 64)
    with pytest.raises(InputError, match=f"image: the answer names the image {other}, which no record has"):
        traced(body(answered, other))
    path = write(answered | {"logged": "2020-01-03T10:00:00+00:00"})
    path.parent.rename(path.parent.with_name("hour=2020-01-03T10"))
    with pytest.raises(InputError, match="git has no environment that had .* at 2020-01-03"):
        traced(IDENTITY)


def tampered(sha: str) -> None:
    """Change a byte of an object of git; what unpacks it notices nothing."""
    path = Path(".git/objects") / sha[:2] / sha[2:]
    head, _, content = zlib.decompress(path.read_bytes()).partition(b"\0")
    place = max(content.rfind(b"e"), content.rfind(b"1"))
    path.chmod(0o600)
    path.write_bytes(zlib.compress(head + b"\0" + content[:place] + b"7" + content[place + 1 :]))


OBJECTS = {
    "record": "HEAD:manifests/overlays/dev/release/decision.json",
    "manifest": "HEAD:manifests/overlays/production/release/kustomization.yaml",
    "folder": "HEAD:manifests/overlays/staging/release",
    "commit": "HEAD~1",
    "lock": "HEAD:locks/train.txt",
    "data": "HEAD:data/tiny.parquet",
    "configuration": "HEAD:config.yaml",
}


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("what", OBJECTS)
def test_another_byte_in_git_is_named(what: str, answered: dict[str, Any]) -> None:
    sha = Git()("rev-parse", OBJECTS[what])
    tampered(sha)
    with pytest.raises(InputError, match=sha):
        traced(IDENTITY)


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(
    ("path", "old", "new", "told"),
    [
        ("kustomization.yaml", "a" * 64, "c" * 64, "does not run what the record beside it says"),
        ("decision.json", '"roc_auc": {', '"roc_auc" : {', "differs from that in"),
    ],
)
def test_a_release_that_no_verb_wrote_is_named(
    path: str, old: str, new: str, told: str, answered: dict[str, Any]
) -> None:
    place = Path("manifests/overlays/production/release") / path
    assert old in place.read_text()
    place.write_text(place.read_text().replace(old, new, 1))
    Git()("commit", "--quiet", "--all", "--amend", "--no-edit")
    with pytest.raises(InputError, match=told):
        traced(IDENTITY)


@pytest.mark.usefixtures("alone")
def test_an_identity_that_was_used_again_needs_the_line(answered: dict[str, Any]) -> None:
    write(answered, answered | {"logged": "2020-02-03T10:30:00+00:00"})  # the gateway sent it to another pod
    assert "all of this agrees" in traced(IDENTITY)
    write(answered, answered | {"logged": "2020-02-03T10:30:00+00:00", "answer": {"prediction": "no"}})
    with pytest.raises(InputError, match="'request-1' was answered 2 times"):
        traced(IDENTITY)
    assert "all of this agrees" in traced(json.dumps(answered))


@pytest.mark.usefixtures("alone")
def test_what_cannot_be_read_is_told(answered: dict[str, Any]) -> None:
    path = write(answered, name="2-b.jsonl.gz")
    path.write_bytes(gzip.compress(path.read_bytes())[:-9])
    assert "2-b.jsonl.gz cannot be read" in traced(IDENTITY)
    with pytest.raises(InputError, match=r"The log in predictions has no request 'other' \(.*2-b.jsonl.gz cannot"):
        traced("other")
    write({**answered, "version": "2020.01.01-fffffff"})
    with pytest.raises(InputError, match=r"was answered 2 times"):
        traced(IDENTITY)


def test_the_verb_takes_what_is_asked_from_the_environment(
    answered: dict[str, Any], alone: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a line of JSON on a command line would be expanded."""
    monkeypatch.setenv("REQUEST", json.dumps(answered))
    assert command.main(["trace", "--predictions", "predictions"]) == 0
    assert command.main(["trace", "--predictions", "data"]) == 1


def test_a_version_that_never_ran_is_named(genuine: Git) -> None:
    write({"request": IDENTITY, "row": 0, "logged": MOMENT, "version": "v", "features": {}, "answer": {}})
    with pytest.raises(InputError, match="No environment ever had the version 'v'"):
        traced(IDENTITY)


def test_a_callers_signs_do_not_reach_the_terminal(
    answered: dict[str, Any], alone: None, capsys: pytest.CaptureFixture[str]
) -> None:
    write(answered | {"request": "\x1b[2Jclear"})
    traced("\x1b[2Jclear")
    assert "\x1b" not in capsys.readouterr().out


def test_the_number_of_a_pull_request_is_in_the_subject() -> None:
    def number(subject: str) -> int | None:
        return history.Landed("", datetime.now(UTC), (), "", "", subject).pull

    assert number("Merge pull request #12 from acme/x") == 12
    assert number("Promote 2020.01.01-aaaaaaa to dev (#7)") == 7
    assert number("Mend #7") is None


def test_who_reviewed_is_asked_of_github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from test_github import gh

    from lifecycle.tracing import reviews

    monkeypatch.setenv("GITHUB_REPOSITORY", "acme/tiny")
    pull = {"user": {"login": "bot"}, "merged_by": {"login": "ann"}}
    found = [{"state": "APPROVED", "user": {"login": "ann"}}, {"state": "COMMENTED", "user": {"login": "eve"}}]
    script = f"case \"$*\" in *reviews*) echo '[{json.dumps(found)}]' ;; *pulls/9) echo '{json.dumps(pull)}' ;; esac"
    gh(tmp_path, monkeypatch, script)
    assert reviews.people(9) == "opened by bot, approved by ann, merged by ann"
