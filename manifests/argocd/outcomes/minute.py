"""Asks for each sync that the platform failed, and leaves a word of each release that failed; from the state alone."""

import json
from datetime import datetime, timedelta
from typing import Any

import outcome
import pod
from cluster import APPLICATIONS, Cluster

Object = dict[str, Any]
HERE = "https://kubernetes.default.svc"  # pods in other clusters are out of reach
PARTS = ("bootstrap", "platform", "repositories")  # projects of the platform's own Applications
PAUSE, ASKS = timedelta(seconds=60), 50  # before another try, and how many in one minute


def run(cluster: Cluster, now: datetime) -> tuple[list[str], bool]:
    """Look at every Application; returns a line for each thing done, and whether all could be looked at."""
    lines: list[str] = []
    due, whole, before = [], True, f"{now - PAUSE:%Y-%m-%dT%H:%M:%SZ}"
    for one in cluster.every(APPLICATIONS):
        try:
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
    return lines, whole


def looked(cluster: Cluster, one: Object) -> tuple[outcome.Outcome | None, list[str]]:
    """The outcome of a sync to ask for again, if it is one, and a line if a word was written or taken back."""
    found, model, lines = outcome.of(one), "environment" in (one["metadata"].get("labels") or {}), list[str]()
    if model:
        found = found and heard(cluster, one, found)
        lines = word(cluster, one, found)
    again = found and (found.blame == outcome.PLATFORM or (not model and one["spec"]["project"] in PARTS))
    return found if again and (one["spec"].get("syncPolicy") or {}).get("automated") else None, lines


def operation(policy: Object) -> Object:
    """The sync that Argo CD would begin by itself for a new commit (appcontroller.go, autoSync), of the newest one."""
    sync: Object = {"prune": bool(policy["automated"].get("prune"))}
    if "syncOptions" in policy:
        sync["syncOptions"] = policy["syncOptions"]
    asked = {"initiatedBy": {"username": "outcomes", "automated": True}, "sync": sync}  # automated: a freeze holds it
    return {**asked, "retry": policy["retry"]} if "retry" in policy else asked


def heard(cluster: Cluster, one: Object, found: outcome.Outcome) -> outcome.Outcome:
    """The outcome in the words of the pod that failed; a pod without its Secret was failed by the platform."""
    to = one["spec"]["destination"]
    if found.blame != outcome.RELEASE or not found.kind:
        return found
    pods = cluster.every(f"/api/v1/namespaces/{to['namespace']}/pods") if to.get("server") == HERE else []
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
