"""The model's repository: its verbs, its images, and how what it commits reaches the cluster's git."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from faults import NAMESPACE, ROOT, Failed
from faults.cluster import Cluster
from faults.stands import GIT, MODEL, OWNER

IDENTITY = {
    "user.name": "e2e",
    "user.email": "e2e@example.org",
    "commit.gpgsign": "false",
    "protocol.ext.allow": "always",
}
PLACE = f"/data/{OWNER}/{MODEL}.git"
URL = f"{GIT}/{OWNER}/{MODEL}"


def environment() -> dict[str, str]:
    """This environment with an identity for git, which the template's hook needs too."""
    named = {f"GIT_CONFIG_KEY_{index}": key for index, key in enumerate(IDENTITY)}
    named |= {f"GIT_CONFIG_VALUE_{index}": value for index, value in enumerate(IDENTITY.values())}
    return {**os.environ, **named, "GIT_CONFIG_COUNT": str(len(IDENTITY))}


class Repository:
    """A working copy in a folder, whose main the cluster's git serves."""

    def __init__(self, cluster: Cluster, folder: Path, registry: str) -> None:
        self.cluster, self.path, self._registry = cluster, folder / MODEL, registry
        self._models = folder / "models"

    def run(self, *command: str, folder: Path | None = None) -> str:
        place = folder or self.path
        done = subprocess.run(command, cwd=place, env=environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"`{' '.join(command)}` failed in {place}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    def bake(self) -> None:
        """A new repository from this template's files."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        answers = (f"project_slug={MODEL}", f"owner={OWNER}", f"registry={self._registry}")
        self.run(sys.executable, str(ROOT / "scripts/bake.py"), str(self.path.parent), *answers, folder=ROOT)
        if shared := os.environ.get("SHARED"):
            self.share(shared)

    def share(self, storage: str) -> None:
        """Keep the logs on volumes of a StorageClass that several nodes can write."""
        patch = f'[{{"op": "add", "path": "/spec/storageClassName", "value": "{storage}"}}]'
        for path in sorted(self.path.glob("manifests/overlays/*/kustomization.yaml")):
            text = re.sub(r"  - ../../components/one-node.*\n", "", path.read_text())
            added = f"patches:\n  - {{target: {{kind: PersistentVolumeClaim, name: predictions}}, patch: '{patch}'}}\n"
            path.write_text(text.replace("patches:\n", added, 1) if "patches:" in text else text + added)
        self.run("git", "commit", "--quiet", "--all", "--message", "Share the logs' volumes")

    def edit(self, name: str, pattern: str, new: str) -> None:
        """Change the one place of a file that a pattern finds."""
        path = self.path / name
        text, count = re.subn(pattern, new, path.read_text())
        if count != 1:
            raise Failed(f"{path} has {pattern!r} {count} times, not once.")
        path.write_text(text)

    def more(self, name: str, key: str) -> None:
        """Raise the one number behind a key by 1."""
        number = re.findall(rf"{key}: (\d+)", (self.path / name).read_text())
        self.edit(name, rf"{key}: \d+", f"{key}: {int(number[0]) + 1}")

    def make(self, verb: str, **variables: str) -> str:
        given = [f"{name}={value}" for name, value in variables.items()]
        return self.run("make", "--no-print-directory", verb, *given)

    def commit(self, message: str) -> None:
        """Commit what changed, new files of a release too, and publish it."""
        self.run("git", "add", "--all", "manifests", "config.yaml")
        self.run("git", "commit", "--quiet", "--message", message)
        self.publish()

    def revert(self) -> None:
        self.run("git", "revert", "--no-edit", "HEAD")
        self.publish()

    def publish(self) -> None:
        """Push main into the pod that serves it, which may be a new one, and let Argo CD look."""
        inside = ("exec", "--stdin", "--namespace", NAMESPACE, "git", "--")
        self.cluster.kubectl(*inside, "git", "init", "--quiet", "--bare", "--initial-branch", "main", PLACE)
        remote = f"ext::kubectl {' '.join(inside)} %S {PLACE}"
        self.run("git", "push", "--quiet", "--force", remote, "HEAD:refs/heads/main")

    def head(self) -> str:
        return self.run("git", "rev-parse", "HEAD").strip()

    def committed(self, revision: str) -> float:
        """The moment of a commit, in seconds."""
        return float(self.run("git", "show", "--no-patch", "--format=%ct", revision))

    def image(self, target: str) -> str:
        """Build and push an image; returns its name with the digest."""
        name = f"{self._registry}/{OWNER}/{MODEL}-{target}"
        self.run("docker", "build", "--quiet", "--target", target, "--tag", f"{name}:e2e", ".")
        self.run("docker", "push", "--quiet", f"{name}:e2e")
        return self.run("docker", "image", "inspect", "--format", "{{index .RepoDigests 0}}", f"{name}:e2e").strip()

    def released(self, environment: str, name: str = "serve") -> str:
        """The digest of an image of an environment's release."""
        text = (self.path / f"manifests/overlays/{environment}/release/kustomization.yaml").read_text()
        found = re.search(rf"name: {name}\n(?:.*\n)*?.*digest: (sha256:[0-9a-f]{{64}})", text)
        return found[1] if found else ""

    def keep(self, image: str) -> None:
        """Keep the model of an image, for when it is the champion; `make champion` would take it from the image."""
        shutil.copytree(self.path / "build/model", self._models / image.rpartition(":")[2], dirs_exist_ok=True)

    def champion(self) -> None:
        """Put the model that production runs, if any, where `make evaluate` looks."""
        place, digest = self.path / "build/champion", self.released("production").rpartition(":")[2]
        shutil.rmtree(place, ignore_errors=True)
        if digest:
            shutil.copytree(self._models / digest, place)

    def row(self) -> dict[str, object]:
        """A golden row, which any release of this model answers."""
        rows = json.loads((self.path / "build/model/golden.json").read_text())["rows"]
        return dict(rows[0])
