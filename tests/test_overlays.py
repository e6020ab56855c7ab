"""Every overlay of each task and server, before and after a release, with each component, against schemas and rules."""

import copy
import json
import re
import shutil
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import PROJECT, ROOT, TASKS, render
from pods import pods, restricted
from schemas import SCHEMAS, Object, custom, faults, native
from test_manifests import CANDIDATE, ENVIRONMENTS, IMAGES, STORE, written

SELDON = SCHEMAS / "seldondeployment-v1-openapi-1.17.1.json"
# Kinds whose schemas are not at hand, and what at least must be in them.
OTHERS = {
    "HTTPRoute": {"parentRefs", "rules"},
    "PodMonitor": {"selector", "podMetricsEndpoints"},
    "ExternalSecret": {"secretStoreRef", "target", "dataFrom", "refreshInterval"},
}
COMPONENTS = ("executor", "monitoring", "retraining", "secrets", "shipping")


@pytest.fixture
def released(baked: Callable[..., Path], tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A repository in which every environment runs a release."""
    task, serving = getattr(request, "param", ("binary_classification", "asgi"))
    shutil.copytree(baked(task, serving), tmp_path / "repository")
    for environment in ENVIRONMENTS:
        path = tmp_path / "repository/manifests/overlays" / environment / "release/kustomization.yaml"
        path.write_text(written())
    return tmp_path / "repository"


def shared(repository: Path, share: int = 10) -> Path:
    """Production with a candidate beside its release."""
    path = repository / "manifests/overlays/production/release/kustomization.yaml"
    path.write_text(written(share))
    return repository


def switched_on(repository: Path, *components: str) -> Path:
    """Production with components."""
    path = repository / "manifests/overlays/production/kustomization.yaml"
    lines = "".join(f"  - ../../components/{name}\n" for name in components)
    text = re.sub(r"(  - release .*\n)", rf"\1{lines}", path.read_text())
    literals = "".join(f"      - {name}={value}\n" for name, value in STORE.items())
    if "shipping" in components:
        text += f"configMapGenerator:\n  - name: store\n    literals:\n{literals}"
    path.write_text(text)
    return repository


def objects(repository: Path, environment: str) -> list[Object]:
    return list(yaml.safe_load_all(render(repository, environment)))


def one(found: list[Object], kind: str, name: str = "") -> Object:
    (wanted,) = [part for part in found if part["kind"] == kind and name in (part["metadata"]["name"], "")]
    return wanted


# What is checked, each as the problems that it finds


@cache
def seldondeployment() -> Object:
    return custom(json.loads(SELDON.read_text()))


def fields(found: list[Object]) -> list[str]:
    """What the API server would refuse, or drop without a word."""
    told = []
    for part in found:
        if part["kind"] == "SeldonDeployment":
            told += faults(part, seldondeployment())
        elif part["kind"] in OTHERS:
            told += [f"{part['kind']} has {name}" for name in part["spec"].keys() - OTHERS[part["kind"]]]
        else:
            told += native([part])
    return told


def seldon(found: list[Object]) -> list[str]:
    """The rules of Seldon's webhook, and what its operator ignores or breaks."""
    told = []
    for part in found:
        if part["kind"] != "SeldonDeployment":
            continue
        predictors = part["spec"]["predictors"]
        names = [predictor["name"] for predictor in predictors]
        traffic = [predictor.get("traffic", 0) for predictor in predictors if not predictor.get("shadow")]
        if len(set(names)) < len(names):
            told.append("two predictors have one name")
        if sum(traffic) != 100 and (len(predictors) > 1 or sum(traffic)):
            told.append(f"the traffic sums to {sum(traffic)}")
        if len(predictors) == 1 and predictors[0].get("shadow"):
            told.append("a shadow is alone")
        budgets = 0
        for predictor in predictors:
            node = predictor["graph"]
            containers = [one["name"] for spec in predictor["componentSpecs"] for one in spec["spec"]["containers"]]
            if not node.get("implementation") and node["name"] not in containers:
                told.append(f"no container is called like the node {node['name']}")
            engine = predictor.get("annotations", {}).get("seldon.io/no-engine") != "true"
            if not engine and node.get("children"):
                told.append("a graph of several nodes has no executor")
            if "replicas" in predictor and any("hpaSpec" in spec for spec in predictor["componentSpecs"]):
                told.append("replicas stand beside hpaSpec")
            budgets += sum("pdbSpec" in spec for spec in predictor["componentSpecs"])
            for spec in predictor["componentSpecs"]:
                model: Object = next((one for one in spec["spec"]["containers"] if one["name"] == node["name"]), {})
                if any("httpGet" not in model.get(f"{kind}Probe", {}) for kind in ("readiness", "startup", "liveness")):
                    told.append("a probe is left to Seldon, which asks the port only")
                if any("protocol" not in port for port in model.get("ports", [])):
                    told.append("a port has no protocol, which the cluster fills in")
        if budgets > 1:
            told.append("two budgets of disruptions select the same pods")
    return told


def digests(found: list[Object]) -> list[str]:
    return [
        f"{name}/{container['name']} runs {container['image']}"
        for name, _, spec in pods(found)
        for container in spec["containers"]
        if not re.fullmatch(r"[^@]+@sha256:[0-9a-f]{64}", container["image"])
    ]


def references(found: list[Object]) -> list[str]:
    """Names that nothing of that kind has, and selectors that no pod matches."""
    there = {(part["kind"], part["metadata"]["name"]) for part in found}
    told = []

    def needs(kind: str, name: str, by: str) -> None:
        made = ("ExternalSecret", name) in there if kind == "Secret" else False
        if (kind, name) not in there and not made:
            told.append(f"{by} names the {kind} {name}, which is not there")

    for name, _, spec in pods(found):
        needs("ServiceAccount", spec.get("serviceAccountName", "default"), name)
        volumes = {volume["name"] for volume in spec.get("volumes", [])}
        for volume in spec.get("volumes", []):
            if claim := volume.get("persistentVolumeClaim"):
                needs("PersistentVolumeClaim", claim["claimName"], name)
            if source := volume.get("configMap"):
                needs("ConfigMap", source["name"], name)
        for container in spec["containers"]:
            for mount in container.get("volumeMounts", []):
                if mount["name"] not in volumes:
                    told.append(f"{name} mounts {mount['name']}, which is no volume")
            for source in container.get("envFrom", []):
                if reference := source.get("configMapRef"):
                    needs("ConfigMap", reference["name"], name)
                if (reference := source.get("secretRef")) and not reference.get("optional"):
                    needs("Secret", reference["name"], name)
    labels = [set(own.items()) for _, own, _ in pods(found)]
    services = {
        f"{part['metadata']['name']}-{predictor['name']}"
        for part in found
        if part["kind"] == "SeldonDeployment"
        for predictor in part["spec"]["predictors"]
    }
    for part in found:
        if part["kind"] == "Deployment":
            selector, template = part["spec"]["selector"]["matchLabels"], part["spec"]["template"]["metadata"]["labels"]
            if not selector.items() <= template.items():
                told.append(f"the Deployment {part['metadata']['name']} does not select its pods")
        if part["kind"] == "PodMonitor" and not any(
            set(part["spec"]["selector"]["matchLabels"].items()) <= own for own in labels
        ):
            told.append("the PodMonitor selects no pod")
        for rule in part["spec"]["rules"] if part["kind"] == "HTTPRoute" else []:
            told += [f"no Service is called {to['name']}" for to in rule["backendRefs"] if to["name"] not in services]
    return told


def network(found: list[Object]) -> list[str]:
    """Whether everything is denied that is not allowed, and the smoke test and the requests are."""
    policies = {part["metadata"]["name"]: part["spec"] for part in found if part["kind"] == "NetworkPolicy"}
    told = []
    if policies.get("deny") != {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}:
        told.append("nothing is denied to every pod")
    allowed = policies.get("allow-requests", {"ingress": [{"ports": []}]})
    ports = {port["port"] for port in allowed["ingress"][0]["ports"]}
    for part in found:
        if part["kind"] == "SeldonDeployment":
            engine = part["spec"]["predictors"][0]["annotations"].get("seldon.io/no-engine") != "true"
            if not {9000, *([8000] if engine else [])} <= ports:
                told.append("requests do not reach the service")
    return told


CHECKS: dict[str, Callable[[list[Object]], list[str]]] = {
    "seldon": seldon,
    "restricted": restricted,
    "digests": digests,
    "references": references,
    "network": network,
}


def problems(found: list[Object]) -> list[str]:
    told = [problem for check in CHECKS.values() for problem in check(found)]
    return told + (fields(found) if SELDON.is_file() else [])


def test_the_schemas_are_at_hand() -> None:
    if not SELDON.is_file():
        pytest.skip(f"{SELDON.name} is not in {SCHEMAS}; name its folder as SCHEMAS")
    assert faults({"spec": {"predictors": [{"name": "a"}]}}, seldondeployment())


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_overlay_without_a_release_is_valid(environment: str, baked: Callable[..., Path]) -> None:
    found = objects(baked("regression"), environment)
    assert {part["kind"] for part in found} == {"NetworkPolicy", "PersistentVolumeClaim"}
    assert problems(found) == []


def test_an_overlay_that_ships_is_valid_before_its_first_release(baked: Callable[..., Path], tmp_path: Path) -> None:
    shutil.copytree(baked("regression"), tmp_path / "repository")
    found = objects(switched_on(tmp_path / "repository", "shipping"), "production")
    assert [part["kind"] for part in found].count("Deployment") == 1
    assert problems(found) == []


@pytest.mark.parametrize(
    "released",
    [(task, serving) for task in TASKS for serving in ("asgi", "seldon-core")],
    indirect=True,
    ids=lambda made: "-".join(made),
)
def test_an_overlay_with_a_release_is_valid(released: Path) -> None:
    for environment in ENVIRONMENTS:
        assert problems(objects(released, environment)) == []


def test_an_overlay_with_a_candidate_is_valid(released: Path) -> None:
    assert problems(objects(shared(released), "production")) == []


@pytest.mark.parametrize("component", COMPONENTS)
def test_an_overlay_with_a_component_is_valid(component: str, released: Path) -> None:
    assert problems(objects(switched_on(released, component), "production")) == []


def test_all_components_go_together(released: Path) -> None:
    assert problems(objects(switched_on(shared(released), *COMPONENTS), "production")) == []


def broken(found: list[Object], change: Callable[[list[Object]], object]) -> list[Object]:
    copied = copy.deepcopy(found)
    change(copied)
    return copied


def predictor(found: list[Object]) -> Any:
    return one(found, "SeldonDeployment")["spec"]["predictors"][0]


def container(found: list[Object]) -> Any:
    return predictor(found)["componentSpecs"][0]["spec"]["containers"][0]


BREAKS: list[tuple[str, Callable[[list[Object]], object], str]] = [
    ("fields", lambda all_: predictor(all_).update(replica=2), "/replica: unknown"),
    ("fields", lambda all_: predictor(all_)["annotations"].update(a=1), "/a: not of type string"),
    ("fields", lambda all_: predictor(all_).pop("graph"), "/graph: missing"),
    ("fields", lambda all_: one(all_, "CronJob")["spec"].update(scedule="x"), "scedule"),
    ("seldon", lambda all_: container(all_).update(name="other"), "no container is called like the node model"),
    ("seldon", lambda all_: predictor(all_).update(traffic=50), "the traffic sums to 50"),
    ("seldon", lambda all_: predictor(all_).update(replicas=2), "replicas stand beside hpaSpec"),
    ("seldon", lambda all_: predictor(all_).update(shadow=True), "a shadow is alone"),
    ("seldon", lambda all_: container(all_).pop("readinessProbe"), "a probe is left to Seldon"),
    ("seldon", lambda all_: container(all_)["ports"][0].pop("protocol"), "a port has no protocol"),
    ("seldon", lambda all_: predictor(all_)["graph"].update(children=[{}]), "has no executor"),
    (
        "seldon",
        lambda all_: one(all_, "SeldonDeployment")["spec"]["predictors"].append(copy.deepcopy(predictor(all_))),
        "two predictors have one name",
    ),
    (
        "seldon",
        lambda all_: one(all_, "SeldonDeployment")["spec"]["predictors"].append(copy.deepcopy(predictor(all_))),
        "two budgets of disruptions",
    ),
    (
        "restricted",
        lambda all_: container(all_)["securityContext"].update(readOnlyRootFilesystem=False),
        "write its root",
    ),
    ("restricted", lambda all_: container(all_)["securityContext"].pop("capabilities"), "may gain rights"),
    ("restricted", lambda all_: container(all_).pop("resources"), "asks for no certain resources"),
    (
        "restricted",
        lambda all_: predictor(all_)["componentSpecs"][0]["spec"]["securityContext"].pop("runAsNonRoot"),
        "may be root",
    ),
    (
        "restricted",
        lambda all_: predictor(all_)["componentSpecs"][0]["spec"]["volumes"].append({"name": "a", "hostPath": {}}),
        "mounts something of its host",
    ),
    ("restricted", lambda all_: predictor(all_)["componentSpecs"][0]["spec"].update(hostPID=True), "of its host"),
    (
        "restricted",
        lambda all_: predictor(all_)["componentSpecs"][0]["spec"].pop("automountServiceAccountToken"),
        "has a token",
    ),
    ("digests", lambda all_: container(all_).update(image="r.io/acme/serve:1"), "runs r.io/acme/serve:1"),
    ("references", lambda all_: all_.remove(one(all_, "ServiceAccount")), "names the ServiceAccount model"),
    ("references", lambda all_: all_.remove(one(all_, "PersistentVolumeClaim")), "names the PersistentVolumeClaim"),
    ("references", lambda all_: container(all_)["volumeMounts"].append({"name": "x"}), "which is no volume"),
    ("references", lambda all_: predictor(all_).update(name="other"), "no Service is called late-flights-main"),
    ("network", lambda all_: all_.remove(one(all_, "NetworkPolicy", "deny")), "nothing is denied"),
    (
        "network",
        lambda all_: one(all_, "NetworkPolicy", "allow-requests")["spec"]["ingress"][0]["ports"].clear(),
        "requests do not reach",
    ),
]


@pytest.mark.parametrize(("check", "change", "told"), BREAKS, ids=[f"{check}: {told}" for check, _, told in BREAKS])
def test_what_is_wrong_is_found(
    check: str, change: Callable[[list[Object]], object], told: str, released: Path
) -> None:
    if check == "fields" and not SELDON.is_file():
        pytest.skip(f"{SELDON.name} is not in {SCHEMAS}; name its folder as SCHEMAS")
    found = objects(released, "production")
    function = fields if check == "fields" else CHECKS[check]
    assert function(found) == []
    assert any(told in problem for problem in function(broken(found, change)))


def test_a_deployment_that_does_not_select_its_pods_is_found(released: Path) -> None:
    found = objects(switched_on(released, "shipping"), "production")
    one(found, "Deployment")["spec"]["selector"]["matchLabels"] = {"app.kubernetes.io/component": "serve"}
    assert references(found) == ["the Deployment shipper does not select its pods"]


def test_the_smoke_test_proves_the_digest_of_the_release(released: Path) -> None:
    job = one(objects(released, "staging"), "Job", "smoke")
    (smoke,) = job["spec"]["template"]["spec"]["containers"]
    assert smoke["image"] == IMAGES["serve"]
    assert {"name": "IMAGE", "value": IMAGES["serve"]} in smoke["env"]
    assert smoke["args"][smoke["args"].index("--image") + 1] == "$(IMAGE)"
    assert job["metadata"]["annotations"]["argocd.argoproj.io/hook"] == "PostSync"
    seconds = float(smoke["args"][smoke["args"].index("--seconds") + 1])
    assert seconds < job["spec"]["activeDeadlineSeconds"]


def test_the_route_has_the_address_that_seldon_would_give_it(released: Path) -> None:
    for environment in ENVIRONMENTS:
        (rule,) = one(objects(released, environment), "HTTPRoute")["spec"]["rules"]
        assert rule["matches"][0]["path"]["value"] == f"/seldon/late-flights-{environment}/late-flights"
        assert [to["weight"] for to in rule["backendRefs"]] == [100]


def test_a_canary_is_the_model_with_another_image_and_a_share_of_the_requests(released: Path) -> None:
    found = objects(shared(released, 30), "production")
    main, canary = one(found, "SeldonDeployment")["spec"]["predictors"]
    (rule,) = one(found, "HTTPRoute")["spec"]["rules"]
    assert [main["traffic"], canary["traffic"]] == [70, 30] == [to["weight"] for to in rule["backendRefs"]]
    images = [part["componentSpecs"][0]["spec"]["containers"][0].pop("image") for part in (main, canary)]
    assert images == [IMAGES["serve"], CANDIDATE]
    budgets = [part["componentSpecs"][0].pop("pdbSpec", None) for part in (main, canary)]
    assert budgets == [{"maxUnavailable": 1}, None]
    for part in (main, canary):
        del part["traffic"], part["name"]
    assert main == canary  # replicas included


def test_a_canary_goes_the_way_that_the_release_goes(released: Path) -> None:
    main, canary = one(objects(switched_on(shared(released), *COMPONENTS), "production"), "SeldonDeployment")["spec"][
        "predictors"
    ]
    assert main.get("annotations") == canary.get("annotations")
    assert "seldon.io/no-engine" not in main.get("annotations", {})


def test_the_smoke_test_proves_the_digest_of_the_candidate_too(released: Path) -> None:
    before = one(objects(released, "production"), "Job", "smoke")["spec"]["template"]["spec"]["containers"]
    main, canary = one(objects(shared(released), "production"), "Job", "smoke")["spec"]["template"]["spec"][
        "containers"
    ]
    assert [main] == before  # first, because Argo CD tells its digest: see notifications.yaml of the platform
    assert canary["image"] == CANDIDATE
    assert canary["env"] == [{"name": "IMAGE", "value": CANDIDATE}]
    assert canary["args"][1] == "http://late-flights-canary:8000"
    for part in (main, canary):
        for own in ("name", "image", "env"):
            del part[own]
        del part["args"][1]
    assert main == canary


def test_a_candidate_leaves_the_pods_of_the_release_as_they_are(released: Path) -> None:
    before = objects(released, "production")
    after = objects(shared(released), "production")
    main = predictor(after)
    assert main.pop("traffic") == 90
    assert main == predictor(before)  # else Seldon would start them afresh
    assert one(after, "CronJob") == one(before, "CronJob")


def test_production_has_two_pods_and_dev_one(released: Path) -> None:
    found = {environment: objects(released, environment) for environment in ENVIRONMENTS}
    sizes = {name: predictor(all_)["componentSpecs"][0]["hpaSpec"] for name, all_ in found.items()}
    assert sizes["production"]["minReplicas"] == 2
    assert sizes["dev"]["maxReplicas"] == 1
    modes = [one(all_, "PersistentVolumeClaim")["spec"]["accessModes"] for all_ in found.values()]
    assert modes == [["ReadWriteOnce"], ["ReadWriteMany"], ["ReadWriteMany"]]


def test_no_kustomization_has_a_field_that_is_deprecated() -> None:
    old = {"bases", "commonLabels", "patchesStrategicMerge", "patchesJson6902", "vars", "imageTags", "openapi"}
    paths = sorted((ROOT / PROJECT / "manifests").rglob("kustomization.yaml"))
    assert len(paths) >= 10
    for path in paths:
        assert not old & yaml.safe_load(path.read_text()).keys(), path


def test_an_overlay_renders_in_a_third_of_a_second(released: Path) -> None:
    spent = []
    for _ in range(5):
        begin = time.perf_counter()
        render(released, "production")
        spent.append(time.perf_counter() - begin)
    assert min(spent) <= 0.3


def test_the_teller_reads_what_the_monitor_writes_and_ends_before_its_job(released: Path) -> None:
    job = one(objects(switched_on(released, "retraining"), "production"), "CronJob")["spec"]["jobTemplate"]["spec"]
    monitor, teller = job["template"]["spec"]["containers"]
    assert teller["image"] == monitor["image"] == IMAGES["monitor"]
    assert teller["volumeMounts"][0] in monitor["volumeMounts"]
    text = (ROOT / PROJECT / "Dockerfile").read_text().partition("FROM base AS monitor")[2]
    assert '"--build", "/tmp/build"' in text
    assert teller["command"][-3:] == ["--build", "/tmp/build", "degraded"]  # noqa: S108
    assert "COPY github ./github" in text
    assert "!github" in (ROOT / PROJECT / ".dockerignore").read_text()
    assert float(teller["args"][teller["args"].index("--seconds") + 1]) < job["activeDeadlineSeconds"]
