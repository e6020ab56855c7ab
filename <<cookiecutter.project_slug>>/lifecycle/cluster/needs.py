"""Lists what a cluster lacks for the overlays of this repository and the components that they switch on."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from lifecycle import InputError, config, findings
from lifecycle.cluster import capacity, serves
from lifecycle.cluster.ask import Cluster, Object, told, version
from lifecycle.documents.environments import KUSTOMIZATION, OVERLAYS
from lifecycle.findings import Finding
from lifecycle.releasing import render
from lifecycle.strict import every, parsed

BASE, COMPONENTS = Path("manifests/base"), Path("manifests/components")


class Need(NamedTuple):
    """A Secret of a component; `required` where syncs or requests fail without it. {} is the namespace."""

    secret: str
    keys: tuple[str, ...]
    required: bool
    fix: str


SECRETS = {
    "access": Need(
        *("callers", (), True),
        "every request is refused: `kubectl create secret generic callers -n {} --from-literal NAME=KEY`",
    ),
    "retraining": Need(
        *("github", ("GITHUB_TOKEN",), False),
        "alerts are not told: `kubectl create secret generic github -n {} --from-literal GITHUB_TOKEN=TOKEN`",
    ),
    "secrets": Need(
        *("store", (), True), "the shipper waits for it: see `kubectl describe externalsecret store -n {}`"
    ),
    "shipping": Need(
        *("store", ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), False),
        "needed unless the ServiceAccount `store` has a role: "
        "`kubectl create secret generic store -n {} --from-env-file FILE`",
    ),
}
LAST = "it does not reach the pods of those below it, which then wait for a volume of another node; move its line down"
ONE = (
    "the service is away for minutes when its node is drained or lost; where several nodes may write a volume, take "
    "components/one-node out of the overlay before its first sync"
)
LOG = Need(
    *("log", ("LOG_KEY",), True),
    "the service does not start: `kubectl create secret generic log -n {} --from-literal LOG_KEY=KEY`",
)


def documents(folder: Path) -> list[Object]:
    """The objects in the files of a folder, without Kustomize's own and its patches."""
    found = [one for path in sorted(folder.glob("*.yaml")) for one in every(path.read_bytes())]
    return [one for one in found if isinstance(one, dict) and "kustomize" not in one.get("apiVersion", "kustomize")]


def switched_on(overlay: Path) -> list[str]:
    """The names of the components of an overlay, in their order."""
    return [Path(str(one)).name for one in parsed((overlay / KUSTOMIZATION).read_bytes()).get("components", [])]


def pods(value: Any) -> Iterator[Object]:
    """Every description of a pod in a document."""
    if isinstance(value, dict) and isinstance(value.get("containers"), list):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from pods(inner)


def environment(cluster: Cluster, name: str, settings: config.Config, most: tuple[float, float]) -> Iterator[Finding]:
    """What the cluster lacks for one overlay: volumes, Secrets, room in its quotas."""
    rendered = every(render.manifests(name))
    namespace = str(rendered[0]["metadata"]["namespace"])
    for claim in (one for one in rendered if one["kind"] == "PersistentVolumeClaim"):
        said = f"{namespace} gets its volume {claim['metadata']['name']}"
        yield from told(said, capacity.volume(cluster, namespace, claim))
    components = switched_on(OVERLAYS / name)
    if "one-node" in components:
        yield Finding(f"components/one-node is the last of {name}", components[-1] == "one-node", LAST)
    if "one-node" in components and name == settings.promote.order[-1]:
        yield Finding(f"{namespace} may run on several nodes", False, ONE, required=False)
    if "secrets" in components:  # which makes that of shipping
        components = [one for one in components if one != "shipping"]
    needs = [SECRETS[one] for one in components if one in SECRETS]
    if any(feature.log == "hash" for feature in settings.data.features.values()):
        needs.append(LOG)
    for need in needs:
        check = serves.secret(cluster, namespace, need.secret, need.keys, need.fix.format(namespace), need.required)
        yield from told(f"{namespace} has the Secret {need.secret}", check)
    yield from told(f"{namespace} has room in its quotas", capacity.quota(cluster, namespace, *most))


def largest(objects: list[Object]) -> tuple[float, float]:
    """The processors and bytes that one pod of these objects asks for at most."""
    found = [pod for one in objects for pod in pods(one)]
    processors, memory = (max(capacity.requested(pod, key) for pod in found) for key in ("cpu", "memory"))
    return processors, memory


def missing(cluster: Cluster, settings: config.Config) -> Iterator[Finding]:
    """Every check of the cluster; raises InputError if it cannot be reached."""
    yield Finding(f"the cluster of {cluster.context} answers, {version(cluster)}", True, "")
    used = {one for name in settings.promote.order for one in switched_on(OVERLAYS / name)} - {"release"}
    objects = [one for folder in (BASE, *(COMPONENTS / name for name in sorted(used))) for one in documents(folder)]
    most = largest(objects)
    custom = [(one["apiVersion"], one["kind"]) for one in objects if serves.custom(one["apiVersion"])]
    yield from told("the cluster has the kinds of the manifests", serves.kinds(cluster, custom))
    yield from told("the webhooks have pods", serves.webhooks(cluster))
    yield from told("the Gateway has an address", serves.gateway(cluster))
    for name in settings.promote.order:
        yield from environment(cluster, name, settings, most)
    yield from told("a node has room for the largest pod", capacity.free(cluster, *most, "the largest pod"))


def run(context: str, settings: config.Config) -> str:
    """Print each finding; raises InputError when something required is missing."""
    found = list(missing(Cluster(context), settings))
    print(findings.shown(found))
    if lacks := findings.missing(found):
        raise InputError(
            f"The cluster lacks {len(lacks)} of {len(found)} things that are required; see the fix of each."
        )
    return f"the cluster has {sum(one.holds for one in found)} of {len(found)} things; nothing required is missing"
