"""What may happen to the cluster and around it: things deleted, killed, out of reach, or badly upgraded."""

import json
import shutil
import subprocess

from faults.cluster import ARGOCD
from faults.fault import Untried
from faults.releases import changed
from faults.repository import URL
from faults.stage import SERVE, SPACE, Stage
from faults.stands import GIT

OPERATOR = ("--namespace", "seldon-system", "--selector", "control-plane=seldon-controller-manager")
# As a commit that changes the operator's Application; where the platform's git lies is not ours to write.
UPGRADE = [{"op": "add", "path": "/spec/source/helm/parameters", "value": [{"name": "image.tag", "value": "none"}]}]
PATCHES = [{"target": {"kind": "Application", "name": "seldon"}, "patch": json.dumps(UPGRADE)}]
SHARED = ["ReadWriteMany"]
REGISTRY = "models-registry"  # the container of scripts/cluster


def claim(stage: Stage) -> None:
    """Delete the log's claim and, since it stays until nobody uses it, the pods."""
    stage.cluster.kubectl("delete", "pvc", "predictions", "--namespace", SPACE, "--wait=false")
    stage.cluster.kubectl("delete", "pods", *SERVE, "--wait=false")
    stage.cluster.pause(20)


def namespace(stage: Stage) -> None:
    stage.cluster.kubectl("delete", "namespace", SPACE, "--timeout", "300s")


def killed(stage: Stage) -> None:
    """Kill Seldon's operator and Argo CD's controller while production gets new pods."""
    before = stage.cluster.found("pods", *SERVE)["items"]
    names = {pod["metadata"]["name"] for pod in before}
    changed(stage)
    stage.cluster.refresh(SPACE)

    def begun() -> bool:
        return any(pod["metadata"]["name"] not in names for pod in stage.cluster.found("pods", *SERVE)["items"])

    stage.cluster.until("A new pod", 300, begun)
    now = ("--grace-period", "0", "--force")
    stage.cluster.kubectl(
        "delete", "pods", *now, *ARGOCD, "--selector", "app.kubernetes.io/name=argocd-application-controller"
    )
    stage.cluster.kubectl("delete", "pods", *now, *OPERATOR)
    stage.runs("production")


def _modes(stage: Stage) -> list[str]:
    return list(stage.cluster.found("pvc", "predictions", "--namespace", SPACE)["spec"]["accessModes"])


def _drain(stage: Stage) -> None:
    """Let a node of production have no more pods that serve."""
    node = stage.cluster.found("pods", *SERVE)["items"][0]["spec"]["nodeName"]
    given = ("--pod-selector", "app.kubernetes.io/component=serve", "--delete-emptydir-data", "--timeout", "300s")
    stage.cluster.kubectl("drain", node, *given)


def drained(stage: Stage) -> None:
    """Drain the node that has the log's volume; on another disk than the node's own, the pods come back elsewhere."""
    if _modes(stage) == SHARED:
        raise Untried("Several nodes can write the log's volume.")
    _drain(stage)
    stage.cluster.pause(20)


def moved(stage: Stage) -> None:
    """Drain one of the nodes that can write the log's volume."""
    nodes = [node for node in stage.cluster.found("nodes")["items"] if not node["spec"].get("unschedulable")]
    if len(nodes) < 2:
        raise Untried("The cluster has one node.")
    if _modes(stage) != SHARED:
        raise Untried("The log's volume belongs to one node; SHARED= names a StorageClass of several.")
    _drain(stage)
    stage.settles()


def usable(stage: Stage) -> None:
    """Let pods onto every node again."""
    for node in stage.cluster.found("nodes")["items"]:
        if node["spec"].get("unschedulable"):
            stage.cluster.kubectl("uncordon", node["metadata"]["name"])


def speechless(stage: Stage) -> None:
    """Change production while GitHub answers 502, until it was asked in vain."""
    stage.cluster.served("hub", "away", True)
    changed(stage)
    stage.runs("production")

    stage.cluster.until("A call that GitHub refuses", 300, lambda: stage.cluster.served("hub", "refused") > 0)


def back(stage: Stage) -> None:
    stage.cluster.served("hub", "away", False)
    stage.cluster.refresh(SPACE)


def _registry(verb: str) -> None:
    there = (
        shutil.which("docker")
        and not subprocess.run(["docker", verb, REGISTRY], capture_output=True, check=False).returncode
    )
    if not there:
        raise Untried(f"Here is no registry {REGISTRY} that can be stopped.")


def unreachable(stage: Stage) -> None:
    """Delete one of production's pods while the registry is away."""
    _registry("stop")
    stage.cluster.kubectl(
        "delete",
        "--wait=false",
        stage.cluster.kubectl("get", "pods", *SERVE, "--output", "name").split()[0],
        "--namespace",
        SPACE,
    )
    stage.cluster.pause(30)


def reachable(stage: Stage) -> None:
    _registry("start")
    stage.settles()


def doubled(stage: Stage) -> None:
    """A second repository of the same name, which somebody else owns."""
    stage.find(URL, f"{GIT}/other/{URL.rpartition('/')[2]}")

    def refused() -> bool:
        conditions = stage.cluster.found("applicationset", "e2e", *ARGOCD).get("status", {}).get("conditions", [])
        return any(one["type"] == "ErrorOccurred" and one["status"] == "True" for one in conditions)

    stage.cluster.until("The ApplicationSet's word that two have one name", 300, refused)


def single(stage: Stage) -> None:
    stage.find()
    stage.settles()


def _platform(stage: Stage, patches: object) -> None:
    patch = json.dumps({"spec": {"source": {"kustomize": patches}}})
    stage.cluster.kubectl("patch", "application", "platform", *ARGOCD, "--type", "merge", "--patch", patch)
    stage.cluster.refresh("platform")


def upgraded(stage: Stage) -> None:
    """Upgrade Seldon's operator to an image that does not exist, then let production change."""
    _platform(stage, {"patches": PATCHES})

    def refused() -> bool:
        pods = stage.cluster.found("pods", *OPERATOR)["items"]
        states = [one["state"] for pod in pods for one in pod["status"].get("containerStatuses", [])]
        return any(state.get("waiting", {}).get("reason") in ("ErrImagePull", "ImagePullBackOff") for state in states)

    stage.cluster.until("A pod of the operator whose image cannot be pulled", 300, refused)
    changed(stage)
    stage.runs("production")


def downgraded(stage: Stage) -> None:
    """Take the upgrade back, and end the syncs that wait for it, as `argocd app terminate-op` does."""
    _platform(stage, None)
    for name in ("platform", "seldon"):
        if stage.cluster.application(name)["phase"] == "Running":
            stage.cluster.end(name)
        stage.cluster.refresh(name)

    def whole() -> bool:
        shown = [stage.cluster.application(name) for name in ("platform", "seldon")]
        kept = stage.cluster.found("application", "seldon", *ARGOCD)["spec"]["source"].get("helm", {})
        return "parameters" not in kept and all(
            (one["phase"], one["sync"], one["health"]) == ("Succeeded", "Synced", "Healthy") for one in shown
        )

    stage.cluster.until("Succeeded Synced Healthy of platform and seldon", 600, whole)
