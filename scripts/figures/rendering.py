"""Kustomize's time to render one overlay, and the three overlays of many repositories, as Argo CD does for a change."""

import shutil
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

import bake

from figures import Row, bakes
from figures.command import seconds

OVERLAYS = ("dev", "staging", "production")
FEW, MANY = 100, 300
LEAST = 9  # runs; one overlay is short
COMPONENT = """apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
labels: [{pairs: {app.kubernetes.io/version: 2020.01.01-aaaaaaa}, includeTemplates: true}]
resources: [../../../base]
images:
  - {name: serve, newName: r.io/acme/serve, digest: "sha256:%064d"}
  - {name: monitor, newName: r.io/acme/monitor, digest: "sha256:%064d"}
"""


def _render(repositories: list[Path]) -> float:
    return sum(
        seconds(["kubectl", "kustomize", str(repository / "manifests/overlays" / overlay)])
        for repository in repositories
        for overlay in OVERLAYS
    )


def rows(runs: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy, own = bakes.template(folder)
        seconds(bake.command(copy, folder, {"project_slug": "model"}), own)
        for overlay in OVERLAYS:
            path = folder / "model/manifests/overlays" / overlay / "release/kustomization.yaml"
            path.write_text(COMPONENT % (1, 2))
        copies = [folder / f"model-{index}" for index in range(MANY)]
        for repository in copies:
            shutil.copytree(folder / "model/manifests", repository / "manifests")
        alone = ["kubectl", "kustomize", str(folder / "model/manifests/overlays/production")]
        one = statistics.median(seconds(alone) for _ in range(max(runs, LEAST)))
        few = statistics.median(_render(copies[:FEW]) for _ in range(runs))
        many = statistics.median(_render(copies) for _ in range(runs))
    yield "one overlay, rendered", one * 1000, "ms", "production, with a release"
    yield f"{MANY} repositories, three overlays each", many, "s", f"{many / few:.1f} times as long as {FEW}"
