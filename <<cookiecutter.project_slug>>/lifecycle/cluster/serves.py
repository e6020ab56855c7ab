"""What a cluster serves: kinds in their versions, webhooks with pods, a Gateway with an address, Secrets with keys."""

from collections.abc import Collection, Iterable, Iterator

from lifecycle.cluster.ask import Cluster, Object
from lifecycle.findings import Finding

WEBHOOKS = ("validatingwebhookconfigurations", "mutatingwebhookconfigurations")
# The Application of the platform that brings a group.
PARTS = {
    "cert-manager.io": "cert-manager",
    "gateway.envoyproxy.io": "gateway",
    "gateway.networking.k8s.io": "gateway",
    "machinelearning.seldon.io": "seldon",
    "monitoring.coreos.com": "monitoring",
    "policies.kyverno.io": "policy",
}


def custom(version: str) -> bool:
    """Whether a version, such as `apps/v1`, is of a group that an operator brings."""
    group = version.rpartition("/")[0]
    return "." in group and (not group.endswith(".k8s.io") or group.startswith("gateway."))


def kinds(cluster: Cluster, wanted: Iterable[tuple[str, str]]) -> Iterator[Finding]:
    """For each pair of version and kind, such as `apps/v1` and `Deployment`."""
    served: dict[str, set[str]] = {}
    for version, kind in sorted(set(wanted)):
        if version not in served:
            found = cluster.raw(f"/apis/{version}") or {"resources": []}
            served[version] = {resource["kind"] for resource in found["resources"]}
        group = version.rpartition("/")[0]
        fix = (
            f"see `kubectl describe application {PARTS[group]} -n argocd`" if group in PARTS else "install its operator"
        )
        if kind not in served[version] and (other := cluster.raw(f"/apis/{group}")):
            fix = f"the cluster has {', '.join(one['groupVersion'] for one in other['versions'])}; {fix}"
        yield Finding(f"the cluster has the kind {kind} of {version}", kind in served[version], fix)


def webhooks(cluster: Cluster) -> Iterator[Finding]:
    """For each Service that the API server asks before it takes an object."""
    asked: dict[tuple[str, str], bool] = {}
    for kind in WEBHOOKS:
        for hook in (hook for one in cluster.objects(kind) for hook in one.get("webhooks", [])):
            if service := hook["clientConfig"].get("service"):
                place = service["namespace"], service["name"]
                asked[place] = asked.get(place, False) or hook.get("failurePolicy", "Fail") == "Fail"
    for (namespace, name), stops in sorted(asked.items()):
        words = ("--namespace", namespace, "--selector", f"kubernetes.io/service-name={name}")
        slices = cluster.objects("endpointslices.discovery.k8s.io", *words)
        yield Finding(
            f"the webhook {namespace}/{name} has a pod that is ready",
            any(ready(endpoint) for one in slices for endpoint in one.get("endpoints") or []),
            f"see `kubectl get pods -n {namespace}`",
            stops,
        )


def ready(endpoint: Object) -> bool:
    return (endpoint.get("conditions") or {}).get("ready") is not False  # no word means ready


def gateway(cluster: Cluster) -> Iterator[Finding]:
    """The Gateway of the models, which a cluster without load balancers gives no address."""
    found = cluster.one("gateways.gateway.networking.k8s.io", "models", "gateway") or {}
    yield Finding(
        "the Gateway `models` has an address",
        bool(found.get("status", {}).get("addresses")),
        "see `kubectl describe gateway models -n gateway`; a cluster without load balancers needs the platform's "
        "`components: [node]` in manifests/gateway/kustomization.yaml",
    )


def secret(
    cluster: Cluster, namespace: str, name: str, keys: Collection[str], fix: str, required: bool = False
) -> Iterator[Finding]:
    """Whether a Secret has its keys; their values are not looked at. Without keys, any one will do."""
    found = cluster.one("secret", name, namespace)
    held = set((found or {}).get("data") or {})
    lacks = [key for key in keys if key not in held]
    said = f"{namespace} has the Secret {name}" + (f" with {', '.join(keys)}" if keys else "")
    if found is not None and lacks:
        fix = f"it lacks {', '.join(lacks)}; {fix}"
    yield Finding(said, bool(held) and not lacks, fix, required)
