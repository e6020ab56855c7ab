"""Lists what a cluster lacks for the platform, each with what brings it; `scripts/cluster check` runs it."""

import base64
import binascii
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
PROJECT = ROOT / "<<cookiecutter.project_slug>>"
sys.path.append(str(PROJECT))
from lifecycle import InputError, findings  # noqa: E402
from lifecycle.cluster import capacity, serves  # noqa: E402
from lifecycle.cluster.ask import Cluster, told, version  # noqa: E402
from lifecycle.findings import Finding  # noqa: E402

MANIFESTS = ROOT / "manifests"
ONCE, MANY = ["ReadWriteOnce"], ["ReadWriteMany"]
STEADY = 2.3, 3.7 * 1024**3  # what the platform's pods ask for together
NIGHTLY = 0.5, 1024.0**3  # a monitor, the largest pod of a model
# The Secrets of manifests/README.md: namespace, name, keys, what brings it, whether the models wait for it.
SECRETS = (
    (
        *("argocd", "github-app", ("githubAppID", "githubAppInstallationID", "githubAppPrivateKey")),
        "no model is found: `kubectl create secret generic github-app -n argocd --from-literal githubAppID=ID "
        "--from-literal githubAppInstallationID=ID --from-file githubAppPrivateKey=FILE`",
        True,
    ),
    (
        *("argocd", "argocd-notifications-secret", ("github-app-id", "github-installation-id", "github-private-key")),
        "GitHub is told of no release: `kubectl create secret generic argocd-notifications-secret -n argocd "
        "--from-literal github-app-id=ID --from-literal github-installation-id=ID --from-file github-private-key=FILE`",
        False,
    ),
    (
        *("mlflow", "database", ("POSTGRES_PASSWORD",)),
        "MLflow does not start: `kubectl create secret generic database -n mlflow --from-literal POSTGRES_PASSWORD=X`",
        False,
    ),
    (
        *("mlflow", "store", ("MLFLOW_ARTIFACTS_DESTINATION",)),
        "MLflow does not start: `kubectl create secret generic store -n mlflow --from-env-file FILE`",
        False,
    ),
    (
        *("monitoring", "grafana", ("admin-user", "admin-password")),
        "Grafana does not start: `kubectl create secret generic grafana -n monitoring --from-literal admin-user=admin "
        "--from-literal admin-password=X`",
        False,
    ),
    (
        *("monitoring", "alertmanager", ("alertmanager.yaml",)),
        "alerts reach no one: `kubectl create secret generic alertmanager -n monitoring --from-file alertmanager.yaml`",
        False,
    ),
)
# The rights of the Apps whose ids the Secrets hold.
RIGHTS = {
    ("github-app", "githubAppID"): {"contents": "read"},
    ("argocd-notifications-secret", "github-app-id"): {"contents": "write", "deployments": "write"},
}


@cache
def kinds() -> set[tuple[str, str]]:
    """The version and kind of each object of the platform, and of a model, that an operator brings."""
    paths = [*MANIFESTS.rglob("*.yaml"), *(PROJECT / "manifests/base").glob("*.yaml")]
    texts = [path.read_text() for path in paths if path.parent.name not in ("tls", "clusters")]
    objects = [one for text in texts for one in yaml.safe_load_all(text) if isinstance(one, dict) and "metadata" in one]
    return {(one["apiVersion"], one["kind"]) for one in objects if serves.custom(one["apiVersion"])}


def secrets(cluster: Cluster) -> Iterator[Finding]:
    listed = "list" in (yaml.safe_load((MANIFESTS / "models/kustomization.yaml").read_text()).get("components") or [])
    embedded = "path: manifests/mlflow/embedded" in (MANIFESTS / "applications/mlflow.yaml").read_text()
    for namespace, name, keys, fix, required in SECRETS:
        if not (embedded and namespace == "mlflow") and not (listed and name == "github-app"):
            check = serves.secret(cluster, namespace, name, keys, fix, required)
            yield from told(f"{namespace} has the Secret {name}", check)


def nodes(cluster: Cluster) -> Iterator[Finding]:
    found = {one["status"]["nodeInfo"]["architecture"] for one in cluster.objects("nodes")}
    fix = f"they are {', '.join(sorted(found)) or 'none'}, and Seldon's images are for amd64 only; add such a node"
    yield Finding("a node is amd64", "amd64" in found, fix)


def metrics(cluster: Cluster) -> Iterator[Finding]:
    there = cluster.raw("/apis/metrics.k8s.io/v1beta1") is not None
    yield Finding("pods are measured, for autoscaling", there, "install metrics-server", False)


def storage(cluster: Cluster) -> Iterator[Finding]:
    yield capacity.offered(cluster, "the default StorageClass has volumes", ONCE, None)
    many = capacity.offered(cluster, "its volumes may be written by several nodes", MANY, None)
    yield Finding(many.name, many.holds, f"overlays keep components/one-node: {many.fix}", False)


def rights(cluster: Cluster) -> Iterator[Finding]:
    """What GitHub says of the Apps of the Secrets; only an owner of the organisation may ask."""
    organisation = re.search(r"organization: (\S+)", (MANIFESTS / "models/repositories.yaml").read_text())
    for (name, key), wanted in RIGHTS.items():
        held = ((cluster.one("secret", name, "argocd") or {}).get("data") or {}).get(key)
        if organisation and held:
            lacks = _lacks(organisation[1], _decoded(held), wanted)
            said = (
                f"the GitHub App of argocd/{name} may {' and '.join(f'{word} {what}' for what, word in wanted.items())}"
            )
            yield Finding(said, lacks == "", lacks, False)


def _decoded(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode().strip()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _lacks(organisation: str, app: str, wanted: dict[str, str]) -> str:
    """What an App lacks of its rights, or why that is not known."""
    path = f"orgs/{organisation}/installations?per_page=100"
    try:
        own = {**os.environ, "GH_TELEMETRY": "0"}
        done = subprocess.run(["gh", "api", path], env=own, capture_output=True, text=True, check=False, timeout=30)
        found: list[dict[str, Any]] = json.loads(done.stdout)["installations"] if done.returncode == 0 else []
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError):
        found = []
    if not found:
        return f"unknown: sign in with `gh auth login` as an owner of {organisation}, then try again"
    rights = next((one["permissions"] for one in found if str(one["app_id"]) == app), None)
    if rights is None:
        return f"no App with the id {app or 'that it holds'} is installed in {organisation}; install it there"
    lacks = [f"{what}: {word}" for what, word in wanted.items() if rights.get(what) not in (word, "write")]
    return f"it lacks {', '.join(lacks)}; give it that in the App's settings" if lacks else ""


def missing(cluster: Cluster) -> Iterator[Finding]:
    """Every check; raises InputError if the cluster cannot be reached."""
    yield Finding(f"the cluster of {cluster.context} answers, {version(cluster)}", True, "")
    installed = cluster.raw("/apis/argoproj.io/v1alpha1") is not None
    bootstrap = "`kubectl apply --server-side -k manifests/argocd`, then bootstrap.yaml: see manifests/README.md"
    yield Finding("Argo CD is installed", installed, bootstrap, False)
    yield from told("a node is amd64", nodes(cluster))
    yield from told(
        "the nodes have room", capacity.free(cluster, *(NIGHTLY if installed else STEADY), "it", whole=True)
    )
    yield from told("the default StorageClass has volumes", storage(cluster))
    yield from told("pods are measured", metrics(cluster))
    yield from secrets(cluster)
    yield from told("the GitHub Apps have their rights", rights(cluster))
    if installed:
        yield from told("the cluster has the kinds of manifests/", serves.kinds(cluster, kinds()))
        yield from told("the webhooks have pods", serves.webhooks(cluster))
        yield from told("the Gateway has an address", serves.gateway(cluster))


def main(context: str) -> int:
    try:
        found = list(missing(Cluster(context)))
    except InputError as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 1
    print(findings.shown(found))
    lacks = findings.missing(found)
    print(f"cluster: {len(lacks)} of {len(found)} things are missing that are required.")
    return 1 if lacks else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
