"""What a cluster gets before any model: it builds, is valid and pinned, and fits what a model's repository expects."""

import copy
import json
import os
import re
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from conftest import PROJECT, ROOT, run
from lupa.lua51 import LuaRuntime

MANIFESTS = ROOT / "manifests"
SCHEMAS = ROOT / os.environ.get("SCHEMAS", "../shared/schemas")
FOLDERS = (
    "applications",
    "applications/clusters",
    "applications/operators",
    "gateway",
    "mlflow",
    "mlflow/embedded",
    "mlflow/server",
    "models",
    "monitoring",
    "policy",
)
COMPONENTS = {"applications/sync", "gateway/node", "models/clusters"}
FETCHES = "argocd"  # takes Argo CD's own manifests from its repository
INSTALL = "https://raw.githubusercontent.com/argoproj/argo-cd/v3.5.1/manifests/install.yaml"
UPSTREAM = "\n---\n".join(
    f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}" for name in ("argocd-cm", "argocd-notifications-cm")
)
VERSION = "1.35"  # of Kubernetes: the newest that Argo CD 3.5 and Seldon's operator both know
NAMESPACE = {"app.kubernetes.io/part-of": "models"}
(POSTGRES,) = re.findall(r"postgres:\S+@\S+", (MANIFESTS / "mlflow/database.yaml").read_text())

Object = dict[str, Any]


def objects(folder: Path) -> list[Object]:
    return list(yaml.safe_load_all(run(["kubectl", "kustomize", str(folder)], ROOT)))


@cache
def built(folder: str) -> list[Object]:
    return objects(MANIFESTS / folder)


def only(found: list[Object], kind: str) -> Any:
    (one,) = (each for each in found if each["kind"] == kind)
    return one


def read(name: str) -> list[Object]:
    return list(yaml.safe_load_all((MANIFESTS / name).read_text()))


@pytest.fixture
def argocd(tmp_path: Path) -> list[Object]:
    """Argo CD's folder, with the two ConfigMaps that it changes in place of all that it fetches."""
    shutil.copytree(MANIFESTS / FETCHES, tmp_path / FETCHES)
    path = tmp_path / FETCHES / "kustomization.yaml"
    (tmp_path / FETCHES / "install.yaml").write_text(UPSTREAM)
    assert path.read_text().count(INSTALL) == 1
    path.write_text(path.read_text().replace(INSTALL, "install.yaml"))
    return objects(tmp_path / FETCHES)


@pytest.fixture
def clusters(tmp_path: Path) -> list[Object]:
    """The models' folder with the component that asks for a cluster for each environment."""
    shutil.copytree(MANIFESTS / "models", tmp_path / "models")
    path = tmp_path / "models/kustomization.yaml"
    path.write_text(path.read_text() + "components:\n  - clusters\n")
    return objects(tmp_path / "models")


def test_no_folder_is_left_out() -> None:
    found = {str(path.parent.relative_to(MANIFESTS)) for path in MANIFESTS.rglob("kustomization.yaml")}
    assert found == {*FOLDERS, FETCHES, *COMPONENTS}


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_folder_builds_without_a_network(folder: str) -> None:
    names = [(one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in built(folder)]
    assert names
    assert len(names) == len(set(names))


def test_argo_cd_builds_with_our_own_beside_it(argocd: list[Object]) -> None:
    data = {one["metadata"]["name"]: one.get("data", {}) for one in argocd if one["kind"] == "ConfigMap"}
    assert set(data) == {"argocd-cm", "argocd-notifications-cm"}
    customised = {key.removeprefix("resource.customizations.") for key in data["argocd-cm"]}
    assert customised == {
        "health.argoproj.io_Application",
        "health.machinelearning.seldon.io_SeldonDeployment",
        "knownTypeFields.machinelearning.seldon.io_SeldonDeployment",
    }
    assert {one["metadata"]["namespace"] for one in argocd if one["kind"] == "ConfigMap"} == {"argocd"}


@pytest.mark.parametrize("path", sorted(MANIFESTS.rglob("*.y*ml")), ids=lambda path: str(path.relative_to(MANIFESTS)))
def test_every_file_says_what_it_is(path: Path) -> None:
    assert path.suffix == ".yaml"
    assert path.read_text().startswith("# ")


def test_no_secret_is_in_git() -> None:
    assert [one for folder in FOLDERS for one in built(folder) if one["kind"] == "Secret"] == []


# What the API server accepts


def faults(value: Any, schema: Object, path: str = "") -> list[str]:
    """Where a value departs from a schema whose objects are closed."""
    if schema.get("x-kubernetes-preserve-unknown-fields") or (value is None and schema.get("nullable")):
        return []
    if schema.get("x-kubernetes-int-or-string"):
        return [] if isinstance(value, int | str) else [f"{path}: neither a number nor a string"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{path}: {value!r} is none of {schema['enum']}"]
    match schema.get("type"):
        case "object" if isinstance(value, dict):
            return _object(value, schema, path)
        case "array" if isinstance(value, list):
            return [one for index, item in enumerate(value) for one in faults(item, schema["items"], f"{path}/{index}")]
        case kind:
            kinds: dict[str | None, type] = {"string": str, "boolean": bool, "integer": int, "number": float}
            fits = kind in kinds and isinstance(value, kinds[kind]) and isinstance(value, bool) == (kind == "boolean")
            return [] if fits else [f"{path}: not of type {kind}"]


def _object(value: Object, schema: Object, path: str) -> list[str]:
    known, others = schema.get("properties", {}), schema.get("additionalProperties")
    found = [f"{path}/{name}: missing" for name in schema.get("required", ()) if name not in value]
    for name, item in value.items():
        if name in known:
            found += faults(item, known[name], f"{path}/{name}")
        elif isinstance(others, dict):
            found += faults(item, others, f"{path}/{name}")
        elif not others and not (path == "" and name == "metadata"):
            found.append(f"{path}/{name}: unknown")
    return found


@cache
def schema(kind: str) -> Any:
    path = SCHEMAS / f"argocd-v3.5.1-{kind.lower()}-crd.yaml"
    if not path.is_file():
        pytest.skip(f"{path} is not there; set SCHEMAS to a folder with Argo CD's definitions")
    (version,) = yaml.load(path.read_text(), yaml.CSafeLoader)["spec"]["versions"]
    found: Object = version["schema"]["openAPIV3Schema"]
    return {**found, "properties": {**found["properties"], "metadata": {"x-kubernetes-preserve-unknown-fields": True}}}


def applications() -> list[Object]:
    """The Applications that a cluster of one's own gets, but for the first."""
    return [one for one in built("applications") if one["kind"] == "Application"]


def argo(found: list[Object]) -> list[Object]:
    return [one for one in found if one["apiVersion"].startswith("argoproj.io/")]


@pytest.mark.parametrize("kind", ["Application", "ApplicationSet", "AppProject"])
def test_argo_cd_knows_every_field(kind: str, clusters: list[Object]) -> None:
    folders = (built(name) for name in ("applications", "applications/clusters", "models"))
    found = [one for all_ in (read("bootstrap.yaml"), *folders, clusters) for one in argo(all_) if one["kind"] == kind]
    assert len(found) >= 2
    assert [fault for one in found for fault in faults(one, schema(kind))] == []


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        (("spec", "syncPolicy", "automated", "selfheal"), True, "/spec/syncPolicy/automated/selfheal: unknown"),
        (("spec", "syncPolicy", "retry", "limit"), "5", "/spec/syncPolicy/retry/limit: not of type integer"),
        (("spec", "syncPolicy", "automated", "prune"), 1, "/spec/syncPolicy/automated/prune: not of type boolean"),
        (("spec", "project"), None, "/spec/project: not of type string"),
        (("specs",), {}, "/specs: unknown"),
    ],
)
def test_a_field_that_argo_cd_does_not_know_is_found(path: tuple[str, ...], value: Any, fault: str) -> None:
    one = copy.deepcopy(applications()[0])
    inner = one
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    assert faults(one, schema("Application")) == [fault]


def test_a_field_that_is_missing_is_found() -> None:
    one = copy.deepcopy(applications()[0])
    del one["spec"]["destination"]
    assert faults(one, schema("Application")) == ["/spec/destination: missing"]


def native(found: list[Object]) -> list[str]:
    """What the API server would refuse or drop of its own kinds."""
    told = []
    for one in found:
        group = one["apiVersion"].rpartition("/")[0]
        if "." not in group or (group.endswith(".k8s.io") and not group.startswith("gateway.")):
            try:
                kubernetes_validate.validate(one, VERSION, strict=True)
            except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
                told.append(f"{one['kind']} {one['metadata']['name']}: {error}")
    return told


@pytest.mark.parametrize("folder", FOLDERS)
def test_kubernetes_knows_every_field(folder: str) -> None:
    assert native(built(folder)) == []


@pytest.mark.parametrize(
    ("folder", "kind", "told"),
    [
        ("mlflow", "Deployment", "'spek' was unexpected"),
        ("mlflow", "NetworkPolicy", "'spek' was unexpected"),
        ("policy", "ValidatingAdmissionPolicy", "'spek' was unexpected"),
    ],
)
def test_a_field_that_kubernetes_does_not_know_is_found(folder: str, kind: str, told: str) -> None:
    one = copy.deepcopy(next(one for one in built(folder) if one["kind"] == kind))
    one["spek"] = one.pop("spec")
    assert told in native([one])[0]


# What is kept out


def outdated(kustomization: Object) -> list[str]:
    """The fields of a kustomization that Kustomize deprecated."""
    names = {"bases", "commonLabels", "patchesStrategicMerge", "patchesJson6902", "vars", "imageTags", "helmCharts"}
    found = sorted(names & set(kustomization))
    return found + ["labels without pairs"] * any("pairs" not in one for one in kustomization.get("labels", ()))


@pytest.mark.parametrize("path", sorted(MANIFESTS.rglob("kustomization.yaml")), ids=lambda path: path.parent.name)
def test_no_field_is_deprecated(path: Path) -> None:
    assert outdated(yaml.safe_load(path.read_text())) == []


def test_a_deprecated_field_is_found() -> None:
    assert outdated({"bases": [], "vars": [], "labels": [{"app": "x"}]}) == ["bases", "vars", "labels without pairs"]


def sources(application: Object) -> list[Object]:
    spec = application["spec"]
    return spec["sources"] if "sources" in spec else [spec["source"]]


def unpinned(found: list[Object]) -> list[str]:
    """What may change without a commit: images, charts and revisions without a version, and what has no project."""
    loose = []
    for one in found:
        if one["kind"] == "Application":
            loose += ["project"] * (one["spec"]["project"] == "default")
            for source in sources(one):
                wanted = r"v?\d+\.\d+\.\d+" if "chart" in source else r"(?!HEAD$)[a-z].*"
                loose += [source["targetRevision"]] * (not re.fullmatch(wanted, source["targetRevision"]))
        images = re.findall(r'"image": "([^"]+)"', json.dumps(one))
        loose += [image for image in images if not re.search(r":v?\d+\.\d+[^:/]*$|@sha256:[0-9a-f]{64}$", image)]
    return loose


def test_nothing_changes_without_a_commit() -> None:
    found = [*read("bootstrap.yaml"), *(one for folder in FOLDERS for one in built(folder))]
    assert unpinned(found) == []
    text = "\n".join(path.read_text() for path in MANIFESTS.rglob("*.yaml"))
    assert not re.search(r"\b(HEAD|latest|stable)\b(?! (pod|window))|project: default", re.sub("(?m)#.*", "", text))


@pytest.mark.parametrize(
    ("where", "old", "new"),
    [
        ("applications/operators/seldon.yaml", "1.17.1", "1.*"),
        ("applications/operators/seldon.yaml", "1.17.1", "latest"),
        ("applications/argocd.yaml", "targetRevision: main", "targetRevision: HEAD"),
        ("mlflow/database.yaml", POSTGRES, "postgres"),
        ("mlflow/database.yaml", POSTGRES, "postgres:latest"),
    ],
)
def test_what_may_change_without_a_commit_is_found(where: str, old: str, new: str) -> None:
    text = (MANIFESTS / where).read_text()
    assert old in text
    found = list(yaml.safe_load_all(text.replace(old, new)))
    for one in found:
        one["spec"].setdefault("project", "platform")
    assert len(unpinned(found)) == 1


def test_argo_cd_is_pinned() -> None:
    fetched = re.findall(r"https://\S+", (MANIFESTS / FETCHES / "kustomization.yaml").read_text())
    assert [re.search(r"/v\d+\.\d+\.\d+/", address) is not None for address in fetched] == [True]


# How Argo CD follows git


def refused(project: Object, found: list[Object]) -> list[str]:
    """What a project does not let its Applications take or write to."""
    told, spec = [], project["spec"]
    for one in found:
        name, to = one["metadata"]["name"], one["spec"]["destination"]
        told += [
            f"{name}: {source['repoURL']}" for source in sources(one) if source["repoURL"] not in spec["sourceRepos"]
        ]
        allowed = [where["server"] for where in spec["destinations"] if where["namespace"] == to["namespace"]]
        told += [f"{name}: {to}"] * (to["server"] not in allowed and "*" not in allowed)
    return told


def test_the_platform_may_be_what_it_is() -> None:
    project = only(built("applications"), "AppProject")
    assert {one["spec"]["project"] for one in applications()} == {project["metadata"]["name"]} == {"platform"}
    assert refused(project, applications()) == []
    used = {source["repoURL"] for one in applications() for source in sources(one)}
    assert used == set(project["spec"]["sourceRepos"])
    assert int(project["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"]) < min(waves().values())


def test_an_application_that_its_project_refuses_is_found() -> None:
    project = copy.deepcopy(only(built("applications"), "AppProject"))
    project["spec"]["sourceRepos"].remove("https://kyverno.github.io/kyverno")
    project["spec"]["destinations"] = [one for one in project["spec"]["destinations"] if one["namespace"] != "mlflow"]
    found = refused(project, applications())
    assert sorted(fault.split(":")[0] for fault in found) == ["mlflow", "policy"]


def test_the_first_application_brings_projects_and_applications_and_nothing_else() -> None:
    project, first = read("bootstrap.yaml")
    assert first["spec"]["project"] == project["metadata"]["name"] == "bootstrap"
    assert first["spec"]["source"]["path"] == "manifests/applications"
    assert refused(project, [first]) == []
    allowed = {one["kind"] for one in project["spec"]["namespaceResourceWhitelist"]}
    brought = {one["kind"] for folder in ("applications", "applications/clusters") for one in built(folder)}
    assert allowed == brought
    assert "clusterResourceWhitelist" not in project["spec"]


def test_namespaces_of_the_platform_are_those_of_its_project() -> None:
    named = {one["namespace"] for one in only(built("applications"), "AppProject")["spec"]["destinations"]}
    written = {one["metadata"].get("namespace") for folder in FOLDERS for one in built(folder)} - {None}
    assert written <= named


def test_each_cluster_gets_the_operators_that_one_cluster_has() -> None:
    template = only(built("applications/clusters"), "ApplicationSet")["spec"]["template"]["spec"]
    assert template["project"] == "platform"
    assert ROOT / template["source"]["path"] == MANIFESTS / "applications/operators"
    assert template["source"]["repoURL"] == only(read("bootstrap.yaml"), "Application")["spec"]["source"]["repoURL"]
    operators = {one["metadata"]["name"] for one in built("applications/operators")}
    assert operators | {"argocd", "mlflow", "models"} == {one["metadata"]["name"] for one in applications()}
    for one in built("applications/operators"):  # with the name of the cluster behind it, a release would be another
        assert all("releaseName" in source["helm"] for source in sources(one) if "chart" in source)
        where = [to for to in only(built("applications"), "AppProject")["spec"]["destinations"] if to["server"] == "*"]
        assert one["spec"]["destination"]["namespace"] in {to["namespace"] for to in where}


def test_the_operators_of_a_cluster_go_to_it(tmp_path: Path) -> None:
    source = only(built("applications/clusters"), "ApplicationSet")["spec"]["template"]["spec"]["source"]["kustomize"]
    shutil.copytree(MANIFESTS / "applications", tmp_path / "applications")
    path = tmp_path / "applications/operators/kustomization.yaml"
    text = json.dumps(source).replace("{{ .nameNormalized }}", "west").replace("{{ .server }}", "https://west:6443")
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **json.loads(text)}))
    for one in objects(path.parent):
        assert one["metadata"]["name"].endswith("-west")
        assert one["spec"]["destination"]["server"] == "https://west:6443"
        assert one["spec"]["syncPolicy"]["automated"] == {"prune": True, "selfHeal": True}


def test_every_application_is_pruned_healed_and_retried() -> None:
    each = only(built("applications/clusters"), "ApplicationSet")["spec"]["template"]
    for one in [only(read("bootstrap.yaml"), "Application"), *applications(), each]:
        policy = one["spec"]["syncPolicy"]
        assert policy["automated"] == {"prune": True, "selfHeal": True}
        assert "ServerSideApply=true" in policy["syncOptions"]
        assert policy["retry"]["backoff"]["factor"] > 1
        assert one["metadata"]["annotations"]["argocd.argoproj.io/compare-options"] == "ServerSideDiff=true"


def test_one_clone_is_followed_and_its_folders_are_there() -> None:
    found = [only(read("bootstrap.yaml"), "Application"), *applications()]
    own = [source for one in found for source in sources(one) if "path" in source]
    assert {(source["repoURL"], source["targetRevision"]) for source in own} == {
        ("https://github.com/acme/platform", "main")
    }
    assert all((ROOT / source["path"] / "kustomization.yaml").is_file() for source in own)
    assert sorted(Path(source["path"]).name for source in own) == sorted(
        {FETCHES, *(folder for folder in FOLDERS if "/" not in folder)}
    )


def waves() -> dict[str, int]:
    return {
        one["metadata"]["name"]: int(one["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"])
        for one in applications()
    }


def test_each_part_comes_after_what_it_needs(argocd: list[Object]) -> None:
    found = waves()
    assert found["cert-manager"] < found["seldon"]
    assert found["cert-manager"] < found["monitoring"]
    assert [name for name in found if found[name] >= found["models"]] == ["models"]
    settings = next(one["data"] for one in argocd if one["metadata"]["name"] == "argocd-cm")
    assert "resource.customizations.health.argoproj.io_Application" in settings  # else no wave waits


def test_the_operator_is_the_last_one_that_is_free_in_production() -> None:
    source = next(sources(one)[0] for one in applications() if one["metadata"]["name"] == "seldon")
    assert (source["chart"], source["targetRevision"]) == ("seldon-core-operator", "1.17.1")
    assert source["helm"]["valuesObject"]["certManager"] == {"enabled": True}
    assert "Business Source License" in (MANIFESTS / "applications/operators/seldon.yaml").read_text()


# Health


def judged(lua: str, status: str) -> Any:
    """The health that a check gives, run by the Lua 5.1 that Argo CD's interpreter implements."""
    return LuaRuntime().execute(
        f"obj = {{ status = {status} }}\nlocal function check()\n{lua}\nend\nreturn check().status"
    )


SELDON = [
    ("nil", "Progressing"),
    ("{}", "Progressing"),
    ('{ state = "Available" }', "Healthy"),
    ('{ state = "Creating", description = "1 of 2" }', "Progressing"),
    ('{ state = "Failed", description = "no image" }', "Degraded"),
]


@pytest.mark.parametrize(("status", "health"), SELDON)
def test_every_state_of_a_model_has_a_health(status: str, health: str, argocd: list[Object]) -> None:
    data = next(one["data"] for one in argocd if one["metadata"]["name"] == "argocd-cm")
    assert judged(data["resource.customizations.health.machinelearning.seldon.io_SeldonDeployment"], status) == health


@pytest.mark.parametrize(
    ("old", "new"), [('"Failed"', '"Broken"'), ('"Available"', '"available"'), ("Progress", "Suspend")]
)
def test_a_state_without_its_health_is_found(old: str, new: str) -> None:
    lua = (MANIFESTS / "argocd/health/seldondeployment.lua").read_text().replace(old, new)
    assert [judged(lua, status) for status, _ in SELDON] != [health for _, health in SELDON]


@pytest.mark.parametrize(
    ("status", "health"),
    [
        ("nil", "Progressing"),
        ("{}", "Progressing"),
        ("{ health = {} }", "Progressing"),
        ('{ health = { status = "Healthy" } }', "Healthy"),
        ('{ health = { status = "Degraded", message = "no image" } }', "Degraded"),
    ],
)
def test_an_application_is_as_healthy_as_what_is_in_it(status: str, health: str, argocd: list[Object]) -> None:
    data = next(one["data"] for one in argocd if one["metadata"]["name"] == "argocd-cm")
    assert judged(data["resource.customizations.health.argoproj.io_Application"], status) == health


# Notifications


def settings(name: str = "argocd/notifications.yaml") -> dict[str, Any]:
    """Argo CD's notifications, each key parsed as the engine does."""
    return {key: yaml.safe_load(text) for key, text in read(name)[0]["data"].items()}


def dangling(found: dict[str, Any]) -> list[str]:
    """Triggers, templates and services that are named but not there, or there but never named."""
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


@pytest.mark.parametrize(("event", "workflow"), [("verified", "promote"), ("failed", "rollback")])
def test_a_workflow_gets_the_event_and_the_values_it_reads(event: str, workflow: str) -> None:
    text = (ROOT / PROJECT / f".github/workflows/{workflow}.yaml").read_text()
    (listens,) = re.findall(r"repository_dispatch:\n\s+types: \[(\w+)\]", text)
    dispatch = settings()[f"template.{event}"]["github"]["repositoryDispatch"]
    assert dispatch["event_type"] == listens == event
    sent = set(re.findall(r'"(\w+)": \{\{', dispatch["client_payload"]))
    assert sent == {"environment", "digest", "revision"}
    assert set(re.findall(r"client_payload\.(\w+)", text)) <= sent


@pytest.mark.parametrize("event", ["verified", "failed"])
def test_a_digest_is_that_of_an_image_that_the_release_built(event: str) -> None:
    found, text = settings(), (ROOT / PROJECT / ".github/workflows/release.yaml").read_text()
    payload = found[f"template.{event}"]["github"]["repositoryDispatch"]["client_payload"]
    built_images = set(re.findall(r"^ +(?:SERVE|MONITOR): .*>>(-\w+)$", text, re.MULTILINE))
    assert set(re.findall(r'contains "(-\w+)@"', payload)) == built_images == {"-serve", "-monitor"}
    (trigger,) = found["trigger.verified"]
    (pattern,) = re.findall(r"matches '([^']+)'", trigger["when"])
    assert all(re.search(pattern, f"ghcr.io/acme/churn{name}@sha256:{'a' * 64}") for name in built_images)
    assert not re.search(pattern, "docker.io/timberio/vector@sha256:")
    assert payload.count("{{") == payload.count("}}")
    assert len(re.findall(r"\{\{- (?:range|if)\b", payload)) == len(re.findall(r"\{\{- end\b", payload))


@pytest.mark.parametrize("event", ["verified", "failed"])
def test_beside_a_candidate_the_digest_is_the_release_s(event: str) -> None:
    payload = settings()[f"template.{event}"]["github"]["repositoryDispatch"]["client_payload"]
    assert '{{- if and (contains "-serve@" .) (not $serve) -}}{{- $serve = ' in payload  # the first, and stays
    assert "{{ or $serve $monitor | toJson }}" in payload  # the monitor's only where there is no other


def test_a_sync_that_applied_nothing_can_fail_too() -> None:
    (trigger,) = settings()["trigger.failed"]
    assert "images" not in trigger["when"]  # what the API server refuses at once is not among the resources of a sync


def test_a_deployment_never_merges_or_waits_for_checks() -> None:
    for event, state in (("verified", "success"), ("failed", "failure")):
        deployment = settings()[f"template.{event}"]["github"]["deployment"]
        assert deployment["state"] == state
        assert (deployment["autoMerge"], deployment["requiredContexts"]) == (False, [])


def test_only_applications_of_models_notify(clusters: list[Object]) -> None:
    (subscription,) = settings()["subscriptions"]
    for found in (built("models"), clusters):
        labels = only(found, "ApplicationSet")["spec"]["template"]["metadata"]["labels"]
        assert labels == {subscription["selector"]: "{{ .path.basename }}"}
    assert not any(subscription["selector"] in one["metadata"].get("labels", {}) for one in applications())


def test_no_key_of_the_github_app_is_in_git() -> None:
    assert all(value.startswith("$github-") for value in settings()["service.github"].values())


# Models


def kinds() -> set[tuple[str, str]]:
    """Every group and kind in the manifests of a model's repository."""
    found = set()
    for path in (ROOT / PROJECT / "manifests").rglob("*.yaml"):
        text = re.sub(r"<< cookiecutter\.\w+(\|\w+)? >>", "x", path.read_text())
        for one in yaml.safe_load_all(text):
            if isinstance(one, dict) and {"apiVersion", "kind"} <= set(one):
                found.add((one["apiVersion"].rpartition("/")[0], one["kind"]))
    return {(group, kind) for group, kind in found if group not in ("kustomize.config.k8s.io", "argoproj.io")}


def test_a_project_allows_what_models_are_made_of_and_no_more() -> None:
    spec = only(built("models"), "AppProject")["spec"]
    allowed = {(one["group"], one["kind"]) for one in spec["namespaceResourceWhitelist"]}
    assert kinds() <= allowed | {("", "Namespace")}
    assert {(one["group"], one["kind"]) for one in spec["clusterResourceWhitelist"]} == {("", "Namespace")}
    names = [to["namespace"] for to in spec["destinations"]]
    assert [one["name"] for one in spec["clusterResourceWhitelist"]] == names  # and no other namespace, as kube-system
    assert not {kind for _, kind in allowed} & {"Secret", "Role", "RoleBinding", "Pod", "DaemonSet", "*"}


def test_namespaces_of_models_have_the_labels_that_gateway_and_policy_look_for(clusters: list[Object]) -> None:
    (listener,) = only(built("gateway"), "Gateway")["spec"]["listeners"]
    assert listener["allowedRoutes"]["namespaces"]["selector"]["matchLabels"] == NAMESPACE
    assert only(built("policy"), "ImageValidatingPolicy")["spec"]["matchConstraints"]["namespaceSelector"] == {
        "matchLabels": NAMESPACE
    }
    for found in (built("models"), clusters):
        policy = only(found, "ApplicationSet")["spec"]["template"]["spec"]["syncPolicy"]
        assert NAMESPACE.items() <= policy["managedNamespaceMetadata"]["labels"].items()
        assert "CreateNamespace=true" in policy["syncOptions"]


def test_a_service_outlives_the_loss_of_a_topic_and_of_github(clusters: list[Object]) -> None:
    for found in (built("models"), clusters):
        policy = only(found, "ApplicationSet")["spec"]["syncPolicy"]
        assert policy == {"applicationsSync": "create-update", "preserveResourcesOnDeletion": True}


def test_300_repositories_stay_below_what_github_answers_in_an_hour(clusters: list[Object]) -> None:
    text = (MANIFESTS / "models/repositories.yaml").read_text()
    (seconds,) = map(int, re.findall(r"requeueAfterSeconds: (\d+)", text))
    assert "pathsExist" not in text  # a further call for each repository
    branches, pages = 300, 300 / 100
    assert (branches + pages) * 3600 / seconds < 5000 / 4


def test_a_route_of_a_model_leads_to_the_gateway() -> None:
    route = yaml.safe_load((ROOT / PROJECT / "manifests/base/route.yaml").read_text().replace("<< cookiecutter", ""))
    gateway = only(built("gateway"), "Gateway")["metadata"]
    assert route["spec"]["parentRefs"] == [{"name": gateway["name"], "namespace": gateway["namespace"]}]


def test_an_environment_may_have_a_cluster_of_its_own(clusters: list[Object]) -> None:
    one, each = only(built("models"), "ApplicationSet")["spec"], only(clusters, "ApplicationSet")["spec"]
    (generator,) = each["generators"]
    inner, chosen = generator["matrix"]["generators"]
    assert [inner] == one["generators"]
    assert chosen == {"clusters": {"selector": {"matchLabels": {"environment": "{{ .path.basename }}"}}}}
    assert each["template"]["spec"]["destination"] == {
        **one["template"]["spec"]["destination"],
        "server": "{{ .server }}",
    }
    allowed = [entry["namespace"] for entry in only(clusters, "AppProject")["spec"]["destinations"]]
    assert allowed == ["*-dev", "*-staging", "*-production"]
    known = schema("ApplicationSet")["properties"]["spec"]["properties"]["generators"]["items"]
    assert faults(inner, known) == []  # a matrix within a matrix is not checked by the API server


# Pods


def pods(found: list[Object]) -> list[Any]:
    return [one["spec"]["template"]["spec"] for one in found if one["kind"] in ("Deployment", "StatefulSet")]


def unrestricted(spec: Object) -> list[str]:
    """What a pod asks for that the restricted pod security standard, or ours beyond it, does not grant."""
    own = spec.get("securityContext", {})
    found = ["user"] * (not own.get("runAsNonRoot") or not own.get("runAsUser"))
    found += ["seccomp"] * (own.get("seccompProfile") != {"type": "RuntimeDefault"})
    found += ["token"] * (spec.get("automountServiceAccountToken") is not False)
    mounted = {volume["name"] for volume in spec.get("volumes", ())}
    for container in spec["containers"]:
        wanted = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
        found += ["context"] * (container.get("securityContext") != wanted)
        found += ["memory"] * ("memory" not in container.get("resources", {}).get("limits", {}))
        found += ["probe"] * ("readinessProbe" not in container)
        found += ["volume"] * (not {mount["name"] for mount in container.get("volumeMounts", ())} <= mounted | {"data"})
    return found


@pytest.mark.parametrize(("folder", "count"), [("mlflow", 2), ("mlflow/embedded", 1), ("monitoring", 1)])
def test_pods_of_the_platform_ask_for_no_more_than_they_need(folder: str, count: int) -> None:
    found = pods(built(folder))
    assert len(found) == count
    assert [unrestricted(spec) for spec in found] == [[]] * count


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda spec: spec["securityContext"].pop("runAsNonRoot"), "user"),
        (lambda spec: spec["securityContext"].pop("seccompProfile"), "seccomp"),
        (lambda spec: spec.pop("automountServiceAccountToken"), "token"),
        (lambda spec: spec["containers"][0]["securityContext"].pop("capabilities"), "context"),
        (lambda spec: spec["containers"][0]["resources"].pop("limits"), "memory"),
        (lambda spec: spec["containers"][0].pop("readinessProbe"), "probe"),
        (lambda spec: spec["volumes"].pop(0), "volume"),
    ],
)
def test_a_pod_of_the_platform_that_asks_for_more_is_found(change: Callable[[Any], Any], fault: str) -> None:
    spec = copy.deepcopy(pods(built("mlflow"))[0])
    change(spec)
    assert unrestricted(spec) == [fault]


def anyone(found: list[Object]) -> list[str]:
    """The policies that let in pods which they do not name."""
    policies = [one for one in found if one["kind"] == "NetworkPolicy"]
    loose = []
    for one in policies:
        for rule in one["spec"].get("ingress", ()):
            others = [peer["namespaceSelector"] for peer in rule.get("from", ()) if "namespaceSelector" in peer]
            if not rule.get("from") or any(not selector.get("matchLabels") for selector in others):
                loose.append(one["metadata"]["name"])
    return loose


@pytest.mark.parametrize("folder", ["mlflow", "mlflow/embedded", "monitoring"])
def test_what_asks_for_no_password_is_reached_by_those_who_are_named(folder: str) -> None:
    assert anyone(built(folder)) == []
    named = {one["metadata"]["name"] for one in built(folder) if one["kind"] in ("Deployment", "StatefulSet")}
    policies = [one["spec"] for one in built(folder) if one["kind"] == "NetworkPolicy"]
    denied = [one for one in policies if "Ingress" in one["policyTypes"]]
    chosen = {one["podSelector"].get("matchLabels", {}).get("app.kubernetes.io/name", "all") for one in denied}
    assert "all" in chosen or named <= chosen


@pytest.mark.parametrize(("folder", "name"), [("monitoring", "pushgateway"), ("mlflow", "allow-requests")])
def test_a_policy_that_lets_anyone_in_is_found(folder: str, name: str) -> None:
    changes: list[Object] = [{}, {"from": []}, {"from": [{"namespaceSelector": {}}]}]
    for change in changes:
        found = copy.deepcopy(built(folder))
        (policy,) = (one for one in found if (one["kind"], one["metadata"]["name"]) == ("NetworkPolicy", name))
        policy["spec"]["ingress"] = [change]
        assert anyone(found) == [name]


def test_monitors_may_tell_the_pushgateway_what_they_found() -> None:
    (policy,) = (one["spec"] for one in built("monitoring") if one["kind"] == "NetworkPolicy")
    labels = [peer["namespaceSelector"]["matchLabels"] for peer in policy["ingress"][0]["from"][1:]]
    assert labels == [NAMESPACE]  # which every namespace of a model has
    assert policy["ingress"][0]["ports"] == [{"port": 9091, "protocol": "TCP"}]


def variables(folder: str) -> dict[str, Any]:
    spec = next(spec for spec in pods(built(folder)) if spec["containers"][0]["name"] == "mlflow")
    return {one["name"]: one.get("value") for one in spec["containers"][0]["env"]}


def test_mlflow_keeps_its_record_where_the_folder_says() -> None:
    assert str(variables("mlflow")["MLFLOW_BACKEND_STORE_URI"]).startswith("postgresql://")
    embedded = variables("mlflow/embedded")
    assert str(embedded["MLFLOW_BACKEND_STORE_URI"]).startswith("sqlite:////data/")
    assert embedded["MLFLOW_ARTIFACTS_DESTINATION"] == "/data/artifacts"
    assert not re.search("secret", json.dumps(built("mlflow/embedded")))
    assert {one["kind"] for one in built("mlflow/embedded")} & {"StatefulSet"} == set()


def test_mlflow_answers_to_the_name_that_it_is_called_by() -> None:
    (service,) = (one for one in built("mlflow/server") if one["kind"] == "Service")
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
    hosts = str(variables("mlflow")["MLFLOW_SERVER_ALLOWED_HOSTS"]).split(",")
    assert f"{name}.{namespace}:{service['spec']['ports'][0]['port']}" in hosts
    assert "*" not in hosts


def test_services_select_pods_that_are_there() -> None:
    for folder in ("mlflow", "mlflow/embedded", "monitoring"):
        labels = [
            one["spec"]["template"]["metadata"]["labels"]
            for one in built(folder)
            if one["kind"] in ("Deployment", "StatefulSet")
        ]
        for one in built(folder):
            if one["kind"] == "Service":
                assert [one["spec"]["selector"].items() <= own.items() for own in labels].count(True) == 1
