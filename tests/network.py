"""Who reaches whom in a model's namespace, worked out from its network policies as a cluster would."""

from schemas import Object

ROLE = "app.kubernetes.io/component"
NAMESPACE = "kubernetes.io/metadata.name"
# What is outside of the namespace: where it is, and the port that it listens at.
OUTSIDE = {
    "DNS": ("kube-system", 53),
    "Pushgateway": ("monitoring", 9091),
    "HTTPS": ("", 443),  # GitHub or an object store, anywhere
    "HTTP": ("", 80),
    "another model": ("other-production", 9000),
}
PORTS = (8000, 9000)
Flow = tuple[str, str]


def _selects(selector: Object, labels: Object) -> bool:
    wanted = selector.get("matchLabels", {}).items() <= labels.items()
    return wanted and all(
        one["operator"] == "In" and labels.get(one["key"]) in one["values"]
        for one in selector.get("matchExpressions", [])
    )


def _peer(peer: Object, role: str, namespace: str) -> bool:
    """Whether a peer of a rule is the pods of a role in this namespace, or a place outside of it."""
    if "namespaceSelector" in peer:
        return bool(namespace) and _selects(peer["namespaceSelector"], {NAMESPACE: namespace})
    return bool(role) and _selects(peer.get("podSelector", {}), {ROLE: role})


def _allowed(policies: list[Object], role: str, way: str, other: tuple[str, str], port: int) -> bool:
    """Whether the pods of a role may send to (Egress) or take from (Ingress) another; what no policy selects, may."""
    chosen = [one for one in policies if way in one["policyTypes"] and _selects(one["podSelector"], {ROLE: role})]
    peers = "to" if way == "Egress" else "from"
    return not chosen or any(
        (not rule.get(peers) or any(_peer(peer, *other) for peer in rule[peers]))
        and (not rule.get("ports") or any(one["port"] == port for one in rule["ports"]))
        for one in chosen
        for rule in one.get(way.lower(), [])
    )


def flows(found: list[Object], roles: set[str]) -> set[Flow]:
    """Each pair of a role, or the outside, and what it may connect to."""
    policies = [one["spec"] for one in found if one["kind"] == "NetworkPolicy"]
    inside = {
        (source, f"{target}:{port}")
        for source in roles
        for target in roles - {source}
        for port in PORTS
        if _allowed(policies, source, "Egress", (target, ""), port)
        and _allowed(policies, target, "Ingress", (source, ""), port)
    }
    out = {
        (source, place)
        for source in roles
        for place, (namespace, port) in OUTSIDE.items()
        if _allowed(policies, source, "Egress", ("", namespace), port)
    }
    entering = {
        ("outside", f"{target}:{port}")
        for target in roles
        for port in PORTS
        if _allowed(policies, target, "Ingress", ("", "gateway"), port)
    }
    return inside | out | entering
