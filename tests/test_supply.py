"""What comes from elsewhere: by digest, hash or commit, or in a table that says why not; and who moves it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import PROJECT, ROOT

OURS = ROOT / PROJECT
DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$|@\$digest$")
COMMIT = re.compile(r"[@/][0-9a-f]{40}(/|$)")
# The files whose names by version the table holds.
TABLE = OURS / "docs/security.md"
NOTHING = ("models.json", "ruleset.json", "matchers.json")  # name nothing from elsewhere
FILES = (
    *(OURS / "Dockerfile", OURS / "Makefile", OURS / ".github", OURS / "manifests", OURS / ".devcontainer"),
    *(ROOT / "manifests", ROOT / "scripts/cluster", ROOT / "scripts/install"),
)


def found(text: str) -> Iterator[tuple[str, str]]:
    """What a file takes from elsewhere without a digest, a hash or a commit: its name and its version."""
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    stages = {line.split()[-1] for line in lines if line.startswith("FROM ")}
    for line in (one.partition("# ")[0].rstrip() for one in lines):
        images = re.findall(r"^FROM (\S+)|\bimage[:=] ?([\w./-]+[:@][\w.:@-]+)|generator=(\S+)", line)
        images += [(word, "", "") for word in re.findall(r"docker run .* ([\w./-]+[:@]\S+)(?: -c .*)? >", line)]
        for image in ("".join(one) for one in images):
            if image not in stages and not DIGEST.search(image):
                yield image.partition(":")[0], image.partition(":")[2]
        for action in re.findall(r"uses: ([\w-]+/\S+)", line):
            if not COMMIT.search(action):
                yield tuple(action.split("@"))
        for address in re.findall(r"^ *- (https://\S+\.ya?ml)$", line):
            if not COMMIT.search(address):
                yield address, ""
        if re.search(r"\bpip (install|sync)\b", line) and "--require-hashes" not in line:
            yield line.strip(), ""
        yield from ((runner, "") for runner in re.findall(r"runs-on: .*?([a-z]+-[\d.]+)", line))
        yield from (
            (word, "") for words in re.findall(r"apt-get install (.*?)(?: &&|$)", line) for word in plain(words)
        )
        yield from re.findall(r'"([\w.-]+/[\w./-]+):([\d.]+)":', line)  # a feature of a devcontainer
        if line.strip() == "sbom: true":
            yield "docker/buildkit-syft-scanner", ""
        if "kind create cluster" in line and "--image" not in line:
            yield "kindest/node", ""


def plain(words: str) -> list[str]:
    return [word for word in words.split() if not word.startswith("-")]


def documents(text: str) -> Iterator[tuple[str, str]]:
    """The same of manifests, where a name and its version are two keys."""
    for document in (one for one in yaml.safe_load_all(text) if isinstance(one, dict)):
        spec = document.get("spec", {})
        for source in spec.get("sources", [spec.get("source")]) if "destination" in spec else []:
            if "chart" in source:
                yield source["chart"], source["targetRevision"]
        for image in document.get("images", []):
            if "newTag" in image and not re.fullmatch("sha256:[0-9a-f]{64}", image.get("digest", "")):
                yield image.get("newName", image["name"]), image["newTag"]


def loose(paths: tuple[Path, ...]) -> dict[str, str]:
    """What some files take by version alone."""
    every: dict[str, str] = {}
    for path in (one for part in paths for one in ([part] if part.is_file() else sorted(part.rglob("*")))):
        if path.is_file() and path.suffix not in (".md", ".lua", ".pyc") and path.name not in NOTHING:
            every |= dict(found(path.read_text()))
            if path.suffix == ".yaml" and "manifests" in path.parts:
                every |= dict(documents(path.read_text()))
    return every


def listed(page: Path) -> dict[str, str]:
    """The rows of a page's table of what is pinned by version only."""
    _, _, table = page.read_text().partition("| by version only | version | why |\n")
    assert table
    rows = re.findall(r"^\| `(.+)` \| (.*?) \| .{20,} \|$", table.partition("\n\n")[0], flags=re.M)
    return {name: version for names, version in rows for name in names.split("`, `")}


def test_what_is_pinned_by_version_only_is_in_the_table_and_nothing_else_is() -> None:
    rows = listed(TABLE)
    assert {name: version for name, version in loose(FILES).items() if version} == {
        name: version.strip("`") for name, version in rows.items() if version.startswith("`")
    }
    assert set(rows) == set(loose(FILES))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("FROM python:3.12-slim AS base\n", "python"),
        ("FROM a@sha256:12 AS base\nFROM base AS serve\n", "a@sha256"),
        ("        - image: docker.io/prom/pushgateway:v1.11.3\n", "docker.io/prom/pushgateway"),
        ("driver-opts: image=moby/buildkit:v0.33.0\n", "moby/buildkit"),
        ("sbom: generator=docker/buildkit-syft-scanner:1.12.0\n", "docker/buildkit-syft-scanner"),
        ("docker run --detach \\\n  registry:3 >/dev/null\n", "registry"),
        ("- uses: actions/checkout@v7\n", "actions/checkout"),
        ("  - https://example.org/argo-cd/v3.5.1/install.yaml\n", "https://example.org/argo-cd/v3.5.1/install.yaml"),
        ("RUN pip install uv==0.13.9\n", "RUN pip install uv==0.13.9"),
        ("uv pip sync --quiet x.txt\n", "uv pip sync --quiet x.txt"),
        ("runs-on: ${{ vars.RUNNER || 'ubuntu-24.04' }}\n", "ubuntu-24.04"),
        ("RUN apt-get update && apt-get install --yes curl && rm x\n", "curl"),
        ('"features": {"ghcr.io/devcontainers/features/x:1": {}},\n', "ghcr.io/devcontainers/features/x"),
        ("          sbom: true\n", "docker/buildkit-syft-scanner"),
        ("kind create cluster --name x\n", "kindest/node"),
    ],
)
def test_what_has_no_digest_is_found(text: str, name: str) -> None:
    assert [one for one, _ in found(text)] == [name]


def test_a_chart_and_an_image_of_a_kustomization_are_found() -> None:
    chart = "spec: {destination: {}, source: {chart: x, targetRevision: 1.0.0}}\n"
    assert list(documents(f"{chart}---\nimages: [{{name: y, newTag: v1, digest: sha256:12}}]\n")) == [
        ("x", "1.0.0"),
        ("y", "v1"),
    ]


def test_uv_has_one_version_and_all_its_installers_check_its_hash() -> None:
    lock = "locks/uv.txt"
    assert re.fullmatch(r"#.*\n#.*\nuv==[\d.]+( \\\n    --hash=sha256:[0-9a-f]{64}){10,}\n", (OURS / lock).read_text())
    for path in (OURS / "Makefile", OURS / "Dockerfile", ROOT / "scripts/install"):
        (command,) = re.findall(r"\bpip install .*", path.read_text().replace("\\\n", " "))
        assert "--require-hashes --only-binary :all: -r " in command
        assert lock in path.read_text()
    texts = [path.read_text() for path in (*(OURS / ".github").rglob("*.y*ml"), OURS / "pyproject.toml")]
    assert not any(re.search(r"\buv==|setup-uv|astral-sh", text) for text in texts)


def updates(folder: Path) -> dict[str, dict[str, Any]]:
    document = yaml.safe_load((folder / ".github/dependabot.yml").read_text())
    return {one["package-ecosystem"]: one for one in document["updates"]}


def folders(update: dict[str, Any]) -> set[str]:
    return {name.strip("/") for name in update.get("directories", [update.get("directory")])}


@pytest.mark.parametrize("root", [ROOT, OURS], ids=["template", "repository"])
def test_dependabot_moves_every_image_action_and_uv_but_no_python(root: Path) -> None:
    known = updates(root)
    assert set(known) == {"docker", "github-actions", "pip"}
    (python,) = known["docker"]["ignore"]
    assert python["dependency-name"] == "python"
    assert python["update-types"] == ["version-update:semver-major", "version-update:semver-minor"]
    assert known["pip"]["allow"] == [{"dependency-name": "uv"}]
    (locks,) = folders(known["pip"])
    assert (root / locks / "uv.txt").is_file()
    bases = (ROOT / "manifests", OURS / "manifests") if root == ROOT else (OURS / "manifests",)
    files = [
        OURS / "Dockerfile",
        OURS / ".devcontainer/Dockerfile",
        *(path for base in bases for path in base.rglob("*.yaml")),
    ]
    held = [path for path in files if re.search(r"(image: |^FROM )\S+@sha256", path.read_text(), flags=re.M)]
    images = {"/".join(path.parent.relative_to(root).parts) for path in held}
    assert folders(known["docker"]) == images
    assert all((root / name).is_dir() for name in folders(known["github-actions"]) if "*" not in name)


def test_the_base_image_names_its_python_and_its_debian() -> None:
    (image,) = re.findall(r"^FROM (python\S+)", (OURS / "Dockerfile").read_text(), flags=re.M)
    minor = (OURS / ".python-version").read_text().strip()
    assert re.fullmatch(rf"python:{re.escape(minor)}\.\d+-slim-[a-z]+@sha256:[0-9a-f]{{64}}", image)
