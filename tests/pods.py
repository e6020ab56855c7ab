"""The pods of rendered manifests, and their violations of the restricted pod security standard."""

from collections.abc import Iterator

from schemas import Object

VOLUMES = {"configMap", "emptyDir", "persistentVolumeClaim", "secret"}
CONTEXT = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
IDENTITY = {
    "runAsNonRoot",
    "runAsUser",
    "runAsGroup",
    "fsGroup",
    "fsGroupChangePolicy",
    "seccompProfile",
    "readOnlyRootFilesystem",
}
SECCOMP = {"type": "RuntimeDefault"}


def pods(found: list[Object]) -> Iterator[tuple[str, Object, Object]]:
    """Name, labels and specification of each pod that would run."""
    for part in found:
        if part["kind"] == "SeldonDeployment":
            for predictor in part["spec"]["predictors"]:
                for component in predictor["componentSpecs"]:
                    yield predictor["name"], predictor.get("labels", {}), component["spec"]
        if part["kind"] in ("CronJob", "Deployment", "Job", "StatefulSet"):
            spec = part["spec"].get("jobTemplate", part)["spec"]["template"]
            claims = [claim["metadata"]["name"] for claim in part["spec"].get("volumeClaimTemplates", [])]
            made = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims]
            volumes = {"volumes": [*spec["spec"].get("volumes", []), *made]}
            yield part["metadata"]["name"], spec["metadata"]["labels"], {**spec["spec"], **volumes}


def containers(spec: Object) -> list[Object]:
    """A pod's containers, init containers included."""
    return [*spec.get("initContainers", []), *spec["containers"]]


def restricted(found: list[Object]) -> list[str]:
    """Violations of that standard and of ours: a user, no token, limits, a read-only root."""
    told = []
    for name, _, spec in pods(found):
        if spec.get("automountServiceAccountToken") is not False:
            told.append(f"{name} has a token of the cluster")
        if any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")):
            told.append(f"{name} shares a namespace of its host")
        if any(not VOLUMES & volume.keys() for volume in spec.get("volumes", [])):
            told.append(f"{name} mounts something of its host")
        for container in containers(spec):
            context = {**spec.get("securityContext", {}), **container.get("securityContext", {})}
            if any("hostPort" in port for port in container.get("ports", [])):
                told.append(f"{name}/{container['name']} listens on its host")
            someone = context.get("runAsNonRoot") and context.get("runAsUser") and context.get("runAsGroup") != 0
            if not someone or context.get("seccompProfile") != SECCOMP:
                told.append(f"{name}/{container['name']} may be root, or has no seccomp profile")
            if {key: context.get(key) for key in CONTEXT} != CONTEXT or context.keys() - CONTEXT.keys() - IDENTITY:
                told.append(f"{name}/{container['name']} may gain rights")
            if not context.get("readOnlyRootFilesystem"):
                told.append(f"{name}/{container['name']} may write its root")
            asked, most = (container.get("resources", {}).get(kind, {}) for kind in ("requests", "limits"))
            if not {"cpu", "memory"} <= asked.keys() or "memory" not in most:
                told.append(f"{name}/{container['name']} asks for no certain resources")
    return told
