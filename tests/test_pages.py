"""The pages that people open, in a real browser without a network."""

import os
from pathlib import Path

import pytest
from browser import NAMES, browser, opened
from conftest import PROJECT, ROOT, TASKS, run

WIDTHS = {"phone": 400, "screen": 1300}
RENDER = """
import sys
from pathlib import Path
from model import record, report
Path(sys.argv[2]).write_text(report.page(record.decision(Path(sys.argv[1]))))
"""


@pytest.fixture(autouse=True)
def _browser() -> None:
    if browser() is None:
        reason = f"This machine has none of {', '.join(NAMES)}; install one of them."
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The HTML report of each task's record that the model repository keeps."""
    folder = tmp_path_factory.mktemp("reports")
    run(["make", "--silent", ".venv/train"], ROOT / PROJECT)
    made = {}
    for task in TASKS:
        made[task] = folder / f"{task}.html"
        command = [".venv/train/bin/python", "-c", RENDER, f"tests/records/{task}.json", str(made[task])]
        run(command, ROOT / PROJECT)
    return made


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("task", TASKS)
def test_a_report_opens_without_a_network_and_fits(task: str, width: int, reports: dict[str, Path]) -> None:
    found = opened(reports[task], width)
    assert found["errors"] == []
    assert found["fetched"] == []
    assert len(found["drawn"]) == (8 if task == "regression" else 9)
    assert all(found["drawn"])
    assert found["inner"] == width
    assert found["wide"] <= width, "nothing makes the page wider than the window"
    assert found["cut"] == 0
    assert found["text"] > 2000
    assert reports[task].stat().st_size < 6_000_000


def test_what_is_wrong_with_a_page_is_noticed(reports: dict[str, Path], tmp_path: Path) -> None:
    """A plot that is not drawn, a script that fails, a picture from elsewhere, a table that is too wide."""
    broken = tmp_path / "broken.html"
    text = reports["regression"].read_text()
    wide = '<p style="width: 900px">wide</p><img src="https://example.org/x.png"><script>nothing()</script>'
    broken.write_text("void (".join(text.replace("<body>", f"<body>{wide}").rsplit("Plotly.newPlot(", 1)))
    found = opened(broken, WIDTHS["phone"])
    assert any("nothing is not defined" in error for error in found["errors"])
    assert found["fetched"] == ["https://example.org/x.png"]
    assert not all(found["drawn"])
    assert found["wide"] > WIDTHS["phone"]
