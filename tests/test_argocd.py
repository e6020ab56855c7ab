"""Argo CD's health checks for a model, and its notifications to the model's repository on GitHub."""

import json
import re
from typing import Any

import pytest
import yaml
from argo import repository
from conftest import PROJECT, ROOT
from folders import MANIFESTS, applications, argocd, built, only, read
from lupa.lua51 import LuaRuntime
from schemas import definition
from test_outcomes import HOOK, application, ran, told

# Health


LIBRARIES = {"_G", "os", "package", "table"}  # what Argo CD loads (util/lua/lua.go); none for texts


def interpreter() -> LuaRuntime:
    """Lua 5.1, which Argo CD's interpreter implements, with the libraries that Argo CD gives it."""
    found = LuaRuntime()
    for name in set(found.globals().package.loaded) - LIBRARIES:
        found.execute(f"{name} = nil")
    found.execute("getmetatable('').__index = nil")
    return found


def said(lua: str, known: str) -> tuple[str, str]:
    """Status and message of a health check."""
    found = interpreter().execute(f"obj = {known}\nlocal function check()\n{lua}\nend\nreturn check()")
    return found.status, found.message


def judged(lua: str, status: str) -> str:
    return said(lua, f"{{ metadata = {{ generation = 2 }}, status = {status} }}")[0]


def check(kind: str) -> str:
    """The health check that Argo CD runs with our settings."""
    found: str = only(argocd(), "ConfigMap", "argocd-cm")["data"][f"resource.customizations.health.{kind}"]
    return found


def health_of(kind: str, status: str) -> str:
    return judged(check(kind), status)


SELDON = [
    ("nil", "Progressing"),
    ("{}", "Progressing"),
    ('{ state = "Available" }', "Healthy"),
    ('{ state = "Creating", description = "1 of 2" }', "Progressing"),
    ('{ state = "Failed", description = "the object has been modified" }', "Progressing"),  # and passes
    ('{ state = "Failed", description = "Deployment is no longer progressing and not available." }', "Degraded"),
]


@pytest.mark.parametrize(("status", "health"), SELDON)
def test_every_state_of_a_model_has_a_health(status: str, health: str) -> None:
    assert health_of("machinelearning.seldon.io_SeldonDeployment", status) == health


@pytest.mark.parametrize(
    ("old", "new"),
    [('"Failed"', '"Broken"'), ('"Available"', '"available"'), ("Progress", "Suspend"), ("no longer", "always")],
)
def test_a_state_without_its_health_is_found(old: str, new: str) -> None:
    lua = (MANIFESTS / "argocd/health/seldondeployment.lua").read_text().replace(old, new)
    assert [judged(lua, status) for status, _ in SELDON] != [health for _, health in SELDON]


SOURCE = '{ repoURL = "r", targetRevision = "v2", helm = { values = "a" } }'
OLD = SOURCE.replace("v2", "v1")


def part(sync: str = "Synced", compared: str = f"source = {SOURCE}", health: str = "Healthy", more: str = "") -> str:
    """An Application of version 2 with this status."""
    state = f'sync = {{ status = "{sync}", comparedTo = {{ {compared} }} }}, health = {{ status = "{health}" }}'
    return f"{{ metadata = {{}}, spec = {{ source = {SOURCE} }}, status = {{ {state} }}, {more} }}"


EMPTY = 'source = { repoURL = "" }, '  # as Argo CD 3.5.1 writes it beside several sources
SEVERAL = part().replace("source =", "sources =").replace("comparedTo = { ", f"comparedTo = {{ {EMPTY}")
RUNNING = part().replace("status = { sync", 'status = { operationState = { phase = "Running", message = "m" }, sync')


def optional(application: str) -> str:
    return application.replace("metadata = {}", 'metadata = { labels = { optional = "true" } }')


@pytest.mark.parametrize(
    ("application", "health", "message"),
    [
        (f"{{ metadata = {{}}, spec = {{ source = {SOURCE} }} }}", "Progressing", "Waits until Argo CD has compared"),
        (part(), "Healthy", ""),
        (part(sync="OutOfSync"), "Progressing", "Waits to be synced: it differs from git"),  # its own first sync
        (part(compared=f"source = {OLD}"), "Progressing", "Waits until Argo CD has compared its new version"),
        (part(compared=f"source = {SOURCE[:-1]}, extra = 1 }}"), "Progressing", "Waits until Argo CD has compared"),
        (part(compared=f"sources = {{ {SOURCE} }}"), "Progressing", "Waits until Argo CD has compared"),
        (part(more="operation = {}"), "Progressing", "Waits for its sync: it begins"),
        (RUNNING, "Progressing", "Waits for its sync: m"),
        (part(health="Degraded"), "Progressing", "Degraded: no resource has reported yet"),  # else it fails the wave
        (part(health="Missing"), "Missing", ""),
        (part(health="Progressing"), "Progressing", ""),
        (SEVERAL, "Healthy", ""),
        (SEVERAL.replace("v2", "v1", 1), "Progressing", "Waits until Argo CD has compared its new version"),
        (
            optional(part(health="Degraded")),
            "Healthy",
            "Nothing waits for this part, which is optional; it is Degraded",
        ),
        (optional(RUNNING), "Healthy", "Nothing waits for this part, which is optional; it is Healthy, still syncing"),
        (optional(part(sync="OutOfSync")), "Progressing", "Waits to be synced"),  # its kinds may be missing
    ],
)
def test_a_wave_waits_until_each_application_has_its_newest_version(
    application: str, health: str, message: str
) -> None:
    found = said(check("argoproj.io_Application"), application)
    assert found[0] == health
    assert found[1].startswith(message)


def reported(*conditions: tuple[str, str, int]) -> str:
    """A route's status as reported by one gateway."""
    texts = [
        f'{{ type = "{kind}", status = "{status}", observedGeneration = {generation} }}'
        for kind, status, generation in conditions
    ]
    return f"{{ parents = {{ {{ conditions = {{ {', '.join(texts)} }} }} }} }}"


@pytest.mark.parametrize(
    ("status", "health"),
    [
        ("nil", "Progressing"),
        ("{}", "Progressing"),
        ("{ parents = {} }", "Progressing"),
        ("{ parents = { {} } }", "Progressing"),
        (reported(("Accepted", "True", 2), ("ResolvedRefs", "True", 2)), "Healthy"),
        (reported(("Accepted", "True", 1), ("ResolvedRefs", "True", 1)), "Progressing"),  # of its previous generation
        (reported(("Accepted", "False", 2), ("ResolvedRefs", "True", 2)), "Progressing"),
        (reported(("Accepted", "True", 2), ("ResolvedRefs", "False", 2)), "Progressing"),  # else it fails the try
        ('{ parents = { { conditions = { { type = "Accepted", status = "True" } } } } }', "Healthy"),
    ],
)
def test_a_route_waits_for_the_service_that_it_leads_to(status: str, health: str) -> None:
    assert health_of("gateway.networking.k8s.io_HTTPRoute", status) == health


def test_a_bad_night_of_the_monitor_fails_no_release() -> None:
    assert health_of("batch_CronJob", "nil") == "Healthy"


def seconds(name: str, key: str) -> int:
    (found,) = re.findall(rf"{key}: (\d+)", (ROOT / PROJECT / f"manifests/base/{name}.yaml").read_text())
    return int(found)


def test_the_runbook_says_when_github_is_told_and_when_a_newer_commit_is_taken() -> None:
    for one in ("dev", "staging", "production"):
        retry = only(built("models/repository"), "Application", f"my-model-{one}")["spec"]["syncPolicy"]["retry"]
        assert retry == {"refresh": True}  # one try: a newer commit waits for one only, and that is the revision told
    smoke, start = seconds("smoke", "activeDeadlineSeconds"), seconds("model", "progressDeadlineSeconds")
    assert only(argocd(), "CronJob", "outcomes")["spec"]["schedule"] == "* * * * *"
    looked = 60 + 10  # outcomes begins each minute, and its pod takes a moment
    limit = int(only(argocd(), "ConfigMap", "argocd-cmd-params-cm")["data"]["controller.sync.timeout.seconds"])
    pages = (ROOT / PROJECT / f"docs/{name}.md" for name in ("runbooks", "releasing-and-rolling-back"))
    runbook = " ".join(" ".join(page.read_text() for page in pages).split())
    for sentence, longest in (
        ("told of a failed smoke test at most 4 minutes after the pods are ready", smoke + looked),
        ("of pods that are never ready after at most 6 minutes", start + looked),
        ("It ends a release that does not come up after at most 7 minutes", start + smoke),
        ("and any sync after 10 minutes", limit),
        ("It takes at most 3 minutes", smoke),
        ("the smoke test takes up to 3 minutes more", smoke),
        ("It would hold the rollback back, for at most 7 minutes", start + smoke),
    ):
        (minutes,) = re.findall(r"(\d+) minutes", sentence)
        assert sentence in runbook
        assert longest <= 60 * int(minutes)
    assert start + smoke < limit
    assert f"after at most {limit // 60} minutes" in (MANIFESTS / "README.md").read_text()


def test_what_argo_cd_heals_by_itself_is_not_told() -> None:
    """A partial sync, which runs no smoke test: the operation lists its resources."""
    (trigger,) = settings()["trigger.verified"]
    assert "len(app.status.operationState.operation.sync?.resources ?? []) == 0" in trigger["when"]
    known = definition("Application")["properties"]["status"]["properties"]["operationState"]["properties"]
    assert known["operation"]["properties"]["sync"]["properties"]["resources"]["type"] == "array"


# Notifications


def settings(name: str = "argocd/notifications.yaml") -> dict[str, Any]:
    """Argo CD's notifications, each key parsed as the engine does."""
    return {key: yaml.safe_load(text) for key, text in read(name)[0]["data"].items()}


def dangling(found: dict[str, Any]) -> list[str]:
    """Triggers, templates and services that are named but missing, or defined but never named."""
    there = {key for key in found if key != "subscriptions"}
    used = {f"service.{one}" for entry in found["subscriptions"] for one in entry["recipients"]}
    used |= {f"trigger.{one}" for entry in found["subscriptions"] for one in entry["triggers"]}
    used |= {
        f"template.{one}" for key in there if key.startswith("trigger.") for when in found[key] for one in when["send"]
    }
    return sorted(there ^ used)


def test_notifications_name_what_is_there() -> None:
    assert dangling(settings()) == []


@pytest.mark.parametrize(("old", "new"), [("send: [failed]", "send: [fail]"), ("[verified, failed]", "[verified]")])
def test_a_notification_that_is_not_there_is_found(old: str, new: str) -> None:
    data = read("argocd/notifications.yaml")[0]["data"]
    assert any(old in text for text in data.values())
    assert dangling({key: yaml.safe_load(text.replace(old, new)) for key, text in data.items()}) != []


def sends(payload: str) -> set[str]:
    """The names in a payload, as JSON once each value is filled in."""
    filled = re.sub(r"\{\{ [^}]+ \| toJson \}\}", '"x"', re.sub(r"\{\{- .+? -\}\}", "", payload))
    found: dict[str, str] = json.loads(filled)
    assert set(found.values()) == {"x"}
    return set(found)


@pytest.mark.parametrize("old", [",", '"environment": ', "{{ .app.metadata.name | toJson }}"])
def test_a_payload_that_is_no_json_is_found(old: str) -> None:
    payload = settings()["template.verified"]["github"]["repositoryDispatch"]["client_payload"]
    assert sends(payload)
    with pytest.raises(json.JSONDecodeError):
        sends(payload.replace(old, "", 1))


def test_triggers_ask_for_states_that_argo_cd_has() -> None:
    """The phases in gitops-engine; any other word would never notify."""
    (verified,), (failed,) = (settings()[f"trigger.{event}"] for event in ("verified", "failed"))
    assert re.findall(r"(?:== |\[|, )'(\w+)'", verified["when"]) == ["Succeeded"]
    assert set(re.findall(r"\bstatus\.(\w+)", verified["when"])) == {"operationState"}  # health would say it again
    assert failed["when"] == "(app.metadata.annotations?.failed ?? '') != ''"  # which outcomes/ writes
    assert "oncePer" not in {*verified, *failed}  # else a word that GitHub refuses once is never said again


@pytest.mark.parametrize(("event", "workflow"), [("verified", "promote"), ("failed", "rollback")])
def test_a_workflow_gets_the_event_and_the_values_it_reads(event: str, workflow: str) -> None:
    text = (ROOT / PROJECT / f".github/workflows/{workflow}.yaml").read_text()
    (listens,) = re.findall(r"repository_dispatch:\n\s+types: \[(\w+)\]", text)
    dispatch = settings()[f"template.{event}"]["github"]["repositoryDispatch"]
    assert dispatch["event_type"] == listens == event
    own, more = "{{ .app.metadata.annotations.failed }}", {"said", "ended"}  # written by outcomes/, as JSON
    assert (dispatch["client_payload"] == own) == (event == "failed")
    word = told(ran(application([HOOK]))) or {}
    sent = sends(dispatch["client_payload"].replace(own, json.dumps(dict.fromkeys(word, "x"))))
    assert sent == {"app", "environment", "digest", "revision"} | (more if event == "failed" else set())
    assert set(re.findall(r"client_payload\.(\w+)", text)) <= sent
    used = re.findall(r"fromJson \.app\.metadata\.annotations\.failed\)\.(\w+)", json.dumps(settings()))
    assert set(used) == {"said", "revision"} <= word.keys()


def test_a_digest_is_that_of_an_image_that_the_release_built() -> None:
    found, text = settings(), (ROOT / PROJECT / ".github/workflows/release.yaml").read_text()
    payload = found["template.verified"]["github"]["repositoryDispatch"]["client_payload"]
    built_images = set(re.findall(r"^ +(?:SERVE|MONITOR): .*>>(-\w+)$", text, re.MULTILINE))
    assert set(re.findall(r'contains "(-\w+)@"', payload)) == built_images == {"-serve", "-monitor"}
    (trigger,) = found["trigger.verified"]
    (pattern,) = re.findall(r"matches '([^']+)'", trigger["when"])
    assert all(re.search(pattern, f"ghcr.io/acme/churn{name}@sha256:{'a' * 64}") for name in built_images)
    assert not re.search(pattern, "docker.io/timberio/vector@sha256:")
    assert payload.count("{{") == payload.count("}}")
    assert len(re.findall(r"\{\{- (?:range|if)\b", payload)) == len(re.findall(r"\{\{- end\b", payload))


def test_beside_a_candidate_the_digest_is_the_release_s() -> None:
    payload = settings()["template.verified"]["github"]["repositoryDispatch"]["client_payload"]
    assert '{{- if and (contains "-serve@" .) (not $serve) -}}{{- $serve = ' in payload  # the first digest counts
    assert "{{ or $serve $monitor | toJson }}" in payload  # the monitor's only without another


def test_a_deployment_never_merges_or_waits_for_checks() -> None:
    for event, state in (("verified", "success"), ("failed", "failure")):
        deployment = settings()[f"template.{event}"]["github"]["deployment"]
        assert deployment["state"] == state
        assert (deployment["autoMerge"], deployment["requiredContexts"]) == (False, [])


def test_only_applications_of_models_notify() -> None:
    (subscription,) = settings()["subscriptions"]
    for separate in (False, True):
        found = [one for one in repository("my-model", separate=separate) if one["kind"] == "Application"]
        labels = {one["metadata"]["name"]: one["metadata"].get("labels") for one in found}
        told = {name: given for name, given in labels.items() if given}
        assert told == {
            f"my-model-{name}": {subscription["selector"]: name} for name in ("dev", "staging", "production")
        }
    assert not any(subscription["selector"] in one["metadata"].get("labels", {}) for one in applications())


def test_no_key_of_the_github_app_is_in_git() -> None:
    assert all(value.startswith("$github-") for value in settings()["service.github"].values())
