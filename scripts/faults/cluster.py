"""Speaks to the cluster that KUBECONFIG names, with kubectl alone."""

import json
import subprocess
import time
from collections.abc import Callable
from typing import Any

from faults import Failed

ARGOCD = ("--namespace", "argocd")


class Cluster:
    """What is asked of the cluster, and the waiting for it."""

    def kubectl(self, *arguments: str, given: str | None = None) -> str:
        """Run kubectl and return what it prints; raises Failed with what it says."""
        command = ["kubectl", *arguments]
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
        return done.stdout

    def found(self, *arguments: str) -> dict[str, Any]:
        """An object or a list of them; empty if there is none."""
        text = self.kubectl("get", *arguments, "--ignore-not-found", "--output", "json")
        return dict(json.loads(text)) if text.strip() else {}

    def must(self, *arguments: str) -> dict[str, Any]:
        """An object, or a list of at least one, that a platform has; raises Failed if it does not."""
        found = self.found(*arguments)
        if not found or not found.get("items", [found]):
            raise Failed(
                f"`kubectl get {' '.join(arguments)}` finds nothing; wait until the platform is up, then try again."
            )
        return found

    def apply(self, *parts: dict[str, Any]) -> None:
        listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": parts})
        self.kubectl("apply", "--server-side", "--force-conflicts", "--filename", "-", given=listed)

    def served(self, name: str, path: str, body: Any = None) -> Any:
        """The answer of a service of ours, through the API server; a body is posted."""
        place = f"/api/v1/namespaces/e2e/services/{name}:80/proxy/{path}"
        if body is None:
            return json.loads(self.kubectl("get", "--raw", place))
        return json.loads(self.kubectl("create", "--raw", place, "--filename", "-", given=json.dumps(body)))

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)

    def until(self, what: str, seconds: float, holds: Callable[[], bool]) -> float:
        """Wait until something holds; returns the seconds, and raises Failed when they are used up."""
        begin = time.monotonic()
        while not holds():
            if time.monotonic() - begin > seconds:
                raise Failed(f"{what} did not come within {seconds:.0f} s.")
            self.pause(2)
        return time.monotonic() - begin

    def application(self, name: str) -> dict[str, str]:
        """What Argo CD shows of an Application: revision, phase, sync, health and the message of its last sync."""
        status = self.found("application", name, *ARGOCD).get("status", {})
        last = status.get("operationState", {})
        return {
            "revision": last.get("syncResult", {}).get("revision", ""),
            "phase": last.get("phase", ""),
            "sync": status.get("sync", {}).get("status", ""),
            "health": status.get("health", {}).get("status", ""),
            "message": last.get("message", ""),
        }

    def end(self, name: str) -> None:
        """End the sync of an Application, as `argocd app terminate-op` does."""
        patch = json.dumps({"status": {"operationState": {"phase": "Terminating"}}})
        self.kubectl("patch", "application", name, *ARGOCD, "--type", "merge", "--patch", patch)

    def refresh(self, name: str) -> None:
        """Let Argo CD look at git now, as GitHub's webhook would."""
        mark = "argocd.argoproj.io/refresh=normal"
        self.kubectl("annotate", "--overwrite", *ARGOCD, "application", name, mark)
