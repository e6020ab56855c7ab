"""Each query of the dashboard finds data in what the service and the monitor print, asked by Prometheus' own engine."""

import os
import re
import shutil
from functools import cache
from pathlib import Path

import pytest
import yaml
from conftest import TASKS, run, unrendered
from test_monitoring import dashboard

SERVICE = """
from pathlib import Path
from types import SimpleNamespace
import numpy
from lifecycle.artifact.predictor import Predictions
from lifecycle.serving.retention import Retention
from lifecycle.serving.telemetry import Telemetry
for classes in (("no", "yes"), ()):
    model = SimpleNamespace(classes=classes, metadata={"name": "x"}, version="x", task="x", sha256="x")
    told = Telemetry(SimpleNamespace(model=model, runtime="x"), Retention(Path("."), 1, False))
    told.answered("seldon", 0.002)
    told.refused("v2", "column", 400)
    told.refused("v2", "fault", 500)
    told.log_failures.inc()
    told.predicted(SimpleNamespace(labels=numpy.array([0, 0]), probabilities=classes or None))
    print(told.text().decode(), end="---")
"""
MONITOR = """
import sys
from pathlib import Path
from lifecycle.documents.summary import Summary
from lifecycle.monitoring import gauges
for task in sys.argv[1:]:
    text = Path(f"lifecycle/tests/records/monitor_{task}.json").read_text()
    print(gauges.text(Summary.model_validate_json(text)).decode(), end="---")
"""
GROWS = ("_total", "_bucket", "_sum", "_count")


@cache
def series() -> list[dict[str, str]]:
    """What Prometheus would have scraped within an hour, counters growing, with its own labels."""
    repository, found = unrendered("serve", "monitor"), []
    printed = run([".venv/serve/bin/python", "-c", SERVICE], repository)
    printed += run([".venv/monitor/bin/python", "-c", MONITOR, *TASKS], repository)
    for number, text in enumerate(printed.split("---")):
        for name, labels, value in re.findall(r"(?m)^(\w+)(?:\{(.*)\})? ([0-9.e+-]+)$", text):
            own = ",".join(filter(None, [f'namespace="n{number}-dev",pod="p{number}"', labels]))
            values = f"0+{value}x60" if name.endswith(GROWS) else f"{value}x60"
            found.append({"series": f"{name}{{{own}}}", "values": values})
    return found


def asked() -> dict[str, str]:
    """The queries by their panel's title, with a choice for each variable."""
    chosen = {"$__rate_interval": "5m", "$namespace": ".+", "$model": ".+"}
    found = {}
    for panel in dashboard()["panels"]:
        for number, target in enumerate(panel.get("targets", ())):
            query = target["expr"]
            for variable, value in chosen.items():
                query = query.replace(variable, value)
            found[f"{panel['title']} {number}"] = query
    return found


def answered(queries: dict[str, str], folder: Path) -> str:
    """What promtool says of a test in which each query must find something."""
    if shutil.which("promtool") is None:
        reason = "promtool is not installed; install Prometheus to ask the dashboard's queries"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    checks = [
        {
            "expr": f"count(({query})) > bool 0",
            "eval_time": "30m",
            "exp_samples": [{"labels": "{}", "value": 1}],
        }
        for query in queries.values()
    ]
    test = {"interval": "1m", "input_series": series(), "promql_expr_test": checks}
    (folder / "test.yaml").write_text(yaml.safe_dump({"rule_files": [], "tests": [test]}))
    return run(["promtool", "test", "rules", "test.yaml"], folder)


def test_each_query_of_the_dashboard_finds_data(tmp_path: Path) -> None:
    assert len(asked()) > 15
    assert "SUCCESS" in answered(asked(), tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("model_window{", "model_windows{"),
        ('kind="drift"', 'kind="drifts"'),
        ("[5m]", ""),
        ("(namespace, pod)", "(pods)"),
    ],
)
def test_a_query_that_finds_nothing_is_noticed(old: str, new: str, tmp_path: Path) -> None:
    changed = {title: query.replace(old, new) for title, query in asked().items() if old in query}
    assert changed
    with pytest.raises(AssertionError, match="FAILED"):
        answered(dict([next(iter(changed.items()))]), tmp_path)
