"""The platform's manifests build, are valid and pinned, and Argo CD follows them."""

import copy
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from argo import repository
from checks import outdated
from conftest import ROOT
from folders import FETCHES, MANIFESTS, applications, argocd, built, changed, clusters, objects, only, read
from schemas import Object, definition, faults, fields

FOLDERS = (
    "applications",
    "applications/clusters",
    "applications/operators",
    "argocd/outcomes",
    "gateway",
    "mlflow",
    "mlflow/embedded",
    "mlflow/server",
    "models",
    "models/repository",
    "models/repository/clusters/namespace",
    "monitoring",
    "policy",
)
COMPONENTS = {
    "applications/sync",
    "gateway/node",
    "gateway/tls",
    "models/clusters",
    "models/list",
    "models/repository/clusters",
    "models/repository/namespace",
}
(POSTGRES,) = re.findall(r"postgres:\S+@\S+", (MANIFESTS / "mlflow/database.yaml").read_text())


def test_no_folder_is_left_out() -> None:
    found = {str(path.parent.relative_to(MANIFESTS)) for path in MANIFESTS.rglob("kustomization.yaml")}
    assert found == {*FOLDERS, FETCHES, *COMPONENTS}


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_folder_builds_without_a_network(folder: str) -> None:
    names = [(one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in built(folder)]
    assert names
    assert len(names) == len(set(names))


def test_argo_cd_builds_with_our_own_beside_it() -> None:
    found = [one for one in argocd() if not one["metadata"]["name"].startswith("outcomes")]
    data = {one["metadata"]["name"]: one.get("data", {}) for one in found if one["kind"] == "ConfigMap"}
    assert {one["kind"] for one in found} == {"ConfigMap", "Namespace"}  # a person creates the Secret
    assert set(data) == {"argocd-cm", "argocd-cmd-params-cm", "argocd-notifications-cm"}
    customised = {key.removeprefix("resource.customizations.") for key in data["argocd-cm"]}
    assert customised == {
        "health.argoproj.io_Application",
        "health.batch_CronJob",
        "health.gateway.networking.k8s.io_HTTPRoute",
        "health.machinelearning.seldon.io_SeldonDeployment",
        "knownTypeFields.machinelearning.seldon.io_SeldonDeployment",
    }
    assert {one["metadata"]["namespace"] for one in argocd() if one["kind"] == "ConfigMap"} == {"argocd"}


@pytest.mark.parametrize("path", sorted(MANIFESTS.rglob("*.y*ml")), ids=lambda path: str(path.relative_to(MANIFESTS)))
def test_every_file_says_what_it_is(path: Path) -> None:
    assert path.suffix == ".yaml"
    assert path.read_text().startswith("# ")


def test_no_secret_is_in_git() -> None:
    assert [one for folder in FOLDERS for one in built(folder) if one["kind"] == "Secret"] == []


# What the API server accepts


def argo(found: list[Object]) -> list[Object]:
    return [one for one in found if one["apiVersion"].startswith("argoproj.io/")]


@pytest.mark.parametrize("kind", ["Application", "ApplicationSet", "AppProject"])
def test_argo_cd_knows_every_field(kind: str) -> None:
    folders = (built(name) for name in ("applications", "applications/clusters", "models"))
    found = [
        one for all_ in (read("bootstrap.yaml"), *folders, clusters()) for one in argo(all_) if one["kind"] == kind
    ]
    assert len(found) >= 2
    assert [fault for one in found for fault in faults(one, definition(kind))] == []


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
    assert faults(one, definition("Application")) == [fault]


def test_a_field_that_is_missing_is_found() -> None:
    one = copy.deepcopy(applications()[0])
    del one["spec"]["destination"]
    assert faults(one, definition("Application")) == ["/spec/destination: missing"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_kubernetes_and_the_operators_know_every_field(folder: str) -> None:
    assert fields(built(folder)) == []


@pytest.mark.parametrize("component", ["node", "tls"])
def test_they_know_every_field_of_a_gateway_with_a_component(component: str) -> None:
    old = "resources:\n"
    assert fields(changed("gateway", old, f"components: [{component}]\n{old}", {})) == []


@pytest.mark.parametrize(
    ("folder", "kind", "old", "new", "told"),
    [
        ("mlflow", "Deployment", "replicas", "replica", "'replica' was unexpected"),
        ("mlflow", "NetworkPolicy", "podSelector", "podSelectors", "'podSelectors' was unexpected"),
        ("policy", "ValidatingAdmissionPolicy", "validations", "validation", "'validation' was unexpected"),
        ("policy", "ImageValidatingPolicy", "matchImageReferences", "matchImages", "/spec/matchImages: unknown"),
        ("gateway", "Gateway", "gatewayClassName", "gatewayClass", "/spec/gatewayClass: unknown"),
        ("gateway", "GatewayClass", "controllerName", "controller", "/spec/controllerName: missing"),
        ("gateway", "ClientTrafficPolicy", "timeout", "timeouts", "/spec/timeouts: unknown"),
        ("monitoring", "PrometheusRule", "groups", "group", "/spec/group: unknown"),
    ],
)
def test_a_field_that_they_do_not_know_is_found(folder: str, kind: str, old: str, new: str, told: str) -> None:
    one = copy.deepcopy(next(one for one in built(folder) if one["kind"] == kind))
    one["spec"][new] = one["spec"].pop(old)
    assert any(told in fault for fault in fields([one]))


# What is kept out


@pytest.mark.parametrize("path", sorted(MANIFESTS.rglob("kustomization.yaml")), ids=lambda path: path.parent.name)
def test_no_field_is_deprecated(path: Path) -> None:
    assert outdated(yaml.safe_load(path.read_text())) == []


def test_a_deprecated_field_is_found() -> None:
    assert outdated({"bases": [], "vars": [], "labels": [{"app": "x"}]}) == ["bases", "vars", "labels without pairs"]


def sources(application: Object) -> list[Object]:
    spec = application["spec"]
    return spec["sources"] if "sources" in spec else [spec["source"]]


def unpinned(found: list[Object]) -> list[str]:
    """What may change without a commit (unpinned images, charts, revisions), and Applications without a project."""
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
    assert [re.search(r"/[0-9a-f]{40}/", address) is not None for address in fetched] == [True]


# How Argo CD follows git


def refused(project: Object, found: list[Object]) -> list[str]:
    """Sources and destinations of Applications that their project forbids."""
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
    for one in built("applications/operators"):  # a cluster's prefix would rename the Helm release
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
        assert one["metadata"]["name"].startswith("west-")
        assert one["spec"]["destination"]["server"] == "https://west:6443"
        assert one["spec"]["syncPolicy"]["automated"] == {"prune": True, "selfHeal": True}


def test_every_application_is_pruned_healed_and_retried() -> None:
    each = [only(built("applications/clusters"), "ApplicationSet")["spec"]["template"]]
    for separate in (False, True):
        each += [one for one in repository("my-model", separate=separate) if one["kind"] == "Application"]
    for one in [only(read("bootstrap.yaml"), "Application"), *applications(), *each]:
        policy = one["spec"]["syncPolicy"]
        assert policy["automated"] == {"prune": True, "selfHeal": True}
        assert "ServerSideApply=true" in policy["syncOptions"]
        if "environment" in one["metadata"].get("labels", {}):
            assert policy["retry"] == {"refresh": True}  # no limit: a bad release is told after one try
        else:
            assert policy["retry"]["limit"] >= 1
            assert policy["retry"]["refresh"] is True
        assert one["metadata"]["annotations"]["argocd.argoproj.io/compare-options"] == "ServerSideDiff=true"


def zeros(node: Any, path: str = "") -> list[str]:
    """Where something empty or zero stands, which Argo CD's own types leave out when it writes an Application."""
    if isinstance(node, dict) and node:
        return [one for key, value in node.items() for one in zeros(value, f"{path}/{key}")]
    if isinstance(node, list) and node:
        return [one for index, value in enumerate(node) for one in zeros(value, f"{path}/{index}")]
    return [] if node else [path]


def test_what_argo_cd_writes_back_is_what_git_says() -> None:
    """It writes an Application at each sync; one that another Application applies would differ ever after."""
    for one in (*applications(), *repository("my-model"), *repository("my-model", separate=True)):
        if one["kind"] == "Application":
            spec = {key: value for key, value in one["spec"].items() if key not in ("source", "sources")}
            assert zeros(spec) == [], one["metadata"]["name"]
    assert zeros({"syncPolicy": {"retry": {"limit": 0}}}) == ["/syncPolicy/retry/limit"]
    assert zeros({"syncPolicy": {"retry": {}}}) == ["/syncPolicy/retry"]


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


def test_each_part_comes_after_what_it_needs() -> None:
    found = waves()
    assert found["cert-manager"] < found["seldon"]
    assert found["cert-manager"] < found["monitoring"]
    assert [name for name in found if found[name] >= found["models"]] == ["models"]
    settings = only(argocd(), "ConfigMap", "argocd-cm")["data"]
    assert "resource.customizations.health.argoproj.io_Application" in settings  # otherwise no sync wave waits


def test_the_operator_is_the_last_one_that_is_free_in_production() -> None:
    source = next(sources(one)[0] for one in applications() if one["metadata"]["name"] == "seldon")
    assert (source["chart"], source["targetRevision"]) == ("seldon-core-operator", "1.17.1")
    assert source["helm"]["valuesObject"]["certManager"] == {"enabled": True}
    assert "Business Source License" in (MANIFESTS / "applications/operators/seldon.yaml").read_text()
