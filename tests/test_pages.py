"""HTML pages in a real browser, without a network."""

import json
import os
from pathlib import Path

import pictures
import pytest
from browser import NAMES, WIDTHS, browser, opened, sound
from conftest import ROOT, TASKS, run, unrendered
from overview import page
from overview import rows as fleet

PLOTS = {
    **{"binary_classification": 12, "multiclass_classification": 17, "regression": 9},
    **{f"monitor_{task}": 3 for task in TASKS},
}
RENDER = """
import sys
from pathlib import Path
from lifecycle.documents import curves, record
from lifecycle.reporting import report
path = Path(sys.argv[1])
drawn = curves.Curves.model_validate_json(path.with_suffix(".curves.json").read_bytes())
Path(sys.argv[2]).write_text(report.page(record.decision(path), drawn))
"""
MONITORED = """
import sys
from pathlib import Path
from lifecycle.documents import summary
from lifecycle.reporting import findings
document = summary.Summary.model_validate_json(Path(sys.argv[1]).read_text())
Path(sys.argv[2]).write_text(findings.page(document))
"""


@pytest.fixture(autouse=True)
def _browser() -> None:
    if browser() is None:
        reason = f"This machine has none of {', '.join(NAMES)}; install one of them."
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The HTML reports of the decision records and monitor's summaries that the model repository keeps per task."""
    folder = tmp_path_factory.mktemp("reports")
    repository = unrendered("train", "monitor")
    made = {}
    for environment, code, prefix in (("train", RENDER, ""), ("monitor", MONITORED, "monitor_")):
        for name in (f"{prefix}{task}" for task in TASKS):
            made[name] = folder / f"{name}.html"
            python = f".venv/{environment}/bin/python"
            run([python, "-c", code, f"lifecycle/tests/records/{name}.json", str(made[name])], repository)
    return made


@pytest.mark.parametrize(("name", "plots"), PLOTS.items())
def test_a_report_can_be_read_on_a_phone_and_on_a_screen_in_light_and_dark(
    name: str, plots: int, reports: dict[str, Path]
) -> None:
    """Without a network, without a text over another, and with nothing that axe-core objects to."""
    for found in sound(reports[name], name):
        assert len(found["drawn"]) == plots
        assert found["text"] > 1500
    assert reports[name].stat().st_size < 1_500_000


def test_the_fleets_page_can_be_read(tmp_path: Path) -> None:
    cells = {name: fleet.Cell(f"some words of {name}", "https://github.com/acme/x") for name in fleet.HEAD}
    alarm = cells | {"model": fleet.Cell("a-model-with-a-long-name", alarm=True)}
    (tmp_path / "index.html").write_text(page.html("acme", "2020-03-01", [cells, alarm]))
    sound(tmp_path / "index.html", "fleet")


def test_the_explorer_says_what_thresholds_cost_by_the_readers_prices(reports: dict[str, Path]) -> None:
    path = ROOT / "<<cookiecutter.project_slug>>/lifecycle/tests/records/binary_classification.curves.json"
    drawn = json.loads(path.read_text())["candidate"]
    costs = {one["at"]: one["false_positive"] + 5 * one["false_negative"] for one in drawn["thresholds"]}
    (screen,) = opened(reports["binary_classification"], WIDTHS["screen"])
    found = screen["explored"]
    least = min(costs, key=lambda at: costs[at])
    assert found["lowest"] == f"Of these thresholds {least:.4g} costs least: {costs[least]}."
    assert f"cost {costs[min(costs)]}" in found["first"]
    assert f"cost {costs[drawn['threshold']]}" in found["present"]


def test_no_picture_is_taken_of_a_page_that_the_demo_did_not_leave(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pictures.main(tmp_path) == 1
    assert capsys.readouterr().err.endswith("is not there; run scripts/demo to its end first.\n")


def test_what_is_wrong_with_a_page_is_noticed(reports: dict[str, Path], tmp_path: Path) -> None:
    """A missing plot, a failing script, a remote picture without words, texts that overlap, are too wide or grey."""
    broken = tmp_path / "broken.html"
    text = reports["regression"].read_text()
    wrong = (
        '<svg><text y="20">over</text><text y="22">under</text></svg><p style="width: 900px; color: #888">wide</p>'
        '<img src="https://example.org/x.png"><script>nothing()</script>'
    )
    broken.write_text("void (".join(text.replace("<body>", f"<body>{wrong}").rsplit("Plotly.newPlot(", 1)))
    (found,) = opened(broken, WIDTHS["phone"])
    assert any("nothing is not defined" in error for error in found["errors"])
    assert found["fetched"] == ["https://example.org/x.png"]
    assert not all(found["drawn"])
    assert found["contrast"] < 4.5
    assert any("over" in pair for pair in found["overlaps"])
    assert any(one.startswith("image-alt: ") for one in found["violations"])
    assert any(one.startswith("color-contrast: ") for one in found["violations"])
    assert found["wide"] > WIDTHS["phone"]
