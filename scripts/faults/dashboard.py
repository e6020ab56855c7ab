"""Asks Grafana in the cluster for the models' dashboard, and each of its panels on serving for data.

Source of the addresses and fields: Grafana's HTTP API, and the chart's names for its pod and its administrator.
"""

import json
from dataclasses import dataclass
from typing import Any

from faults import ROOT, Failed
from faults.cluster import Cluster

FILE = ROOT / "manifests/monitoring/models.json"
PLACE = ("--namespace", "monitoring", "deployment/monitoring-grafana", "--container", "grafana")
ASK = (
    'curl --silent --show-error --fail-with-body --user "$GF_SECURITY_ADMIN_USER:$GF_SECURITY_ADMIN_PASSWORD" '
    '--header "Content-Type: application/json" "$@" "http://localhost:3000/api/$0"'
)
# What nobody did here, so that a panel has nothing to show.
EMPTY = {
    "Failed requests": "the model answered none with an error of its own",
    "Refusals by reason": "no request was refused",
    "Mean prediction": "the model is no regression",
}


@dataclass(frozen=True)
class Grafana:
    """What was seen."""

    untried: str = ""  # a sentence, if it was not asked
    wrong: tuple[str, ...] = ()  # sentences

    @property
    def said(self) -> str:
        return self.untried or " ".join(self.wrong) or "Each panel on serving has data."


UNASKED = Grafana("It was not asked.")


def _ask(cluster: Cluster, path: str, body: Any = None) -> Any:
    given = () if body is None else ("--data", "@-")
    text = cluster.kubectl(
        "exec", "--stdin", *PLACE, "--", "sh", "-c", ASK, path, *given, given=None if body is None else json.dumps(body)
    )
    return json.loads(text)


def _has_data(cluster: Cluster, source: str, expression: str) -> bool:
    for variable in ("$namespace", "$model"):
        expression = expression.replace(variable, ".+")
    query = {"refId": "A", "datasource": {"uid": source}, "expr": expression, "range": True, "intervalMs": 15000}
    found = _ask(cluster, "ds/query", {"from": "now-1h", "to": "now", "queries": [query]})
    return any(any(frame["data"]["values"]) for frame in found["results"]["A"].get("frames", []))


def serving(panels: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The panels below the first title; the others need a monitor that pushes."""
    rows = [number for number, panel in enumerate(panels) if panel["type"] == "row"]
    return panels[rows[0] + 1 : rows[1]]


def wrong(cluster: Cluster) -> list[str]:
    """What Grafana lacks, in sentences; raises Failed where it cannot be asked."""
    wanted = json.loads(FILE.read_text())
    kept = _ask(cluster, f"dashboards/uid/{wanted['uid']}")["dashboard"]
    if [panel["title"] for panel in kept["panels"]] != [panel["title"] for panel in wanted["panels"]]:
        return ["Grafana has another dashboard than manifests/monitoring/models.json."]
    sources = [one["uid"] for one in _ask(cluster, "datasources") if one["type"] == "prometheus"]
    if not sources:
        return ["Grafana has no Prometheus to ask."]
    return [
        f"The panel {panel['title']!r} has no data."
        for panel in serving(kept["panels"])
        if panel["title"] not in EMPTY
        and not all(_has_data(cluster, sources[0], target["expr"]) for target in panel["targets"])
    ]


def seen(cluster: Cluster) -> Grafana:
    if not cluster.found("deployment", "monitoring-grafana", "--namespace", "monitoring"):
        return Grafana("The cluster has no Grafana.")
    try:
        return Grafana(wrong=tuple(wrong(cluster)))
    except (Failed, KeyError, ValueError) as failure:
        return Grafana(wrong=(f"Grafana cannot be asked: {failure!r}",))
