"""Known vulnerabilities of locked packages: what is asked, what is told, what is excepted, and the issue about them.

The fake OSV answers as docs/api/post-v1-querybatch.md and get-v1-vulns.md of google/osv.dev say; a record is one of the
OSV schema, like GHSA-2xpw-w6gg-jr37 of urllib3.
"""

import json
import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tiny import ROOT

from lifecycle import InputError
from lifecycle.documents import vulnerabilities as documents
from lifecycle.github import api, warn
from lifecycle.releasing import vulnerabilities

TODAY = date(2026, 12, 1)
LOCKS = {
    "serve": "# by make lock\nurllib3==2.5.0 \\\n    --hash=sha256:00\nsafe==1.0 ; sys_platform != 'win32' \\\n",
    "train": "urllib3==2.5.0 \\\n    --hash=sha256:00\nPy_Odd==1.0\n",
    "seldon": "urllib3==1.26.0 \\\n",
    "model": "# none\n",
}


def record(name: str, package: str, *events: dict[str, str], **more: Any) -> dict[str, Any]:
    """A vulnerability as OSV has it."""
    return {
        "id": name,
        "aliases": [],
        "summary": "urllib3 streaming API improperly handles highly compressed data",
        "modified": "2025-12-06T00:12:14Z",
        "published": "2025-12-05T18:33:03Z",
        "schema_version": "1.7.3",
        "affected": [
            {
                "package": {"name": package, "ecosystem": "PyPI", "purl": f"pkg:pypi/{package}"},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, *events]}],
            }
        ],
        **more,
    }


GHSA = record("GHSA-2xpw-w6gg-jr37", "urllib3", {"fixed": "2.6.0"}, aliases=["CVE-2025-66471"])
PYSEC = record("PYSEC-2025-9", "urllib3", {"fixed": "2.6.0"}, aliases=["CVE-2025-66471", "GHSA-2xpw-w6gg-jr37"])


class Osv:
    """OSV on loopback: its records by the versions that have them, its pages, and what it was asked."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, Any]] = {}
        self.by: dict[tuple[str, str], list[str]] = {}
        self.asked: list[Any] = []
        self.size = 1_000

    def has(self, one: dict[str, Any], *pins: tuple[str, str]) -> None:
        self.records[one["id"]] = one
        for pin in pins:
            self.by.setdefault(pin, []).append(one["id"])

    def answer(self, path: str, body: Any) -> Any:
        self.asked.append(body or path)
        return self.records[path.removeprefix("/v1/vulns/")] if body is None else {"results": self.results(body)}

    def results(self, body: Any) -> list[dict[str, Any]]:
        found = []
        for query in body["queries"]:
            assert query["package"]["ecosystem"] == "PyPI"
            ids = self.by.get((query["package"]["name"], query["version"]), [])
            begin = int(query.get("page_token", 0))
            page: dict[str, Any] = {"vulns": [{"id": one} for one in ids[begin : begin + self.size]]} if ids else {}
            found.append(page | ({"next_page_token": str(begin + self.size)} if ids[begin + self.size :] else {}))
        return found


@pytest.fixture
def osv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Osv]:
    """A fake OSV, and a folder with locks and no exceptions as the present one."""
    made = Osv()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.reply(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def do_GET(self) -> None:
            self.reply(None)

        def reply(self, body: Any) -> None:
            sent = json.dumps(made.answer(self.path, body)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setenv("OSV", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.setenv("GITHUB_REPOSITORY", "acme/tiny")
    monkeypatch.chdir(tmp_path)
    Path("locks").mkdir()
    for name, text in LOCKS.items():
        Path(f"locks/{name}.txt").write_text(text)
    excepted("[]")
    yield made
    server.shutdown()
    server.server_close()


def excepted(text: str) -> None:
    documents.EXCEPTIONS.write_text(f"exceptions: {text}\n")


def told() -> tuple[tuple[str, ...], ...]:
    """What is told: the package, its version and the first name of each."""
    vulnerabilities.run(Path("build"), TODAY)
    found = documents.read(Path("build/vulnerabilities.json"))
    return tuple((one.package, one.version, one.names[0]) for one in found.vulnerabilities)


def test_every_version_of_every_lock_is_asked_for_and_what_has_a_fix_is_told(
    osv: Osv, capsys: pytest.CaptureFixture[str]
) -> None:
    osv.has(GHSA, ("urllib3", "2.5.0"))
    said = vulnerabilities.run(Path("build"), TODAY)
    assert said == "1 of 3 locked packages have a known vulnerability with a fix"
    asked = {(one["package"]["name"], one["version"]) for one in osv.asked[0]["queries"]}
    assert asked == {("urllib3", "2.5.0"), ("urllib3", "1.26.0"), ("safe", "1.0"), ("Py_Odd", "1.0")}
    assert osv.asked[1:] == ["/v1/vulns/GHSA-2xpw-w6gg-jr37"]
    (found,) = documents.read(Path("build/vulnerabilities.json")).vulnerabilities
    assert found.names == ("GHSA-2xpw-w6gg-jr37", "CVE-2025-66471")
    assert (found.version, found.fixes, found.locks) == ("2.5.0", ("2.6.0",), ("serve", "train"))
    told = "  urllib3 2.5.0: GHSA-2xpw-w6gg-jr37, CVE-2025-66471; fixed in 2.6.0\n"
    assert capsys.readouterr().out == told


def test_what_two_databases_have_is_told_once(osv: Osv) -> None:
    osv.has(GHSA, ("urllib3", "2.5.0"), ("urllib3", "1.26.0"))
    osv.has(PYSEC, ("urllib3", "2.5.0"))
    assert told() == (
        ("urllib3", "1.26.0", "GHSA-2xpw-w6gg-jr37"),
        ("urllib3", "2.5.0", "GHSA-2xpw-w6gg-jr37"),
    )


@pytest.mark.parametrize(
    "one",
    [
        record("GHSA-a", "urllib3"),
        record("GHSA-a", "urllib3", {"last_affected": "2.5.0"}),
        record("GHSA-a", "urllib3", {"fixed": "1.26.19"}),  # on an older branch alone
        record("GHSA-a", "other", {"fixed": "9.0"}),
        record("GHSA-a", "urllib3", {"fixed": "2.6.0"}, withdrawn="2026-01-01T00:00:00Z"),
        record("GHSA-a", "urllib3", {"fixed": "not a version"}),
    ],
)
def test_what_has_no_fix_is_not_told(one: dict[str, Any], osv: Osv) -> None:
    osv.has(one, ("urllib3", "2.5.0"))
    assert told() == ()


def test_a_name_is_the_same_in_any_spelling_and_fixes_go_from_the_oldest(osv: Osv) -> None:
    osv.has(record("GHSA-a", "py-odd", {"fixed": "1.10"}, {"fixed": "1.9"}), ("Py_Odd", "1.0"))
    vulnerabilities.run(Path("build"), TODAY)
    (found,) = documents.read(Path("build/vulnerabilities.json")).vulnerabilities
    assert found.fixes == ("1.9", "1.10")


def test_all_pages_of_an_answer_are_read(osv: Osv) -> None:
    osv.size = 1
    for letter in "abc":
        osv.has(record(f"GHSA-{letter}", "urllib3", {"fixed": "2.6.0"}), ("urllib3", "2.5.0"))
    assert [one[2] for one in told()] == ["GHSA-a", "GHSA-b", "GHSA-c"]


def test_more_versions_than_osv_takes_at_once_are_asked_in_parts(osv: Osv, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vulnerabilities, "MOST", 3)
    osv.has(GHSA, ("urllib3", "2.5.0"))
    assert len(told()) == 1
    assert [len(one["queries"]) for one in osv.asked[:2]] == [3, 1]


@pytest.mark.parametrize("name", ["GHSA-2xpw-w6gg-jr37", "CVE-2025-66471"])
@pytest.mark.parametrize(("until", "count"), [("2026-12-02", 0), ("2026-12-01", 1), ("2026-11-30", 1)])
def test_an_exception_holds_until_its_day(name: str, until: str, count: int, osv: Osv) -> None:
    osv.has(GHSA, ("urllib3", "2.5.0"))
    excepted(f"[{{id: {name}, until: {until}, reason: We send no such answers.}}]")
    assert len(told()) == count
    said = documents.read(Path("build/vulnerabilities.json")).said
    assert said == ((f"The exception from {name} ended on {until}.",) if count else ())


def test_an_exception_that_nothing_needs_is_to_be_removed(osv: Osv) -> None:
    excepted("[{id: CVE-2020-1, until: 2030-01-01, reason: We send no such answers.}]")
    assert told() == ()
    said = documents.read(Path("build/vulnerabilities.json")).said
    assert said == ("No locked package needs the exception from CVE-2020-1 any more; remove it.",)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[{id: CVE-2020-1, reason: We send no such answers.}]", "exceptions.0.until is missing"),
        ("[{id: CVE-2020-1, until: 2030-01-01}]", "exceptions.0.reason is missing"),
        ("[{id: CVE-2020-1, until: soon, reason: We send no such answers.}]", "exceptions.0.until"),
        ("[{id: CVE-2020-1, until: 2030-01-01, reason: no}]", "exceptions.0.reason"),
        ("[{id: '*', until: 2030-01-01, reason: We send no such answers.}]", "exceptions.0.id"),
        ("[{id: CVE-2020-1, till: 2030-01-01, reason: We send no such answers.}]", "exceptions.0.till is not a known"),
        ("[&a {id: CVE-2020-1, until: 2030-01-01, reason: We send no such answers.}, *a]", "anchors"),
        ("", "exceptions: should be a valid tuple"),
        ("{", "is not valid: "),
        (f"[{', '.join(['{id: CVE-2020-1, until: 2030-01-01, reason: We send none.}'] * 2)}]", "CVE-2020-1 twice"),
    ],
)
def test_an_exception_without_its_day_or_reason_is_refused(text: str, sentence: str, osv: Osv) -> None:
    excepted(text)
    with pytest.raises(InputError) as caught:
        told()
    assert str(caught.value).startswith("locks/exceptions.yaml ")
    assert sentence in str(caught.value)
    assert osv.asked == []


def test_osv_that_is_away_or_answers_otherwise_is_one_sentence(osv: Osv, monkeypatch: pytest.MonkeyPatch) -> None:
    osv.has({"id": "GHSA-a", "affected": [{"package": {"ecosystem": "PyPI"}}]}, ("urllib3", "2.5.0"))
    with pytest.raises(InputError, match="OSV answered otherwise than its documentation says"):
        told()
    monkeypatch.setenv("OSV", "http://127.0.0.1:1")
    with pytest.raises(
        InputError, match=r"OSV cannot be asked at http://127.0.0.1:1/v1/querybatch .*; try again later"
    ):
        told()
    assert not Path("build/vulnerabilities.json").exists()


def test_the_locks_here_are_read_whole() -> None:
    found = vulnerabilities.pins(ROOT / "locks")
    count = sum(
        text.count("==")
        for path in (ROOT / "locks").glob("*.txt")
        for text in path.read_text().splitlines()
        if not text.startswith((" ", "#")) and ";" not in text
    )
    assert sum(len(locks) for locks in found.values()) >= count > 500
    assert any("serve" in locks for (name, _), locks in found.items() if name == "starlette")
    assert documents.exceptions(ROOT / "locks/exceptions.yaml") is not None


def test_no_other_module_asks_osv() -> None:
    named = [path.name for path in (ROOT / "lifecycle").rglob("*.py") if "api.osv.dev" in path.read_text()]
    assert sorted(named) == ["test_vulnerabilities.py", "vulnerabilities.py"]


# The issue


class Issues:
    """What is asked of GitHub, and the issues that it has."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[str, str, Any]] = []
        self.open: list[dict[str, Any]] = []
        monkeypatch.setattr(api, "listed", lambda path: self.open if "labels=vulnerabilities" in path else [])
        monkeypatch.setattr(api, "call", self.call)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        self.calls.append((method, path.removeprefix("repos/acme/tiny/"), body))
        if path.endswith("/issues"):
            self.open.append({"number": 1, "user": {"type": "Bot"}, **body})
        elif method == "PATCH":
            self.open[-1].update(body)
        return {"number": 1}


@pytest.fixture
def issues(monkeypatch: pytest.MonkeyPatch) -> Issues:
    return Issues(monkeypatch)


def test_one_issue_is_opened_updated_and_closed(osv: Osv, issues: Issues) -> None:
    told()
    assert warn.run(Path("build")) == "there is nothing to tell"
    osv.has(GHSA, ("urllib3", "2.5.0"))
    told()
    issues.open.append({"number": 9, "user": {"type": "User"}, "body": "a person's"})
    assert warn.run(Path("build")) == "#1 was opened"
    body = issues.open[-1]["body"]
    row = "| urllib3 | 2.5.0 | 2.6.0 | GHSA-2xpw-w6gg-jr37, CVE-2025-66471 | locks/serve.txt, locks/train.txt |"
    assert row in body
    assert issues.open[-1]["labels"] == ["vulnerabilities"]
    assert warn.run(Path("build")) == "#1 already tells of them"
    assert len(issues.calls) == 1
    osv.has(record("CVE-2026-2", "safe", {"fixed": "1.1"}), ("safe", "1.0"))
    told()
    assert warn.run(Path("build")) == "#1 was updated"
    assert issues.calls[1:] == [
        ("PATCH", "issues/1", {"body": issues.open[-1]["body"]}),
        ("POST", "issues/1/comments", {"body": "1 more since the last look, or with other fixes."}),
    ]
    osv.by.clear()
    told()
    assert warn.run(Path("build")) == "#1 was closed"
    assert issues.calls[-1] == ("PATCH", "issues/1", {"state": "closed"})


def test_words_from_outside_do_nothing_in_the_issue(osv: Osv, issues: Issues) -> None:
    osv.has(
        record("GHSA-a", "urllib3", {"fixed": "2.6.0"}, aliases=["@acme/all", "<img src=x> | ![x](http://x) #1"]),
        ("urllib3", "2.5.0"),
    )
    told()
    warn.run(Path("build"))
    (line,) = [one for one in issues.open[-1]["body"].splitlines() if one.startswith("| urllib3")]
    assert "`@acme/all`" in line
    assert "<img" not in line
    assert "`#1`" in line
    assert line.count(" | ") == 4


def test_the_issue_needs_what_the_other_verb_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="run `make vulnerabilities` first"):
        warn.run(tmp_path)
    (tmp_path / "vulnerabilities.json").write_text('{"vulnerabilities": 1}')
    with pytest.raises(InputError, match=r"vulnerabilities.json is damaged: .*; run `make vulnerabilities` again"):
        warn.run(tmp_path)
