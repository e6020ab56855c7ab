"""Alerts and dashboard query metrics that the code exposes, and alerts fire when they should."""

import ast
import copy
import json
import os
import re
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import PROJECT, ROOT, run, unrendered
from folders import built
from schemas import Object

OTHERS = {
    "argocd_app_info": {"name", "project", "dest_namespace", "sync_status", "health_status"},
    "argocd_notifications_deliveries_total": {"trigger", "service", "succeeded"},
    "certmanager_certificate_expiration_timestamp_seconds": {"name", "exported_namespace"},
    "kube_persistentvolumeclaim_status_phase": {"persistentvolumeclaim", "phase"},
    "kube_pod_container_status_restarts_total": {"pod", "container"},
    "kube_pod_spec_volumes_persistentvolumeclaims_info": {"persistentvolumeclaim"},
    "kube_deployment_status_replicas_available": {"deployment"},
    "kube_deployment_status_replicas_unavailable": {"deployment"},
    "kube_cronjob_created": {"cronjob"},
    "kube_cronjob_status_active": {"cronjob"},
    "kube_cronjob_status_last_schedule_time": {"cronjob"},
    "kube_cronjob_status_last_successful_time": {"cronjob"},
}


PLATFORM = ("PartOutOfSync", "NotificationsFail", "OutcomesSilent", "CertificateEnds")  # whose pages are the platform's


@cache
def exposed() -> dict[str, set[str]]:
    """The service's and the monitor's series with their labels, read from the code."""
    found: dict[str, set[str]] = {}
    endings = {
        "Counter": ["_total"],
        "Gauge": [""],
        "GaugeMetricFamily": [""],
        "Histogram": ["_bucket", "_sum", "_count"],
        "Summary": ["_sum", "_count"],
    }
    for module in ("serving/telemetry", "monitoring/gauges"):
        tree = ast.parse((ROOT / PROJECT / f"lifecycle/{module}.py").read_text())
        names = {
            target.id: ast.literal_eval(node.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple)
            for target in node.targets
            if isinstance(target, ast.Name) and all(isinstance(item, ast.Constant) for item in node.value.elts)
        }
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
                continue
            if node.func.id in endings:
                name, _, *rest = node.args
                given = rest[0] if rest and node.func.id != "GaugeMetricFamily" else None  # whose third is its value
                labels = names[given.id] if isinstance(given, ast.Name) else ast.literal_eval(given) if given else ()
                for ending in endings[node.func.id]:
                    found[f"{ast.literal_eval(name)}{ending}"] = {*labels, *(["le"] if ending == "_bucket" else [])}
    return found


def expressions() -> Iterator[str]:
    for one in built("monitoring"):
        if one["kind"] == "PrometheusRule":
            for group in one["spec"]["groups"]:
                yield from (rule["expr"] for rule in group["rules"])
    for panel in dashboard()["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    for variable in dashboard()["templating"]["list"]:
        if variable["type"] == "query":
            yield re.sub(r"label_values\((\w+), (\w+)\)", r"count by (\2) (\1)", variable["query"])


def unknown(expression: str) -> list[str]:
    """Series and labels in an expression that the code does not expose."""
    known = {**exposed(), **OTHERS}
    names = re.findall(r"\b(?:model|kube|push|process|argocd|certmanager)_\w+", re.sub(r'"[^"]*"', '""', expression))
    found = [name for name in names if name not in known]
    labels = {"namespace"}.union(*(known.get(name, set()) for name in names))
    asked = [one for group in re.findall(r"\bby \(([^)]*)\)", expression) for one in re.findall(r"\w+", group)]
    asked += [one for group in re.findall(r"\{([^}]*)\}", expression) for one in re.findall(r'(\w+)=?[=!~]+"', group)]
    return found + [label for label in asked if label not in labels]


def dashboard() -> Any:
    (one,) = (one for one in built("monitoring") if one["kind"] == "ConfigMap")
    assert one["metadata"]["labels"]["grafana_dashboard"] == "1"
    (text,) = one["data"].values()
    return json.loads(text)


def test_rules_and_dashboard_ask_for_what_the_code_exposes() -> None:
    found = list(expressions())
    assert len(found) > 20
    assert [(expression, unknown(expression)) for expression in found if unknown(expression)] == []


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("rate(model_request_total[5m])", ["model_request_total"]),
        ("model_request_seconds", ["model_request_seconds"]),
        ("sum by (status) (model_requests_total)", ["status"]),
        ('model_window{name="x"}', ["name"]),
        ('sum by (namespace, code) (model_requests_total{code=~"5..", protocol!="v2"})', []),
    ],
)
def test_a_metric_that_nothing_exposes_is_found(expression: str, found: list[str]) -> None:
    assert unknown(expression) == found


def test_metrics_are_read_from_the_code_as_the_service_prints_them() -> None:
    code = """
from pathlib import Path
from types import SimpleNamespace
from lifecycle.serving.retention import Retention
from lifecycle.serving.telemetry import Telemetry
model = SimpleNamespace(classes=(), metadata={"name": "x"}, version="x", task="x", sha256="x")
print(Telemetry(SimpleNamespace(model=model, runtime="x"), Retention(Path("."), 1, False)).text().decode())
"""
    printed = run([".venv/serve/bin/python", "-c", code], unrendered("serve"))
    names = set(re.findall(r"(?m)^(model_\w+)(?:\{| )", printed))
    made = {name for name in names if not name.endswith("_created")}
    assert {"model_requests_total", "model_request_seconds_bucket", "model_prediction_sum", "model_info"} <= made
    assert made <= set(exposed())


def repeated(panels: list[Object]) -> list[int]:
    ids = [panel["id"] for panel in panels]
    return sorted({one for one in ids if ids.count(one) > 1})


def test_panels_of_the_dashboard_are_apart() -> None:
    panels = dashboard()["panels"]
    assert repeated(panels) == []
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(places) == len(set(places))
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)
    assert all(panel["title"] for panel in panels)


def test_a_panel_that_is_there_twice_is_found() -> None:
    panels = dashboard()["panels"]
    assert repeated([*panels, panels[1]]) == [panels[1]["id"]]


def alerts() -> list[Object]:
    groups = [one["spec"]["groups"] for one in built("monitoring") if one["kind"] == "PrometheusRule"]
    return [rule for all_ in groups for group in all_ for rule in group["rules"]]


def test_every_alert_says_what_to_do() -> None:
    names = [rule["alert"] for rule in alerts()]
    assert len(names) == len(set(names))
    for rule in alerts():
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
        page = "manifests/monitoring/README.md" if rule["alert"] in PLATFORM else f"{PROJECT}/docs/runbooks.md"
        assert f"\n### {rule['alert']}\n" in (ROOT / page).read_text()
        inside = page.removeprefix(f"{PROJECT}/")
        assert rule["annotations"]["runbook_url"].endswith(f"/blob/main/{inside}#{rule['alert'].lower()}")
        assert rule["labels"]["severity"] in ("critical", "warning", "info")


def expected() -> Any:
    """The cases of alerts.yaml, each alert with the address of its page in the repository that its namespace is of."""
    found = yaml.load((ROOT / "tests/alerts.yaml").read_text(), yaml.BaseLoader)  # noqa: S506 - keeps 0x96 a text
    for asked in (asked for case in found["tests"] for asked in case["alert_rule_test"]):
        for alert in asked.get("exp_alerts", []):
            repository, page = alert["exp_labels"].get("namespace", "").rpartition("-")[0], "docs/runbooks.md"
            if asked["alertname"] in PLATFORM:
                repository, page = "platform", "manifests/monitoring/README.md"
            page = f"https://github.com/acme/{repository}/blob/main/{page}#{asked['alertname'].lower()}"
            alert["exp_annotations"]["runbook_url"] = page
    return found


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A folder with the rules in Prometheus' format, and their tests."""
    if shutil.which("promtool") is None:
        if os.environ.get("CI"):
            pytest.fail("promtool is not installed, without which no alert is tested; install Prometheus.")
        pytest.skip("promtool is not installed; install Prometheus to test the alerts")
    found = copy.deepcopy(alerts())
    for rule in found:
        if rule["alert"] != "ModelDrops":  # its description asks where the report is
            del rule["annotations"]["description"]
    groups = [{"name": "alerts", "rules": found}]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}))
    (tmp_path / "alerts.yaml").write_text(yaml.safe_dump(expected()))
    return tmp_path


def test_alerts_are_raised_when_they_should_be_and_not_otherwise(rules: Path) -> None:
    run(["promtool", "check", "rules", "rules.yaml"], rules)
    assert "SUCCESS" in run(["promtool", "test", "rules", "alerts.yaml"], rules)


def test_every_alert_is_raised_once_and_held_back_once() -> None:
    cases = yaml.safe_load((ROOT / "tests/alerts.yaml").read_text())["tests"]
    asked = [(one["alertname"], "exp_alerts" in one) for case in cases for one in case["alert_rule_test"]]
    assert {(rule["alert"], raised) for rule in alerts() for raised in (True, False)} == set(asked)


@pytest.mark.parametrize(
    ("old", "new"),
    [("> 0.01", "> 0.1"), ("for: 15m", "for: 1h"), ("== 0", "== 1"), ("(namespace, version)", "(namespace)")],
)
def test_a_rule_that_is_changed_is_found(old: str, new: str, rules: Path) -> None:
    path = rules / "rules.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    changed = {rule["alert"] for rule in alerts() if old in yaml.safe_dump(rule)}
    found = expected()
    found["tests"] = [
        case for case in found["tests"] if changed & {one["alertname"] for one in case["alert_rule_test"]}
    ]
    (rules / "alerts.yaml").write_text(yaml.safe_dump(found))
    with pytest.raises(AssertionError, match="FAILED"):
        run(["promtool", "test", "rules", "alerts.yaml"], rules)
