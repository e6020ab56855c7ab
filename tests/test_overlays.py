"""Checks every overlay of each task and server, before and after a release, with each component."""

import copy
import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from checks import CHECKS, outdated, problems, services
from conftest import PROJECT, ROOT, TASKS, render, run, unrendered
from folders import built, changed, only
from network import ENTERING, ROLE, flows, selects
from pods import containers, pods
from releases import CANDIDATE, COMPONENTS, ENVIRONMENTS, IMAGES, STORE, objects, shared, spread, switched_on
from schemas import Object, definition

EVERY = [(task, serving) for task in TASKS for serving in ("asgi", "seldon-core")]


@pytest.mark.parametrize(("task", "serving"), EVERY)
def test_an_overlay_without_a_release_is_valid(task: str, serving: str, baked: Callable[..., Path]) -> None:
    for environment in ENVIRONMENTS:
        found = objects(baked(task, serving), environment)
        assert {part["kind"] for part in found} == {"NetworkPolicy", "PersistentVolumeClaim"}
        assert problems(found) == []


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_component_may_be_switched_on_before_the_first_release(
    component: str, baked: Callable[..., Path], tmp_path: Path
) -> None:
    shutil.copytree(baked("regression"), tmp_path / "repository")
    assert problems(objects(switched_on(tmp_path / "repository", component), "production")) == []


@pytest.mark.parametrize("released", EVERY, indirect=True, ids=lambda made: "-".join(made))
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
    assert foreign(released) == []


def test_public_images_ask_for_no_secret(released: Path) -> None:
    def asking() -> dict[str, bool]:
        accounts = [one for one in objects(released, "production") if one["kind"] == "ServiceAccount"]
        return {one["metadata"]["name"]: "imagePullSecrets" in one for one in accounts}

    text = (released / "manifests/overlays/production/kustomization.yaml").read_text()
    switched_on(released, "monitoring", "shipping")
    asked = asking()
    assert {name for name, secret in asked.items() if secret} == {"model", "pushgateway", "store"}
    (released / "manifests/overlays/production/kustomization.yaml").write_text(text)
    switched_on(released, "monitoring", "shipping", "public-images")
    assert asking() == dict.fromkeys(asked, False)
    told = problems(objects(released, "production"))
    assert sorted(told) == sorted(f"{name} has no Secret to pull images with" for name in asked if asked[name])


def foreign(repository: Path) -> list[str]:
    """What `make audit` would say of that which Argo CD would apply."""
    told = f"from lifecycle.releasing import applied; print(applied.problems({ENVIRONMENTS}, 'my-model'))"
    found: list[str] = yaml.safe_load(
        run([str(unrendered("github") / ".venv/github/bin/python"), "-c", told], repository)
    )
    return found


def test_what_leaves_its_namespace_is_no_release(released: Path) -> None:
    path = released / "manifests/overlays/production/kustomization.yaml"
    path.write_text(re.sub("namespace: .*", "namespace: other-production", path.read_text()))
    (released / "manifests/overlays/dev/role.yaml").write_text(
        "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: all}}"
    )
    path = released / "manifests/overlays/dev/kustomization.yaml"
    path.write_text(path.read_text().replace("resources:", "resources:\n  - role.yaml"))
    told = foreign(released)
    assert "manifests/overlays/dev has ClusterRole all, a kind that no model may have" in told
    assert (
        "manifests/overlays/production has Job smoke in the namespace other-production, not my-model-production" in told
    )


def broken(found: list[Object], change: Callable[[list[Object]], object]) -> list[Object]:
    copied = copy.deepcopy(found)
    change(copied)
    return copied


def predictor(found: list[Object]) -> Any:
    return only(found, "SeldonDeployment")["spec"]["predictors"][0]


def pod(found: list[Object]) -> Any:
    return predictor(found)["componentSpecs"][0]["spec"]


def container(found: list[Object]) -> Any:
    return pod(found)["containers"][0]


def policy(found: list[Object], name: str) -> Any:
    return only(found, "NetworkPolicy", name)["spec"]


def job(found: list[Object], name: str) -> Any:
    return only(found, "Job", name)["spec"]["template"]["spec"]


def again(found: list[Object], **other: Any) -> Any:
    """Add a predictor like the first."""
    predictors = only(found, "SeldonDeployment")["spec"]["predictors"]
    predictors.append({**copy.deepcopy(predictors[0]), **other})
    return predictors


Break = tuple[str, Callable[[list[Object]], object], str]
BREAKS: list[Break] = [
    ("accounts", lambda all_: only(all_, "ServiceAccount", "model").pop("automountServiceAccountToken"), "a token"),
    ("accounts", lambda all_: only(all_, "ServiceAccount", "model").pop("imagePullSecrets"), "to pull images with"),
    ("accounts", lambda all_: job(all_, "smoke").pop("serviceAccountName"), "smoke has no account"),
    ("fields", lambda all_: only(all_, "CronJob")["spec"].update(scedule="x"), "scedule"),
    (
        "fields",
        lambda all_: only(all_, "HTTPRoute")["spec"]["rules"][0].update(match=[]),
        "/spec/rules/0/match: unknown",
    ),
    ("fields", lambda all_: only(all_, "HTTPRoute")["spec"]["rules"][0].pop("filters"), "/filters: missing"),
    (
        "fields",
        lambda all_: only(all_, "PodMonitor", "model")["spec"]["podMetricsEndpoints"][0].update(port=9000),
        "of type string",
    ),
    ("fields", lambda all_: only(all_, "ExternalSecret")["spec"]["target"].update(creationPolicy="Mine"), "is none of"),
    ("operator", lambda all_: predictor(all_).update(replicas=2), "replicas stand beside hpaSpec"),
    ("operator", lambda all_: container(all_).pop("readinessProbe"), "the readiness probe does not ask /health/status"),
    (
        "operator",
        lambda all_: container(all_)["startupProbe"]["httpGet"].update(path="/"),
        "the startup probe does not",
    ),
    ("operator", lambda all_: container(all_)["ports"][0].pop("protocol"), "a port has no protocol"),
    ("operator", lambda all_: predictor(all_)["componentSpecs"][0]["hpaSpec"].update(maxReplicas=1), "are no range"),
    ("operator", lambda all_: pod(all_).pop("terminationGracePeriodSeconds"), "killed while it waits"),
    ("operator", lambda all_: pod(all_).pop("topologySpreadConstraints"), "neither spread over nodes nor"),
    ("operator", lambda all_: predictor(all_)["labels"].clear(), "neither spread over nodes nor"),
    ("operator", lambda all_: predictor(all_)["componentSpecs"][0].pop("pdbSpec"), "not one budget"),
    ("operator", lambda all_: again(all_, name="other"), "not one budget of disruptions"),
    ("seldon", lambda all_: only(all_, "SeldonDeployment")["spec"].update(protocol="seldom"), "seldom is no protocol"),
    ("seldon", lambda all_: container(all_).update(name="other"), "no container is called like the node model"),
    ("seldon", lambda all_: predictor(all_)["graph"].update(children=[{"name": "b"}]), "like the node b"),
    ("seldon", lambda all_: predictor(all_)["graph"].update(logger={"url": "x"}), "the logger of model has no mode"),
    ("seldon", lambda all_: predictor(all_)["graph"].update(children=[{}]), "has no executor"),
    ("seldon", lambda all_: predictor(all_).update(traffic=50), "the traffic sums to 50"),
    ("seldon", lambda all_: again(all_, name="b", traffic=150)[0].update(traffic=-50), "are no shares"),
    ("seldon", lambda all_: predictor(all_).update(shadow=True), "a shadow is alone"),
    (
        "seldon",
        lambda all_: [again(all_, name=name, shadow=True) for name in "bc"],
        "b and c are two shadows",
    ),
    ("seldon", lambda all_: again(all_), "two predictors have one name"),
    (
        "restricted",
        lambda all_: container(all_)["securityContext"].update(readOnlyRootFilesystem=False),
        "write its root",
    ),
    ("restricted", lambda all_: container(all_)["securityContext"].pop("capabilities"), "may gain rights"),
    ("restricted", lambda all_: container(all_)["securityContext"].update(privileged=True), "may gain rights"),
    ("restricted", lambda all_: container(all_).pop("resources"), "asks for no certain resources"),
    ("restricted", lambda all_: pod(all_)["securityContext"].pop("runAsNonRoot"), "may be root"),
    ("restricted", lambda all_: job(all_, "smoke")["securityContext"].pop("seccompProfile"), "no seccomp profile"),
    ("restricted", lambda all_: pod(all_)["volumes"].append({"name": "a", "hostPath": {}}), "something of its host"),
    ("restricted", lambda all_: container(all_)["ports"][0].update(hostPort=80), "listens on its host"),
    ("restricted", lambda all_: container(all_)["securityContext"].update(runAsGroup=0), "may be root"),
    ("restricted", lambda all_: job(all_, "smoke").update(initContainers=[{"name": "i"}]), "smoke/i may gain rights"),
    ("restricted", lambda all_: pod(all_).update(hostPID=True), "shares a namespace of its host"),
    ("restricted", lambda all_: pod(all_).pop("automountServiceAccountToken"), "has a token"),
    ("temporary", lambda all_: container(all_)["volumeMounts"].pop(0), "main/model has no /tmp"),
    ("digests", lambda all_: container(all_).update(image="r.io/acme/serve:1"), "runs r.io/acme/serve:1"),
    ("jobs", lambda all_: only(all_, "CronJob")["spec"].update(concurrencyPolicy="Allow"), "may run twice at once"),
    ("jobs", lambda all_: only(all_, "CronJob")["spec"].pop("startingDeadlineSeconds"), "no startingDeadlineSeconds"),
    ("jobs", lambda all_: only(all_, "CronJob")["spec"].pop("failedJobsHistoryLimit"), "no failedJobsHistoryLimit"),
    ("jobs", lambda all_: only(all_, "CronJob")["metadata"]["annotations"].clear(), "makes the service unhealthy"),
    ("jobs", lambda all_: only(all_, "Job", "smoke")["spec"].pop("activeDeadlineSeconds"), "no activeDeadlineSeconds"),
    ("jobs", lambda all_: only(all_, "Job", "smoke")["metadata"].pop("annotations"), "is no hook of a sync"),
    ("jobs", lambda all_: only(all_, "Job", "smoke")["metadata"]["annotations"].popitem(), "smoke stays"),
    ("references", lambda all_: all_.remove(only(all_, "ServiceAccount", "model")), "names the ServiceAccount model"),
    (
        "references",
        lambda all_: all_.remove(only(all_, "PersistentVolumeClaim", "predictions")),
        "names the PersistentVolumeClaim",
    ),
    ("references", lambda all_: all_.remove(only(all_, "ConfigMap", "shipping-")), "names the ConfigMap shipping-"),
    ("references", lambda all_: container(all_).update(envFrom=[{"secretRef": {"name": "x"}}]), "names the Secret x"),
    (
        "references",
        lambda all_: pod(all_)["volumes"].append({"name": "x", "secret": {"secretName": "y"}}),
        "names the Secret y",
    ),
    ("references", lambda all_: container(all_)["volumeMounts"].append({"name": "x", "mountPath": "/x"}), "no volume"),
    (
        "references",
        lambda all_: predictor(all_).update(name="other"),
        "my-model-main-model:9000, where nothing listens",
    ),
    ("references", lambda all_: job(all_, "smoke")["containers"][0]["args"].append("http://a:1"), "smoke asks a:1"),
    (
        "references",
        lambda all_: only(all_, "HTTPRoute")["spec"]["rules"][0]["backendRefs"][0].update(port=8000),
        "leads to my-model-main-model:8000, where nothing listens",
    ),
    (
        "references",
        lambda all_: predictor(all_)["annotations"].clear(),
        "my-model-main:9000, where nothing listens",
    ),
    (
        "references",
        lambda all_: only(all_, "Deployment", "shipper")["spec"]["selector"].update(matchLabels={"a": "b"}),
        "its pods",
    ),
    (
        "references",
        lambda all_: only(all_, "PodMonitor", "model")["spec"]["selector"].update(matchLabels={"a": "b"}),
        "no pod",
    ),
    (
        "references",
        lambda all_: container(all_)["ports"][0].update(name="web"),
        "asks for the port http, which nothing",
    ),
    ("references", lambda all_: predictor(all_)["labels"].clear(), "CronJob monitor selects no pod"),
    ("network", lambda all_: all_.remove(only(all_, "NetworkPolicy", "deny")), "serve reaches HTTPS"),
    (
        "network",
        lambda all_: all_.remove(only(all_, "NetworkPolicy", "allow-smoke")),
        "smoke does not reach serve:9000",
    ),
    ("network", lambda all_: policy(all_, "allow-smoke")["egress"].pop(), "smoke does not reach DNS"),
    ("network", lambda all_: policy(all_, "allow-smoke")["egress"].append({}), "smoke reaches SSH"),
    (
        "network",
        lambda all_: policy(all_, "allow-requests")["ingress"][0]["ports"].clear(),
        "outside reaches serve:8000",
    ),
    (
        "network",
        lambda all_: policy(all_, "allow-requests")["ingress"][0]["ports"][0].update(protocol="UDP"),
        "outside does not reach serve:9000",
    ),
    (
        "network",
        lambda all_: policy(all_, "allow-smoke")["egress"].append({"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}),
        "allow-smoke names ['ipBlock']",
    ),
    (
        "network",
        lambda all_: policy(all_, "allow-push")["egress"][0]["ports"][0].update(endPort=9999),
        "without its protocol, or a range",
    ),
    (
        "network",
        lambda all_: policy(all_, "allow-requests").update(podSelector={"matchLabels": {"a": "b"}}),
        "outside does not reach serve:9000",
    ),
    (
        "network",
        lambda all_: policy(all_, "allow-push")["egress"][0]["ports"][0].update(port=1),
        "monitor does not reach pushgateway:9091",
    ),
    (
        "network",
        lambda all_: policy(all_, "allow-store")["podSelector"]["matchExpressions"][0].update(values=["monitor"]),
        "shipper does not reach HTTPS",
    ),
]
UNKNOWN: list[Break] = [
    ("fields", lambda all_: predictor(all_).update(replica=2), "/replica: unknown"),
    ("fields", lambda all_: predictor(all_)["annotations"].update(a=1), "/a: not of type string"),
    ("fields", lambda all_: predictor(all_).pop("graph"), "/graph: missing"),
]


@pytest.mark.parametrize(
    ("check", "change", "told"), BREAKS + UNKNOWN, ids=[f"{check}: {told}" for check, _, told in BREAKS + UNKNOWN]
)
def test_what_is_wrong_is_found(
    check: str, change: Callable[[list[Object]], object], told: str, released: Path
) -> None:
    if (check, change, told) in UNKNOWN:
        definition("SeldonDeployment")
    found = objects(spread(switched_on(released, "monitoring", "secrets", "shipping")), "production")
    assert CHECKS[check](found) == []
    assert any(told in problem for problem in CHECKS[check](broken(found, change)))


def test_every_check_is_seen_to_fail() -> None:
    assert {check for check, _, _ in BREAKS} == set(CHECKS)


def test_a_monitor_that_cannot_tell_github_is_found(released: Path) -> None:
    found = objects(switched_on(released, "retraining"), "production")
    policy(found, "allow-github")["podSelector"] = {"matchLabels": {"a": "b"}}
    assert CHECKS["network"](found) == ["monitor does not reach DNS", "monitor does not reach HTTPS"]


def test_prometheus_asks_the_model_for_what_it_counts(released: Path) -> None:
    (endpoint,) = only(objects(switched_on(released, "monitoring"), "production"), "PodMonitor", "model")["spec"][
        "podMetricsEndpoints"
    ]
    assert f'"{endpoint["path"]}": metrics' in (ROOT / PROJECT / "lifecycle/serving/application.py").read_text()
    assert [rule["regex"] for rule in endpoint["relabelings"]] == ["model"]


def test_the_secret_that_comes_from_elsewhere_is_the_one_that_is_read(released: Path) -> None:
    found = objects(switched_on(released, "secrets", "shipping"), "production")
    made = only(found, "ExternalSecret")["spec"]["target"]["name"]
    for spec in (only(found, "Deployment")["spec"], only(found, "CronJob")["spec"]["jobTemplate"]["spec"]):
        sources = containers(spec["template"]["spec"])[0]["envFrom"]
        assert {"secretRef": {"name": made, "optional": True}} in sources  # optional, so no other check notices


def test_names_and_replicas_reach_into_a_seldondeployment(released: Path) -> None:
    """In an overlay: a prefix, generated ConfigMaps and Secrets, a fixed number of replicas."""
    path = released / "manifests/overlays/staging/kustomization.yaml"
    overlay = yaml.safe_load(path.read_text())
    base = "/spec/predictors/0/componentSpecs/0"
    sources = [{"configMapRef": {"name": "settings"}}, {"secretRef": {"name": "keys"}}]
    values = [
        {"name": kind, "valueFrom": {f"{kind}KeyRef": {"name": name, "key": "A"}}}
        for kind, name in (("configMap", "settings"), ("secret", "keys"))
    ]
    volumes = [
        {"name": "settings", "configMap": {"name": "settings"}},
        {"name": "keys", "secret": {"secretName": "keys"}},
    ]
    patch = [
        {"op": "remove", "path": f"{base}/hpaSpec"},
        {"op": "add", "path": f"{base}/spec/containers/0/envFrom", "value": sources},
        {"op": "add", "path": f"{base}/spec/containers/0/env", "value": values},
        *({"op": "add", "path": f"{base}/spec/volumes/-", "value": volume} for volume in volumes),
    ]
    overlay.setdefault("patches", []).append({"target": {"kind": "SeldonDeployment"}, "patch": yaml.safe_dump(patch)})
    overlay |= {
        "configMapGenerator": [{"name": "settings", "literals": ["A=1"]}],
        "secretGenerator": [{"name": "keys", "literals": ["A=1"]}],
        "namePrefix": "x-",
        "replicas": [{"name": "my-model", "count": 4}],
    }
    path.write_text(yaml.safe_dump(overlay))
    found = objects(released, "staging")
    names = {part["kind"]: part["metadata"]["name"] for part in found if part["kind"] in ("ConfigMap", "Secret")}
    assert names["ConfigMap"].startswith("x-settings-")
    assert predictor(found)["replicas"] == 4
    assert pod(found)["serviceAccountName"] == "x-model"
    (claim,) = [one["persistentVolumeClaim"] for one in pod(found)["volumes"] if "persistentVolumeClaim" in one]
    assert claim == {"claimName": "x-predictions"}
    assert [one for one in pod(found)["volumes"] if one["name"] in ("settings", "keys")] == [
        {"name": "settings", "configMap": {"name": names["ConfigMap"]}},
        {"name": "keys", "secret": {"secretName": names["Secret"]}},
    ]
    assert container(found)["envFrom"] == [
        {"configMapRef": {"name": names["ConfigMap"]}},
        {"secretRef": {"name": names["Secret"]}},
    ]
    taken = [value["valueFrom"].popitem()[1]["name"] for value in container(found)["env"]]
    assert taken == [names["ConfigMap"], names["Secret"]]


def test_whoever_mounts_the_log_lets_the_cluster_make_it_its_group_s(released: Path) -> None:
    """A pod that mounts it first without `fsGroup` would leave it to root; on local volumes for ever."""
    found = objects(switched_on(shared(released), "shipping"), "production")
    mounting = [spec for _, _, spec in pods(found) if "predictions" in str(spec.get("volumes"))]
    assert len(mounting) == 4  # two predictors, shipper, monitor
    for spec in mounting:
        context = spec["securityContext"]
        assert (context["fsGroup"], context["fsGroupChangePolicy"]) == (10001, "OnRootMismatch")


def test_monitors_begin_at_different_times_and_have_theirs_when_a_node_has_room(released: Path) -> None:
    begun = set()
    for environment in ENVIRONMENTS:
        cron = only(objects(released, environment), "CronJob")["spec"]
        begun.add(cron["schedule"])
        job = cron["jobTemplate"]["spec"]
        assert job["template"]["spec"]["activeDeadlineSeconds"] < job["activeDeadlineSeconds"] < 86400
    assert len(begun) == len(ENVIRONMENTS)
    known, minutes = json.loads((ROOT / "cookiecutter.json").read_text()), set()
    for name in ("churn", "churn-2", "fraud", "late", "my-model"):
        text = jinja2.Environment(**known["_jinja2_env_vars"]).from_string(known["__minute"])  # noqa: S701 - no HTML
        minutes.add(int(text.render(cookiecutter={"project_slug": name})))
    assert len(minutes) == 5
    assert minutes <= set(range(60))


def test_a_container_that_fails_leaves_its_last_line_for_whoever_asks(released: Path) -> None:
    """manifests/argocd/outcomes of the platform reads it; test_argocd.py adds up when."""
    found = objects(switched_on(shared(released), *COMPONENTS), "production")
    (smoke, canary) = only(found, "Job", "smoke")["spec"]["template"]["spec"]["containers"]
    models = [
        one["componentSpecs"][0]["spec"]["containers"][0]
        for one in only(found, "SeldonDeployment")["spec"]["predictors"]
    ]
    assert len(models) == 2
    for one in (smoke, canary, *models):
        assert one["terminationMessagePolicy"] == "FallbackToLogsOnError"
    assert predictor(found)["progressDeadlineSeconds"] > 60  # the startup probe's time


def test_the_smoke_test_proves_the_digest_of_the_release(released: Path) -> None:
    job = only(objects(released, "staging"), "Job", "smoke")
    (smoke,) = job["spec"]["template"]["spec"]["containers"]
    assert smoke["image"] == IMAGES["serve"]
    assert {"name": "IMAGE", "value": IMAGES["serve"]} in smoke["env"]
    assert smoke["args"][smoke["args"].index("--image") + 1] == "$(IMAGE)"
    assert job["metadata"]["annotations"]["argocd.argoproj.io/hook"] == "PostSync"
    seconds = float(smoke["args"][smoke["args"].index("--seconds") + 1])
    assert seconds < job["spec"]["activeDeadlineSeconds"]


def reached(found: list[Object], environment: str, path: str) -> str | None:
    """The path at which the service gets a request for a path of its own through the Gateway; None if it does not."""
    (rule,) = only(found, "HTTPRoute")["spec"]["rules"]
    (filter_,) = rule["filters"]
    asked = f"/seldon/my-model-{environment}/my-model{path}"
    matches = [one["path"] for one in rule["matches"]]
    if not any(
        asked == one["value"] or (one["type"] == "PathPrefix" and asked.startswith(one["value"] + "/"))
        for one in matches
    ):
        return None
    rewrite = only(found, "HTTPRouteFilter", filter_["extensionRef"]["name"])["spec"]["urlRewrite"]["path"]
    return re.sub(rewrite["replaceRegexMatch"]["pattern"], rewrite["replaceRegexMatch"]["substitution"], asked)


def paths() -> set[str]:
    """The paths of the service, with a name where one stands."""
    text = (ROOT / PROJECT / "lifecycle/serving/application.py").read_text()
    found = set(re.findall(r'^        "(/[^"]*)": \w+,$', text, re.M))
    return {re.sub(r"\{\w+\}", "model", one) for one in found} | {"/prometheus"}


def test_the_route_has_the_address_that_seldon_would_give_it_and_lets_through_what_callers_need(
    released: Path,
) -> None:
    assert {"/metrics", "/api/v1.0/feedback", "/v2/models/model/infer"} < paths()
    for environment in ENVIRONMENTS:
        found = objects(released, environment)
        through = {path for path in paths() if reached(found, environment, path)}
        assert all(reached(found, environment, path) == path for path in through)
        assert {path for path in through if path != "/v2" and not path.startswith("/v2/")} == {
            *("/api/v1.0/predictions", "/metadata", "/openapi.json")
        }
        assert {path for path in paths() if path.startswith("/v2/")} < through
        assert not through & {path for path in paths() if re.search("metrics|prometheus|feedback", path)}
        (rule,) = only(found, "HTTPRoute")["spec"]["rules"]
        assert [to["weight"] for to in rule["backendRefs"]] == [100]


def test_feedback_goes_through_where_it_is_switched_on(released: Path) -> None:
    found = objects(switched_on(released, "feedback"), "production")
    through = {path for path in paths() if reached(found, "production", path)}
    assert {path for path in through if "feedback" in path} == {"/api/v1.0/feedback"}
    assert not through & {"/metrics", "/prometheus"}


def test_callers_are_known_and_counted_where_access_is_switched_on(released: Path) -> None:
    before, found = (
        objects(released, "production"),
        objects(switched_on(released, "access", "feedback"), "production"),
    )
    assert "sectionName" not in only(before, "HTTPRoute")["spec"]["parentRefs"][0]
    (parent,) = only(found, "HTTPRoute")["spec"]["parentRefs"]
    old = "resources:\n"
    listeners = only(changed("gateway", old, f"components: [tls]\n{old}", {}), "Gateway")["spec"]["listeners"]
    (chosen,) = (one for one in listeners if one["name"] == parent["sectionName"])
    assert (chosen["port"], chosen["protocol"], chosen["tls"]["mode"]) == (443, "HTTPS", "Terminate")
    certificate = only(changed("gateway", old, f"components: [tls]\n{old}", {}), "Certificate")
    assert chosen["tls"]["certificateRefs"] == [{"kind": "Secret", "name": certificate["spec"]["secretName"]}]
    assert chosen["allowedRoutes"] == listeners[0]["allowedRoutes"]
    route = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "model"}
    callers, traffic = (only(found, kind)["spec"] for kind in ("SecurityPolicy", "BackendTrafficPolicy"))
    assert callers["targetRefs"] == traffic["targetRefs"] == [route]
    assert callers["apiKeyAuth"]["sanitize"] is True
    (rule,) = traffic["rateLimit"]["local"]["rules"]
    (selector,) = rule["clientSelectors"]
    assert selector == {"headers": [{"name": callers["apiKeyAuth"]["forwardClientIDHeader"], "type": "Distinct"}]}
    assert traffic["retry"] == only(before, "BackendTrafficPolicy")["spec"]["retry"]


def test_nobody_in_the_cluster_passes_by_the_gateway_where_access_is_switched_on(released: Path) -> None:
    found = objects(switched_on(released, "access"), "production")
    roles = {labels[ROLE] for _, labels, _ in pods(found)}
    ENTERING["other"] = "your-model-production"
    try:
        assert {source for source, to in flows(found, roles) if to == "serve:9000"} == {
            *("outside", "Prometheus", "smoke")
        }
    finally:
        del ENTERING["other"]


def test_the_gateway_bounds_what_the_service_bounds() -> None:
    text = (ROOT / PROJECT / "lifecycle/serving/bounds.py").read_text()

    def bound(name: str) -> int:
        (names, values) = next(line.split(" = ") for line in text.splitlines() if re.match(rf"(\w+, )*{name}\b", line))
        return int(values.partition("#")[0].split(",")[names.split(", ").index(name)])

    timeout = only(built("gateway"), "ClientTrafficPolicy")["spec"]["timeout"]["http"]
    seconds = {name: int(value.removesuffix("s")) for name, value in timeout.items()}
    assert seconds["requestHeadersReceivedTimeout"] == bound("HEAD_SECONDS")
    assert seconds["requestReceivedTimeout"] == bound("HEAD_SECONDS") + bound("BODY_SECONDS")
    assert seconds["streamIdleTimeout"] == bound("ANSWER_SECONDS")
    traffic = yaml.safe_load((ROOT / PROJECT / "manifests/base/traffic.yaml").read_text())
    assert traffic["spec"]["circuitBreaker"]["maxConnections"] < bound("CONNECTIONS")


def test_a_canary_is_the_model_with_another_image_and_a_share_of_the_requests(released: Path) -> None:
    found = objects(spread(shared(released, 30)), "production")
    main, canary = only(found, "SeldonDeployment")["spec"]["predictors"]
    route = only(found, "HTTPRoute")
    assert route["metadata"]["annotations"] == {"argocd.argoproj.io/sync-wave": "1"}  # after the candidate is ready
    assert "annotations" not in only(objects(released, "staging"), "HTTPRoute")["metadata"]  # removal does not wait
    (rule,) = route["spec"]["rules"]
    assert [main["traffic"], canary["traffic"]] == [70, 30] == [to["weight"] for to in rule["backendRefs"]]
    images = [part["componentSpecs"][0]["spec"]["containers"][0].pop("image") for part in (main, canary)]
    assert images == [IMAGES["serve"], CANDIDATE]
    budgets = [part["componentSpecs"][0].pop("pdbSpec", None) for part in (main, canary)]
    assert budgets == [{"maxUnavailable": 1}, None]
    for part in (main, canary):
        del part["traffic"], part["name"]
    assert main == canary  # replicas included


def test_a_canary_goes_the_way_that_the_release_goes(released: Path) -> None:
    main, canary = only(objects(switched_on(shared(released), *COMPONENTS), "production"), "SeldonDeployment")["spec"][
        "predictors"
    ]
    assert main.get("annotations") == canary.get("annotations")
    assert "seldon.io/no-engine" not in main.get("annotations", {})


@pytest.mark.parametrize("share", [0, 30])
def test_the_executor_is_switched_on_and_off_without_an_outage(share: int, released: Path) -> None:
    """Seldon's Services change at once, the pods later; so a route may only lead to what is there before and after."""
    before = objects(shared(released, share) if share else released, "production")
    after = objects(switched_on(released, "executor"), "production")
    route, later = only(before, "HTTPRoute"), only(after, "HTTPRoute")
    for to in route["spec"]["rules"][0]["backendRefs"]:
        assert services(before)[to["name"]] == services(after)[to["name"]] == to["port"]
    assert all(to["port"] == 8000 for to in later["spec"]["rules"][0]["backendRefs"])
    assert later["metadata"]["annotations"] == {"argocd.argoproj.io/sync-wave": "1"}  # when the pods are ready
    assert "sync-wave" not in str(only(before, "SeldonDeployment")["metadata"])


def test_the_smoke_test_proves_the_digest_of_the_candidate_too(released: Path) -> None:
    before = only(objects(released, "production"), "Job", "smoke")["spec"]["template"]["spec"]["containers"]
    main, canary = only(objects(shared(released), "production"), "Job", "smoke")["spec"]["template"]["spec"][
        "containers"
    ]
    assert [main] == before  # first: notifications.yaml reports its digest
    assert canary["image"] == CANDIDATE
    assert canary["env"] == [{"name": "IMAGE", "value": CANDIDATE}]
    assert [main["args"][1], canary["args"][1]] == ["http://my-model-main:9000", "http://my-model-canary:9000"]
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
    assert main == predictor(before)  # otherwise Seldon would recreate them
    assert only(after, "CronJob")["spec"] == only(before, "CronJob")["spec"]


def test_production_has_two_pods_and_dev_one(released: Path) -> None:
    found = {environment: objects(released, environment) for environment in ENVIRONMENTS}
    sizes = {name: predictor(all_)["componentSpecs"][0]["hpaSpec"] for name, all_ in found.items()}
    assert sizes["production"]["minReplicas"] == 2
    assert sizes["dev"]["maxReplicas"] == 1


def test_pods_that_share_a_volume_of_one_node_are_on_it(released: Path) -> None:
    """Every cluster has such a volume. With ReadWriteMany they are spread, and a budget holds evictions back."""
    for environment in ENVIRONMENTS:
        assert placed(objects(released, environment)) == (["ReadWriteOnce"], {"affinity"})
    found = objects(switched_on(shared(released), "shipping"), "production")
    budget = broken(found, lambda all_: predictor(all_)["componentSpecs"][0].update(pdbSpec={"maxUnavailable": 1}))
    assert CHECKS["operator"](budget) == ["a budget keeps pods on a drained node"]
    assert placed(objects(spread(released), "production")) == (
        ["ReadWriteMany"],
        {"topologySpreadConstraints", "pdbSpec"},
    )
    main, canary = only(found, "SeldonDeployment")["spec"]["predictors"]
    assert main["componentSpecs"][0]["spec"]["affinity"] == canary["componentSpecs"][0]["spec"]["affinity"]
    mounting = [(labels, spec) for _, labels, spec in pods(found) if "predictions" in str(spec.get("volumes"))]
    assert len(mounting) == 4
    for _, spec in mounting:
        ((kind, (term,)),) = spec["affinity"]["podAffinity"].items()
        assert kind == "requiredDuringSchedulingIgnoredDuringExecution"
        followed = [labels[ROLE] for labels, _ in mounting if selects(term["labelSelector"], labels)]
        # Each also matches its own affinity; otherwise the first could not start.
        assert sorted(followed) == ["serve", "serve", "shipper"]


def placed(found: list[Object]) -> tuple[list[str], set[str]]:
    """The modes of the log's volume, and what decides where the service's pods run and when they leave."""
    (claim,) = (one for one in found if one["kind"] == "PersistentVolumeClaim")
    component = predictor(found)["componentSpecs"][0]
    decides = {"affinity", "topologySpreadConstraints", "pdbSpec"}
    return claim["spec"]["accessModes"], decides & {*component, *component["spec"]}


def test_the_shipper_waits_for_the_secret_that_is_brought(released: Path) -> None:
    path = released / "manifests/overlays/production/kustomization.yaml"
    before = path.read_text()
    for components, optional in ((["shipping"], True), (["shipping", "secrets"], False)):  # a role needs none
        path.write_text(before)
        found = only(objects(switched_on(released, *components), "production"), "Deployment")
        (shipper,) = found["spec"]["template"]["spec"]["containers"]
        assert shipper["envFrom"][1] == {"secretRef": {"name": "store", "optional": optional}}


def test_no_kustomization_has_a_field_that_is_deprecated() -> None:
    paths = sorted((ROOT / PROJECT / "manifests").rglob("kustomization.yaml"))
    assert len(paths) >= 10
    for path in paths:
        assert (path, outdated(yaml.safe_load(path.read_text()))) == (path, [])


def test_an_overlay_renders_in_a_third_of_a_second(released: Path) -> None:
    spent = []
    for _ in range(5):
        begin = time.perf_counter()
        render(released, "production")
        spent.append(time.perf_counter() - begin)
    assert min(spent) <= 0.3


def nightly(found: list[Object]) -> tuple[Object, Object, Object]:
    """The pod of the nightly job, the monitor, and what runs after it."""
    spec = only(found, "CronJob")["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (monitor,), (after,) = spec["initContainers"], spec["containers"]
    return spec, monitor, after


def test_the_report_is_shown_or_told_once_the_monitor_has_succeeded(released: Path) -> None:
    """An init container, whose failure ends the pod: nothing waits for a monitor that was killed."""
    text = (ROOT / PROJECT / "Dockerfile").read_text().partition("FROM base AS monitor")[2]
    assert '"--build", "/tmp/build"' in text
    _, monitor, report = nightly(objects(released, "production"))
    assert report["command"] == ["cat", "/tmp/build/monitor/report.md"]  # noqa: S108 - of the container
    pod, _, teller = nightly(objects(switched_on(released, *COMPONENTS), "production"))
    assert pod["restartPolicy"] == "Never"
    for after in (report, teller):
        assert after["image"] == monitor["image"] == IMAGES["monitor"]
        assert after["volumeMounts"][0] in monitor["volumeMounts"]
    values = {one["name"]: one.get("value") for one in teller["env"]}
    assert values["DEGRADED"].split()[-3:] == ["--build", "/tmp/build", "degraded"]  # noqa: S108
    assert "lifecycle/github/degraded.py" in text
    assert "GITHUB" not in str(monitor)


def test_the_monitor_by_hand_finds_the_log_that_the_overlay_ships(released: Path) -> None:
    code = "import json; from lifecycle.config import Promote; from lifecycle.releasing import shipped; "
    code += f"print(json.dumps(shipped.log('production', '', Promote(order={ENVIRONMENTS!r}))))"
    python = str(unrendered("github") / ".venv/github/bin/python")
    places, values = json.loads(run([python, "-c", code], switched_on(released, "shipping")))
    assert places == [f"s3://{STORE['BUCKET']}/{STORE['PREFIX']}"]
    assert values == STORE


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_teller_takes_its_environment_from_its_namespace(environment: str, released: Path) -> None:
    path = released / f"manifests/overlays/{environment}/kustomization.yaml"
    path.write_text(re.sub(r"(  - release .*\n)", r"\1  - ../../components/retraining\n", path.read_text()))
    found = objects(released, environment)
    namespace = only(found, "CronJob")["metadata"]["namespace"]
    *shell, line = nightly(found)[2]["command"]
    assert [*shell, line.startswith("exec $DEGRADED ")] == ["sh", "-c", True]
    assert run([*shell, line], released, DEGRADED="echo", NAMESPACE=namespace).split() == ["--environment", environment]


def test_the_teller_reaches_a_github_of_ones_own(released: Path) -> None:
    """With the patches that the component's first lines give as an example."""
    text = (released / "manifests/components/retraining/kustomization.yaml").read_text()
    example = re.search(r"(?m)^#   patches:\n(?:#     .*\n)+", text)
    assert example
    switched_on(released, *COMPONENTS)
    path = released / "manifests/overlays/production/kustomization.yaml"
    patches = yaml.safe_load(re.sub("(?m)^# {3}", "", example[0]))["patches"]
    document = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**document, "patches": [*document["patches"], *patches]}))
    found = objects(released, "production")
    assert {"port": 8443, "protocol": "TCP"} in policy(found, "allow-github")["egress"][0]["ports"]
    pod, monitor, teller = nightly(found)
    (mount,) = [one for one in teller["volumeMounts"] if one["name"] == "authority"]
    assert {"name": "authority", "configMap": {"name": "authority"}} in pod["volumes"]
    assert {"name": "SSL_CERT_FILE", "value": f"{mount['mountPath']}/ca.crt"} in teller["env"]
    assert "authority" not in str(monitor)


def test_the_store_needs_no_operator_but_a_secret_of_its_name(released: Path) -> None:
    """Without components/secrets, whose kind the API server may not know."""
    found = objects(switched_on(released, *{*COMPONENTS} - {"secrets"}), "production")
    assert "ExternalSecret" not in {part["kind"] for part in found}
    for spec in (only(found, "Deployment", "shipper")["spec"]["template"]["spec"], nightly(found)[0]):
        assert {"secretRef": {"name": "store", "optional": True}} in containers(spec)[0]["envFrom"]
