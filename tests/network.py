"""Computes the allowed connections in a model's namespace from its network policies, as a cluster would."""

from schemas import Object

ROLE = "app.kubernetes.io/component"
NAMESPACE = "kubernetes.io/metadata.name"
# Places outside of the namespace: their location and their ports.
OUTSIDE = {
    "DNS": ("", [(53, "UDP"), (53, "TCP")]),
    "HTTPS": ("", [(443, "TCP")]),  # GitHub or an object store
    "SSH": ("", [(22, "TCP")]),  # stands for all other ports
    "MLflow": ("mlflow", [(5000, "TCP")]),
    "another model": ("other-production", [(9000, "TCP")]),
}
ENTERING = {
    "outside": "envoy-gateway-system",
    "Prometheus": "monitoring",
}  # who comes from another namespace, and which
PORTS = (22, 8000, 9000, 9091)
Flow = tuple[str, str]


def selects(selector: Object, labels: Object) -> bool:
    """Whether a selector (labels, and expressions with `In`) matches these labels."""
    assert all(one["operator"] == "In" for one in selector.get("matchExpressions", []))
    wanted = selector.get("matchLabels", {}).items() <= labels.items()
    return wanted and all(labels.get(one["key"]) in one["values"] for one in selector.get("matchExpressions", []))


def unknown(found: list[Object]) -> list[str]:
    """Policy fields that this module does not support and must not ignore."""
    told = []
    for part in (one for one in found if one["kind"] == "NetworkPolicy"):
        for rule in part["spec"].get("ingress", []) + part["spec"].get("egress", []):
            for peer in rule.get("to", []) + rule.get("from", []):
                if set(peer) not in ({"podSelector"}, {"namespaceSelector"}):
                    told.append(f"{part['metadata']['name']} names {sorted(peer)}")
            if any(set(port) != {"port", "protocol"} for port in rule.get("ports", [])):
                told.append(f"{part['metadata']['name']} names a port without its protocol, or a range")
    return told


def _peer(peer: Object, role: str, namespace: str) -> bool:
    """Whether a rule's peer matches a role's pods in this namespace, or a place outside of it."""
    if "namespaceSelector" in peer:
        return bool(namespace) and selects(peer["namespaceSelector"], {NAMESPACE: namespace})
    return bool(role) and selects(peer.get("podSelector", {}), {ROLE: role})


def _allowed(policies: list[Object], role: str, way: str, other: tuple[str, str], port: tuple[int, str]) -> bool:
    """Whether a role's pods may send to (Egress) or receive from (Ingress) another; without a policy they may."""
    chosen = [one for one in policies if way in one["policyTypes"] and selects(one["podSelector"], {ROLE: role})]
    peers = "to" if way == "Egress" else "from"
    return not chosen or any(
        (not rule.get(peers) or any(_peer(peer, *other) for peer in rule[peers]))
        and (not rule.get("ports") or any((one["port"], one["protocol"]) == port for one in rule["ports"]))
        for one in chosen
        for rule in one.get(way.lower(), [])
    )


def flows(found: list[Object], roles: set[str]) -> set[Flow]:
    """All allowed connections, as pairs of source and target."""
    policies = [one["spec"] for one in found if one["kind"] == "NetworkPolicy"]
    inside = {
        (source, f"{target}:{port}")
        for source in roles
        for target in roles - {source}
        for port in PORTS
        if _allowed(policies, source, "Egress", (target, ""), (port, "TCP"))
        and _allowed(policies, target, "Ingress", (source, ""), (port, "TCP"))
    }
    out = {
        (source, place)
        for source in roles
        for place, (namespace, ports) in OUTSIDE.items()
        if all(_allowed(policies, source, "Egress", ("", namespace), port) for port in ports)
    }
    entering = {
        (source, f"{target}:{port}")
        for source, namespace in ENTERING.items()
        for target in roles
        for port in PORTS
        if _allowed(policies, target, "Ingress", ("", namespace), (port, "TCP"))
    }
    return inside | out | entering
