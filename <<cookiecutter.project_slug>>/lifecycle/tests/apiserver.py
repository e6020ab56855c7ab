"""A cluster that kubectl can be asked for, with objects of the API's shape."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from lifecycle.cluster.ask import Cluster, UnknownError

Objects = list[dict[str, Any]]
Change = Callable[[Objects], object]
BOUND = {"status": {"phase": "Bound"}}
SERVED = {
    "gateway.envoyproxy.io/v1alpha1": ["BackendTrafficPolicy", "HTTPRouteFilter"],
    "gateway.networking.k8s.io/v1": ["Gateway", "HTTPRoute"],
    "machinelearning.seldon.io/v1": ["SeldonDeployment"],
}


class Fake(Cluster):
    """Answers as kubectl would of a cluster with some objects."""

    def __init__(self, objects: Objects) -> None:
        super().__init__("here")
        object.__setattr__(self, "has", objects)

    def _json(self, *words: str) -> dict[str, Any] | None:
        if words[:2] == ("get", "--raw"):
            return served(words[2])
        kind, rest = words[1].partition(".")[0], list(words[2:])
        found = [one for one in self.has if kind in named(one["kind"].lower())]  # type: ignore[attr-defined]
        for one in found:
            if one.get("forbidden"):
                raise UnknownError(f"{one['kind']} is forbidden")
        if "--namespace" in rest:
            namespace = rest[rest.index("--namespace") + 1]
            found = [one for one in found if one["metadata"]["namespace"] == namespace]
        if "--selector" in rest:
            key, _, value = rest[rest.index("--selector") + 1].partition("=")
            found = [one for one in found if one["metadata"]["labels"][key] == value]
        if rest[0].startswith("--"):
            return {"items": found}
        return next((one for one in found if one["metadata"]["name"] == rest[0]), None)


def named(kind: str) -> tuple[str, str]:
    """How kubectl calls one object of a kind, and several."""
    return kind, f"{kind}es" if kind.endswith("s") else f"{kind}s"


def served(path: str) -> dict[str, Any] | None:
    """Discovery: the version, the versions of a group, the kinds of a version."""
    if path == "/version":
        return {"gitVersion": "v1.35.0"}
    found = path.removeprefix("/apis/")
    if found in SERVED:
        return {"resources": [{"kind": kind} for kind in SERVED[found]]}
    versions = [{"groupVersion": one} for one in SERVED if one.startswith(f"{found}/")]
    return {"versions": versions} if versions else None


def cluster(change: Change = lambda _: None) -> Fake:
    objects = list(yaml.safe_load_all((Path(__file__).parent / "records/cluster.yaml").read_text()))
    change(objects)
    return Fake(objects)


def of(objects: Objects, kind: str) -> dict[str, Any]:
    return next(one for one in objects if one["kind"] == kind)


def without(kind: str) -> Change:
    return lambda objects: objects.remove(of(objects, kind))
