"""A model repository with a bare remote; a pull request is a branch and a file with its text."""

import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import bake
import console
import image

ROOT = bake.ROOT
ENVIRONMENTS = ROOT / ".tools/environments"
SLUG, OWNER, REGISTRY = "flight-delay", "demo", "registry.example"
IDENTITY = {"user.name": "demo", "user.email": "demo@example.org", "commit.gpgsign": "false", "gc.auto": "0"}


def make(folder: Path, environment: dict[str, str]) -> None:
    """Bake the repository from this template's files."""
    template = bake.copied(folder / "template")
    command = bake.command(template, folder, {"project_slug": SLUG, "owner": OWNER, "registry": REGISTRY})
    console.run("cookiecutter", command, folder, environment)
    shutil.rmtree(template)
    (folder / SLUG / ".venv").symlink_to(ENVIRONMENTS)  # where the next demo, and the tests, find them again


@dataclass
class Pull:
    """A pull request, and whether it was merged."""

    title: str
    branch: str
    body: str
    changed: tuple[str, ...]
    merged: bool = False


class Repository:
    """The working copy, its remote and its images."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.path = folder / SLUG
        self._environment = environment
        self._remote = folder / "remote.git"
        self._bodies = folder / "pull-requests"
        self._images = folder / "registry"
        self.pulls: list[Pull] = []
        self._bodies.mkdir()
        self._images.mkdir()

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.path, env=self._environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise console.Failed(f"`git {' '.join(arguments)}` failed in {self.path}:\n{done.stderr}")
        return done.stdout

    def publish(self) -> None:
        """Push the first commits to the remote."""
        subprocess.run(["git", "init", "--quiet", "--bare", str(self._remote)], check=True, env=self._environment)
        self.git("remote", "add", "origin", str(self._remote))
        self.git("push", "--quiet", "origin", "main", "template")

    def make(self, verb: str, variables: dict[str, str] | None = None, fails: bool = False, shown: str = "") -> str:
        """Run one of the repository's verbs; `shown` tells it apart from another that runs at the same time."""
        given = variables or {}
        command = ["make", "--no-print-directory", verb, *(f"{name}={value}" for name, value in given.items())]
        shown = shown or given.get("ENV", "")
        return console.run(f"make {verb} {shown}".rstrip(), command, self.path, self._environment, fails)

    def branch(self, name: str) -> None:
        self.git("switch", "--quiet", "--create", name, "main")

    def edit(self, pairs: dict[str, str], message: str) -> None:
        """Change lines of config.yaml and commit."""
        path = self.path / "config.yaml"
        text = path.read_text()
        for old, new in pairs.items():
            if old not in text:
                raise console.Failed(f"{path} does not contain {old!r}.")
            text = text.replace(old, new)
        path.write_text(text)
        self.git("commit", "--quiet", "--all", "--message", message)

    def open(self, title: str, body: str) -> Path:
        """Push the current branch and write the pull request's text; returns its file."""
        name = re.sub("[^a-z0-9]+", "-", title.lower()).strip("-")
        path = self._bodies / f"{len(self.pulls) + 1:02}-{name}.md"
        path.write_text(body)
        self.git("push", "--quiet", "origin", "HEAD")
        changed = self.git("diff", "--name-only", "main...HEAD").split()
        self.pulls.append(Pull(title, self.git("branch", "--show-current").strip(), body, tuple(changed)))
        return path

    def merge(self, title: str) -> None:
        branch = self.git("branch", "--show-current").strip()
        self.git("switch", "--quiet", "main")
        self.git("merge", "--quiet", "--no-ff", "--message", title, branch)
        self.git("push", "--quiet", "origin", "main")
        self.pulls[-1].merged = True

    def change(self, verb: str, environment: str, variables: dict[str, str] | None = None) -> str:
        """Change an environment's release by a pull request (branch, verb, text, merge); returns its title."""
        self.branch(f"{verb}-{environment}-{len(self.pulls)}")
        self.make(verb, {"ENV": environment, **(variables or {})})
        title, _, body = (self.path / "build" / "pull-request.md").read_text().partition("\n\n")
        title = title.removeprefix("# ")
        self.git("add", "manifests")
        changed = self.git("diff", "--cached", "--name-only").split()
        allowed = f"manifests/overlays/{environment}/release/"
        if not changed or any(not name.startswith(allowed) for name in changed):
            raise console.Failed(f"{title} changed {changed}, not only {allowed}.")
        self.git("commit", "--quiet", "--message", title)
        self.open(title, body)
        self.merge(title)
        return title

    def image(self, target: str) -> str:
        """Replace an image build by an archive of the image's files, named by its digest."""
        digest, content = image.archive(self.path, target, target)
        (self._images / f"{target}-{digest}.tar").write_bytes(content)
        return f"{REGISTRY}/{OWNER}/{SLUG}-{target}@sha256:{digest}"

    def pull(self, environment: str, folder: Path) -> Path:
        """Check and unpack an environment's serving image; returns its model directory."""
        text = (self.path / "manifests/overlays" / environment / "release/kustomization.yaml").read_text()
        digests = re.findall(r"digest: sha256:([0-9a-f]{64})", text)
        content = (self._images / f"serve-{digests[0]}.tar").read_bytes()
        if hashlib.sha256(content).hexdigest() != digests[0]:
            raise console.Failed(f"The image {digests[0]} is damaged.")
        shutil.rmtree(folder, ignore_errors=True)
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            archive.extractall(folder, filter="data")
        return folder / "model/build/model"

    def runs(self, environment: str) -> dict[str, str]:
        """What the cluster says of a sync: the commit, and the digest that its pods run."""
        (record,) = self.path.glob(f"manifests/overlays/{environment}/release/decision.json")
        image = json.loads(record.read_text())["images"]["serve"]
        return {"REVISION": self.git("rev-parse", "main").strip(), "DIGEST": image.partition("@")[2]}

    def render(self, environment: str) -> str:
        """An environment's manifests, as the cluster would get them."""
        command = ["kubectl", "kustomize", f"manifests/overlays/{environment}"]
        done = subprocess.run(
            command, cwd=self.path, env=self._environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise console.Failed(f"`{' '.join(command)}` failed: {done.stderr}")
        return done.stdout
