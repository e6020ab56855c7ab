"""Every page for people: its commands run in a bake, its links and verbs exist, its READMEs are short."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from bake import tracked
from conftest import IDENTITY, PROJECT, ROOT, Bake, made_smaller, verbs
from pictures import PICTURES

# A changelog also speaks of verbs that are no more.
PAGES = [name for name in tracked() if name.endswith(".md") and "/tests/" not in name and "CHANGELOG" not in name]
OWN = [name for name in PAGES if name.startswith(PROJECT)]
SYNCS = "## When a sync fails"
RUNBOOKS = (ROOT / PROJECT / "docs/runbooks.md").read_text()
WORDS, PICTURE = 700, 200_000
LONGEST = 300  # seconds for one block, on a busy machine
# What a block needs that this machine may not have; behind the word `sh`.
MARKS = {"", "cluster", "github", "slow"}
# Pages whose commands go on from each other, in this order; the tutorial brings its own data and model.
LIVES = {
    "the example": (
        *("README.md", "docs/reading-a-report.md", "docs/serving.md", "docs/monitoring.md"),
        *("docs/releasing-and-rolling-back.md", "docs/runbooks.md", "docs/moving.md"),
    ),
    "the tutorial": ("docs/own-data-and-model.md",),
}
# Folders of the model repository, by which a path in a sentence is known.
FOLDERS = ("data", "docs", "lifecycle", "locks", "manifests", "model", "tests", ".github")
# What a team may have, and the tutorial makes.
OPTIONAL = {"data/erased.jsonl", "data/machines.parquet", "model/features.py", "model/metrics.py"}


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the word behind it, what it holds."""

    page: str
    language: str
    word: str
    text: str


def blocks(page: str, text: str) -> list[Block]:
    found = re.findall(r"^( *)```(\w*) ?(.*?)\n(.*?)^ *```$", text, flags=re.M | re.S)
    return [Block(page, language, word, re.sub(rf"(?m)^{indent}", "", body)) for indent, language, word, body in found]


def prose(text: str) -> str:
    """A page without its code blocks, fenced or indented."""
    text = re.sub(r"^( *)```.*?^ *```$", "", text, flags=re.M | re.S)
    return re.sub(r"\n\n(    .*\n)+", "\n\n", text)


def anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", prose(text), flags=re.M)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


ALL = [block for name in PAGES for block in blocks(name, (ROOT / name).read_text())]
SHELL = [block for block in ALL if block.language == "sh"]


def asked(text: str) -> Iterator[str]:
    """The verbs that a text asks make for: several may follow each other."""
    for words in re.findall(r"(?:^|[`(&] ?)make((?: [a-z-]+)+)", text, flags=re.M):
        yield from words.split()


@pytest.mark.parametrize("name", ["README.md", f"{PROJECT}/README.md"])
def test_a_readme_is_a_page_with_pictures(name: str) -> None:
    """A diagram, and what scripts/pictures takes, each with words for who does not see it."""
    text = (ROOT / name).read_text()
    assert len(prose(text).split()) <= WORDS
    assert [block.language for block in blocks(name, text)].count("mermaid") == 1
    shown = re.findall(r"!\[([^]]*)\]\((?!https:)(.*?)\)", text)
    folder = (ROOT / name).parent
    taken = {str((folder / picture).relative_to(ROOT)) for _, picture in shown}
    assert taken == {picture for picture in PICTURES if (name in OWN) == picture.startswith(PROJECT)}
    for words, picture in shown:
        assert len(words.split()) >= 5
        content = (folder / picture).read_bytes()
        assert content.startswith((b"\x89PNG", b"RIFF"))
        assert len(content) <= PICTURE


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text()
    for link in re.findall(r"\]\((?!https?:)(.*?)\)", prose(text)):
        path, _, anchor = link.replace("%3C", "<").replace("%3E", ">").partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.resolve().is_file(), link
        assert not (name in OWN and not target.resolve().is_relative_to(ROOT / PROJECT)), link
        assert not anchor or anchor in anchors(target.read_text()), link


@pytest.mark.parametrize("name", OWN)
def test_paths_in_sentences_exist(name: str) -> None:
    for path in re.findall(rf"`((?:{'|'.join(map(re.escape, FOLDERS))})/[^`\s]*)`", (ROOT / name).read_text()):
        pattern = path.replace("<environment>", "*").rstrip("/")
        assert path in OPTIONAL or any((ROOT / PROJECT).glob(pattern)), path


@pytest.mark.parametrize("name", PAGES)
def test_verbs_and_scripts_exist(name: str) -> None:
    text = (ROOT / name).read_text()
    assert set(asked(text)) <= verbs()
    assert {path for path in re.findall(r"scripts/[a-z0-9-]+(?![\w./-])", text) if not (ROOT / path).exists()} == set()
    assert set(re.findall(r"python -m (model|github|lifecycle)\b", text)) <= {"lifecycle"}


def test_workflows_ask_for_verbs_that_exist() -> None:
    for path in (ROOT / PROJECT / ".github/workflows").iterdir():
        for text in re.findall(r"run: (.*)", path.read_text()):
            assert set(asked(text)) <= verbs(), path


@pytest.mark.parametrize("block", SHELL, ids=lambda block: f"{Path(block.page).name}-{block.text.split()[0]}")
def test_a_block_of_commands_is_run_or_says_what_it_needs(block: Block) -> None:
    assert block.word in MARKS
    run = ["sh", "-n"] if block.word or block.page in OWN else ["sh", "-e"]  # those of a repository run in a bake
    done = subprocess.run(run, input=block.text, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert block.word or not re.search(r"^(kubectl|argocd|docker|gh|helm|kind) ", block.text, flags=re.M)


def test_no_indented_block_hides_a_command() -> None:
    for name in PAGES:
        text = re.sub(r"^( *)```.*?^ *```$", "", (ROOT / name).read_text(), flags=re.M | re.S)
        assert re.findall(r"^    (?:make|kubectl|scripts/\w+|git|argocd) .*$", text, flags=re.M) == [], name


def test_each_alert_has_its_runbook() -> None:
    rules: list[Any] = []
    for path in set((ROOT / "manifests/monitoring").glob("*.yaml")) - {ROOT / "manifests/monitoring/platform.yaml"}:
        for document in yaml.safe_load_all(path.read_text()):
            if document["kind"] == "PrometheusRule":
                rules += [rule["alert"] for group in document["spec"]["groups"] for rule in group["rules"]]
    alerts, _, _ = RUNBOOKS.partition(SYNCS)
    assert sorted(re.findall(r"^### (.*)$", alerts, flags=re.M)) == sorted(rules)


def test_each_runbook_says_what_you_see_why_and_what_to_do() -> None:
    sections = re.split(r"^### ", RUNBOOKS, flags=re.M)[1:]
    assert [
        one.split("\n")[0] for one in sections if not all(f"**{word}" in one for word in ("You", "Why", "Do"))
    ] == []


def test_each_job_of_a_sync_has_its_runbook() -> None:
    _, _, syncs = RUNBOOKS.partition(SYNCS)
    for path in (ROOT / PROJECT / "manifests/base").glob("*.yaml"):
        for document in yaml.safe_load_all(path.read_text()):
            if document.get("kind") == "Job":
                assert f"the job `{document['metadata']['name']}` failed" in syncs


def replaced(text: str, sections: str) -> str:
    """A configuration with some of its sections replaced."""
    for section in re.findall(r"^\w+:.*?(?=^\w|\Z)", sections, flags=re.M | re.S):
        key = section.partition(":")[0]
        (found,) = re.findall(rf"^{key}:.*?(?=^\w|\Z)", text, flags=re.M | re.S)
        text = text.replace(found, section)
    return text


def port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def follow(block: Block, repository: Path, environment: dict[str, str]) -> None:
    """Do what a block says: run it, or write the file that it names."""
    if block.word == "config.yaml":
        path = repository / block.word
        path.write_text(replaced(path.read_text(), block.text))
    elif block.language != "sh" and block.word:
        (repository / block.word).write_text(block.text)
    elif block.language == "sh" and not block.word:
        text = block.text.replace("localhost:9000", f"localhost:{environment['PREDICTIVE_UNIT_HTTP_SERVICE_PORT']}")
        text = text.replace('"label": "yes"', '"label": "late"')  # a class of the example
        said = repository.parent / "said"
        with said.open("w") as output:
            started = subprocess.Popen(
                ["sh", "-ec", text],
                cwd=repository,
                env=environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            code = started.wait(timeout=LONGEST)
        finally:
            with contextlib.suppress(ProcessLookupError):  # what a failed block left running
                os.killpg(started.pid, signal.SIGKILL)
        assert code == 0, f"{block.page}:\n{block.text}\n{said.read_text()[-6000:]}"


@pytest.mark.parametrize("life", LIVES)
def test_the_commands_do_what_the_page_says(life: str, bake: Bake, environments: Path, tmp_path: Path) -> None:
    assert bake(project_slug="my-model").returncode == 0
    repository, listens = tmp_path / "out/my-model", port()
    (repository / ".venv").symlink_to(environments)
    (repository / ".git/info/exclude").write_text(".venv\n")
    for lock in (repository / "locks").iterdir():  # older than the environments that they made
        os.utime(lock, (0, 0))
    if life == "the example":
        made_smaller(repository)
    environment = {
        **os.environ,
        **IDENTITY,
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path),
        "OMP_NUM_THREADS": "1",
        "PREDICTIVE_UNIT_HTTP_SERVICE_PORT": listens,
        "URL": f"http://localhost:{listens}",
    }
    subprocess.run(
        ["git", "commit", "--quiet", "--all", "--allow-empty", "--message", "Smaller"],
        cwd=repository,
        env=environment,
        check=True,
    )
    for page in LIVES[life]:
        for block in blocks(page, (repository / page).read_text()):
            follow(block, repository, environment)
    shutil.rmtree(repository)


def test_every_page_of_a_repository_is_followed() -> None:
    followed = {f"{PROJECT}/{page}" for pages in LIVES.values() for page in pages}
    assert {block.page for block in SHELL if block.page in OWN and not block.word} <= followed
