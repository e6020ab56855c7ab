"""What a cluster lacks for the platform, each check seen to hold and to fail."""

import base64
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import PROJECT, ROOT
from schemas import native

sys.path.append(str(ROOT / PROJECT / "lifecycle/tests"))
import needs  # isort: skip # it brings the folder of `lifecycle`, which the next needs
import apiserver

Objects = list[dict[str, Any]]
RECORD = ROOT / PROJECT / "lifecycle/tests/records/cluster.yaml"


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster on which the platform is installed, and no word of GitHub's command line."""
    kinds: dict[str, list[str]] = {}
    for version, kind in needs.kinds():
        kinds.setdefault(version, []).append(kind)
    monkeypatch.setattr(apiserver, "SERVED", kinds | {"metrics.k8s.io/v1beta1": ["NodeMetrics", "PodMetrics"]})
    monkeypatch.setenv("PATH", "")


def whole(objects: Objects) -> None:
    """Every Secret of the platform."""
    for namespace, name, keys, _, _ in needs.SECRETS:
        data = {key: base64.b64encode(b"7").decode() for key in keys}
        objects.append({"kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "data": data})


def lacking(*changes: Callable[[Objects], object]) -> dict[str, str]:
    def change(objects: Objects) -> None:
        whole(objects)
        for one in changes:
            one(objects)

    return {one.name: one.fix for one in needs.missing(apiserver.cluster(change)) if not one.holds}


UNKNOWN = "unknown: sign in with `gh auth login` as an owner of acme, then try again"
ALWAYS = {
    "its volumes may be written by several nodes",
    "the GitHub App of argocd/github-app may read contents",
    "the GitHub App of argocd/argocd-notifications-secret may write contents and write deployments",
}


def test_the_objects_of_the_fake_cluster_have_the_shape_of_the_api() -> None:
    objects = [one for one in yaml.safe_load_all(RECORD.read_text()) if one["kind"] != "Gateway"]
    assert len(objects) > 8
    assert native(objects) == []


def test_a_cluster_that_has_everything_is_told_of_nothing_but_what_is_unknown() -> None:
    found = lacking()
    assert found.keys() == ALWAYS
    assert {fix for name, fix in found.items() if "GitHub App" in name} == {UNKNOWN}
    assert "overlays keep components/one-node" in found["its volumes may be written by several nodes"]


def removed(name: str) -> Callable[[Objects], object]:
    return lambda objects: objects.remove(next(one for one in objects if one["metadata"]["name"] == name))


@pytest.mark.parametrize(
    ("change", "name", "fix"),
    [
        *((removed(name), f"{namespace} has the Secret {name}", fix) for namespace, name, _, fix, _ in needs.SECRETS),
        (
            lambda objects: apiserver.of(objects, "Node")["status"]["nodeInfo"].update(architecture="arm64"),
            "a node is amd64",
            "they are arm64, and Seldon's images are for amd64 only",
        ),
        (
            lambda objects: apiserver.of(objects, "Node")["status"]["allocatable"].update(cpu="1200m"),
            "the nodes have 0.5 CPU",
            "at most 0.2 CPU",
        ),
        (removed("disk"), "the default StorageClass has volumes", "the cluster has no default StorageClass"),
        (removed("seldon-webhook-service-x"), "the webhook seldon-system/", "see `kubectl get pods -n seldon-system`"),
        (removed("models"), "the Gateway `models` has an address", "see `kubectl describe gateway models"),
        (lambda _: apiserver.SERVED.pop("metrics.k8s.io/v1beta1"), "pods are measured", "install metrics-server"),
        (
            lambda _: apiserver.SERVED.pop("policies.kyverno.io/v1"),
            "the cluster has the kind ImageValidatingPolicy",
            "see `kubectl describe application policy -n argocd`",
        ),
    ],
)
def test_what_is_missing_is_named_with_what_brings_it(change: Callable[[Objects], object], name: str, fix: str) -> None:
    found = {one: said for one, said in lacking(change).items() if one.startswith(name)}
    assert found, name
    assert all(fix in said for said in found.values())


def test_before_the_bootstrap_the_cluster_is_asked_for_what_the_platform_will_need(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(apiserver, "SERVED", {})
    found = lacking()
    assert "`kubectl apply --server-side -k manifests/argocd`" in found["Argo CD is installed"]
    assert not [name for name in found if "webhook" in name or "kind" in name]
    names = [one.name for one in needs.missing(apiserver.cluster(whole))]
    assert "the nodes have 2.3 CPU and 3.7 GiB free for it" in names


@pytest.mark.parametrize(
    ("installed", "said"),
    [
        ('[{"app_id": 7, "permissions": {"contents": "write", "deployments": "write"}}]', ""),
        ('[{"app_id": 7, "permissions": {"contents": "read"}}]', "it lacks contents: write, deployments: write; give"),
        ('[{"app_id": 8, "permissions": {}}]', "no App with the id 7 is installed in acme; install it there"),
    ],
)
def test_the_rights_of_a_github_app_are_those_that_github_says(
    installed: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gh = tmp_path / "gh"
    gh.write_text(
        '#!/bin/sh\n[ "$*" = "api orgs/acme/installations?per_page=100" ] || exit 1\n'
        f"echo '{{\"installations\": {installed}}}'\n"
    )
    gh.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = lacking().get(
        "the GitHub App of argocd/argocd-notifications-secret may write contents and write deployments"
    )
    assert (found or "").startswith(said)
    assert bool(found) == bool(said)


@pytest.mark.parametrize(("secrets", "code"), [(whole, 0), (lambda _: None, 1)])
def test_the_script_fails_when_something_required_is_missing(
    secrets: Callable[[Objects], None],
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("needs.Cluster", lambda _: apiserver.cluster(secrets))
    assert needs.main("here") == code
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "  ok      the cluster of here answers, v1.35.0"
    assert shown[-1].endswith("things are missing that are required.")


def test_without_kubectl_the_script_says_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert needs.main("here") == 1
    assert capsys.readouterr() == ("", "cluster: kubectl is not installed; install it, then try again.\n")
