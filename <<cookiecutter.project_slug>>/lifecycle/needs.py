"""Lists what the components that an overlay switches on need from its cluster, each with what brings it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

from lifecycle.strict import parsed

OVERLAYS = Path("manifests/overlays")
# Of each component: what kubectl must find, and what to do without it. {} is the namespace.
NEEDS = {
    "retraining": (
        "secret/github",
        "alerts are not told to GitHub: `kubectl create secret generic github -n {} --from-literal GITHUB_TOKEN=TOKEN`",
    ),
    "secrets": (
        "crd/externalsecrets.external-secrets.io",
        "each sync fails: take the component out and make the Secret `store` by hand, or install the operator",
    ),
}


def _components(overlay: Path) -> tuple[str, set[str]]:
    """The namespace of an overlay, and the names of its components; none of one that cannot be read."""
    try:
        document = parsed((overlay / "kustomization.yaml").read_bytes())
        return str(document["namespace"]), {Path(str(one)).name for one in document["components"]}
    except (OSError, yaml.YAMLError, ValueError, RecursionError, TypeError, KeyError):
        return "", set()


def missing(answers: Callable[..., bool], overlays: Path = OVERLAYS) -> Iterator[tuple[str, bool, str]]:
    """The name of each need, whether the cluster of kubectl has it, and what to do; `answers` runs a command."""
    for overlay in sorted(overlays.iterdir()) if overlays.is_dir() else []:
        namespace, components = _components(overlay)
        for component, (what, instead) in NEEDS.items():
            if component in components:
                holds = answers("kubectl", "get", what, "--namespace", namespace, "--request-timeout", "5s")
                without = f"kubectl does not find it; without it {instead.format(namespace)}"
                yield f"{overlay.name} has {what} for components/{component}", holds, without
