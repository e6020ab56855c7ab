"""One page of all model repositories: what stands in its cells, where they lead, what one damaged repository does."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import IDENTITY, ROOT
from overview import __main__ as fleet
from overview import ask, clone, page, rows

TODAY = date(2020, 3, 1)
VERSIONS = ("2020.01.01-aaaaaaa", "2020.02.01-bbbbbbb")
type Made = Callable[..., Path]


def git(folder: Path, *arguments: str, **environment: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    own = {**os.environ, **IDENTITY, **environment}
    return subprocess.run(command, env=own, check=True, capture_output=True, text=True).stdout.strip()


def record(version: str, passed: bool = True) -> str:
    outcome = "pass" if passed else "fail"
    origin = {"version": version, "train": ["2019-01-01", "2020-01-01"]}
    return json.dumps({"passed": True, "gates": [{"outcome": outcome}], "evaluation": {"origin": origin}})


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Makes a repository whose environments run these versions, each brought by a merge of Ann's on its own day."""

    def make(name: str, *versions: str, passed: bool = True) -> Path:
        folder = tmp_path / "work" / name
        folder.mkdir(parents=True)
        git(folder, "init", "--quiet", "--initial-branch", "main")
        freeze = [{"environment": "production", "from": date(2020, 2, 1), "until": date(2020, 4, 1), "reason": "<b>"}]
        settings = {"promote": {"order": ["dev", "staging", "production"], "freeze": freeze}}
        (folder / "config.yaml").write_text(yaml.safe_dump(settings))
        (folder / ".cookiecutter.yaml").write_text('_version: "2020.1"\n')
        (folder / "data").write_bytes(os.urandom(3_000_000))
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message", "Start")
        for day, (environment, version) in enumerate(zip(("dev", "staging", "production"), versions, strict=False), 1):
            path = folder / f"manifests/overlays/{environment}/release/decision.json"
            path.parent.mkdir(parents=True)
            path.write_text(record(version, passed))
            git(folder, "switch", "--quiet", "--create", f"branch-{day}")
            git(folder, "add", "--all")
            git(folder, "commit", "--quiet", "--message", "Change", GIT_AUTHOR_NAME="bot")
            git(folder, "switch", "--quiet", "main")
            moment = f"2020-02-0{day}T10:00:00Z"
            merge = ("merge", "--quiet", "--no-ff", "--message", "Merge", f"branch-{day}")
            git(folder, *merge, GIT_AUTHOR_NAME="Ann", GIT_COMMITTER_DATE=moment)
        bare = tmp_path / "hub" / f"{name}.git"
        git(folder, "clone", "--quiet", "--bare", str(folder), str(bare))
        git(bare, "config", "uploadpack.allowFilter", "true")
        return bare

    return make


def node(bare: Path, *alerts: str, **merged: str) -> dict[str, Any]:
    """A repository as GitHub's answer has it."""
    issues = [
        {"number": 7, "url": "https://github.com/acme/x/issues/7", "labels": {"nodes": [{"name": alert}]}}
        for alert in alerts
    ]
    pulls = [{"mergedBy": {"login": login}, "mergeCommit": {"oid": commit}} for commit, login in merged.items()]
    return {
        "nameWithOwner": f"acme/{bare.stem}",
        "url": f"file://{bare.parent}/{bare.stem}",
        "issues": {"nodes": issues},
        "pullRequests": {"nodes": [*pulls, {"mergedBy": None, "mergeCommit": None}]},
    }


@pytest.fixture
def github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Puts a program in the place of `gh` that answers with these repositories, one in each page."""

    def answer(*nodes: dict[str, Any]) -> Path:
        folder = tmp_path / "bin"
        folder.mkdir()
        for index, one in enumerate(nodes):
            more = {"hasNextPage": index + 1 < len(nodes), "endCursor": str(index + 1)}
            found = {"data": {"search": {"pageInfo": more, "nodes": [one]}}}
            (folder / f"{index}.json").write_text(json.dumps(found))
        (folder / "gh").write_text(
            f"#!/bin/sh\ncat > {folder}/said\necho >> {folder}/calls\n"
            f"""cat {folder}/$(sed 's/.*"after": "\\{{0,1\\}}\\([0-9]*\\).*/\\1/;s/^$/0/' {folder}/said).json\n"""
        )
        (folder / "gh").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        return folder

    return answer


def test_each_environment_of_each_model_has_a_row(made: Made, github: Callable[..., Path], tmp_path: Path) -> None:
    new, old = made("new", VERSIONS[1], VERSIONS[1], VERSIONS[0]), made("old", VERSIONS[0], passed=False)
    brought = git(new, "log", "-1", "--format=%H", "--first-parent", "--", "manifests/overlays/dev")
    answers = github(node(new, "production", **{brought: "ann"}), node(old))
    assert fleet.run("acme", tmp_path / "fleet", TODAY).startswith("2 repositories, 6 rows")
    assert (answers / "calls").read_text().count("\n") == 2
    told = json.loads((tmp_path / "fleet/fleet.json").read_text())
    first = {name: cell["text"] for name, cell in told[0].items()}
    assert first == {
        "model": "acme/new",
        "environment": "dev",
        "version": VERSIONS[1],
        "since": "2020-02-01",
        "merged by": "ann",
        "verdict": "accepted",
        "data until": "2020-01-01, 60 days old",
        "alert": "",
        "freeze": "",
        "drift": "",
        "template": "2020.1",
    }
    assert told[0]["version"]["address"].endswith(f"/commit/{brought}")
    last = {name: cell["text"] for name, cell in told[2].items()}
    assert (last["merged by"], last["alert"], last["freeze"]) == ("Ann", "1 open", "<b>")
    assert last["drift"] == f"not {VERSIONS[1]}"
    assert told[2]["alert"]["address"] == "https://github.com/acme/x/issues/7"
    assert [row["verdict"]["text"] for row in told[3:]] == ["refused", "", ""]
    assert [row["version"]["text"] for row in told[3:]] == [VERSIONS[0], "nothing", "nothing"]
    assert all(cell["address"] for row in told for cell in row.values() if cell["text"])


def test_a_later_run_brings_what_is_new_and_no_large_file(made: Made, tmp_path: Path) -> None:
    bare, folder = made("model", VERSIONS[0]), tmp_path / "clone"
    address = f"file://{bare}"
    assert clone.read(address, folder, TODAY).running[0].version == VERSIONS[0]
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 1_000_000
    work = tmp_path / "work/model"
    (work / "manifests/overlays/dev/release/decision.json").write_text(record(VERSIONS[1]))
    git(work, "commit", "--quiet", "--all", "--message", "Release")
    git(work, "push", "--quiet", str(bare), "main")
    assert clone.read(address, folder, TODAY).running[0].version == VERSIONS[1]


def test_a_repository_that_cannot_be_read_has_a_row_that_says_so(
    made: Made, github: Callable[..., Path], tmp_path: Path
) -> None:
    good, gone, bad = made("good", VERSIONS[0]), tmp_path / "hub/gone.git", made("bad", VERSIONS[0])
    work = tmp_path / "work/bad"
    (work / "manifests/overlays/dev/release/decision.json").write_text("{")
    git(work, "commit", "--quiet", "--all", "--message", "Damage")
    git(work, "push", "--quiet", str(bad), "main")
    github(node(bad), node(gone), node(good))
    assert fleet.run("acme", tmp_path / "fleet", TODAY).startswith("3 repositories, 5 rows")
    told = json.loads((tmp_path / "fleet/fleet.json").read_text())
    assert re.match("cannot be read: JSONDecodeError", told[0]["environment"]["text"])
    assert re.match("cannot be read: git: ", told[1]["environment"]["text"])
    assert told[2]["version"]["text"] == VERSIONS[0]


def test_the_page_is_inert_and_links_to_commits() -> None:
    cell = rows.Cell("<script>", 'https://github.com/acme/x/commit/1"onclick=', alarm=True)
    row = dict.fromkeys(rows.HEAD, rows.Cell("x", "javascript:alert(1)")) | {"model": cell}
    text = page.html("<acme>", "today", [row])
    assert "<script>" not in text
    assert "javascript:" not in text
    assert (
        '<td class="alarm"><a href="https://github.com/acme/x/commit/1&quot;onclick=">&lt;script&gt;</a></td>' in text
    )


@pytest.mark.parametrize(
    ("owner", "script", "told"),
    [
        ("acme topic:x", "", "'acme topic:x' is not the name of an owner"),
        ("acme", "echo HTTP 401 >&2; exit 1", r"GitHub cannot be asked \(HTTP 401\); sign in"),
        (
            "acme",
            'echo \'{"data": {"search": {"nodes": [], "pageInfo": {"hasNextPage": false}}}}\'',
            "no repository with the",
        ),
    ],
)
def test_what_a_person_has_to_put_right_is_a_sentence(
    owner: str, script: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gh").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "gh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(ask.FleetError, match=told):
        fleet.run(owner, tmp_path, TODAY)


def test_the_workflow_asks_for_one_owner_and_keeps_the_page() -> None:
    document = yaml.safe_load((ROOT / ".github/workflows/fleet.yaml").read_text())
    (job,) = document["jobs"].values()
    assert document["permissions"] == {}
    assert job["if"] == "vars.FLEET_OWNER != ''"
    assert [step["run"] for step in job["steps"] if "run" in step] == ['scripts/fleet "$OWNER" fleet']
    assert [step["with"]["path"].split() for step in job["steps"] if "upload" in step.get("uses", "")] == [
        ["fleet/index.html", "fleet/fleet.json"]
    ]
