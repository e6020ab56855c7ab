"""Checks for every rendered folder; each returns the problems that it finds."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from network import ROLE, flows, selects, unknown
from pods import containers, pods, restricted
from schemas import Object, fields

HOOK = "argocd.argoproj.io/hook"
IGNORED = "argocd.argoproj.io/ignore-healthcheck"
PRESTOP = 10  # seconds of the preStop hook that Seldon's operator adds


def _nodes(graph: Object) -> Iterator[Object]:
    yield graph
    for child in graph.get("children", []):
        yield from _nodes(child)


def engine(predictor: Object) -> bool:
    """Whether Seldon's executor is in front of the model."""
    return bool(predictor.get("annotations", {}).get("seldon.io/no-engine") != "true")


def seldon(found: list[Object]) -> list[str]:
    """The rules of Seldon's webhook."""
    told = []
    for part in (one for one in found if one["kind"] == "SeldonDeployment"):
        predictors = part["spec"]["predictors"]
        if part["spec"].get("protocol") not in ("seldon", "tensorflow", "v2"):
            told.append(f"{part['spec'].get('protocol')} is no protocol")
        names = [predictor["name"] for predictor in predictors]
        shadows = [predictor["name"] for predictor in predictors if predictor.get("shadow")]
        traffic = [predictor.get("traffic", 0) for predictor in predictors if not predictor.get("shadow")]
        if len(set(names)) < len(names):
            told.append("two predictors have one name")
        if sum(traffic) != 100 and (len(predictors) > 1 or sum(traffic)):
            told.append(f"the traffic sums to {sum(traffic)}")
        if any(not 0 <= share <= 100 for share in traffic):
            told.append(f"{traffic} are no shares of the traffic")
        if len(shadows) > 1:
            told.append(f"{' and '.join(shadows)} are two shadows")
        if shadows and len(predictors) == 1:
            told.append("a shadow is alone")
        for predictor in predictors:
            known = {one["name"] for spec in predictor["componentSpecs"] for one in spec["spec"]["containers"]}
            for node in _nodes(predictor["graph"]):
                if not node.get("implementation") and node.get("name") not in known:
                    told.append(f"no container is called like the node {node.get('name')}")
                if "logger" in node and not node["logger"].get("mode"):
                    told.append(f"the logger of {node['name']} has no mode")
            if not engine(predictor) and predictor["graph"].get("children"):
                told.append("a graph of several nodes has no executor")
    return told


def _required(spec: Object) -> bool:
    """Whether pods must run beside each other."""
    return "requiredDuringSchedulingIgnoredDuringExecution" in spec.get("affinity", {}).get("podAffinity", {})


def operator(found: list[Object]) -> list[str]:
    """Fields that Seldon's operator ignores, overwrites or breaks."""
    told = []
    for part in (one for one in found if one["kind"] == "SeldonDeployment"):
        specs = [spec for predictor in part["spec"]["predictors"] for spec in predictor["componentSpecs"]]
        near = any(
            _required(spec["spec"]) for spec in specs
        )  # pods that share a node leave it together, when it is drained
        if sum("pdbSpec" in spec for spec in specs) != (0 if near else 1):
            told.append(
                "a budget keeps pods on a drained node" if near else "not one budget of disruptions selects the pods"
            )
        for predictor in part["spec"]["predictors"]:
            if "replicas" in predictor and any("hpaSpec" in spec for spec in predictor["componentSpecs"]):
                told.append("replicas stand beside hpaSpec")
            for spec in predictor["componentSpecs"]:
                told += _served(predictor, spec["spec"])
                sizes = spec.get("hpaSpec", {"minReplicas": 1, "maxReplicas": 1})
                if not 1 <= sizes["minReplicas"] <= sizes["maxReplicas"]:
                    told.append(f"{sizes['minReplicas']} to {sizes['maxReplicas']} replicas are no range")
    return told


def _served(predictor: Object, spec: Object) -> list[str]:
    told = []
    name = predictor["graph"]["name"]
    model: Object = next((one for one in spec["containers"] if one["name"] == name), {})
    paths = {"readiness": "/health/status", "startup": "/health/status", "liveness": "/health/ping"}
    for kind, path in paths.items():
        if model.get(f"{kind}Probe", {}).get("httpGet") != {"path": path, "port": "http"}:
            told.append(f"the {kind} probe does not ask {path}, and what is left to Seldon asks the port only")
    if any("protocol" not in port for port in model.get("ports", [])):
        told.append("a port has no protocol, which the cluster fills in")
    if spec.get("terminationGracePeriodSeconds", 0) <= PRESTOP:
        told.append("a pod is killed while it waits for its routes to end")
    together = spec.get("affinity", {}).get("podAffinity", {}).get("requiredDuringSchedulingIgnoredDuringExecution", [])
    placed = [one["labelSelector"] for one in spec.get("topologySpreadConstraints", []) or together]
    if not placed or not all(selects(selector, predictor.get("labels", {})) for selector in placed):
        told.append("the pods are neither spread over nodes nor kept on one")
    return told


def _mounts(spec: Object) -> Iterator[tuple[str, str, Object]]:
    """Each mount of a pod: container, path and volume, empty if no volume has that name."""
    volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
    for container in containers(spec):
        for mount in container.get("volumeMounts", []):
            yield container["name"], mount["mountPath"], volumes.get(mount["name"], {})


def temporary(found: list[Object]) -> list[str]:
    """Containers without a writable /tmp, the home of both images."""
    told = []
    for name, labels, spec in pods(found):
        if labels.get(ROLE) in ("serve", "monitor"):
            there = {container for container, path, volume in _mounts(spec) if path == "/tmp" and "emptyDir" in volume}  # noqa: S108
            told += [f"{name}/{one['name']} has no /tmp" for one in containers(spec) if one["name"] not in there]
    return told


def digests(found: list[Object]) -> list[str]:
    return [
        f"{name}/{container['name']} runs {container['image']}"
        for name, _, spec in pods(found)
        for container in containers(spec)
        if not re.fullmatch(r"[^@]+@sha256:[0-9a-f]{64}", container["image"])
    ]


def jobs(found: list[Object]) -> list[str]:
    """Jobs that may run for ever, run twice at once, or make a service unhealthy; hooks that are never deleted."""
    told = []
    for part in found:
        name, annotations = part["metadata"]["name"], part["metadata"].get("annotations", {})
        if part["kind"] == "CronJob":
            spec = part["spec"]
            wanted = {"startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"}
            told += [f"{name} has no {one}" for one in sorted(wanted - spec.keys())]
            if spec.get("concurrencyPolicy") != "Forbid":
                told.append(f"{name} may run twice at once")
            if annotations.get(IGNORED) != "true":
                told.append(f"{name} makes the service unhealthy when it fails")
        if part["kind"] == "Job" and annotations.get(HOOK) not in ("Sync", "PostSync"):
            told.append(f"{name} is no hook of a sync")
        if part["kind"] == "Job" and annotations.get(f"{HOOK}-delete-policy") != "BeforeHookCreation":
            told.append(f"{name} stays, and cannot be changed")
        if part["kind"] in ("CronJob", "Job"):
            spec = part["spec"].get("jobTemplate", part)["spec"]
            told += [f"{name} has no {one}" for one in ("activeDeadlineSeconds", "backoffLimit") if one not in spec]
    return told


def services(found: list[Object]) -> dict[str, int]:
    """The Services that Seldon creates, with the HTTP port: a container's own, a predictor's the executor's, if any."""
    made: dict[str, int] = {}
    for part in (one for one in found if one["kind"] == "SeldonDeployment"):
        for predictor in part["spec"]["predictors"]:
            ports = [
                port["containerPort"]
                for spec in predictor["componentSpecs"]
                for one in spec["spec"]["containers"]
                for port in one.get("ports", [])
                if port["name"] == "http"
            ]
            name, port = f"{part['metadata']['name']}-{predictor['name']}", next(iter(ports), 9000)
            made |= {f"{name}-{predictor['graph']['name']}": port, name: 8000 if engine(predictor) else port}
    return made


def _needed(spec: Object) -> Iterator[tuple[str, str]]:
    """Kinds and names of the objects that a pod needs to start."""
    yield "ServiceAccount", spec.get("serviceAccountName", "default")
    for volume in spec.get("volumes", []):
        yield from [("PersistentVolumeClaim", volume[kind]["claimName"]) for kind in volume if kind.startswith("pers")]
        yield from [("ConfigMap", volume[kind]["name"]) for kind in volume if kind == "configMap"]
        yield from [("Secret", volume[kind]["secretName"]) for kind in volume if kind == "secret"]
    for container in containers(spec):
        sources = container.get("envFrom", []) + [one.get("valueFrom", {}) for one in container.get("env", [])]
        for key, reference in ((key, one[key]) for one in sources for key in one):
            kind = {"configMapRef": "ConfigMap", "configMapKeyRef": "ConfigMap"}.get(key, "Secret")
            if key.endswith("Ref") and key != "fieldRef" and not reference.get("optional"):
                yield kind, reference["name"]


def _selectors(part: Object) -> Iterator[Object]:
    """The pod selectors of an object and of its pods."""
    spec = part["spec"]
    template = spec.get("jobTemplate", part)["spec"].get("template", {}).get("spec", {})
    for terms in template.get("affinity", {}).get("podAffinity", {}).values():
        for term in terms:
            yield term.get("podAffinityTerm", term)["labelSelector"]
    if part["kind"] == "PodMonitor":
        yield spec["selector"]
    if part["kind"] == "Service":
        yield {"matchLabels": spec["selector"]}


def _ports(part: Object, found: list[Object]) -> list[str]:
    """Ports that a Prometheus monitor scrapes but none of its targets names."""
    if part["kind"] != "PodMonitor":
        return []
    chosen = [spec for _, labels, spec in pods(found) if selects(part["spec"]["selector"], labels)]
    names = {port.get("name") for spec in chosen for one in containers(spec) for port in one.get("ports", [])}
    return [one["port"] for one in part["spec"]["podMetricsEndpoints"] if one["port"] not in names]


def references(found: list[Object], given: frozenset[tuple[str, str]] = frozenset()) -> list[str]:
    """References to missing objects, ports without a listener, and selectors without a pod.

    `given` names objects created by hand; the cluster has the account `default`.
    """
    there = {(part["kind"], part["metadata"]["name"]) for part in found} | given | {("ServiceAccount", "default")}
    there |= {("Secret", part["spec"]["target"]["name"]) for part in found if part["kind"] == "ExternalSecret"}
    for part in found:
        claims = part.get("spec", {}).get("volumeClaimTemplates", [])
        there |= {("PersistentVolumeClaim", claim["metadata"]["name"]) for claim in claims}
    made = services(found)
    told = [
        f"{name} names the {kind} {one}, which is not there"
        for name, _, spec in pods(found)
        for kind, one in _needed(spec)
        if (kind, one) not in there
    ]
    for name, _, spec in pods(found):
        told += [f"{name} mounts at {path} what is no volume" for _, path, volume in _mounts(spec) if not volume]
        arguments = str([one.get("args") for one in containers(spec)])
        for host, port in re.findall(r"http://([a-z0-9-]+):(\d+)", arguments):
            told += [f"{name} asks {host}:{port}, where nothing listens"] * (made.get(host) != int(port))
    for part in (one for one in found if "spec" in one):
        told += [f"{part['kind']} {part['metadata']['name']} {fault}" for fault in _dangling(part, found, there, made)]
    return told


def _dangling(part: Object, found: list[Object], there: set[tuple[str, str]], made: dict[str, int]) -> Iterator[str]:
    """Missing objects that an object names, calls or selects."""
    spec = part["spec"]
    own = spec.get("template", {}).get("metadata", {}).get("labels", {})
    if part["kind"] in ("Deployment", "StatefulSet") and not spec["selector"]["matchLabels"].items() <= own.items():
        yield "does not select its pods"
    if part["kind"] == "StatefulSet" and ("Service", spec["serviceName"]) not in there:
        yield "names a Service that is not there"
    if part["kind"] == "HTTPRoute":
        for to in (to for rule in spec["rules"] for to in rule["backendRefs"]):
            if made.get(to["name"]) != to["port"]:
                yield f"leads to {to['name']}:{to['port']}, where nothing listens"
    if made or part["kind"].startswith("Service"):  # selectors of a release's pods may precede the first release
        yield from (f"asks for the port {port}, which nothing names" for port in _ports(part, found))
        labels = [own for _, own, _ in pods(found)]
        if any(not any(selects(chosen, own) for own in labels) for chosen in _selectors(part)):
            yield "selects no pod"


def network(found: list[Object]) -> list[str]:
    """Connections that are allowed but not needed, or needed but not allowed."""
    roles = {labels[ROLE] for _, labels, _ in pods(found)}
    made = services(found)
    ports = {9000, *made.values()} if made else set()
    wanted = {(source, f"serve:{port}") for source in ("outside", "Prometheus") for port in ports}
    wanted |= {("Prometheus", f"{role}:9091") for role in roles & {"pushgateway"}}
    for _, labels, spec in pods(found):
        role, text = labels[ROLE], str(containers(spec))
        if role == "smoke":
            wanted |= {(role, "DNS"), *((role, f"serve:{port}") for port in ports)}
        if "PUSHGATEWAY" in text:
            wanted |= {(role, "DNS"), (role, "pushgateway:9091")}
        if "MLFLOW_TRACKING_URI" in text:
            wanted |= {(role, "DNS"), (role, "MLflow")}
        if "GITHUB_REPOSITORY" in text or "'name': 'store-" in text:  # the latter is an object store
            wanted |= {(role, "DNS"), (role, "HTTPS")}
    allowed = flows(found, roles)
    return (
        unknown(found)
        + [f"{source} does not reach {target}" for source, target in sorted(wanted - allowed)]
        + [f"{source} reaches {target}" for source, target in sorted(allowed - wanted)]
    )


def accounts(found: list[Object]) -> list[str]:
    """Accounts that mount a token or cannot pull private images, and pods without their own account."""
    told = []
    for part in (one for one in found if one["kind"] == "ServiceAccount"):
        name = part["metadata"]["name"]
        told += [f"{name} hands out a token"] * (part.get("automountServiceAccountToken") is not False)
        told += [f"{name} has no Secret to pull images with"] * (not part.get("imagePullSecrets"))
    return told + [f"{name} has no account" for name, _, spec in pods(found) if "serviceAccountName" not in spec]


CHECKS: dict[str, Callable[[list[Object]], list[str]]] = {
    "accounts": accounts,
    "digests": digests,
    "fields": fields,
    "jobs": jobs,
    "network": network,
    "operator": operator,
    "references": references,
    "restricted": restricted,
    "seldon": seldon,
    "temporary": temporary,
}


def problems(found: list[Object]) -> list[str]:
    return [problem for check in CHECKS.values() for problem in check(found)]


def outdated(kustomization: Any) -> list[str]:
    """A kustomization's deprecated fields, and `openapi`, which breaks a SeldonDeployment."""
    names = {"bases", "commonLabels", "patchesStrategicMerge", "patchesJson6902", "vars", "imageTags", "openapi"}
    found = sorted(names & set(kustomization))
    return found + ["labels without pairs"] * any("pairs" not in one for one in kustomization.get("labels", ()))
