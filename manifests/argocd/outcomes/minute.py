"""Asks for each sync that the platform failed, and leaves a word of each release that failed; from the state alone."""

import json
from datetime import datetime, timedelta
from typing import Any

import outcome
import pod
import rollout
from cluster import APPLICATIONS, Cluster

Object = dict[str, Any]
HERE = "https://kubernetes.default.svc"  # pods in other clusters are out of reach
PARTS = ("bootstrap", "platform", "repositories")  # projects of the platform's own Applications
PAUSE, ASKS = timedelta(seconds=60), 50  # before another try, and how many in one minute


def run(cluster: Cluster, now: datetime) -> tuple[list[str], bool, bool]:
    """Look at every Application; a line for each thing done, whether all could be read, whether a sync was ended."""
    lines, cut = list[str](), False
    due, whole, before = [], True, f"{now - PAUSE:%Y-%m-%dT%H:%M:%SZ}"
    for one in cluster.every(APPLICATIONS):
        try:
            if name := waits(cluster, one):
                lines, cut = [*lines, f"{one['metadata']['name']}: ended its sync, since {name} has given up"], True
                continue
            found, told = looked(cluster, one)
        except (OSError, ValueError, KeyError, TypeError) as error:  # one that cannot be read keeps none of the others
            lines, whole = [*lines, f"{one['metadata']['name']}: {pod.plain(repr(error))}"], False
            continue
        lines += told
        if found and "operation" not in one and found.ended <= before:
            due.append((found.ended, one["metadata"]["name"], one, found.said))
    for _, name, one, said in sorted(due, key=lambda each: each[:2])[:ASKS]:
        if cluster.change(one, {"operation": operation(one["spec"]["syncPolicy"])}):
            lines.append(f"{name}: asked for a sync again; {pod.plain(said)}")
    return lines, whole, cut


def looked(cluster: Cluster, one: Object) -> tuple[outcome.Outcome | None, list[str]]:
    """The outcome of a sync to ask for again, if it is one, and a line if a word was written or taken back."""
    found, model, lines = outcome.of(one), "environment" in (one["metadata"].get("labels") or {}), list[str]()
    if model:
        found = found and heard(cluster, one, found)
        lines = word(cluster, one, found)
    own = not model and one["spec"]["project"] in PARTS
    again = found and (found.blame == outcome.PLATFORM or (own and found.blame != outcome.PERSON))
    return found if again and (one["spec"].get("syncPolicy") or {}).get("automated") else None, lines


def operation(policy: Object) -> Object:
    """The sync that Argo CD would begin by itself for a new commit (appcontroller.go, autoSync), of the newest one."""
    sync: Object = {"prune": bool(policy["automated"].get("prune"))}
    if "syncOptions" in policy:
        sync["syncOptions"] = policy["syncOptions"]
    asked = {"initiatedBy": {"username": "outcomes", "automated": True}, "sync": sync}  # automated: a freeze holds it
    return {**asked, "retry": policy["retry"]} if "retry" in policy else asked


def waits(cluster: Cluster, one: Object) -> str:
    """End a model's sync that waits in vain, so that a newer commit is taken; returns the Deployment it waited for."""
    state = (one.get("status") or {}).get("operationState") or {}
    if state.get("phase") != "Running" or "environment" not in (one["metadata"].get("labels") or {}):
        return ""
    name = rollout.stalled(listed(cluster, one, "apis/apps/v1", "deployments"), state["startedAt"])
    return name if name and cluster.change(one, {"status": {"operationState": {"phase": "Terminating"}}}) else ""


def listed(cluster: Cluster, one: Object, group: str, kind: str) -> list[Object]:
    """What an Application's namespace has of a kind, if it is in this cluster."""
    to = one["spec"]["destination"]
    return cluster.every(f"/{group}/namespaces/{to['namespace']}/{kind}") if to.get("server") == HERE else []


def heard(cluster: Cluster, one: Object, found: outcome.Outcome) -> outcome.Outcome:
    """The outcome in the words of the pod that failed; a pod without its Secret was failed by the platform."""
    if found.cut:
        name = rollout.stalled(listed(cluster, one, "apis/apps/v1", "deployments"))
        away = one["spec"]["destination"].get("server") != HERE and found.blame == outcome.PLATFORM
        if name or (found.kind and away):  # in another cluster the time alone must tell
            found = found._replace(blame=outcome.RELEASE, kind="Deployment", said="its pods were not ready in time")
    if found.blame != outcome.RELEASE or not found.kind:
        return found
    pods = listed(cluster, one, "api/v1", "pods")
    says = pod.said(pods, found.name if found.kind == "Job" else "")
    blame = outcome.PLATFORM if pod.MISSING.search(says) else found.blame
    return found._replace(said=says or f"{found.kind} {found.name}: {found.said}", blame=blame)


def word(cluster: Cluster, one: Object, found: outcome.Outcome | None) -> list[str]:
    """Keep the annotation that notifications.yaml reads; between two words it is away, else the second is not sent."""
    name, was = one["metadata"]["name"], (one["metadata"].get("annotations") or {}).get("failed", "")
    told = found if found and found.blame == outcome.RELEASE and not found.partial else None
    if was:
        stale = told is None or json.loads(was)["ended"] != told.ended
        gone = stale and cluster.change(one, {"metadata": {"annotations": {"failed": None}}})
        return [f"{name}: no longer failed"] if gone else []
    if told is None:
        return []
    said, unrendered = pod.plain(told.said), told.ended == outcome.UNENDED
    result = (one["status"].get("operationState") or {}).get("syncResult") or {}
    payload = {
        "app": name,
        "environment": one["metadata"]["labels"]["environment"],
        "digest": "" if unrendered else outcome.digest(one),
        "revision": one["spec"]["source"]["targetRevision"] if unrendered else result.get("revision", ""),
        "said": said,
        "ended": told.ended,
    }
    return (
        [f"{name}: {said}"]
        if cluster.change(one, {"metadata": {"annotations": {"failed": json.dumps(payload)}}})
        else []
    )
