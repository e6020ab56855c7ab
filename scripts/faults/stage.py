"""The cluster with one model on it, and what is done to both: releases, promotions, and the wait for what follows."""

import json
import shutil
from typing import Any

from faults import Failed
from faults.cluster import ARGOCD, Cluster
from faults.repository import URL, Repository
from faults.stands import HUB, MODEL, caller, git, hub, models, namespace

PATIENCE = 900.0  # seconds until an environment must run git's revision
SPACE = f"{MODEL}-production"
SERVE = ("--namespace", SPACE, "--selector", "app.kubernetes.io/component=serve")
MODELS = ("application", "models", *ARGOCD)  # the platform's last part
SERVER = ("deployment", "argocd-repo-server", *ARGOCD)
GATEWAY = ("service", "--all-namespaces", "--selector", "gateway.envoyproxy.io/owning-gateway-name=models")
OPERATOR = ("deployment", "seldon-controller-manager", "--namespace", "seldon-system")
IDENTITIES = (
    "import glob, json; print(json.dumps(sorted({json.loads(line)['request'] for name in "
    "glob.glob('/predictions/version=*/hour=*/*.jsonl') for line in open(name) if line.endswith('\\n')})))"
)


class Stage:
    """All faults are tried on production, under load."""

    def __init__(self, cluster: Cluster, repository: Repository) -> None:
        self.cluster, self.repository = cluster, repository

    def check(self) -> None:
        """Raise Failed where the machine or the cluster lacks what is needed."""
        for tool in ("kubectl", "docker", "make", "openssl"):
            if not shutil.which(tool):
                raise Failed(f"{tool} is not installed; install it, then try again.")
        told = self.cluster.found("configmap", "argocd-notifications-cm", *ARGOCD).get("data", {})
        if f"enterpriseBaseURL: {HUB}" not in told.get("service.github", ""):
            raise Failed(
                f"Argo CD of this cluster does not tell {HUB}; take a cluster for trials, and add "
                f"`enterpriseBaseURL: {HUB}` below `service.github` in its manifests/argocd/notifications.yaml."
            )
        for part in (MODELS, SERVER, GATEWAY, OPERATOR):
            self.cluster.must(*part)

    def stand(self) -> None:
        """Put up git and the repository in it."""
        (server,) = self.cluster.must(*SERVER)["spec"]["template"]["spec"]["containers"]
        self.cluster.apply(namespace())
        self._up("git", git(server["image"]))

    def _up(self, name: str, parts: list[dict[str, Any]]) -> None:
        """Put up a pod of ours anew."""
        self.cluster.kubectl("delete", "pod", "--namespace", "e2e", "--ignore-not-found", "--now", name)
        self.cluster.apply(*parts)
        self.cluster.kubectl(
            "wait", "--namespace", "e2e", "--for", "condition=ready", "--timeout", "300s", f"pod/{name}"
        )

    def find(self, *urls: str) -> None:
        """Let the platform find the model, as it would on GitHub; two addresses are two repositories of one name."""
        source = self.cluster.must(*MODELS)["spec"]["source"]
        self.cluster.apply(models(source["repoURL"], source["targetRevision"], *(urls or (URL,))))

    def clear(self) -> None:
        """Wait until what an earlier run released is gone: Argo CD would apply the new to what is being deleted."""
        for name in (f"{MODEL}-{environment}" for environment in ("dev", "staging", "production")):
            if self.cluster.found("application", name, *ARGOCD):
                self.cluster.refresh(name)

        def gone() -> bool:
            served = self.cluster.found("seldondeployments", "--all-namespaces").get("items", [])
            return all(one["metadata"]["name"] != MODEL for one in served)

        self.cluster.until("The end of an earlier run's model", PATIENCE, gone)

    def listen(self, image: str) -> None:
        """Stand in GitHub's place, and give Argo CD an App's key if it has none; nobody checks it."""
        if not self.cluster.found("secret", "argocd-notifications-secret", *ARGOCD):
            key = self.repository.run("openssl", "genrsa", "-traditional", "2048")
            given = {"github-app-id": "1", "github-installation-id": "1", "github-private-key": key}
            about = {"name": "argocd-notifications-secret", "namespace": "argocd"}
            self.cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": about, "stringData": given})
        self._up("hub", hub(image))

    def call(self, image: str) -> None:
        """Begin to send requests through the gateway."""
        (way,) = self.cluster.must(*GATEWAY)["items"]
        host = f"{way['metadata']['name']}.{way['metadata']['namespace']}"
        self._up(
            "caller", caller(image, f"http://{host}/seldon/{SPACE}/{MODEL}/api/v1.0/predictions", self.repository.row())
        )

    def versions(self) -> dict[str, str]:
        """Of what the cluster runs, for the page."""
        server = json.loads(self.cluster.kubectl("version", "--output", "json"))["serverVersion"]["gitVersion"]
        (argo,) = self.cluster.must(*SERVER)["spec"]["template"]["spec"]["containers"]
        (seldon,) = self.cluster.must(*OPERATOR)["spec"]["template"]["spec"]["containers"]
        tags = (one["image"].partition("@")[0].rpartition(":")[2] for one in (argo, seldon))
        return dict(zip(("Kubernetes", "Argo CD", "Seldon's operator"), (server, *tags), strict=True))

    def calls(self) -> list[Any]:
        """Each request so far: when, status, identity."""
        return list(self.cluster.served("caller", "calls"))

    def logged(self) -> set[str]:
        """The requests in production's prediction log."""
        place = ("--namespace", SPACE, f"deployment/{MODEL}-main-0-model", "--container", "model")
        return set(json.loads(self.cluster.kubectl("exec", *place, "--", "python", "-c", IDENTITIES)))

    def words(self) -> list[dict[str, Any]]:
        """What GitHub took, in order."""
        return [one for one in self.cluster.served("hub", "words") if one["taken"]]

    def built(self) -> dict[str, str]:
        """Train what is committed, compare it with production's model, and build its images."""
        self.repository.champion()
        for verb in ("data", "train", "evaluate", "gate", "report"):
            self.repository.make(verb)
        images = {name.upper(): self.repository.image(name) for name in ("serve", "monitor")}
        self.repository.keep(images["SERVE"])
        return images

    def release(self, images: dict[str, str]) -> None:
        self.repository.make("release", ENV="dev", **images)
        self.repository.commit("Release to dev")
        self.runs("dev")

    def promote(self, environment: str, share: str = "") -> None:
        self.repository.make("promote", ENV=environment, SHARE=share)
        self.repository.commit(f"Promote to {f'{share}% of ' if share else ''}{environment}")
        self.runs(environment)

    def runs(self, environment: str, seconds: float = PATIENCE) -> None:
        """Wait until an environment runs git's revision healthily and has passed its smoke test."""
        name, wanted = f"{MODEL}-{environment}", (self.repository.head(), "Succeeded", "Synced", "Healthy")
        self.cluster.until(
            f"Application {name}", PATIENCE, lambda: bool(self.cluster.found("application", name, *ARGOCD))
        )
        self.cluster.refresh(name)

        def there() -> bool:
            shown = self.cluster.application(name)
            return (shown["revision"], shown["phase"], shown["sync"], shown["health"]) == wanted

        self.cluster.until(f"{' '.join(wanted[1:])} of {name}", seconds, there)

    def settles(self, seconds: float = PATIENCE) -> None:
        """Wait until production is synced and healthy, whatever its revision, with as many ready pods as it asks for.

        A new Deployment has one until the autoscaler comes to it.
        """

        def there() -> bool:
            shown = self.cluster.application(SPACE)
            pods = self.cluster.found("pods", *SERVE).get("items", [])
            scaled = self.cluster.found("hpa", "--namespace", SPACE).get("items", [])
            least = max([1, *(one["spec"].get("minReplicas", 1) for one in scaled)])
            whole = len(pods) >= least and all(map(ready, pods))
            return whole and (shown["sync"], shown["health"]) == ("Synced", "Healthy")

        self.cluster.until(f"Synced Healthy of {SPACE}", seconds, there)


def ready(pod: dict[str, Any]) -> bool:
    """Whether a pod is ready and stays."""
    conditions = pod.get("status", {}).get("conditions", [])
    up = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return up and "deletionTimestamp" not in pod["metadata"]
