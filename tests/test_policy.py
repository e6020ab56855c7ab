"""The admission policies' expressions, evaluated on a release's pods and on pods that must be refused."""

import copy
import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import celpy
import pytest
from celpy.adapter import json_to_cel
from folders import NAMESPACE, built, only
from pods import pods
from releases import CANDIDATE, COMPONENTS, IMAGES, objects, shared, switched_on
from schemas import Object


def policy(name: str) -> Any:
    return only(built("policy"), "ValidatingAdmissionPolicy", name)["spec"]


def refusals(spec: Any, known: dict[str, Any]) -> list[str]:
    """A policy's messages on an object; none if it admits or ignores it."""
    environment = celpy.Environment()
    found = {name: json_to_cel(value) for name, value in known.items()}

    def value(one: Any) -> Any:
        return environment.program(environment.compile(one["expression"])).evaluate(found)

    if not all(value(one) for one in spec.get("matchConditions", ())):
        return []
    named = {celpy.celtypes.StringType(one["name"]): value(one) for one in spec.get("variables", ())}
    found["variables"] = celpy.celtypes.MapType(named)
    return [one["message"] for one in spec["validations"] if not value(one)]


def test_each_policy_is_bound_and_denies() -> None:
    names = {one["metadata"]["name"] for one in built("policy") if one["kind"] == "ValidatingAdmissionPolicy"}
    bindings = [one["spec"] for one in built("policy") if one["kind"] == "ValidatingAdmissionPolicyBinding"]
    assert {one["policyName"] for one in bindings} == names == {"model-images", "model-namespaces"}
    assert {tuple(one["validationActions"]) for one in bindings} == {("Deny",)}
    assert {policy(name)["failurePolicy"] for name in names} == {"Fail"}


def test_every_pod_of_a_release_is_admitted(released: Path) -> None:
    found = list(pods(objects(switched_on(shared(released), *COMPONENTS), "production")))
    assert len(found) > 3
    for name, _, spec in found:
        assert (name, refusals(policy("model-images"), {"object": {"spec": spec}, "oldObject": None})) == (name, [])


GOOD = f"ghcr.io/acme/my-model-serve@sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("image", "admitted"),
    [
        (GOOD, True),
        (GOOD.replace("serve", "monitor"), True),
        ("docker.io/seldonio/seldon-core-executor:1.17.1", True),
        (GOOD.split("@")[0], False),
        (GOOD.replace("@", ":1@"), False),
        (f"{GOOD}0", False),
        (GOOD.replace("acme", "acme-evil"), False),
        (GOOD.replace("ghcr.io", "ghcrxio"), False),
        (f"evil.io/{GOOD}", False),
        (GOOD.replace("acme/", "acme/x/"), False),
        (GOOD.replace("serve", "train"), False),
        ("docker.io/seldonio/seldon-core-executor:1.17.1-evil", False),
        ("docker.io/timberio/vector:0.59.0", False),
        (f"docker.io/timberio/vector:0.59.0@sha256:{'a' * 64}", True),
        (f"timberio/vector:0.59.0@sha256:{'a' * 64}", False),
        ("docker.io/library/busybox:1", False),
    ],
)
def test_an_image_that_no_release_built_is_refused(image: str, *, admitted: bool) -> None:
    for kind in ("containers", "initContainers"):
        spec = {"containers": [{"name": "model", "image": GOOD}]}
        spec[kind] = [*spec.get(kind, []), {"name": "other", "image": image}]
        told = refusals(policy("model-images"), {"object": {"spec": spec}, "oldObject": None})
        assert (told == []) == admitted


def test_a_debug_container_is_refused() -> None:
    spec = {"containers": [{"image": GOOD}], "ephemeralContainers": [{"image": GOOD}]}
    (told,) = refusals(policy("model-images"), {"object": {"spec": spec}, "oldObject": None})
    assert "Debug containers are not allowed" in told
    resources = policy("model-images")["matchConstraints"]["resourceRules"][0]["resources"]
    assert resources == ["pods", "pods/ephemeralcontainers"]


def test_a_volume_from_an_image_is_refused() -> None:
    volumes = [{"name": "x", "image": {"reference": "docker.io/evil/evil:latest"}}]
    spec = {"containers": [{"image": GOOD}], "volumes": volumes}
    (told,) = refusals(policy("model-images"), {"object": {"spec": spec}, "oldObject": None})
    assert "Image volumes are not allowed" in told


def test_a_pod_from_before_the_policy_may_end_but_not_change() -> None:
    old = {"metadata": {"finalizers": ["x"]}, "spec": {"containers": [{"image": "docker.io/library/busybox:1"}]}}
    ends = {"metadata": {}, "spec": old["spec"]}
    changed = {"metadata": {}, "spec": {"containers": [{"image": "docker.io/library/busybox:2"}]}}
    assert refusals(policy("model-images"), {"object": ends, "oldObject": old}) == []
    assert len(refusals(policy("model-images"), {"object": changed, "oldObject": old})) == 1


ARGOCD = "system:serviceaccount:argocd:argocd-application-controller"


@pytest.mark.parametrize(
    ("name", "labels", "user", "count"),
    [
        ("churn-production", None, ARGOCD, 0),
        ("churn-production", {}, ARGOCD, 2),
        ("churn-production", {"app.kubernetes.io/part-of": "other"}, ARGOCD, 1),
        ("churn-production", {"pod-security.kubernetes.io/enforce": "privileged"}, ARGOCD, 1),
        ("churn-dev", {}, "system:serviceaccount:kube-system:argocd-manager", 2),
        ("churn-dev", {}, "ann", 0),
        ("kyverno", {}, ARGOCD, 0),
    ],
)
def test_a_namespace_of_a_model_keeps_its_labels(
    name: str, labels: dict[str, str] | None, user: str, count: int
) -> None:
    given = only(built("models/repository"), "Namespace", "my-model-production")["metadata"]["labels"]
    wanted = given if labels is None else given | labels if labels else {}
    known = {"object": {"metadata": {"name": name, "labels": wanted}}, "request": {"userInfo": {"username": user}}}
    assert len(refusals(policy("model-namespaces"), known)) == count
    without: Object = copy.deepcopy(known)
    del without["object"]["metadata"]["labels"]
    if count == 2:
        assert len(refusals(policy("model-namespaces"), without)) == 2


def signed(spec: Any, images: list[str], by_release: set[str]) -> bool:
    """Whether the signature policy admits a pod with these images, some of them signed by a release."""

    def verify(image: Any, attestors: Any) -> Any:
        assert list(attestors) == ["release"]
        return celpy.celtypes.IntType(1 if str(image) in by_release else 0)

    environment = celpy.Environment()
    known = {
        "images": {"containers": images, "initContainers": [], "ephemeralContainers": []},
        "attestors": {one["name"]: one["name"] for one in spec["attestors"]},
    }
    (validation,) = spec["validations"]
    program = environment.program(
        environment.compile(validation["expression"]), functions={"verifyImageSignatures": verify}
    )
    return bool(program.evaluate({name: json_to_cel(value) for name, value in known.items()}))


def test_an_image_that_no_release_signed_is_refused() -> None:
    spec = only(built("policy"), "ImageValidatingPolicy")["spec"]
    other = GOOD.replace("serve", "monitor")
    assert signed(spec, [GOOD, other], {GOOD, other})
    assert not signed(spec, [GOOD, other], {GOOD})
    assert not signed(spec, [GOOD], set())
    assert not signed(spec, [GOOD.split("@")[0]], set())
    for allowed in (f"docker.io/timberio/vector:0.59.0@sha256:{'a' * 64}", GOOD.replace("ghcr.io", "localhost:5001")):
        assert signed(spec, [GOOD, allowed], {GOOD})  # images.yaml allows it or, in kind, stands alone
        assert not signed(spec, [GOOD, allowed], {allowed})


def test_signatures_are_asked_for_of_each_image_of_a_release() -> None:
    spec = only(built("policy"), "ImageValidatingPolicy")["spec"]
    globs = [one["glob"] for one in spec["matchImageReferences"]]
    for image in (*IMAGES.values(), CANDIDATE):
        assert any(fnmatch(image, glob) for glob in globs)
        assert (
            refusals(
                policy("model-images"), {"object": {"spec": {"containers": [{"image": image}]}}, "oldObject": None}
            )
            == []
        )
    assert spec["matchConstraints"]["resourceRules"][0]["resources"] == ["pods"]  # with more, Kyverno is never ready


def test_a_pod_is_looked_at_in_the_namespaces_that_models_get() -> None:
    for constraints in (
        policy("model-images")["matchConstraints"],
        only(built("policy"), "ImageValidatingPolicy")["spec"]["matchConstraints"],
    ):
        assert constraints["namespaceSelector"] == {"matchLabels": NAMESPACE}


@pytest.mark.parametrize(
    ("subject", "admitted"),
    [
        ("https://github.com/acme/churn/.github/workflows/release.yaml@refs/heads/main", True),
        ("https://github.com/acme/my-model.v2/.github/workflows/release.yaml@refs/heads/main", True),
        ("https://github.com/acme/churn/.github/workflows/pull-request.yaml@refs/heads/main", False),
        ("https://github.com/acme/churn/.github/workflows/release.yaml@refs/heads/mine", False),
        ("https://github.com/acme/churn/.github/workflows/release.yaml@refs/heads/main2", False),
        ("https://github.com/acme/churn/.github/workflows/release.yaml@refs/pull/1/merge", False),
        ("https://github.com/evil/acme/churn/.github/workflows/release.yaml@refs/heads/main", False),
        ("https://github.com/acme-evil/churn/.github/workflows/release.yaml@refs/heads/main", False),
        ("https://githubxcom/acme/churn/.github/workflows/release.yaml@refs/heads/main", False),
    ],
)
def test_only_the_release_of_a_repository_of_the_organisation_signs(subject: str, *, admitted: bool) -> None:
    spec = only(built("policy"), "ImageValidatingPolicy")["spec"]
    (attestor,) = spec["attestors"]
    (identity,) = attestor["cosign"]["keyless"]["identities"]
    assert identity["issuer"] == "https://token.actions.githubusercontent.com"
    assert (re.search(identity["subjectRegExp"], subject) is not None) == admitted
    assert spec["validationActions"] == ["Deny"]
    assert (spec["failurePolicy"], spec["validationConfigurations"]["verifyDigest"]) == ("Fail", True)
    assert f"attestors.{attestor['name']}" in spec["validations"][0]["expression"]
