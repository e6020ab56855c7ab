"""Finds what the monitor of an environment reads in the cluster, to run it by hand on another machine."""

import re
from typing import Any

import yaml

from lifecycle import InputError
from lifecycle.config import Promote
from lifecycle.documents import environments
from lifecycle.releasing import render
from lifecycle.strict import parsed

COMPONENT = "manifests/components/shipping/kustomization.yaml"


def _documents(environment: str) -> list[dict[str, Any]]:
    texts = re.split(r"(?m)^---$", render.manifests(environment))
    try:
        return [found for found in map(parsed, texts) if isinstance(found, dict)]
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"The overlay {environment} renders to no valid YAML ({error}); correct it.") from error


def _monitor(documents: list[dict[str, Any]], environment: str) -> dict[str, Any]:
    for document in documents:
        if (document["kind"], document["metadata"]["name"]) == ("CronJob", "monitor"):
            found: dict[str, Any] = document["spec"]["jobTemplate"]["spec"]["template"]["spec"]["initContainers"][0]
            return found
    raise InputError(f"{environment} has no release yet, so no monitor runs there; name the log as PREDICTIONS.")


def log(environment: str, version: str, promotion: Promote) -> tuple[list[str], dict[str, str]]:
    """The addresses of an environment's log in a store, and the variables that its monitor gets with them.

    Raises InputError when the log is in the cluster alone, or `version` is not the model that the environment runs.
    """
    release = environments.current(environments.folder(environment, promotion.order))
    documents = _documents(environment)
    container = _monitor(documents, environment)
    if release is not None and release.evaluation.origin.version != version:
        raise InputError(
            f"{environment} runs the model {release.evaluation.origin.version}, not {version}; name its directory as "
            "MODEL: for production `make champion` writes build/champion."
        )
    maps = {one["metadata"]["name"]: one.get("data", {}) for one in documents if one["kind"] == "ConfigMap"}
    named = [one["configMapRef"]["name"] for one in container.get("envFrom", []) if "configMapRef" in one]
    values = {key: str(value) for name in named for key, value in maps.get(name, {}).items()}
    found = [
        re.sub(r"\$\((\w+)\)", lambda name: values.get(name[1], name[0]), one) for one in container.get("args", [])
    ]
    if absent := sorted(set(re.findall(r"\$\((\w+)\)", " ".join(found)))):
        raise InputError(
            f"The overlay {environment} lacks {', '.join(absent)}; make the ConfigMap `store` as {COMPONENT} says."
        )
    if not (places := [one for one in found if "://" in one]):
        raise InputError(
            f"The log of {environment} is on a volume of its cluster alone; run the monitor there with `kubectl create "
            f"job --from=cronjob/monitor monitor-by-hand`, or ship the log as {COMPONENT} says."
        )
    return places, values
