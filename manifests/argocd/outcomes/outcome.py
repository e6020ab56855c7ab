"""Who is to blame for a sync that ended badly, told from what Argo CD 3.5 writes into an Application's status."""

import re
from typing import Any, NamedTuple

Object = dict[str, Any]
GROUPS = (  # of what the platform installs; a kind of another group is the repository's own choice
    "machinelearning.seldon.io",
    "gateway.networking.k8s.io",
    "gateway.envoyproxy.io",
    "monitoring.coreos.com",
)
NOT_READY = re.compile(  # in what the API server, Argo CD and its git and cluster clients answer; see util/argo/argo.go
    rf'could not find (?:version "[^"]*" of )?(?:{"|".join(map(re.escape, GROUPS))})/'
    rf'|no matches for kind "\w+" in version "(?:{"|".join(map(re.escape, GROUPS))})/'
    r"|failed calling webhook|connection (?:refused|reset)|i/o timeout|no such host|context deadline exceeded"
    r"|TLS handshake timeout|x509: |unexpected EOF|[Tt]oo many requests|currently unable to handle|etcdserver: "
    r"|the object has been modified|being terminated|namespaces? \"[^\"]+\" not found"
    r"|code = (?:Unavailable|DeadlineExceeded)"
)
UNRENDERED = re.compile(r"kustomize build|app path does not exist")  # of all reasons of a ComparisonError, those in git
TIMEOUT = "controller sync timeout"  # appcontroller.go; without it a person, or minute.py, ended the sync
PLATFORM, RELEASE, PERSON = "platform", "release", "person"
UNENDED = "unrendered"  # no sync began


class Outcome(NamedTuple):
    """Whose fault it is, in whose words, which resource failed, and when: the same time is the same sync."""

    blame: str
    said: str
    kind: str = ""
    name: str = ""
    ended: str = ""
    partial: bool = False  # a self-heal, which runs no smoke test
    cut: bool = False  # it was ended while it waited, so only the pods can say why


def of(application: Object) -> Outcome | None:
    """The outcome of an Application's last sync; None unless it ended badly."""
    status = application.get("status") or {}
    for one in status.get("conditions") or ():
        if one["type"] == "ComparisonError" and UNRENDERED.search(one["message"]):
            said = re.split(r"exit status \d+: ", one["message"], maxsplit=1)[-1]
            path = application["spec"]["source"]["path"]
            return Outcome(RELEASE, f"{path} cannot be rendered: {said}", ended=UNENDED)
    state = status.get("operationState") or {}
    if state.get("phase") not in ("Error", "Failed"):
        return None
    partial = bool((state["operation"].get("sync") or {}).get("resources"))
    blame, said, kind, name = _blamed(state)
    return Outcome(blame, said, kind, name, state.get("finishedAt", ""), partial, "Operation terminat" in said)


def _blamed(state: Object) -> tuple[str, str, str, str]:
    message, results = state.get("message", ""), (state.get("syncResult") or {}).get("resources") or []
    refused = [one for one in results if one.get("status") == "SyncFailed"]
    own = [one for one in refused if not NOT_READY.search(one.get("message", ""))]
    if refused:
        first = (own or refused)[0]
        return RELEASE if own else PLATFORM, first.get("message", ""), first["kind"], first["name"]
    if "Operation terminat" in message:
        waited = [one for one in results if one["kind"] == "SeldonDeployment" and one.get("hookPhase") == "Running"]
        return (PLATFORM if TIMEOUT in message else PERSON), message, *_named(waited)
    failed = [one for one in results if one.get("hookPhase") in ("Error", "Failed")]
    if failed:
        return RELEASE, failed[0].get("message", ""), failed[0]["kind"], failed[0]["name"]
    waits = state["phase"] == "Error" or NOT_READY.search(message)
    return PLATFORM if waits and not UNRENDERED.search(message) else RELEASE, message, "", ""


def _named(results: list[Object]) -> tuple[str, str]:
    return (results[0]["kind"], results[0]["name"]) if results else ("", "")


def digest(application: Object) -> str:
    """The digest that identifies the release: the first of its service's, or its monitor's, among the images synced."""
    state = application["status"].get("operationState") or {}
    results = (state.get("syncResult") or {}).get("resources") or []
    images = [image for one in results for image in one.get("images") or ()]
    found = [image for mark in ("-serve@", "-monitor@") for image in images if mark in image]
    return found[0].partition("@")[2] if found else ""
