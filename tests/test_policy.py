"""The admission policies' expressions, evaluated on a release's objects and on objects that must be refused."""

import copy
import json
import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import celpy
import pytest
import yaml
from argo import repository
from celpy.adapter import CELJSONEncoder, json_to_cel
from celpy.evaluation import CELEvalError
from conftest import PROJECT, ROOT
from folders import NAMESPACE, applications, built, only
from pods import pods
from releases import CANDIDATE, COMPONENTS, IMAGES, objects, shared, switched_on
from schemas import Object


def policy(name: str) -> Any:
    return only(built("policy"), "ValidatingAdmissionPolicy", name)["spec"]


LABELS = {"repository": "my-model", "environment": "production"}


def refusals(spec: Any, known: dict[str, Any]) -> list[str]:
    """A policy's messages on an object; none if it admits or ignores it; an error refuses, by `failurePolicy`."""
    environment = celpy.Environment()
    known = {"namespaceObject": {"metadata": {"labels": LABELS}}, "oldObject": None, **known}
    found = {name: json_to_cel(value) for name, value in known.items()}

    def value(one: Any) -> Any:
        return environment.program(environment.compile(one["expression"])).evaluate(found)

    if not all(value(one) for one in spec.get("matchConditions", ())):
        return []
    named = celpy.celtypes.MapType()
    found["variables"] = named
    try:
        for one in spec.get("variables", ()):
            named[celpy.celtypes.StringType(one["name"])] = value(one)
        return [one["message"] for one in spec["validations"] if not value(one)]
    except CELEvalError as error:
        return [f"error: {error}"]


def refused(name: str, spec: Any, old: Any = None) -> list[str]:
    """A policy's messages on an object of the namespace my-model-production."""
    metadata = {"namespace": "my-model-production"}
    was = None if old is None else {"metadata": metadata, "spec": old}
    return refusals(policy(name), {"object": {"metadata": metadata, "spec": spec}, "oldObject": was})


def test_each_policy_is_bound_and_denies() -> None:
    names = {one["metadata"]["name"] for one in built("policy") if one["kind"] == "ValidatingAdmissionPolicy"}
    bindings = [one["spec"] for one in built("policy") if one["kind"] == "ValidatingAdmissionPolicyBinding"]
    assert {one["policyName"] for one in bindings} == names
    assert names == {"model-images", "model-namespaces", "model-verdict", "model-verifier", *KINDS.values()}
    assert {tuple(one["validationActions"]) for one in bindings} == {("Deny",)}
    assert {policy(name)["failurePolicy"] for name in names} == {"Fail"}


KINDS = {
    "BackendTrafficPolicy": "model-access",
    "ExternalSecret": "model-secrets",
    "HTTPRoute": "model-routes",
    "HTTPRouteFilter": "model-filters",
    "PodMonitor": "model-monitors",
    "SecurityPolicy": "model-access",
    "Service": "model-services",
}
# What reaches nothing outside of its namespace, or becomes pods, which model-images sees.
WITHIN = {
    *("ConfigMap", "CronJob", "Deployment", "Job", "NetworkPolicy", "PersistentVolumeClaim"),
    *("SeldonDeployment", "ServiceAccount"),
}


def test_each_kind_of_a_model_is_bound_to_its_namespace_or_stays_within() -> None:
    allowed = only(built("models/repository"), "AppProject")["spec"]["namespaceResourceWhitelist"]
    assert {one["kind"] for one in allowed} == {*KINDS, *WITHIN}
    for one in allowed:
        if one["kind"] in KINDS:
            (rule,) = policy(KINDS[one["kind"]])["matchConstraints"]["resourceRules"]
            plural = one["kind"].lower().removesuffix("y") + ("ies" if one["kind"].endswith("y") else "s")
            assert (rule["apiGroups"], plural in rule["resources"]) == ([one["group"]], True)
            assert rule["operations"] == ["CREATE", "UPDATE"]


def test_all_that_a_release_brings_is_admitted(released: Path) -> None:
    found = objects(switched_on(shared(released), *COMPONENTS), "production")
    asked = [(one["kind"], refused(KINDS[one["kind"]], one["spec"])) for one in found if one["kind"] in KINDS]
    assert {kind for kind, _ in asked} == set(KINDS)
    assert [one for one in asked if one[1]] == []


def test_every_pod_of_a_release_is_admitted(released: Path) -> None:
    found = list(pods(objects(switched_on(shared(released), *COMPONENTS), "production")))
    assert len(found) > 3
    for name, _, spec in found:
        assert (name, refused("model-images", spec)) == (name, [])


# Images


GOOD = f"ghcr.io/acme/my-model-serve@sha256:{'a' * 64}"
EXECUTOR: Object = {
    "image": "docker.io/seldonio/seldon-core-executor:1.17.1",
    "args": ["--sdep", "my-model", "--namespace", "my-model-production", "--predictor", "main"],
}


def other(name: str) -> Any:
    """A container of someone else's image, as the template or the operator writes it."""
    if name == "executor":
        return copy.deepcopy(EXECUTOR)
    path = ROOT / PROJECT / "manifests/components" / {"shipper": "shipping"}.get(name, "monitoring") / f"{name}.yaml"
    (container,) = next(iter(yaml.safe_load_all(path.read_text())))["spec"]["template"]["spec"]["containers"]
    return container


def test_a_namespace_that_names_no_repository_runs_nothing() -> None:
    known = {"object": {"spec": {"containers": [{"image": GOOD}]}}, "namespaceObject": {"metadata": {"labels": {}}}}
    (told,) = refusals(policy("model-images"), known)
    assert told.startswith("error: ")


@pytest.mark.parametrize(
    ("image", "admitted"),
    [
        (GOOD, True),
        (GOOD.replace("serve", "monitor"), True),
        (GOOD.replace("my-model", "your-model"), False),
        (GOOD.replace("my-model", "my-model-x"), False),
        (GOOD.replace("my-model", "model"), False),
        (GOOD.split("@")[0], False),
        (GOOD.replace("@", ":1@"), False),
        (f"{GOOD}0", False),
        (GOOD.replace("acme", "acme-evil"), False),
        (GOOD.replace("ghcr.io", "ghcrxio"), False),
        (f"evil.io/{GOOD}", False),
        (GOOD.replace("acme/", "acme/x/"), False),
        (GOOD.replace("serve", "train"), False),
        ("docker.io/library/busybox:1", False),
    ],
)
def test_an_image_that_the_repository_did_not_build_is_refused(image: str, *, admitted: bool) -> None:
    for kind in ("containers", "initContainers"):
        spec: Object = {"containers": [{"name": "model", "image": GOOD}]}
        spec[kind] = [*spec.get(kind, []), {"name": "other", "image": image, "command": ["sh"]}]
        assert (refused("model-images", spec) == []) == admitted


@pytest.mark.parametrize("name", ["shipper", "pushgateway", "executor"])
def test_an_image_of_others_runs_as_the_template_runs_it(name: str) -> None:
    def told(**changes: Any) -> list[str]:
        container = {**other(name), **changes}
        return refused("model-images", {"containers": [{"image": GOOD}], "initContainers": [container]})

    image = other(name)["image"]
    assert told() == []
    others = [
        f"{image}0",
        image.split("@")[0] + "-evil",
        image.removeprefix("docker.io/"),
        image.replace("docker", "evil"),
    ]
    for bad in others:
        assert "only run images that its own" in told(image=bad)[0]
    assert "the arguments of the template" in told(command=["/bin/sh"])[0]
    assert "the arguments of the template" in told(args=[*other(name)["args"], "--config=/predictions/x"][-1:])[0]
    assert "the arguments of the template" in told(args=["--namespace", "other"] * 2)[0]
    assert "the arguments of the template" in told(lifecycle={"postStart": {"exec": {"command": ["x"]}}})[0]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert "A probe may not run a command" in told(**{probe: {"exec": {"command": ["x"]}}})[0]


def test_a_debug_container_is_refused() -> None:
    (told,) = refused("model-images", {"containers": [{"image": GOOD}], "ephemeralContainers": [{"image": GOOD}]})
    assert "Debug containers are not allowed" in told
    resources = policy("model-images")["matchConstraints"]["resourceRules"][0]["resources"]
    assert resources == ["pods", "pods/ephemeralcontainers"]


def test_a_volume_from_an_image_is_refused() -> None:
    volumes = [{"name": "x", "image": {"reference": "docker.io/evil/evil:latest"}}]
    (told,) = refused("model-images", {"containers": [{"image": GOOD}], "volumes": volumes})
    assert "Image volumes are not allowed" in told


def test_a_pod_from_before_the_policy_may_end_but_not_change() -> None:
    old = {"containers": [{"image": "docker.io/library/busybox:1"}]}
    assert refused("model-images", old, old) == []
    assert len(refused("model-images", {"containers": [{"image": "docker.io/library/busybox:2"}]}, old)) >= 1


def test_a_pod_that_runs_keeps_its_images() -> None:
    """Another one would be checked by nobody while Kyverno is away."""
    also = GOOD.replace("serve", "monitor")
    old: Object = {"containers": [{"image": GOOD}], "initContainers": [{"image": GOOD}]}
    for key in ("containers", "initContainers"):
        told = refused("model-images", {**old, key: [{"image": also}]}, old)
        assert told == ["A model's pod keeps its images. A new image is a new pod."]
    assert refused("model-images", {**old, "activeDeadlineSeconds": 1}, old) == []


# What reaches others


ROUTE = {
    "parentRefs": [{"name": "models", "namespace": "gateway"}],
    "rules": [
        {
            "matches": [{"path": {"type": "PathPrefix", "value": "/seldon/my-model-production/my-model/v2"}}],
            "backendRefs": [{"name": "my-model-main", "port": 9000}],
        }
    ],
}
STORE = {
    "secretStoreRef": {"kind": "ClusterSecretStore", "name": "models"},
    "dataFrom": [{"extract": {"key": "my-model"}}],
    "data": [{"secretKey": "a", "remoteRef": {"key": "my-model/production", "property": "a"}}],
    "target": {"name": "store", "creationPolicy": "Owner", "deletionPolicy": "Retain"},
}
MONITOR = {
    "selector": {"matchLabels": {"a": "b"}},
    "podMetricsEndpoints": [{"port": "http", "relabelings": [{"action": "keep", "regex": "x"}]}],
}
TARGETS = {"targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "model"}]}


def replaced(good: Any, path: str, value: Any) -> Any:
    """A copy with one value set; an element of a list is named by its index."""
    copied = copy.deepcopy(good)
    *above, last = (int(name) if name.isdigit() else name for name in path.split("."))
    inner = copied
    for name in above:
        inner = inner[name]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return copied


GOODS = {
    "model-access": TARGETS,
    "model-filters": {"urlRewrite": {"path": {"type": "ReplaceRegexMatch"}}},
    "model-monitors": MONITOR,
    "model-routes": ROUTE,
    "model-secrets": STORE,
    "model-services": {"type": "ClusterIP"},
}
MATCH = "rules.0.matches.0"


@pytest.mark.parametrize("name", GOODS)
def test_an_object_that_stays_within_is_admitted(name: str) -> None:
    assert refused(name, GOODS[name]) == []


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        # another's path, or all paths, on the shared Gateway
        ("model-routes", f"{MATCH}.path.value", "/seldon/your-model-production/your-model/api"),
        ("model-routes", f"{MATCH}.path.value", "/seldon/my-model-production-2/x"),
        ("model-routes", f"{MATCH}.path.value", "/seldon/my-model-production"),
        ("model-routes", f"{MATCH}.path.value", "/"),
        ("model-routes", f"{MATCH}.path.type", "RegularExpression"),
        ("model-routes", f"{MATCH}.path.type", None),
        ("model-routes", f"{MATCH}.path.value", None),
        ("model-routes", MATCH, {"headers": [{"name": "a", "value": "b"}]}),
        ("model-routes", "rules.0.matches", []),
        ("model-routes", "rules.0.matches", None),
        ("model-routes", "rules", None),
        ("model-routes", "hostnames", ["models.example.org"]),
        # another Gateway, or none
        ("model-routes", "parentRefs.0.namespace", "argocd"),
        ("model-routes", "parentRefs.0.namespace", None),
        ("model-routes", "parentRefs.0.name", "other"),
        ("model-routes", "parentRefs.0.kind", "Service"),
        ("model-routes", "parentRefs.0.group", ""),
        ("model-routes", "parentRefs", None),
        # another's Service
        ("model-routes", "rules.0.backendRefs.0.namespace", "your-model-production"),
        ("model-routes", "rules.0.backendRefs.0.kind", "Backend"),
        ("model-routes", "rules.0.backendRefs.0.group", "gateway.envoyproxy.io"),
        ("model-routes", "rules.0.backendRefs.0.filters", [{"type": "RequestMirror"}]),
        ("model-routes", "rules.0.filters", [{"type": "RequestMirror"}]),
        ("model-routes", "rules.0.filters", [{"type": "RequestRedirect"}]),
        ("model-routes", "rules.0.filters", [{"type": "RequestHeaderModifier"}]),
        ("model-routes", "rules.0.filters", [{"type": "URLRewrite", "urlRewrite": {"hostname": "x"}}]),
        ("model-routes", "rules.0.sessionPersistence", {}),
        ("model-routes", "useDefaultGateways", "All"),
        ("model-filters", "urlRewrite.hostname", {"type": "Header"}),
        ("model-filters", "urlRewrite", None),
        ("model-filters", "directResponse", {"statusCode": 200}),
        ("model-filters", "credentialInjection", {}),
        ("model-services", "type", "ExternalName"),
        ("model-services", "type", "LoadBalancer"),
        ("model-services", "type", "NodePort"),
        ("model-services", "externalIPs", ["10.0.0.1"]),
        # another's secrets
        ("model-secrets", "dataFrom.0.extract.key", "your-model"),
        ("model-secrets", "dataFrom.0.extract.key", "my-model-eu"),
        ("model-secrets", "dataFrom.0.extract.key", "my-model/../your-model"),
        ("model-secrets", "dataFrom.0", {"find": {"name": {"regexp": ".*"}}}),
        ("model-secrets", "dataFrom.0.sourceRef", {"storeRef": {"name": "other"}}),
        ("model-secrets", "dataFrom.0", {"sourceRef": {"generatorRef": {"kind": "ECRAuthorizationToken"}}}),
        ("model-secrets", "dataFrom.0.rewrite", [{"regexp": {}}]),
        ("model-secrets", "data.0.remoteRef.key", "your-model"),
        ("model-secrets", "data.0.sourceRef", {"storeRef": {"name": "other"}}),
        ("model-secrets", "secretStoreRef", None),
        ("model-secrets", "secretStoreRef.name", "platform"),
        ("model-secrets", "secretStoreRef.kind", "SecretStore"),
        ("model-secrets", "secretStoreRef.kind", None),
        ("model-secrets", "target.template", {"type": "kubernetes.io/service-account-token"}),
        ("model-secrets", "target.manifest", {"apiVersion": "v1", "kind": "ConfigMap"}),
        ("model-secrets", "target.creationPolicy", "Merge"),
        # another's metrics
        ("model-monitors", "namespaceSelector", {"any": True}),
        ("model-monitors", "podTargetLabels", ["namespace"]),
        ("model-monitors", "podMetricsEndpoints.0.honorLabels", True),
        ("model-monitors", "podMetricsEndpoints.0.metricRelabelings", [{"targetLabel": "namespace"}]),
        ("model-monitors", "podMetricsEndpoints.0.proxyUrl", "http://x"),
        ("model-monitors", "podMetricsEndpoints.0.relabelings.0.action", "replace"),
        ("model-monitors", "podMetricsEndpoints.0.relabelings.0.action", None),
        # the shared Gateway
        ("model-access", "targetRefs.0.kind", "Gateway"),
        ("model-access", "targetRefs.0.group", "x"),
        ("model-access", "targetRefs", None),
        ("model-access", "targetSelectors", [{"kind": "HTTPRoute"}]),
        ("model-access", "extAuth", {}),
        ("model-access", "requestBuffer", {"limit": "10Gi"}),
        ("model-access", "mergeType", "JSONMerge"),
    ],
)
def test_an_object_that_reaches_others_is_refused(name: str, path: str, value: Any) -> None:
    bad = replaced(GOODS[name], path, value)
    assert len(refused(name, bad)) >= 1
    assert refused(name, bad, bad) == []  # one from before the policy may be labelled and deleted


def test_prometheus_says_whose_metrics_they_are() -> None:
    monitoring = next(one for one in applications() if one["metadata"]["name"] == "monitoring")
    values = monitoring["spec"]["sources"][0]["helm"]["valuesObject"]
    spec, own = values["prometheus"]["prometheusSpec"], monitoring["spec"]["destination"]["namespace"]
    assert spec["enforcedNamespaceLabel"] == "namespace"
    assert {one["namespace"] for one in spec["excludedFromEnforcement"]} == {own}
    assert "podmonitors" not in {one["resource"] for one in spec["excludedFromEnforcement"]}
    assert {one["searchNamespace"] for one in values["grafana"]["sidecar"].values()} == {own}


# Namespaces and signatures


ARGOCD = "system:serviceaccount:argocd:argocd-application-controller"


@pytest.mark.parametrize(
    ("name", "labels", "user", "count"),
    [
        ("churn-production", None, ARGOCD, 0),
        ("churn-production", {}, ARGOCD, 3),
        ("churn-production", {"app.kubernetes.io/part-of": "other"}, ARGOCD, 1),
        ("churn-production", {"repository": "other"}, ARGOCD, 1),
        ("churn-production", {"environment": "dev"}, ARGOCD, 1),
        ("churn-production", {"pod-security.kubernetes.io/enforce": "privileged"}, ARGOCD, 1),
        ("churn-dev", {}, "system:serviceaccount:kube-system:argocd-manager", 3),
        ("churn-dev", {}, "ann", 0),
        ("kyverno", {}, ARGOCD, 0),
    ],
)
def test_a_namespace_of_a_model_keeps_its_labels(
    name: str, labels: dict[str, str] | None, user: str, count: int
) -> None:
    given = only(repository("churn"), "Namespace", "churn-production")["metadata"]["labels"]
    wanted = given if labels is None else given | labels if labels else {}
    known = {"object": {"metadata": {"name": name, "labels": wanted}}, "request": {"userInfo": {"username": user}}}
    assert len(refusals(policy("model-namespaces"), known)) == count
    without: Object = copy.deepcopy(known)
    del without["object"]["metadata"]["labels"]
    if count == 3:
        assert len(refusals(policy("model-namespaces"), without)) == 3


ISSUER = "https://token.actions.githubusercontent.com"


def subject(repository: str) -> str:
    return f"https://github.com/acme/{repository}/.github/workflows/release.yaml@refs/heads/main"


def signed(images: list[str], by: dict[str, str], labels: Object = LABELS) -> bool:
    """Whether the signature policy admits a pod with these images; `by` has whom each is signed by."""
    spec = only(built("policy"), "ImageValidatingPolicy")["spec"]
    environment = celpy.Environment()

    def verify(image: Any, attestors: Any) -> Any:
        """How many attestors find an identity of theirs (pkg/image/verifiers/ivpol/cosign, Kyverno 1.18.1)."""
        plain = json.loads(json.dumps(attestors, cls=CELJSONEncoder))
        identities = [identity for one in plain for identity in one["cosign"]["keyless"]["identities"]]
        assert len(plain) == len(identities) == 2
        return celpy.celtypes.IntType(
            sum(
                identity["issuer"] == ISSUER
                and (
                    identity["subject"] == by.get(str(image), "")
                    if "subject" in identity
                    else re.search(identity["subjectRegExp"], by.get(str(image), "")) is not None
                )
                for identity in identities
            )
        )

    known = {
        "images": {"containers": images, "initContainers": [], "ephemeralContainers": []},
        "attestors": {one["name"]: one for one in spec["attestors"]},
        "namespaceObject": {"metadata": {"labels": labels}},
    }
    (validation,) = spec["validations"]
    program = environment.program(
        environment.compile(validation["expression"]), functions={"verifyImageSignatures": verify, "dyn": lambda x: x}
    )
    return bool(program.evaluate({name: json_to_cel(value) for name, value in known.items()}))


def test_an_image_that_the_release_of_this_repository_did_not_sign_is_refused() -> None:
    also, own = GOOD.replace("serve", "monitor"), subject("my-model")
    assert signed([GOOD, also], {GOOD: own, also: own})
    assert not signed([GOOD, also], {GOOD: own})
    assert not signed([GOOD], {})
    assert not signed([GOOD], {GOOD: subject("your-model")})
    assert not signed([GOOD], {GOOD: own}, {"repository": "your-model"})
    assert not signed([GOOD.split("@")[0]], {})
    for allowed in (other("shipper")["image"], GOOD.replace("ghcr.io", "localhost:5001")):
        assert signed([GOOD, allowed], {GOOD: own})  # images.yaml allows it or, in kind, stands alone
        assert not signed([GOOD, allowed], {allowed: own})
    with pytest.raises(CELEvalError):  # an error refuses
        signed([GOOD], {GOOD: own}, {})


@pytest.mark.parametrize(
    "by",
    [
        "https://github.com/acme/my-model/.github/workflows/pull-request.yaml@refs/heads/main",
        "https://github.com/acme/my-model/.github/workflows/release.yaml@refs/heads/mine",
        "https://github.com/acme/my-model/.github/workflows/release.yaml@refs/heads/main2",
        "https://github.com/acme/my-model/.github/workflows/release.yaml@refs/pull/1/merge",
        "https://github.com/evil/acme/my-model/.github/workflows/release.yaml@refs/heads/main",
        "https://github.com/acme-evil/my-model/.github/workflows/release.yaml@refs/heads/main",
        "https://githubxcom/acme/my-model/.github/workflows/release.yaml@refs/heads/main",
    ],
)
def test_only_the_release_on_main_signs(by: str) -> None:
    assert not signed([GOOD], {GOOD: by})


def test_signatures_are_asked_for_of_each_image_of_a_release() -> None:
    spec = only(built("policy"), "ImageValidatingPolicy")["spec"]
    globs = [one["glob"] for one in spec["matchImageReferences"]]
    for image in (*IMAGES.values(), CANDIDATE):
        assert any(fnmatch(image, glob) for glob in globs)
        assert refused("model-images", {"containers": [{"image": image}]}) == []
    assert spec["validationActions"] == ["Deny"]
    assert (spec["failurePolicy"], spec["validationConfigurations"]["verifyDigest"]) == ("Fail", True)


def test_signatures_are_asked_for_where_a_person_looks() -> None:
    rules = only(built("policy"), "ImageValidatingPolicy")["spec"]["matchConstraints"]["resourceRules"]
    found = {(group, one) for rule in rules for group in rule["apiGroups"] for one in rule["resources"]}
    # With pods/ephemeralcontainers Kyverno is never ready (kyverno/kyverno#17227).
    assert found == {("", "pods"), ("apps", "deployments"), ("batch", "cronjobs"), ("batch", "jobs")}


def test_a_change_that_leaves_the_pod_alone_asks_no_registry() -> None:
    spec = only(built("policy"), "ImageValidatingPolicy")["spec"]
    (condition,) = spec["matchConditions"]
    asks = {"matchConditions": [condition], "validations": [{"expression": "false", "message": "asked"}]}
    for under in ("", "template", "jobTemplate"):

        def made(image: str, finalizers: int = 1, replicas: int = 1, under: str = under) -> Object:
            own: Object = {"containers": [{"image": image}]}
            return {
                "metadata": {"finalizers": ["x"] * finalizers},
                "spec": {under: own, "replicas": replicas} if under else own,
            }

        assert refusals(asks, {"object": made("a")}) == ["asked"]
        assert refusals(asks, {"object": made("b"), "oldObject": made("a")}) == ["asked"]
        assert refusals(asks, {"object": made("a", finalizers=0, replicas=2), "oldObject": made("a")}) == []


WEBHOOKS = {  # Kyverno 1.18.1: pkg/config/config.go, pkg/controllers/webhook/validating.go
    "model-verdict": ("MutatingWebhookConfiguration", "kyverno-resource-mutating-webhook-cfg", "ivpol.mutate"),
    "model-verifier": ("ValidatingWebhookConfiguration", "kyverno-resource-validating-webhook-cfg", "ivpol.validate"),
}
RULE = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["pods"]}


def webhook(which: str, **changes: Any) -> Object:
    """A webhook as Kyverno writes it for the policy `signatures`, among another one."""
    spec = only(built("policy"), "ImageValidatingPolicy")
    assert spec["spec"]["matchConditions"]  # so that Kyverno calls it finegrained
    name = f"{which}.kyverno.svc-fail-finegrained-{spec['metadata']['name']}"
    other = {"name": "vpol.validate.kyverno.svc-fail", "failurePolicy": "Fail", "rules": [RULE]}
    return {"webhooks": [other, {"name": name, "failurePolicy": "Fail", "rules": [RULE], **changes}]}


@pytest.mark.parametrize("name", WEBHOOKS)
def test_no_pod_of_a_model_starts_while_kyverno_does_not_verify(name: str) -> None:
    kind, configuration, which = WEBHOOKS[name]
    spec = policy(name)
    binding = only(built("policy"), "ValidatingAdmissionPolicyBinding", name)["spec"]
    assert binding["paramRef"] == {"name": configuration, "parameterNotFoundAction": "Deny"}  # scaled to 0
    assert spec["paramKind"] == {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind}
    assert spec["matchConstraints"]["namespaceSelector"] == {"matchLabels": NAMESPACE}  # no other namespace
    # Without params the API server refuses before it reads a condition: a pod that runs must be labelled, and end.
    assert spec["matchConstraints"]["resourceRules"][0]["operations"] == ["CREATE"]
    pod: Object = {"metadata": {"annotations": {"kyverno.io/image-verification-outcomes": "{}"}}, "spec": {"a": 1}}

    def told(params: Object) -> int:
        return len(refusals(spec, {"object": pod, "params": params}))

    assert told(webhook(which)) == 0
    missing: list[Object] = [
        {},
        {"webhooks": []},
        webhook(which, name="ivpol.other"),
        webhook(which, failurePolicy="Ignore"),
        webhook(which, rules=[]),
        webhook(which, rules=[{**RULE, "resources": ["deployments"]}]),
        webhook(which, rules=[{**RULE, "operations": ["UPDATE"]}]),
    ]
    for params in missing:
        assert told(params) == 1


def test_one_pod_of_kyverno_may_go() -> None:
    kyverno = next(one for one in applications() if one["metadata"]["name"] == "policy")["spec"]["sources"][0]
    assert kyverno["helm"]["valuesObject"]["admissionController"]["replicas"] == 2


def test_a_pod_is_looked_at_in_the_namespaces_that_models_get() -> None:
    for constraints in (
        policy("model-images")["matchConstraints"],
        only(built("policy"), "ImageValidatingPolicy")["spec"]["matchConstraints"],
    ):
        assert constraints["namespaceSelector"] == {"matchLabels": NAMESPACE}
