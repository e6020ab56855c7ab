"""Argo CD's rules for models: their repositories, destinations and allowed kinds."""

import copy
import re

import yaml
from conftest import PROJECT, ROOT
from folders import MANIFESTS, NAMESPACE, built, clusters, only
from schemas import definition, faults


def kinds() -> set[tuple[str, str]]:
    """Every group and kind in a model repository's manifests."""
    found = set()
    for path in (ROOT / PROJECT / "manifests").rglob("*.yaml"):
        text = re.sub(r"<< cookiecutter\.\w+(\|\w+)? >>", "x", path.read_text())
        for one in yaml.safe_load_all(text):
            if isinstance(one, dict) and {"apiVersion", "kind"} <= set(one):
                found.add((one["apiVersion"].rpartition("/")[0], one["kind"]))
                found |= {("", "ConfigMap")} if "configMapGenerator" in one else set()
    return {(group, kind) for group, kind in found if group not in ("kustomize.config.k8s.io", "argoproj.io")}


def test_a_project_allows_what_models_are_made_of_and_no_more() -> None:
    spec = only(built("models"), "AppProject")["spec"]
    allowed = {(one["group"], one["kind"]) for one in spec["namespaceResourceWhitelist"]}
    assert kinds() == allowed
    assert {(one["group"], one["kind"]) for one in spec["clusterResourceWhitelist"]} == {("", "Namespace")}
    names = [to["namespace"] for to in spec["destinations"]]
    assert [one["name"] for one in spec["clusterResourceWhitelist"]] == names  # no other namespace, such as kube-system
    assert not {kind for _, kind in allowed} & {
        "Secret",
        "Role",
        "RoleBinding",
        "Pod",
        "DaemonSet",
        "PrometheusRule",
        "*",
    }


def test_a_freeze_window_as_the_comment_has_it_is_one() -> None:
    project = copy.deepcopy(only(built("models"), "AppProject"))
    assert project["spec"]["syncWindows"] == []
    (example,) = re.findall(r"(?m)^  # (\{kind: deny, .*\})$", (MANIFESTS / "models/project.yaml").read_text())
    project["spec"]["syncWindows"] = [yaml.safe_load(example)]
    assert faults(project, definition("AppProject")) == []
    assert re.fullmatch(r"(\S+ ){4}\S+", project["spec"]["syncWindows"][0]["schedule"])


def test_models_are_the_repositories_of_the_organisation_with_the_topic_that_setup_gives() -> None:
    spec = only(built("models"), "ApplicationSet")["spec"]
    provider, git = spec["generators"][0]["matrix"]["generators"]
    (allowed,) = only(built("models"), "AppProject")["spec"]["sourceRepos"]
    assert allowed == f"https://github.com/{provider['scmProvider']['github']['organization']}/*"
    (topic,) = re.findall(r'(?m)^TOPIC = "(.+?)"', (ROOT / PROJECT / "lifecycle/github/setup.py").read_text())
    assert provider["scmProvider"]["filters"] == [{"labelMatch": f"^{topic}$"}]
    (directory,) = git["git"]["directories"]
    found = {path.name for path in (ROOT / PROJECT).glob(directory["path"])}
    assert found == {"dev", "staging", "production"}
    assert (git["git"]["repoURL"], git["git"]["revision"]) == ("{{ .url }}", "{{ .branch }}")
    source = spec["template"]["spec"]["source"]
    assert source == {"repoURL": "{{ .url }}", "targetRevision": "{{ .branch }}", "path": "{{ .path.path }}"}
    named = spec["template"]["metadata"]["name"]
    assert named == spec["template"]["spec"]["destination"]["namespace"] == "{{ .repository }}-{{ .path.basename }}"


def test_namespaces_of_models_have_the_labels_that_gateway_and_policy_look_for() -> None:
    (listener,) = only(built("gateway"), "Gateway")["spec"]["listeners"]
    assert listener["allowedRoutes"]["namespaces"]["selector"]["matchLabels"] == NAMESPACE
    assert only(built("policy"), "ImageValidatingPolicy")["spec"]["matchConstraints"]["namespaceSelector"] == {
        "matchLabels": NAMESPACE
    }
    for found in (built("models"), clusters()):
        policy = only(found, "ApplicationSet")["spec"]["template"]["spec"]["syncPolicy"]
        assert NAMESPACE.items() <= policy["managedNamespaceMetadata"]["labels"].items()
        assert "CreateNamespace=true" in policy["syncOptions"]


def test_a_service_outlives_the_loss_of_a_topic_and_of_github() -> None:
    for found in (built("models"), clusters()):
        policy = only(found, "ApplicationSet")["spec"]["syncPolicy"]
        assert policy == {"applicationsSync": "create-update", "preserveResourcesOnDeletion": True}


def test_300_repositories_stay_below_what_github_answers_in_an_hour() -> None:
    text = (MANIFESTS / "models/repositories.yaml").read_text()
    (seconds,) = map(int, re.findall(r"requeueAfterSeconds: (\d+)", text))
    assert "pathsExist" not in text  # one more API call per repository
    branches, pages = 300, 300 / 100
    assert (branches + pages) * 3600 / seconds < 5000 / 4


def test_a_route_of_a_model_leads_to_the_gateway() -> None:
    route = yaml.safe_load((ROOT / PROJECT / "manifests/base/route.yaml").read_text().replace("<< cookiecutter", ""))
    gateway = only(built("gateway"), "Gateway")["metadata"]
    assert route["spec"]["parentRefs"] == [{"name": gateway["name"], "namespace": gateway["namespace"]}]


def test_an_environment_may_have_a_cluster_of_its_own() -> None:
    one, each = only(built("models"), "ApplicationSet")["spec"], only(clusters(), "ApplicationSet")["spec"]
    (generator,) = each["generators"]
    inner, chosen = generator["matrix"]["generators"]
    assert [inner] == one["generators"]
    assert chosen == {"clusters": {"selector": {"matchLabels": {"environment": "{{ .path.basename }}"}}}}
    assert each["template"]["spec"]["destination"] == {
        **one["template"]["spec"]["destination"],
        "server": "{{ .server }}",
    }
    allowed = [entry["namespace"] for entry in only(clusters(), "AppProject")["spec"]["destinations"]]
    assert allowed == ["*-dev", "*-staging", "*-production"]
    known = definition("ApplicationSet")["properties"]["spec"]["properties"]["generators"]["items"]
    assert faults(inner, known) == []  # the API server does not check a nested matrix
