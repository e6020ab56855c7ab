"""Argo CD's rules for models: how a repository is found, and what it may then do, beside other repositories too."""

import copy
import itertools
import re
from typing import Any

import pytest
import yaml
from argo import HERE, SERVERS, Hosted, discovered, generated, permits, reaches, reads, rendered, repository
from conftest import PROJECT, ROOT, run, unrendered
from folders import MANIFESTS, NAMESPACE, applications, built, changed, clusters, only, read
from schemas import Object, definition, faults

ENVIRONMENTS = tuple(SERVERS)


def named(found: list[Object]) -> set[tuple[str, str]]:
    return {(one["kind"], one["metadata"]["name"]) for one in found}


def environments(found: list[Object]) -> list[Object]:
    """The Applications of a repository's environments, in their order."""
    by_label = {
        one["metadata"].get("labels", {}).get("environment"): one for one in found if one["kind"] == "Application"
    }
    return [by_label[name] for name in ENVIRONMENTS]


def provider(found: list[Object]) -> Any:
    (generator,) = only(found, "ApplicationSet")["spec"]["generators"]
    return generator["scmProvider"]


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
    spec = only(built("models/repository"), "AppProject")["spec"]
    allowed = {(one["group"], one["kind"]) for one in spec["namespaceResourceWhitelist"]}
    assert kinds() == allowed
    assert "clusterResourceWhitelist" not in spec
    told = "from lifecycle.releasing.applied import KINDS; print(sorted(map(list, KINDS)))"
    audited = yaml.safe_load(run([".venv/github/bin/python", "-c", told], unrendered("github")))
    assert audited == sorted(map(list, allowed))  # `make audit` refuses what the project would
    assert not {kind for _, kind in allowed} & {
        "Secret",
        "Role",
        "RoleBinding",
        "Pod",
        "DaemonSet",
        "PrometheusRule",
        "Application",
        "*",
    }


# What one repository may do to another


def job(namespace: str) -> Object:
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "reader", "namespace": namespace}}


@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize(("attacker", "victim"), [("a", "b"), ("flight", "flight-delay"), ("flight-delay", "flight")])
def test_a_repository_runs_nothing_in_the_namespace_of_another(attacker: str, victim: str, *, separate: bool) -> None:
    project = only(repository(attacker, separate=separate), "AppProject")
    for name in ENVIRONMENTS:
        server = SERVERS[name] if separate else HERE
        assert permits(project, job(f"{attacker}-{name}"), server)
        assert not permits(project, job(f"{victim}-{name}"), server)
        for own in (f"{attacker}-{name}", f"{victim}-{name}"):  # adopted, it could be pruned
            assert not permits(project, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": own}}, server)
    for namespace in ("argocd", "kube-system", "monitoring", "gateway", "default"):
        assert not permits(project, job(namespace))


def test_a_project_for_all_repositories_would_let_it() -> None:
    project = copy.deepcopy(only(repository("a"), "AppProject"))
    project["spec"]["destinations"] = [{"server": HERE, "namespace": "*-production"}]
    project["spec"]["clusterResourceWhitelist"] = [{"group": "", "kind": "Namespace", "name": "*-production"}]
    assert permits(project, job("b-production"))
    assert permits(project, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "b-production"}})


def test_an_environment_of_a_repository_is_not_reached_in_the_cluster_of_another_environment() -> None:
    project = only(repository("a", separate=True), "AppProject")
    assert reaches(project, "a-production", SERVERS["production"])
    assert not any(reaches(project, "a-production", server) for server in (HERE, SERVERS["dev"], SERVERS["staging"]))


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("https://github.com/acme/flight.git", True),
        ("https://github.com/acme/flight", True),
        ("https://github.com/acme/flight-delay.git", False),
        ("https://github.com/acme/platform", False),
        ("https://github.com/acme/flight.git.evil.io/x", False),
    ],
)
def test_a_project_reads_its_own_repository_alone(url: str, *, read: bool) -> None:
    assert reads(only(repository("flight"), "AppProject"), url) == read


@pytest.mark.parametrize("separate", [False, True])
def test_what_renders_a_repository_may_do_that_alone(*, separate: bool) -> None:
    found = repository("flight-delay", separate=separate)
    project = only(clusters() if separate else built("models"), "AppProject")
    first, *others = found
    assert all(permits(project, one) for one in others)
    assert {one["kind"] for one in others} <= {"AppProject", "Application", "Namespace"}
    for one in [one for one in found if one["kind"] == "Application" and one["spec"]["project"] == "repositories"]:
        to = one["spec"]["destination"]
        assert reads(project, one["spec"]["source"]["repoURL"])
        assert reaches(project, to["namespace"], to["server"])
    assert not reads(project, "https://github.com/acme/flight-delay.git")
    for kind, group in (("Secret", "v1"), ("ApplicationSet", "argoproj.io/v1alpha1"), ("ConfigMap", "v1")):
        made = {"apiVersion": group, "kind": kind, "metadata": {"name": "x", "namespace": "argocd"}}
        assert not permits(project, made)
    for name in ("argocd", "kube-system", "monitoring"):
        assert not permits(project, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    assert first["spec"]["project"] == project["metadata"]["name"]


# Names

WORDS = ("flight", "delay", *ENVIRONMENTS, "project", "model", "namespace", "x")
HOSTILE = ["-".join(words) for count in (1, 2, 3) for words in itertools.product(WORDS, repeat=count)]


@pytest.mark.parametrize("separate", [False, True])
def test_no_two_repositories_have_a_name_in_common(*, separate: bool) -> None:
    """Each name is the repository's with an ending, as three repositories show; then for all pairs of hostile names."""
    endings = {
        frozenset((kind, name.removeprefix(one)) for kind, name in named(repository(one, separate=separate)))
        for one in ("flight", "flight-delay", "dev-production-project")
    }
    (ends,) = endings
    owner: dict[tuple[str, str], str] = {}
    for one in HOSTILE:
        for kind, end in ends:
            assert end.startswith("-")
            assert owner.setdefault((kind, one + end), one) == one
    assert len(owner) == len(HOSTILE) * len(ends)


def platforms(cluster: str) -> set[tuple[str, str]]:
    """The names of the platform's own, with its operators in a cluster of this name."""
    template = only(built("applications/clusters"), "ApplicationSet")["spec"]["template"]
    prefix = template["spec"]["source"]["kustomize"]["namePrefix"].replace("{{ .nameNormalized }}", cluster)
    found = named([*applications(), *built("applications"), *built("models"), *read("bootstrap.yaml")])
    found |= {("Application", template["metadata"]["name"].replace("{{ .nameNormalized }}", cluster))}
    found |= {("Application", prefix + one["metadata"]["name"]) for one in built("applications/operators")}
    destinations = only(built("applications"), "AppProject")["spec"]["destinations"]
    places = {to["namespace"] for to in destinations} | {"default", "kube-public", "kube-node-lease"}
    return found | {("Namespace", place) for place in places} | {("AppProject", "default")}


@pytest.mark.parametrize("separate", [False, True])
def test_no_repository_has_a_name_in_common_with_the_platform(*, separate: bool) -> None:
    """Whatever a repository is called, and the clusters."""
    ends = {(kind, name.removeprefix("flight")) for kind, name in named(repository("flight", separate=separate))}
    for cluster in WORDS:
        for kind, name in platforms(cluster):
            assert [end for of, end in ends if of == kind and name.endswith(end)] == []


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("my-model", True),
        ("a1", True),
        ("a" * 40, True),
        ("a" * 41, False),
        ("a", False),
        ("My-model", False),
        ("my.model", False),
        ("my_model", False),
        ("1-model", False),
        ("-model", False),
        ("model-", False),
        ("model\n", False),
    ],
)
def test_a_repository_whose_name_kubernetes_refuses_is_not_found(name: str, *, fits: bool) -> None:
    found, _ = discovered(provider(built("models")), [Hosted(name)])
    assert (found == [name]) == fits


def test_every_name_that_the_template_accepts_is_found() -> None:
    text = (ROOT / "hooks/pre_gen_project.py").read_text()
    (slug,), (length,) = re.findall(r'SLUG = re.compile\(r"(.+)"\)', text), re.findall(r"SLUG_LENGTH = (\d+)", text)
    names = ["ab", "a-b", "a" * int(length), "a-" * (int(length) // 2 - 1) + "bc"]
    assert all(re.fullmatch(slug, name) for name in names)
    assert discovered(provider(built("models")), [Hosted(name) for name in names])[0] == names


@pytest.mark.parametrize("separate", [False, True])
def test_the_longest_name_fits_into_kubernetes(*, separate: bool) -> None:
    for _, name in named(repository("a" * 40, separate=separate)):
        assert re.fullmatch(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", name)


# How a repository is found


def test_models_are_the_repositories_of_the_organisation_with_the_topic_that_setup_gives() -> None:
    (topic,) = re.findall(r'(?m)^TOPIC = "(.+?)"', (ROOT / PROJECT / "lifecycle/github/setup.py").read_text())
    organisation = [Hosted("one", ("x", topic)), Hosted("two", ("x",)), Hosted("three", (f"{topic}-x",))]
    assert discovered(provider(built("models")), organisation)[0] == ["one"]
    assert all((ROOT / PROJECT / path).is_dir() for path in Hosted("x").paths)


def test_an_empty_repository_hides_no_other() -> None:
    organisation = [Hosted("one"), Hosted("empty", paths=()), Hosted("other", paths=("src",)), Hosted("two")]
    organisation.insert(2, Hosted("part", paths=("manifests/overlays/dev",)))
    for found in (built("models"), clusters()):
        assert "'git':" not in str(
            only(found, "ApplicationSet")["spec"]["generators"]
        )  # its error ends the whole search
    assert discovered(provider(built("models")), organisation)[0] == ["one", "two"]


def test_a_folder_of_another_name_makes_no_application() -> None:
    organisation = [Hosted("flight", paths=(*Hosted("x").paths, "manifests/overlays/delay-production"))]
    assert discovered(provider(built("models")), organisation)[0] == ["flight"]
    assert ("Application", "flight-delay-production") not in named(repository("flight"))


def test_300_repositories_of_1000_stay_below_what_github_answers_in_an_hour() -> None:
    organisation = [Hosted(f"model-{number}") for number in range(300)]
    organisation += [Hosted(f"other-{number}", topics=()) for number in range(700)]
    given = provider(built("models"))
    found, calls = discovered(given, organisation)
    assert len(found) == 300
    assert calls == 10 + 300 * (1 + 3)
    assert calls * 3600 / given["requeueAfterSeconds"] < 5000 / 4


def test_a_service_outlives_the_loss_of_a_topic_and_of_github() -> None:
    for found in (built("models"), clusters()):
        policy = only(found, "ApplicationSet")["spec"]["syncPolicy"]
        assert policy == {"applicationsSync": "create-update", "preserveResourcesOnDeletion": True}
    for separate in (False, True):
        assert not any("finalizers" in one["metadata"] for one in repository("flight", separate=separate))


def test_a_user_lists_the_repositories() -> None:
    for components in ("[list]", "[list, clusters]"):
        found = changed("models", "resources:\n", f"components: {components}\nresources:\n", {})
        (generator,) = only(found, "ApplicationSet")["spec"]["generators"]
        last = generator["matrix"]["generators"][1] if "clusters" in components else generator
        (element,) = last["list"]["elements"]
        assert element["url"] == f"https://github.com/acme/{element['repository']}.git"
        assert generated(found, **{key: element[key] for key in ("repository", "branch")})
        assert faults(only(found, "ApplicationSet"), definition("ApplicationSet")) == []


# What a repository gets


def test_a_repository_gets_its_environments() -> None:
    first, *found = repository("flight-delay", "release/1.0")
    assert first["metadata"]["name"] == "flight-delay-project"
    project = only(found, "AppProject")
    assert project["metadata"]["name"] == "flight-delay-model"
    assert project["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"] == "-1"
    assert named(found) == {
        ("AppProject", "flight-delay-model"),
        *((kind, f"flight-delay-{name}") for kind in ("Application", "Namespace") for name in ENVIRONMENTS),
    }
    for name, one in zip(ENVIRONMENTS, environments(found), strict=True):
        assert one["metadata"]["name"] == f"flight-delay-{name}"
        assert one["metadata"]["namespace"] == "argocd"
        assert one["spec"]["project"] == project["metadata"]["name"]
        assert one["spec"]["destination"] == {"server": HERE, "namespace": f"flight-delay-{name}"}
        assert one["spec"]["source"] == {
            "repoURL": "https://github.com/acme/flight-delay.git",
            "targetRevision": "release/1.0",
            "path": f"manifests/overlays/{name}",
        }
        assert reads(project, one["spec"]["source"]["repoURL"])
        assert reaches(project, one["spec"]["destination"]["namespace"])
        assert one["spec"]["syncPolicy"] == {
            "automated": {"prune": True, "selfHeal": True},
            "syncOptions": ["ServerSideApply=true"],  # not CreateNamespace: a project without Namespace refuses it
            "retry": {"refresh": True},
        }
        assert one["metadata"]["annotations"]["argocd.argoproj.io/manifest-generate-paths"] == "/manifests"


@pytest.mark.parametrize("branch", ["1.0", "true", "0x10", 'a"b', "a'b", "a,b", "a}}b", "{a", "#a", "&a", "main"])
def test_a_branch_is_a_branch_whatever_it_is_called(branch: str) -> None:
    found = repository("flight", branch)
    assert [one["spec"]["source"]["targetRevision"] for one in environments(found)] == [branch] * 3
    assert only(found, "AppProject") == only(repository("flight"), "AppProject")


@pytest.mark.parametrize("separate", [False, True])
def test_argo_cd_and_kubernetes_know_every_field_of_a_repository(*, separate: bool) -> None:
    for one in repository("flight", separate=separate):
        if one["kind"] != "Namespace":
            assert faults(one, definition(one["kind"])) == []


def test_nothing_is_left_that_stands_for_a_value() -> None:
    for separate in (False, True):
        text = yaml.safe_dump(repository("flight", separate=separate)[1:])
        assert not re.search(
            r"\bx-|: (url|branch|dev|staging|production)$|- url$", text.replace("environment: ", ""), re.M
        )


def test_namespaces_of_models_have_the_labels_that_gateway_and_policy_look_for() -> None:
    (listener,) = only(built("gateway"), "Gateway")["spec"]["listeners"]
    assert listener["allowedRoutes"]["namespaces"]["selector"]["matchLabels"] == NAMESPACE
    assert only(built("policy"), "ImageValidatingPolicy")["spec"]["matchConstraints"]["namespaceSelector"] == {
        "matchLabels": NAMESPACE
    }
    for name in ENVIRONMENTS:
        metadata = only(repository("flight"), "Namespace", f"flight-{name}")["metadata"]
        assert metadata["labels"] == {
            **NAMESPACE,
            "environment": name,
            "repository": "flight",
            "pod-security.kubernetes.io/enforce": "restricted",
            "pod-security.kubernetes.io/warn": "restricted",
        }
        assert metadata["annotations"] == {
            "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
            "argocd.argoproj.io/sync-wave": "-1",
        }


@pytest.mark.parametrize("separate", [False, True])
def test_only_a_repository_that_the_platform_lists_may_run_what_is_not_restricted(*, separate: bool) -> None:
    found = copy.deepcopy(clusters() if separate else built("models"))
    patches = only(found, "ApplicationSet")["spec"]["template"]["spec"]["source"]["kustomize"]["patches"]
    patches[0]["patch"] = patches[0]["patch"].replace("(list)", '(list "flight" "fraud")')
    enforced = "pod-security.kubernetes.io/enforce"
    for name, standard in (("flight", "baseline"), ("fli", "restricted"), ("fraud-2", "restricted")):
        brought = rendered(generated(found, name))
        if separate:
            parts = [one for one in brought if one["metadata"]["name"].endswith("-namespace")]
            labels = [one["spec"]["source"]["kustomize"]["commonLabels"] for one in parts]
            inside = [only(rendered(one), "Namespace")["metadata"]["labels"][enforced] for one in parts]
            assert inside == [standard] * 3
        else:
            labels = [one["metadata"]["labels"] for one in brought if one["kind"] == "Namespace"]
        assert [one[enforced] for one in labels] == [standard] * 3


def test_a_freeze_window_as_the_comment_has_it_is_one() -> None:
    project = copy.deepcopy(only(built("models/repository"), "AppProject"))
    assert project["spec"]["syncWindows"] == []
    text = (MANIFESTS / "models/repository/project.yaml").read_text()
    (example,) = re.findall(r"(?m)^  # (\{kind: deny, .*\})$", text)
    project["spec"]["syncWindows"] = [yaml.safe_load(example)]
    assert faults(project, definition("AppProject")) == []
    assert re.fullmatch(r"(\S+ ){4}\S+", project["spec"]["syncWindows"][0]["schedule"])


def test_a_route_of_a_model_leads_to_the_gateway() -> None:
    route = yaml.safe_load((ROOT / PROJECT / "manifests/base/route.yaml").read_text().replace("<< cookiecutter", ""))
    gateway = only(built("gateway"), "Gateway")["metadata"]
    assert route["spec"]["parentRefs"] == [{"name": gateway["name"], "namespace": gateway["namespace"]}]


def test_an_environment_may_have_a_cluster_of_its_own() -> None:
    (generator,) = only(clusters(), "ApplicationSet")["spec"]["generators"]
    chosen, inner = generator["matrix"]["generators"]
    assert [inner] == only(built("models"), "ApplicationSet")["spec"]["generators"]
    known = definition("ApplicationSet")["properties"]["spec"]["properties"]["generators"]["items"]
    assert faults(inner, known) == []  # the API server does not check a nested matrix
    assert chosen["clusters"]["flatList"] is True  # one Application for a repository, with all clusters
    (label,) = chosen["clusters"]["selector"]["matchExpressions"]
    assert label == {"key": "environment", "operator": "In", "values": list(ENVIRONMENTS)}
    together, found = (copy.deepcopy(repository("flight", separate=separate)) for separate in (False, True))
    for name, one, each in zip(ENVIRONMENTS, environments(together), environments(found), strict=True):
        assert each["spec"].pop("destination") == {"server": SERVERS[name], "namespace": f"flight-{name}"}
        assert one["spec"].pop("destination")
        assert each == one


def test_the_namespace_of_an_environment_is_in_its_cluster() -> None:
    found = repository("flight", separate=True)
    assert not [one for one in found if one["kind"] == "Namespace"]
    for name in ENVIRONMENTS:
        brings = only(found, "Application", f"flight-{name}-namespace")
        assert brings["spec"]["destination"] == {"server": SERVERS[name], "namespace": f"flight-{name}"}
        assert brings["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"] == "-1"
        assert rendered(brings) == [only(repository("flight"), "Namespace", f"flight-{name}")]
        assert all(permits(only(clusters(), "AppProject"), one, SERVERS[name]) for one in rendered(brings))
