"""What becomes of a sync that ended badly: the platform's are tried again, a release's are told."""

import copy
import json
import sys
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
import yaml
from argo import repository
from folders import MANIFESTS, applications, argocd, built, objects, only
from kubeapi import TOKEN, State, merged, serving
from schemas import Object, definition, fields
from test_policy import refusals

FOLDER = MANIFESTS / "argocd/outcomes"
sys.path.insert(0, str(FOLDER))
import minute  # noqa: E402
import outcome  # noqa: E402
import pod  # noqa: E402
from cluster import APPLICATIONS, Cluster  # noqa: E402

NOW = datetime(2026, 11, 28, 12, 0, 0, tzinfo=UTC)
ENDED = "2026-11-28T11:50:00Z"
SERVE = f"ghcr.io/acme/my-model-serve@sha256:{'a' * 64}"
MONITOR = f"ghcr.io/acme/my-model-monitor@sha256:{'b' * 64}"
UNSUCCESSFUL = "one or more synchronization tasks completed unsuccessfully"
# As Argo CD 3.5.1 writes them.
NO_KIND = (
    "The Kubernetes API could not find machinelearning.seldon.io/SeldonDeployment for requested resource "
    'my-model-dev/my-model. Make sure the "SeldonDeployment" CRD is installed on the destination cluster.'
)
WEBHOOK = (
    'Internal error occurred: failed calling webhook "v1.mseldondeployment.kb.io": failed to call webhook: Post '
    '"https://seldon-webhook-service.seldon-system.svc:443/mutate": no endpoints available for service'
)
DENIED = 'admission webhook "ivpol.validate.kyverno.svc-fail" denied the request: Policy signatures failed: not signed'
AWAY = f"{DENIED}: Get https://rekor.sigstore.dev: dial tcp 1.2.3.4:443: i/o timeout"
KUSTOMIZE = (
    "Failed to load target state: failed to generate manifest for source 1 of 1: rpc error: code = Unknown desc = "
    "Manifest generation error (cached): `kustomize build <path to cached source>/manifests/overlays/dev` failed exit "
    "status 1: Error: accumulating resources: no such file"
)
NO_GIT = "Failed to load target state: rpc error: code = Unavailable desc = dial tcp 10.0.0.1:8081: connection refused"


def result(kind: str = "SeldonDeployment", name: str = "my-model", **more: Any) -> Object:
    return {"kind": kind, "name": name, "status": "Synced", "message": f"{name} serverside-applied", **more}


def refused(*messages: str) -> list[Object]:
    return [result(status="SyncFailed", message=message) for message in messages]


HOOK = result("Job", "smoke", hookPhase="Failed", hookType="PostSync", message="Job has reached the backoff limit")
UNFIT = result(hookPhase="Failed", message="Deployment is no longer progressing and not available.")


def application(
    results: list[Object] | None = None, message: str = UNSUCCESSFUL, phase: str = "Failed", **more: Any
) -> Object:
    """A model's Application in dev, whose last sync ended like this."""
    found: Object = copy.deepcopy(only(repository("my-model"), "Application", "my-model-dev"))
    found["metadata"] |= {"resourceVersion": "1"}
    images = [result("CronJob", "monitor", images=[MONITOR]), result("Job", "smoke", images=[SERVE])]
    found["status"] = {
        "operationState": {
            "phase": phase,
            "message": message,
            "finishedAt": ENDED,
            "operation": {"sync": {"revision": "c0ffee"}},
            "syncResult": {"revision": "c0ffee", "resources": [*images, *(results or [])]},
        },
        **more,
    }
    return found


def part(message: str = "one or more objects failed to apply", **spec: Any) -> Object:
    """An Application of the platform."""
    found = copy.deepcopy(next(one for one in applications() if one["metadata"]["name"] == "mlflow"))
    found["metadata"] |= {"resourceVersion": "1"}
    found["spec"] |= spec
    found["status"] = application(message=message)["status"]
    return found


def a_pod(name: str = "my-model-main-0", created: str = "1", ready: str = "False", **status: Any) -> Object:
    conditions = [{"type": "Ready", "status": ready}, *status.pop("conditions", [])]
    job = {"batch.kubernetes.io/job-name": "smoke"} if name.startswith("smoke") else {}
    return {
        "metadata": {"name": name, "namespace": "my-model-dev", "creationTimestamp": created, "labels": job},
        "status": {"conditions": conditions, **status},
    }


def ended(message: str, state: str = "state") -> list[Object]:
    return [{"name": "model", state: {"terminated": {"exitCode": 1, "reason": "Error", "message": message}}}]


def waiting(reason: str, message: str) -> list[Object]:
    return [{"name": "model", "state": {"waiting": {"reason": reason, "message": message}}}]


@cache
def limits() -> Any:
    return only(objects(FOLDER), "ValidatingAdmissionPolicy")["spec"]


def allowed(new: Object, old: Object) -> str:
    """What the policy of this account says of a change, as the API server asks it."""
    user = {"userInfo": {"username": "system:serviceaccount:argocd:outcomes"}}
    return "; ".join(refusals(limits(), {"object": new, "oldObject": old, "request": user}))


def ran(*found: Object, pods: tuple[Object, ...] = (), deployments: tuple[Object, ...] = ()) -> State:
    """The cluster after one minute."""
    with serving(State(list(found), list(pods), allowed, deployments)) as state:
        minute.run(Cluster(state.address, TOKEN), NOW)
    return state


def told(state: State, name: str = "my-model-dev") -> Object | None:
    text = state.applications[name]["metadata"].get("annotations", {}).get("failed")
    return None if text is None else json.loads(text)


@pytest.mark.parametrize(
    ("found", "blame"),
    [
        (application(phase="Succeeded"), None),
        (application(phase="Running"), None),
        # the platform was not ready
        (application(refused(NO_KIND)), "platform"),
        (application(refused(WEBHOOK)), "platform"),
        (application(refused(AWAY)), "platform"),
        (application(refused('namespaces "my-model-dev" not found')), "platform"),
        (application(refused("etcdserver: request timed out")), "platform"),
        (application(message="Operation terminated, triggered by controller sync timeout"), "platform"),
        (application(phase="Error", message="failed to initialize sync context: Unauthorized"), "platform"),
        (application(phase="Error", message=f"ComparisonError: {NO_GIT}"), "platform"),
        # the release, or another commit of its repository, is wrong
        (application(refused(DENIED)), "release"),
        (application(refused(NO_KIND, ".spec.predictors: field not declared in schema")), "release"),
        (application(refused(NO_KIND.replace("machinelearning.seldon.io", "external-secrets.io"))), "release"),
        (application(refused("resource :Secret is not permitted in project my-model-model")), "release"),
        (application([HOOK]), "release"),
        (application([UNFIT]), "release"),
        (application(phase="Error", message=f"ComparisonError: {KUSTOMIZE}"), "release"),
        (application(phase="Succeeded", conditions=[{"type": "ComparisonError", "message": KUSTOMIZE}]), "release"),
        (application(phase="Succeeded", conditions=[{"type": "ComparisonError", "message": NO_GIT}]), None),
        (application(message="Operation terminated"), "person"),
    ],
)
def test_a_bad_release_is_told_apart_from_a_platform_that_was_not_ready(found: Object, blame: str | None) -> None:
    was = outcome.of(found)
    assert (was and was.blame) == blame
    state = ran(found)
    assert ("operation" in state.applications["my-model-dev"]) == (blame == "platform")
    assert (told(state) is not None) == (blame == "release")


def test_the_platform_s_kinds_are_those_that_a_model_may_have_and_kubernetes_has_not() -> None:
    allowed_kinds = only(built("models/repository"), "AppProject")["spec"]["namespaceResourceWhitelist"]
    groups = {one["group"] for one in allowed_kinds if "." in one["group"] and not one["group"].endswith(".k8s.io")}
    assert set(outcome.GROUPS) == (groups | {"gateway.networking.k8s.io"}) - {"external-secrets.io"}


@pytest.mark.parametrize("message", ["anything at all", "Operation terminated, triggered by controller sync timeout"])
def test_whatever_ends_the_sync_of_a_part_it_is_tried_again(message: str) -> None:
    found = part(message)
    state = ran(found)
    asked = state.applications["mlflow"]["operation"]
    assert asked["sync"] == {"prune": True, "syncOptions": ["CreateNamespace=true", "ServerSideApply=true"]}
    assert asked["retry"] == found["spec"]["syncPolicy"]["retry"]
    assert asked["initiatedBy"] == {"username": "outcomes", "automated": True}
    assert told(state, "mlflow") is None
    assert fields([]) == []
    known = definition("Application")["properties"]["operation"]
    assert set(asked) <= set(known["properties"])
    assert set(asked["sync"]) <= set(known["properties"]["sync"]["properties"])


def test_what_is_already_asked_for_or_just_ended_or_another_s_is_left_alone() -> None:
    running, soon, manual, others = part(), part(), part(syncPolicy={}), part(project="ours")
    running["operation"] = {"sync": {}}
    soon["status"]["operationState"]["finishedAt"] = "2026-11-28T11:59:30Z"
    found = [running, soon, manual, others]
    for index, one in enumerate(found):
        one["metadata"]["name"] = f"part-{index}"
    assert ran(*found).patches == []


def test_a_broken_platform_is_not_asked_for_everything_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minute, "ASKS", 2)
    found = [part() for _ in range(3)]
    for index, one in enumerate(found):
        one["metadata"]["name"] = f"part-{index}"
        one["status"]["operationState"]["finishedAt"] = f"2026-11-28T11:{50 - index}:00Z"
    assert [name for name, _ in ran(*found).patches] == ["part-2", "part-1"]  # the one that ended last waits


def test_a_self_heal_that_the_platform_failed_is_tried_again_and_no_other_is_told() -> None:
    for results, asked in ((refused(WEBHOOK), True), (refused(DENIED), False)):
        found = application(results)
        found["status"]["operationState"]["operation"]["sync"]["resources"] = [{"kind": "Service", "name": "x"}]
        state = ran(found)
        assert ("operation" in state.applications["my-model-dev"]) == asked
        assert told(state) is None


# The word


def test_a_word_names_the_release_and_says_what_its_pod_said() -> None:
    pods = (
        a_pod(
            "my-model-main-new", "2", containerStatuses=ended("loading\nserve: build/model is damaged.\n", "lastState")
        ),
        a_pod("my-model-main-old", "1", ready="True"),
        a_pod("smoke-1", "3", containerStatuses=ended("smoke: it answers 2")),
    )
    assert told(ran(application([UNFIT]), pods=pods)) == {
        "app": "my-model-dev",
        "environment": "dev",
        "digest": f"sha256:{'a' * 64}",
        "revision": "c0ffee",
        "said": "pod my-model-main-new: serve: build/model is damaged.",
        "ended": ENDED,
    }
    word = told(ran(application([HOOK]), pods=pods))
    assert word
    assert word["said"] == "pod smoke-1: smoke: it answers 2"


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({"containerStatuses": ended("")}, "Error with exit code 1"),
        ({"containerStatuses": waiting("ImagePullBackOff", "Back-off")}, "ImagePullBackOff: Back-off"),
        ({"containerStatuses": waiting("ContainerCreating", "")}, ""),
        ({"initContainerStatuses": ended("init: no"), "containerStatuses": waiting("PodInitializing", "")}, "init: no"),
        ({"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes"}]}, "0/1 nodes"),
        ({"ready": "True", "containerStatuses": ended("an earlier end", "lastState")}, ""),
    ],
)
def test_a_pod_says_why_it_is_not_ready(status: Object, said: str) -> None:
    found = pod.said([a_pod(**status)])
    assert found == (said and f"pod my-model-main-0: {said}")
    word = told(ran(application([UNFIT]), pods=(a_pod(**status),)))
    assert word
    assert word["said"] == found or word["said"] == f"SeldonDeployment my-model: {UNFIT['message']}"


def test_a_pod_without_its_secret_is_the_platform_s_fault() -> None:
    missing = waiting("CreateContainerConfigError", 'secret "store" not found')
    state = ran(application([UNFIT]), pods=(a_pod(containerStatuses=missing),))
    assert "operation" in state.applications["my-model-dev"]
    assert told(state) is None


def test_a_pod_s_words_are_one_short_line() -> None:
    word = told(ran(application([UNFIT]), pods=(a_pod(containerStatuses=ended(f"\x1b[31m`{'x' * 999}\u202e")),)))
    assert word
    assert len(word["said"]) == pod.LONGEST
    assert word["said"].isprintable()


def test_an_overlay_that_cannot_be_rendered_is_told_by_its_branch() -> None:
    broken = [{"type": "ComparisonError", "message": KUSTOMIZE, "lastTransitionTime": ENDED}]
    word = told(ran(application(phase="Succeeded", conditions=broken)))
    assert word
    path = "manifests/overlays/dev cannot be rendered: Error: accumulating resources: no such file"
    assert (word["said"], word["revision"], word["digest"]) == (path, "main", "")


def test_a_word_is_written_once_and_taken_back_before_the_next() -> None:
    state = ran(application([HOOK]))
    first = state.applications["my-model-dev"]
    assert ran(first).patches == []
    again = copy.deepcopy(first)
    again["status"]["operationState"]["finishedAt"] = "2026-11-28T11:55:00Z"
    between = ran(again)
    assert told(between) is None  # the trigger is false for a minute, else the engine would not send
    word = told(ran(between.applications["my-model-dev"]))
    assert word
    assert word["ended"] == "2026-11-28T11:55:00Z"
    first["status"]["operationState"]["phase"] = "Succeeded"
    assert told(ran(first)) is None


def test_an_application_that_changed_meanwhile_is_left_to_the_next_minute() -> None:
    with serving(State([application([HOOK])], [], allowed)) as state:
        cluster = Cluster(state.address, TOKEN)
        (read,) = cluster.every(APPLICATIONS)
        state.applications["my-model-dev"]["metadata"]["resourceVersion"] = "2"
        assert minute.word(cluster, read, outcome.of(read)) == []
        assert state.patches == []


def test_an_application_that_cannot_be_read_keeps_none_of_the_others() -> None:
    broken = application([HOOK])
    broken["metadata"] |= {"name": "a-dev", "annotations": {"failed": "not JSON"}}
    with serving(State([broken, application([HOOK])], [], allowed)) as state:
        lines, whole, _ = minute.run(Cluster(state.address, TOKEN), NOW)
    assert told(state)
    assert not whole  # the job fails, which Prometheus tells
    assert lines[0].startswith("a-dev: JSONDecodeError")


# A rollout that stands still while older pods answer: Seldon reports nothing, so the sync would wait for its time limit

BEGAN, GAVE_UP = "2026-11-28T11:55:00Z", "2026-11-28T11:59:01Z"
CUT, TIMEOUT = "Operation terminated", "Operation terminated, triggered by controller sync timeout"


def rolling(**more: Any) -> Object:
    """A model's Application whose sync waits for its pods."""
    found = application([result(hookPhase="Running")], "waiting for healthy state of SeldonDeployment", "Running")
    found["status"]["operationState"] |= {"startedAt": BEGAN, **more}
    return found


PULLS = waiting("ImagePullBackOff", "Back-off")


def a_deployment(reason: str = "ProgressDeadlineExceeded", since: str = GAVE_UP, seen: int = 2) -> Object:
    condition = {"type": "Progressing", "status": "False", "reason": reason, "lastTransitionTime": since}
    available = {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable", "lastTransitionTime": "1"}
    about = {"name": "my-model-main-0-model", "namespace": "my-model-dev", "generation": 2}
    return {"metadata": about, "status": {"observedGeneration": seen, "conditions": [available, condition]}}


def test_a_sync_that_waits_for_pods_that_gave_up_is_ended() -> None:
    state = ran(rolling(), deployments=(a_deployment(),))
    assert state.applications["my-model-dev"]["status"]["operationState"]["phase"] == "Terminating"
    assert told(state) is None  # until Argo CD has ended it


@pytest.mark.parametrize(
    "deployment",
    [
        a_deployment(reason="ReplicaSetUpdated"),
        a_deployment(since="2026-11-28T11:54:59Z"),  # of the release before: this sync's pods have yet to begin
        a_deployment(seen=1),
    ],
    ids=["progressing", "earlier", "unseen"],
)
def test_a_sync_whose_pods_may_still_come_goes_on(deployment: Object) -> None:
    assert ran(rolling(), deployments=(deployment,)).patches == []


@pytest.mark.parametrize("message", [CUT, TIMEOUT])
def test_pods_that_gave_up_are_told_and_not_tried_again(message: str) -> None:
    found, pods = application([result(hookPhase="Running")], message), (a_pod(containerStatuses=PULLS),)
    state = ran(found, pods=pods, deployments=(a_deployment(since="2026-11-27T00:00:00Z"),))
    word = told(state)
    assert word
    assert word["said"] == "pod my-model-main-0: ImagePullBackOff: Back-off"
    assert "operation" not in state.applications["my-model-dev"]
    word = told(ran(found, deployments=(a_deployment(),)))
    assert word
    assert word["said"] == "Deployment my-model: its pods were not ready in time"


def test_in_another_cluster_the_time_limit_tells() -> None:
    for results, is_told in (([result(hookPhase="Running")], True), ([], False)):
        found = application(results, TIMEOUT)
        found["spec"]["destination"]["server"] = "https://west:6443"
        state = ran(found, deployments=(a_deployment(),))
        assert (told(state) is not None) == is_told
        assert ("operation" in state.applications["my-model-dev"]) != is_told


# Its rights


@pytest.mark.parametrize(
    ("patch", "refused_as"),
    [
        ({"metadata": {"annotations": {"failed": "x"}}}, ""),
        ({"operation": {"sync": {"prune": True, "syncOptions": ["ServerSideApply=true"]}}}, ""),
        ({"spec": {"project": "platform"}}, "spec or status"),
        ({"status": {"operationState": {"phase": "Succeeded"}}}, "spec or status"),
        ({"status": {"operationState": {"phase": "Terminating"}}}, "spec or status"),  # it does not run
        ({"metadata": {"annotations": {"argocd.argoproj.io/refresh": "hard"}}}, "annotation failed"),
        ({"metadata": {"annotations": {"argocd.argoproj.io/compare-options": None}}}, "annotation failed"),
        ({"metadata": {"labels": {"environment": "production"}}}, "labels, finalizers"),
        ({"metadata": {"finalizers": ["x"]}}, "labels, finalizers"),
        ({"operation": {"sync": {"manifests": ["x"]}}}, "own policy"),
        ({"operation": {"sync": {"source": {"repoURL": "x"}}}}, "own policy"),
        ({"operation": {"sync": {"revision": "x"}}}, "own policy"),
        ({"operation": {"sync": {"syncOptions": ["Force=true"]}}}, "own policy"),
        ({"operation": {"initiatedBy": {}}}, "own policy"),
    ],
)
def test_the_account_may_write_its_word_and_ask_for_a_sync_and_nothing_else(patch: Object, refused_as: str) -> None:
    old = application([HOOK])
    said = allowed(merged(old, patch), old)
    assert (refused_as in said) if refused_as else said == ""


@pytest.mark.parametrize(
    ("patch", "refused_as"),
    [
        ({"operationState": {"phase": "Terminating"}}, ""),
        ({"operationState": {"phase": "Failed"}}, "spec or status"),
        ({"operationState": {"phase": "Terminating", "message": "x"}}, "spec or status"),
        ({"operationState": {"phase": "Terminating", "startedAt": None}}, "spec or status"),
        ({"operationState": {"phase": "Terminating", "retryCount": 9}}, "spec or status"),
        ({"operationState": {"phase": "Terminating"}, "sync": {"status": "Synced"}}, "spec or status"),
        ({"operationState": None}, "spec or status"),
    ],
)
def test_of_a_sync_that_runs_the_account_may_change_that_it_runs(patch: Object, refused_as: str) -> None:
    old = rolling()
    said = allowed(merged(old, {"status": patch}), old)
    assert (refused_as in said) if refused_as else said == ""


def test_the_account_reads_applications_and_pods_and_patches_applications() -> None:
    found = objects(FOLDER)
    assert only(found, "Role")["rules"] == [
        {"apiGroups": ["argoproj.io"], "resources": ["applications"], "verbs": ["list", "patch"]}
    ]
    assert only(found, "ClusterRole")["rules"] == [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["list"]},
    ]
    (binding,) = (one["spec"] for one in found if one["kind"] == "ValidatingAdmissionPolicyBinding")
    assert binding == {"policyName": "outcomes", "validationActions": ["Deny"]}
    account = {"kind": "ServiceAccount", "name": "outcomes", "namespace": "argocd"}
    assert [one["subjects"] for one in found if one["kind"].endswith("RoleBinding")] == [[account], [account]]


def test_it_runs_each_minute_with_all_its_modules() -> None:
    found = argocd()
    spec = only(found, "CronJob", "outcomes")["spec"]
    assert (spec["schedule"], spec["concurrencyPolicy"]) == ("* * * * *", "Forbid")
    files = only(found, "ConfigMap", "outcomes-")["data"]
    assert set(files) == {path.name for path in FOLDER.glob("*.py")}
    text = yaml.safe_dump(spec)
    assert only(found, "ConfigMap", "outcomes-")["metadata"]["name"] in text
    assert fields([one for one in found if one["metadata"]["name"].startswith("outcomes")]) == []
