"""What a cluster has room for: volumes, quota, processors and memory that are free."""

import re
from collections.abc import Iterable, Iterator

from lifecycle.cluster.ask import Cluster, Object
from lifecycle.findings import Finding

DEFAULT = "storageclass.kubernetes.io/is-default-class"
# Kubernetes does not say how many nodes may write a volume. Of these drivers' volumes, only one may.
SINGLE = re.compile(
    r"(disk|ebs|pd|rbd)\.csi\.|kubernetes\.io/(aws-ebs|azure-disk|gce-pd|no-provisioner)|local-path|hostpath|hetzner"
)
MANY = re.compile(r"(efs|file|filestore|nfs|cephfs)\.csi\.|nfs|longhorn")
UNITS = {"m": 0.001, "": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
UNITS |= {f"{unit}i": 1024.0**power for power, unit in enumerate("KMGTP", 1)}


def quantity(text: object) -> float:
    """A number of Kubernetes, such as 100m, 2, 1Gi or 1e3."""
    found = re.fullmatch(r"([0-9.]+(?:[eE][0-9]+)?)([a-zA-Z]*)", str(text))
    return float(found[1]) * UNITS[found[2]] if found else 0.0


def volume(cluster: Cluster, namespace: str, claim: Object) -> Iterator[Finding]:
    """Whether a claim is bound, or would be."""
    name, modes = claim["metadata"]["name"], claim["spec"]["accessModes"]
    said = f"{namespace} gets a volume for the claim {name} ({', '.join(modes)})"
    there = cluster.one("persistentvolumeclaim", name, namespace)
    if there and there["spec"]["accessModes"] != modes:
        mode = ", ".join(there["spec"]["accessModes"])
        yield Finding(said, False, f"it is {mode}, which cannot be changed; see the runbook Pods stay pending")
    elif there and there.get("status", {}).get("phase") == "Bound":
        yield Finding(said, True, "")
    else:
        yield offered(cluster, said, modes, claim["spec"].get("storageClassName"))


def offered(cluster: Cluster, said: str, modes: list[str], wanted: str | None) -> Finding:
    """Whether a StorageClass, the default one if none is named, has what a claim asks for."""
    classes = cluster.objects("storageclasses.storage.k8s.io")
    chosen = [one for one in classes if one["metadata"]["name"] == wanted] if wanted else defaults(classes)
    if not chosen:
        there = ", ".join(sorted(one["metadata"]["name"] for one in classes)) or "none"
        mark = f"""`kubectl annotate storageclass NAME {DEFAULT}=true`"""
        lacks = f"no StorageClass {wanted}" if wanted else f"no default StorageClass: {mark}"
        return Finding(said, False, f"the cluster has {lacks}; there is {there}")
    name, driver = chosen[0]["metadata"]["name"], str(chosen[0]["provisioner"])
    if modes == ["ReadWriteOnce"] or (MANY.search(driver) and not SINGLE.search(driver)):
        return Finding(said, True, "")
    known = SINGLE.search(driver) is not None
    why = "is for one node" if known else "may be for one node, which Kubernetes cannot tell"
    fix = f"a volume of {driver} (StorageClass {name}) {why}: switch on components/one-node, or name another class"
    return Finding(said, False, fix, known)


def defaults(classes: Iterable[Object]) -> list[Object]:
    return [one for one in classes if (one["metadata"].get("annotations") or {}).get(DEFAULT) == "true"]


def quota(cluster: Cluster, namespace: str, processors: float, memory: float) -> Iterator[Finding]:
    """Whether a namespace's quotas leave enough for one more pod; nothing where it has none."""
    limited = any(
        "cpu" in limit.get("default", {})
        for one in cluster.objects("limitranges", "--namespace", namespace)
        for limit in one["spec"]["limits"]
    )
    for one in cluster.objects("resourcequotas", "--namespace", namespace):
        status, name = one.get("status", {}), one["metadata"]["name"]
        used, fix = status.get("used", {}), f"raise it: `kubectl edit resourcequota {name} -n {namespace}`"
        for key, most in status.get("hard", {}).items():
            need = {"cpu": processors, "memory": memory, "pods": 1}.get(key.removeprefix("requests."))
            if need is not None:
                left = quantity(most) - quantity(used.get(key, 0))
                yield Finding(f"the quota {name} of {namespace} has room for one more pod's {key}", left >= need, fix)
        if "limits.cpu" in status.get("hard", {}):
            fix = "the pods have no limit of CPU: take limits.cpu out of it, or add a LimitRange with a default"
            yield Finding(f"the quota {name} of {namespace} takes pods without a limit of CPU", limited, fix)


def free(cluster: Cluster, processors: float, memory: float, what: str, whole: bool = False) -> Iterator[Finding]:
    """Whether one node has so much that no pod asked for; with `whole`, all nodes together."""
    nodes = [one for one in cluster.objects("nodes") if not closed(one)]
    pods = cluster.objects("pods", "--all-namespaces")
    left = [_left(node["status"]["allocatable"], pods, node["metadata"]["name"]) for node in nodes]
    if whole:
        left = [(sum(one[0] for one in left), sum(one[1] for one in left))]
    most, who = max(left, default=(0.0, 0.0)), "the nodes have" if whole else "a node has"
    yield Finding(
        f"{who} {processors:g} CPU and {memory / 1024**3:g} GiB free for {what}",
        any(cpu >= processors and size >= memory for cpu, size in left),
        f"at most {most[0]:.1f} CPU with {most[1] / 1024**3:.1f} GiB; add a node, or see `kubectl describe nodes`",
    )


def closed(node: Object) -> bool:
    """Whether no ordinary pod may start on a node."""
    effects = {taint["effect"] for taint in node["spec"].get("taints", [])}
    return bool(node["spec"].get("unschedulable")) or bool(effects & {"NoSchedule", "NoExecute"})


def _left(allocatable: Object, pods: Iterable[Object], node: str) -> tuple[float, float]:
    there = [pod for pod in pods if pod["spec"].get("nodeName") == node]
    running = [pod["spec"] for pod in there if pod["status"].get("phase") not in ("Succeeded", "Failed")]
    left = [quantity(allocatable[key]) - sum(requested(spec, key) for spec in running) for key in ("cpu", "memory")]
    return left[0], left[1]


def requested(spec: Object, key: str) -> float:
    """What a pod asks for: its containers together, or its largest init container."""

    def of(containers: list[Object]) -> list[float]:
        return [quantity(one.get("resources", {}).get("requests", {}).get(key, 0)) for one in containers]

    return max(sum(of(spec.get("containers", []))), *of(spec.get("initContainers", [])), 0.0)
