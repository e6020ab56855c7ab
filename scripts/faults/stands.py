"""What stands in the cluster beside the platform: git, a stand-in of GitHub, a caller; and an ApplicationSet."""

import copy
import json
from pathlib import Path
from typing import Any

import yaml

from faults import NAMESPACE, ROOT

MODEL, OWNER = "my-model", "acme"
GIT = f"git://git.{NAMESPACE}"
HUB = f"http://hub.{NAMESPACE}"  # what enterpriseBaseURL in the cluster's argocd-notifications-cm must say
CONTEXT = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
LISTED = "has .repository (list)"  # in manifests/models/repositories.yaml: the repositories that may run the executor


def namespace() -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}


def _pod(name: str, image: str, command: list[str], port: int, files: dict[str, str]) -> list[dict[str, Any]]:
    """A pod that begins with the given files in /files, and a Service in front of it."""
    about = {"name": name, "namespace": NAMESPACE, "labels": {"e2e": name}}
    container = {
        "name": name,
        "image": image,
        "command": command,
        "ports": [{"name": "served", "containerPort": port}],
        "readinessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": CONTEXT,
        "volumeMounts": [{"name": "files", "mountPath": "/files"}, {"name": "data", "mountPath": "/data"}],
    }
    spec = {
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "fsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [{"name": "files", "configMap": {"name": name}}, {"name": "data", "emptyDir": {}}],
    }
    ports = [{"port": 9418 if name == "git" else 80, "targetPort": "served"}]
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": about, "data": files},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": about,
            "spec": {"selector": about["labels"], "ports": ports},
        },
        {"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": spec},
    ]


def git(image: str) -> list[dict[str, Any]]:
    """Argo CD's own image, which has git; what is pushed comes by `kubectl exec`."""
    command = ["git", "-c", "safe.directory=*", "daemon", "--export-all", "--base-path=/data"]
    return _pod("git", image, command, 9418, {})


def hub(image: str) -> list[dict[str, Any]]:
    """In GitHub's place, with the Python of the model's own image."""
    source = (Path(__file__).parent / "hub.py").read_text()
    return _pod("hub", image, ["python", "/files/hub.py", "8080"], 8080, {"hub.py": source})


def caller(image: str, address: str, row: dict[str, Any]) -> list[dict[str, Any]]:
    source = (Path(__file__).parent / "caller.py").read_text()
    command = ["python", "/files/caller.py", "8080", address, "/files/row.json"]
    return _pod("caller", image, command, 8080, {"caller.py": source, "row.json": json.dumps(row)})


def models(platform: str, branch: str, *urls: str) -> dict[str, Any]:
    """The platform's own ApplicationSet with a list in the place of GitHub's answer, and a name of its own."""
    text = (ROOT / "manifests/models/repositories.yaml").read_text()
    given = yaml.safe_load(text.replace(LISTED, f'{LISTED[:-1]} "{MODEL}")'))
    made: dict[str, Any] = copy.deepcopy(given)
    made["metadata"] = {"name": "e2e", "namespace": "argocd"}
    made["spec"]["generators"] = [
        {"list": {"elements": [{"repository": MODEL, "url": url, "branch": "main"} for url in urls]}}
    ]
    made["spec"]["template"]["spec"]["source"] |= {"repoURL": platform, "targetRevision": branch}
    return made
