"""What a cluster lacks, each check seen to hold and to fail on objects of the API's shape."""

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from apiserver import BOUND, Change, Objects, cluster, of, without
from tiny import ROOT, document

from lifecycle import InputError, config
from lifecycle.cluster import capacity, needs, serves
from lifecycle.cluster.ask import Cluster, UnknownError, version
from lifecycle.findings import Finding


def lacking(found: Iterable[Finding]) -> list[str]:
    return [f"{one.name}: {one.fix}" for one in found if not one.holds]


def claim(*modes: str, named: str = "") -> dict[str, Any]:
    spec = {"accessModes": list(modes)} | ({"storageClassName": named} if named else {})
    return {"kind": "PersistentVolumeClaim", "metadata": {"name": "predictions", "namespace": "a"}, "spec": spec}


@pytest.mark.parametrize(
    ("kind", "change", "told"),
    [
        (
            "x.seldon.io/v1",
            "SeldonDeployment",
            "the cluster has the kind SeldonDeployment of x.seldon.io/v1: install its",
        ),
        (
            "machinelearning.seldon.io/v2",
            "SeldonDeployment",
            "the cluster has machinelearning.seldon.io/v1; see `kubectl describe application seldon -n argocd`",
        ),
        ("gateway.networking.k8s.io/v1", "TLSRoute", "see `kubectl describe application gateway -n argocd`"),
    ],
)
def test_a_kind_that_is_not_there_is_named_with_who_brings_it(kind: str, change: str, told: str) -> None:
    assert lacking(serves.kinds(cluster(), [("machinelearning.seldon.io/v1", "SeldonDeployment")])) == []
    (found,) = lacking(serves.kinds(cluster(), [(kind, change)]))
    assert told in found


@pytest.mark.parametrize(
    "change",
    [
        without("EndpointSlice"),
        lambda objects: of(objects, "EndpointSlice").pop("endpoints"),
        lambda objects: of(objects, "EndpointSlice")["endpoints"][0]["conditions"].update(ready=False),
    ],
)
def test_a_webhook_without_a_ready_pod_is_told(change: Change) -> None:
    assert lacking(serves.webhooks(cluster())) == []
    name = "the webhook seldon-system/seldon-webhook-service has a pod that is ready"
    assert lacking(serves.webhooks(cluster(change))) == [f"{name}: see `kubectl get pods -n seldon-system`"]


def test_a_gateway_without_an_address_is_told() -> None:
    assert lacking(serves.gateway(cluster())) == []
    for change in (without("Gateway"), lambda objects: of(objects, "Gateway").pop("status")):
        (found,) = lacking(serves.gateway(cluster(change)))
        assert "a cluster without load balancers needs the platform's `components: [node]`" in found


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (without("Secret"), "tiny-production has the Secret github with GITHUB_TOKEN: make it"),
        (lambda objects: of(objects, "Secret").update(data={"TOKEN": "eA=="}), "it lacks GITHUB_TOKEN; make it"),
    ],
)
def test_a_secret_is_known_by_name_and_key(change: Change, told: str) -> None:
    wanted = ("tiny-production", "github", ("GITHUB_TOKEN",), "make it")
    assert lacking(serves.secret(cluster(), *wanted)) == []
    (found,) = lacking(serves.secret(cluster(change), *wanted))
    assert told in found


@pytest.mark.parametrize(
    ("wanted", "change", "told"),
    [
        (claim("ReadWriteOnce"), lambda _: None, None),
        (claim("ReadWriteMany", named="files"), lambda _: None, None),
        (claim("ReadWriteMany"), lambda objects: objects.append(claim("ReadWriteMany") | BOUND), None),
        (claim("ReadWriteMany"), lambda _: None, "ebs.csi.aws.com (StorageClass disk) is for one node: switch on comp"),
        (claim("ReadWriteOnce", named="x"), lambda _: None, "the cluster has no StorageClass x; there is disk, files"),
        (
            claim("ReadWriteOnce"),
            lambda objects: of(objects, "StorageClass")["metadata"].pop("annotations"),
            "the cluster has no default StorageClass: `kubectl annotate storageclass NAME",
        ),
        (
            claim("ReadWriteMany"),
            lambda objects: of(objects, "StorageClass").update(provisioner="example.org/own"),
            "may be for one node, which Kubernetes cannot tell",
        ),
        (
            claim("ReadWriteOnce"),
            lambda objects: objects.append(claim("ReadWriteMany")),
            "it is ReadWriteMany, which cannot be changed; see the runbook Pods stay pending",
        ),
    ],
)
def test_a_claim_that_no_volume_would_serve_is_told(wanted: dict[str, Any], change: Change, told: str | None) -> None:
    found = lacking(capacity.volume(cluster(change), "a", wanted))
    assert [told in one for one in found if told] == ([True] if told else [])
    assert bool(found) == bool(told)


@pytest.mark.parametrize(
    ("key", "used", "limits", "told"),
    [
        ("requests.cpu", "7800m", None, "one more pod's requests.cpu: raise it: `kubectl edit resourcequota team"),
        ("requests.memory", "15.5Gi", None, "one more pod's requests.memory"),
        ("pods", "20", None, "one more pod's pods"),
        ("services", "5", None, None),
        ("limits.cpu", "1", None, "add a LimitRange with a default"),
        ("limits.cpu", "1", {"type": "Container", "default": {"cpu": "1"}}, None),
    ],
)
def test_a_quota_without_room_is_told(key: str, used: str, limits: dict[str, Any] | None, told: str | None) -> None:
    def change(objects: Objects) -> None:
        status = of(objects, "ResourceQuota")["status"]
        status["hard"].setdefault(key, "20")
        status["used"][key] = used
        if limits:
            objects.append(
                {"kind": "LimitRange", "metadata": {"namespace": "tiny-production"}, "spec": {"limits": [limits]}}
            )

    assert lacking(capacity.quota(cluster(), "tiny-production", 0.5, 1024.0**3)) == []
    found = lacking(capacity.quota(cluster(change), "tiny-production", 0.5, 1024.0**3))
    assert [told in one for one in found if told] == ([True] if told else [])
    assert bool(found) == bool(told)


@pytest.mark.parametrize(
    "change",
    [
        lambda objects: of(objects, "Pod")["spec"]["containers"][0]["resources"]["requests"].update(cpu="3500m"),
        lambda objects: of(objects, "Pod")["spec"].update(
            initContainers=[{"resources": {"requests": {"memory": "13.5Gi"}}}]
        ),
        lambda objects: of(objects, "Node")["spec"].update(unschedulable=True),
        lambda objects: of(objects, "Node")["spec"].update(taints=[{"key": "a", "effect": "NoSchedule"}]),
    ],
)
def test_no_node_with_room_is_told(change: Change) -> None:
    assert lacking(capacity.free(cluster(), 0.5, 1024.0**3, "a pod")) == []
    (found,) = lacking(capacity.free(cluster(change), 0.5, 1024.0**3, "a pod"))
    assert found.startswith("a node has 0.5 CPU and 1 GiB free for a pod: at most")


def test_all_nodes_together_may_have_room() -> None:
    def change(objects: Objects) -> None:
        objects.append(copy.deepcopy(of(objects, "Node")) | {"metadata": {"name": "two"}})

    assert lacking(capacity.free(cluster(change), 6, 1, "all")) != []
    assert lacking(capacity.free(cluster(change), 6, 1, "all", whole=True)) == []


@pytest.mark.parametrize(("text", "number"), [("100m", 0.1), ("2", 2), ("1Gi", 2**30), ("1e3", 1000), ("5M", 5e6)])
def test_quantities_are_read(text: str, number: float) -> None:
    assert capacity.quantity(text) == pytest.approx(number)


RENDERED = (
    "{kind: PersistentVolumeClaim, metadata: {name: predictions, namespace: tiny-production}, "
    "spec: {accessModes: [ReadWriteOnce]}}"
)
OVERLAY = """components:
  - release
  - ../../components/one-node
  - ../../components/shipping
  - ../../components/secrets
  - ../../components/retraining
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> config.Config:
    """Of a repository whose overlay of production has components; its other folders are this repository's."""
    (tmp_path / "manifests/overlays/production").mkdir(parents=True)
    (tmp_path / "manifests/overlays/production/kustomization.yaml").write_text(OVERLAY)
    for name in ("base", "components"):
        (tmp_path / "manifests" / name).symlink_to(ROOT / "manifests" / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("lifecycle.releasing.render.manifests", lambda _: RENDERED)
    features = {"shape": {"type": "category", "log": "hash"}, "number": {"type": "number"}}
    tiny = document("binary_classification", tmp_path / "x.parquet", "0" * 64)
    tiny |= {"data": tiny["data"] | {"features": features}, "promote": {"order": ["production"]}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(tiny))
    return config.load(tmp_path / "config.yaml")


def test_what_the_overlays_and_their_components_need_is_asked_for(settings: config.Config) -> None:
    found = {one.name: one for one in needs.missing(cluster(), settings)}
    assert [name for name, one in found.items() if not one.holds] == [
        "the cluster has the kind ExternalSecret of external-secrets.io/v1",
        "components/one-node is the last of production",
        "tiny-production may run on several nodes",
        "tiny-production has the Secret store",
        "tiny-production has the Secret log with LOG_KEY",
    ]
    assert found["tiny-production has the Secret github with GITHUB_TOKEN"].holds
    assert "the cluster of here answers, v1.35.0" in found
    assert "tiny-production gets a volume for the claim predictions (ReadWriteOnce)" in found
    assert "a node has 0.5 CPU and 1 GiB free for the largest pod" in found


def test_what_may_not_be_read_is_told_and_the_rest_goes_on(settings: config.Config) -> None:
    found = [*needs.missing(cluster(lambda objects: of(objects, "Node").update(forbidden=True)), settings)]
    assert found[-1].fix == "unknown, ask who runs the cluster: Node is forbidden"
    assert (found[-1].holds, found[-1].required) == (False, False)


def test_something_required_that_is_missing_fails_the_verb(
    settings: config.Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("lifecycle.cluster.needs.Cluster", lambda _: cluster())
    with pytest.raises(InputError, match="The cluster lacks 4 of 18 things that are required"):
        needs.run("here", settings)
    assert "  MISSING tiny-production has the Secret log with LOG_KEY: the service does not start" in (
        capsys.readouterr().out
    )


SAYS = {
    '*"/version"': """echo '{"gitVersion": "v1.35.0"}'""",
    '*"get secret a"*': """echo 'Error from server (NotFound): secrets "a" not found' >&2; exit 1""",
    '*"get secret b"*': """echo 'Error from server (Forbidden): secrets "b" is forbidden' >&2; exit 1""",
    '*"get things"*': """echo "error: the server doesn't have a resource type" >&2; exit 1""",
    '*"get nodes --output json"': """echo '{"items": [{"a": 1}]}'""",
}


def test_kubectl_is_asked_for_json_of_the_context(tmp_path: Path) -> None:
    program = tmp_path / "kubectl"
    cases = "".join(f"  {words}) {answer} ;;\n" for words, answer in SAYS.items())
    program.write_text(f'#!/bin/sh\n[ "$1 $2" = "--context here" ] || exit 9\ncase "$*" in\n{cases}esac\n')
    program.chmod(0o755)
    asked = Cluster("here", str(program))
    assert version(asked) == "v1.35.0"
    assert asked.objects("nodes") == [{"a": 1}]
    assert asked.objects("things") == []
    assert asked.one("secret", "a", "x") is None
    with pytest.raises(UnknownError, match="is forbidden"):
        asked.one("secret", "b", "x")
    program.write_text('#!/bin/sh\necho "The connection to the server was refused" >&2; exit 1\n')
    with pytest.raises(InputError, match="The cluster of the context here cannot be asked.*was refused"):
        version(asked)


def test_without_kubectl_one_sentence_says_so() -> None:
    with pytest.raises(InputError, match="nowhere is not installed; install it, then try again."):
        version(Cluster("here", "nowhere"))
