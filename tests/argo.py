"""A small model of Argo CD 3.5.1: what it finds, renders and permits. Each function names the source it follows."""

import json
import re
import shutil
import tempfile
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from folders import MANIFESTS, built, clusters, objects, only
from schemas import Object

HERE = "https://kubernetes.default.svc"
SERVERS = {name: f"https://{name}:6443" for name in ("dev", "staging", "production")}
WITHOUT_NAMESPACE = {"Namespace", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "PersistentVolume"}
CHOSEN = re.compile(
    r'\{\{ range \.clusters \}\}\{\{ if eq \.metadata\.labels\.environment "(\w+)" \}\}\{\{ \.server \}\}'
    r"\{\{ end \}\}\{\{ end \}\}"
)
LISTED = re.compile(  # Sprig's has and list
    r'\{\{ if has \.(\w+) \(list((?: "[a-z0-9-]+")*)\) \}\}(\w+)\{\{ else \}\}(\w+)\{\{ end \}\}'
)


@dataclass(frozen=True)
class Hosted:
    """A repository on GitHub; one without paths is empty."""

    name: str
    topics: tuple[str, ...] = ("mlaas-model",)
    paths: tuple[str, ...] = tuple(f"manifests/overlays/{name}" for name in SERVERS)


def discovered(provider: Object, organisation: list[Hosted]) -> tuple[list[str], int]:
    """The repositories that a generator finds, and its calls to GitHub.

    applicationset/services/scm_provider/utils.go (ListRepos, getBranches, matchFilter) and github.go.
    """
    calls = -(-len(organisation) // 100)  # pages
    inside = [one for one in provider["filters"] if "pathsExist" in one]
    outside = [one for one in provider["filters"] if "pathsExist" not in one]
    found = []
    for one in organisation:
        if outside and not any(_matches(rule, one) for rule in outside):
            continue
        calls += 1  # its branch, which an empty repository does not have
        for rule in inside if one.paths else ():
            present = [path in one.paths for path in rule["pathsExist"]]
            if _matches(rule, one):
                calls += (*present, False).index(False) + (not all(present))  # until one is missing
                if all(present):
                    found.append(one.name)
                    break
    return found, calls


def _matches(rule: Object, one: Hosted) -> bool:
    named = re.search(re.sub(r"\$$", r"\\Z", rule.get("repositoryMatch", "")), one.name)
    return bool(named) and any(re.search(rule.get("labelMatch", ""), topic) for topic in (*one.topics, ""))


def filled(template: str, values: dict[str, str]) -> str:
    """A text of our ApplicationSets with its values; a value that is missing is an error."""
    text = CHOSEN.sub(lambda match: SERVERS[match[1]], template)
    text = LISTED.sub(lambda match: match[3 if f'"{values[match[1]]}"' in match[2].split() else 4], text)
    text = re.sub(r"\{\{ \.(\w+) \| toJson \}\}", lambda match: json.dumps(values[match[1]]), text)
    text = re.sub(r"\{\{ \.(\w+) \}\}", lambda match: values[match[1]], text)
    assert "{{" not in text
    return text


def _each(value: Any, values: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _each(inner, values) for key, inner in value.items()}
    if isinstance(value, list):
        return [_each(inner, values) for inner in value]
    return filled(value, values) if isinstance(value, str) else value


def generated(found: list[Object], repository: str, branch: str = "main") -> Object:
    """The Application that the models' ApplicationSet makes of a repository (applicationset/utils/utils.go)."""
    values = {"repository": repository, "url": f"https://github.com/acme/{repository}.git", "branch": branch}
    made: Object = _each(only(found, "ApplicationSet")["spec"]["template"], values)
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", **made}


def rendered(application: Object) -> list[Object]:
    """What an Application of the platform's repository brings (util/kustomize/kustomize.go, Build)."""
    source = application["spec"]["source"]
    with tempfile.TemporaryDirectory() as name:
        shutil.copytree(MANIFESTS / "models", Path(name) / "manifests/models")
        path = Path(name) / source["path"] / "kustomization.yaml"
        text, options = yaml.safe_load(path.read_text()), source.get("kustomize", {})
        assert set(options) <= {"patches", "components", "namespace", "commonLabels"}
        for key in ("patches", "components"):
            text[key] = text.get(key, []) + options.get(key, [])
        text["labels"] = [{"pairs": options.get("commonLabels", {})}]
        text["namespace"] = options.get("namespace", "")
        path.write_text(yaml.safe_dump(text))
        return objects(path.parent)


@cache
def repository(name: str, branch: str = "main", *, separate: bool = False) -> list[Object]:
    """A repository's first Application and what that brings, in one cluster or separate ones."""
    first = generated(clusters() if separate else built("models"), name, branch)
    return [first, *rendered(first)]


def permits(project: Object, one: Object, server: str = HERE) -> bool:
    """Whether a project's Application may apply an object (controller/sync.go, validateSyncPermissions).

    pkg/apis/application/v1alpha1/app_project_types.go: IsGroupKindNamePermitted, IsDestinationPermitted.
    """
    spec, group = project["spec"], one["apiVersion"].rpartition("/")[0]
    namespaced = one["kind"] not in WITHOUT_NAMESPACE
    listed = spec.get("namespaceResourceWhitelist" if namespaced else "clusterResourceWhitelist")
    if namespaced and listed is None:
        known = True
    else:
        known = any(
            fnmatchcase(group, entry["group"])
            and fnmatchcase(one["kind"], entry["kind"])
            and (namespaced or fnmatchcase(one["metadata"]["name"], entry.get("name") or "*"))
            for entry in listed or ()
        )
    return known and (not namespaced or reaches(project, one["metadata"]["namespace"], server))


def reaches(project: Object, namespace: str, server: str = HERE) -> bool:
    """Whether a project has a destination (isDestinationMatched; our projects deny none and name no cluster)."""
    return any(
        fnmatchcase(server, to["server"]) and fnmatchcase(namespace, to["namespace"])
        for to in project["spec"]["destinations"]
    )


def reads(project: Object, url: str) -> bool:
    """Whether a project has a source (IsSourcePermitted: `*` ends at a slash; util/git/git.go, NormalizeGitURL)."""
    patterns = (re.escape(_plain(one)).replace(r"\*", "[^/]*") for one in project["spec"]["sourceRepos"])
    return any(re.fullmatch(pattern, _plain(url)) for pattern in patterns)


def _plain(url: str) -> str:
    return url.lower().removesuffix(".git")
