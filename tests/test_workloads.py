"""The platform's own pods (MLflow and its database): their permissions, and who reaches them."""

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from checks import references
from folders import MANIFESTS, built, only
from pods import pods, restricted
from schemas import Object

# Created by hand first; see the top of the file.
BY_HAND = frozenset({("Secret", "database"), ("Secret", "store")})


def lacking(found: list[Object]) -> list[str]:
    """What a pod that serves requests lacks: a probe, objects that it names."""
    told = [
        f"{name} has no readinessProbe"
        for name, _, spec in pods(found)
        for container in spec["containers"]
        if "readinessProbe" not in container
    ]
    return told + references(found, BY_HAND)


def test_what_is_made_by_hand_is_said() -> None:
    text = (MANIFESTS / "mlflow/kustomization.yaml").read_text().partition("apiVersion")[0]
    assert all(f"`{name}`" in text for _, name in BY_HAND)
    keys = {"POSTGRES_PASSWORD"} | set(re.findall(r"MLFLOW_ARTIFACTS_DESTINATION|AWS_\w+", text))
    assert keys >= {"MLFLOW_ARTIFACTS_DESTINATION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}


@pytest.mark.parametrize(("folder", "count"), [("mlflow", 2), ("mlflow/embedded", 1)])
def test_pods_of_the_platform_ask_for_no_more_than_they_need(folder: str, count: int) -> None:
    assert len(list(pods(built(folder)))) == count
    assert restricted(built(folder)) + lacking(built(folder)) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            lambda spec: spec["securityContext"].pop("runAsNonRoot"),
            "mlflow/mlflow may be root, or has no seccomp profile",
        ),
        (lambda spec: spec["securityContext"].pop("runAsUser"), "mlflow/mlflow may be root, or has no seccomp profile"),
        (
            lambda spec: spec["securityContext"].pop("seccompProfile"),
            "mlflow/mlflow may be root, or has no seccomp profile",
        ),
        (lambda spec: spec.pop("automountServiceAccountToken"), "mlflow has a token of the cluster"),
        (
            lambda spec: spec["containers"][0]["securityContext"].pop("capabilities"),
            "mlflow/mlflow may gain rights",
        ),
        (
            lambda spec: spec["containers"][0]["securityContext"].update(privileged=True),
            "mlflow/mlflow may gain rights",
        ),
        (lambda spec: spec["containers"][0]["resources"].pop("limits"), "mlflow/mlflow asks for no certain resources"),
        (lambda spec: spec["containers"][0].pop("readinessProbe"), "mlflow has no readinessProbe"),
        (lambda spec: spec["volumes"].pop(0), "mlflow mounts at /tmp what is no volume"),
        (
            lambda spec: spec["containers"][0]["env"][0]["valueFrom"]["secretKeyRef"].update(name="other"),
            "mlflow names the Secret other, which is not there",
        ),
    ],
)
def test_a_pod_of_the_platform_that_asks_for_more_is_found(change: Callable[[Any], Any], fault: str) -> None:
    found = copy.deepcopy(built("mlflow"))
    change(only(found, "Deployment")["spec"]["template"]["spec"])
    assert restricted(found) + lacking(found) == [fault]


@pytest.mark.parametrize(
    ("folder", "kind", "change", "fault"),
    [
        ("mlflow", "StatefulSet", lambda spec: spec.update(serviceName="other"), "names a Service that is not there"),
        ("mlflow", "StatefulSet", lambda spec: spec["selector"].update(matchLabels={"a": "b"}), "select its pods"),
    ],
)
def test_a_name_on_the_platform_that_leads_nowhere_is_found(
    folder: str, kind: str, change: Callable[[Any], Any], fault: str
) -> None:
    found = copy.deepcopy(built(folder))
    change(only(found, kind)["spec"])
    assert any(fault in told for told in lacking(found))


def test_mlflow_asks_the_database_where_it_listens() -> None:
    address = re.fullmatch(
        r"postgresql://(\w+):\$\(\w+\)@(\w+):(\d+)/(\w+)", str(variables("mlflow")["MLFLOW_BACKEND_STORE_URI"])
    )
    assert address
    service = only(built("mlflow"), "Service", address[2])
    assert service["spec"]["ports"][0]["port"] == int(address[3])
    database = only(built("mlflow"), "StatefulSet")["spec"]["template"]["spec"]["containers"][0]
    given = {one["name"]: one.get("value") for one in database["env"]}
    assert (given["POSTGRES_USER"], given["POSTGRES_DB"]) == (address[1], address[4])


def anyone(found: list[Object]) -> list[str]:
    """Policies that admit pods without naming them."""
    policies = [one for one in found if one["kind"] == "NetworkPolicy"]
    loose = []
    for one in policies:
        for rule in one["spec"].get("ingress", ()):
            others = [peer["namespaceSelector"] for peer in rule.get("from", ()) if "namespaceSelector" in peer]
            if not rule.get("from") or any(not selector.get("matchLabels") for selector in others):
                loose.append(one["metadata"]["name"])
    return loose


@pytest.mark.parametrize("folder", ["mlflow", "mlflow/embedded"])
def test_what_asks_for_no_password_is_reached_by_those_who_are_named(folder: str) -> None:
    assert anyone(built(folder)) == []
    named = {one["metadata"]["name"] for one in built(folder) if one["kind"] in ("Deployment", "StatefulSet")}
    policies = [one["spec"] for one in built(folder) if one["kind"] == "NetworkPolicy"]
    denied = [one for one in policies if "Ingress" in one["policyTypes"]]
    chosen = {one["podSelector"].get("matchLabels", {}).get("app.kubernetes.io/name", "all") for one in denied}
    assert "all" in chosen or named <= chosen


def test_a_policy_that_lets_anyone_in_is_found() -> None:
    folder, name = "mlflow", "allow-requests"
    changes: list[Object] = [{}, {"from": []}, {"from": [{"namespaceSelector": {}}]}]
    for change in changes:
        found = copy.deepcopy(built(folder))
        only(found, "NetworkPolicy", name)["spec"]["ingress"] = [change]
        assert anyone(found) == [name]


def variables(folder: str) -> dict[str, Any]:
    spec = next(spec for name, _, spec in pods(built(folder)) if name == "mlflow")
    return {one["name"]: one.get("value") for one in spec["containers"][0]["env"]}


def test_mlflow_keeps_its_record_where_the_folder_says() -> None:
    assert str(variables("mlflow")["MLFLOW_BACKEND_STORE_URI"]).startswith("postgresql://")
    embedded = variables("mlflow/embedded")
    assert str(embedded["MLFLOW_BACKEND_STORE_URI"]).startswith("sqlite:////data/")
    assert embedded["MLFLOW_ARTIFACTS_DESTINATION"] == "/data/artifacts"
    assert not re.search("secret", json.dumps(built("mlflow/embedded")))
    assert {one["kind"] for one in built("mlflow/embedded")} & {"StatefulSet"} == set()


def test_mlflow_answers_to_the_name_that_it_is_called_by() -> None:
    service = only(built("mlflow/server"), "Service")
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
    hosts = str(variables("mlflow")["MLFLOW_SERVER_ALLOWED_HOSTS"]).split(",")
    assert f"{name}.{namespace}:{service['spec']['ports'][0]['port']}" in hosts
    assert "*" not in hosts
