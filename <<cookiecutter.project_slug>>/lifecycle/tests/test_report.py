import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plotly.offline import get_plotlyjs_version
from steps import pipeline
from test_gate import evaluation, part
from tiny import Trained

from lifecycle.documents import curves, limits, record
from lifecycle.documents.record import Verdict
from lifecycle.reporting import charts, measurements, pages, report, sections
from lifecycle.tasks import FAIRNESS, LABELS, METRICS, MONITORED, Task, label

RECORDS = Path(__file__).parent / "records"
HEADINGS = [
    *("Gates", "Power", "Changes", "Metrics", "Slices", "Calibration", "Explanation", "Data", "Cost", "Track record"),
    "Lineage",
]

PAGE = ["Curves", "Thresholds"]  # sections that only the page has


def example(trained: Trained, folder: Path) -> record.Decision:
    """A candidate that learnt less than its champion."""
    changed = trained.settings.train.model_copy(update={"parameters": {"max_iter": 8, "max_leaf_nodes": 7}})
    settings = trained.settings.model_copy(update={"train": changed})
    decision = pipeline(settings, folder, trained.build / "model")
    origin = decision.evaluation.origin.model_copy(
        update={"version": "2020.02.01-aaaaaaa", "commit": "a" * 40, "dirty": False, "run": "b" * 32}
    )
    return decision.model_copy(update={"evaluation": decision.evaluation.model_copy(update={"origin": origin})})


def test_the_report_is_the_golden_one(trained: Trained, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """`make test TESTS=lifecycle/tests PYTEST=--refresh` writes each task's record and report again: read the diff."""
    path, golden = RECORDS / f"{trained.task}.json", RECORDS / f"{trained.task}.md"
    if request.config.getoption("--refresh"):
        decision = example(trained, tmp_path)
        path.write_text(record.dump(decision))
        drawn = json.loads((tmp_path / curves.NAME).read_text()) | {"evaluation": curves.identity(decision.evaluation)}
        path.with_suffix(".curves.json").write_text(json.dumps(drawn) + "\n")
        golden.write_text(report.markdown(record.decision(path)))
    assert report.markdown(record.decision(path)) == golden.read_text()


@pytest.mark.parametrize("task", METRICS)
def test_a_metric_has_one_name_for_people(task: Task) -> None:
    """And no text of the report calls it by its key in config.yaml."""
    decision = record.decision(RECORDS / f"{task}.json")
    rates = {rate for compared in FAIRNESS[task].values() for rate in compared}
    names = {*METRICS[task], *MONITORED[task], *FAIRNESS[task], *rates}
    assert names <= LABELS.keys()
    assert len(set(LABELS.values())) == len(LABELS)
    assert label("selection_rate of f1") == "selection rate of f1"
    shown = report.markdown(decision) + re.sub(r"<(script|style)>.*?</\1>", "", report.page(decision), flags=re.S)
    assert [name for name in names if label(name) != name and re.search(rf"\b{name}\b", shown.replace("\\", ""))] == []


def test_every_section_is_there_in_the_same_order(trained: Trained) -> None:
    decision = record.decision(trained.build / "decision.json")
    text = (trained.build / "report.md").read_text()
    assert text.startswith("## ✅ Accepted: tiny")
    assert text.count("\n| ✅ pass |") == 3
    assert text.count("\n| ⏭️ skipped |") == 2
    assert all(pages.plain(label(name)) in text for name in decision.evaluation.metrics)
    assert re.findall("^### (.*)$", text, flags=re.M) == HEADINGS
    page = (trained.build / "report.html").read_text()
    assert [name for name in re.findall('<h2 id="(.*)">', page) if name not in PAGE] == HEADINGS


def test_each_hash_can_be_copied_and_is_named(decision: record.Decision) -> None:
    page = report.page(decision)
    button = '<button type="button" class="copy" aria-label="Copy data, candidate">Copy</button>'
    assert f"<code>{decision.evaluation.origin.data}</code> {button}" in page
    assert page.count('class="copy"') == len(re.findall(r"<td><code>[0-9a-f]{32,64}</code>", page)) > 4
    assert "navigator.clipboard" in page


def test_bars_without_an_order_begin_at_zero_and_no_line_joins_them(decision: record.Decision) -> None:
    (chart,) = measurements.metrics(decision).charts
    assert "  line " not in chart
    assert re.search(r'y-axis "ROC AUC \(share\)" 0[.0]* -->', chart)
    assert 'y-axis "u, not from 0" 0.9' in charts.xychart("t", ["a", "b"], [1.0, 1.1], axis="u", zero=False)
    assert 'y-axis "u" -' in charts.xychart("t", ["a", "b"], [-1.0, 1.1], axis="u", zero=False)


def test_a_refusal_says_so_first(decision: record.Decision) -> None:
    verdict = Verdict(gate={"kind": "floor", "metric": "roc_auc"}, outcome="fail", found="0.7", needed="at least 0.8")
    text = report.markdown(decision.model_copy(update={"passed": False, "gates": (verdict,)}))
    assert text.startswith("## ❌ Refused")
    assert (
        "\n1 of 1 gate failed: floor ROC AUC: 0.7, needed: at least 0.8.\nNext: Change the model or its data: " in text
    )
    page = report.page(decision.model_copy(update={"passed": False, "gates": (verdict,)}))
    assert '<tr><td class="bad">✘ fail</td><td>floor ROC AUC</td>' in page  # by a word and by colour
    assert not set(page) & set("✅❌❓🔔⚪⏭\ufe0f"), "a page's signs are in every font"
    assert "| ❌ fail | floor ROC AUC | 0.7 |  | 0.5 | at least 0.8 |" in text


def test_the_report_names_the_positive_class_and_how_the_model_is_explained(decision: record.Decision) -> None:
    text = report.markdown(decision)
    assert "The positive class is yes." in text
    assert "- Exact SHAP values of 100 rows, permutation" in text
    other = decision.evaluation.model_copy(update={"shap": ()})
    assert "has no exact SHAP values" in report.markdown(decision.model_copy(update={"evaluation": other}))


def test_what_changes_for_callers_is_said(decision: record.Decision) -> None:
    requests = record.Requests(breaks=("colour is gone",), other=("size (number) is new and optional",))
    champion = record.Champion(
        origin=decision.evaluation.origin, metrics={}, differences={}, code=None, requests=requests, unanswered="No."
    )
    evaluation = decision.evaluation.model_copy(update={"champion": champion})
    changed = decision.model_copy(update={"evaluation": evaluation})
    text = report.markdown(changed)
    assert "- Callers: colour is gone.\n- Callers: size (number) is new and optional." in text
    assert "which cannot answer these rows" in text
    assert "Candidate minus champion" not in report.page(changed)


def changes(candidate: dict[str, Any], code: record.Code | None = None) -> list[str]:
    """What the report says of a candidate whose origin differs from its champion's in these fields."""
    given = evaluation()
    against = record.Champion(origin=given.origin, metrics={}, differences={}, code=code)
    origin = given.origin.model_copy(update=candidate)
    changed = given.model_copy(update={"origin": origin, "champion": against})
    decision = record.Decision(passed=True, policy="", gates=(), evaluation=changed)
    return list(sections.of(decision)[2].lines)


def test_what_did_not_change_is_said_to_be_the_same() -> None:
    same = record.Code(commits=0, subjects=(), changed=0, files=())
    assert changes({}, same) == [
        "Data: the same file.",
        "Trained on 2020-01-01 until 2020-02-01, as before.",
        "Features: the same.",
        "Parameters: the same.",
        "Packages: the same.",
        "Code: the same.",
    ]


def test_what_changed_in_data_features_parameters_packages_and_code_is_said() -> None:
    code = record.Code(commits=3, subjects=("Add size", "Tune"), changed=2, files=("config.yaml", "model/data.py"))
    origin = {
        "data": "f" * 64,
        "train": ("2020-01-15", "2020-02-15"),
        "features": ("size", "weight"),
        "parameters": {"depth": 3},
        "lock": "e" * 64,
    }
    assert changes(origin, code) == [
        "Data: file ffffffffffff, was 111111111111.",
        "Trained on 2020-01-15 until 2020-02-15, was 2020-01-01 until 2020-02-01.",
        "Features: added size, weight; removed number.",
        "Parameters: depth 3, was unset.",
        "Packages: another lock file.",
        "Code: 2 files in 3 commits: config.yaml, model/data.py.",
        "Commits: Add size, Tune and 1 more.",
    ]
    assert changes({})[-1] == "Code: unknown, because this clone lacks the champion's commit."


def test_tables_are_whole(trained: Trained) -> None:
    """Every row of a table has as many cells as its head."""
    for block in (trained.build / "report.md").read_text().split("\n\n"):
        lines = block.strip().splitlines()
        if lines and lines[0].startswith("|"):
            cells = {len(re.findall(r"(?<!\\)\|", line)) for line in lines}
            assert len(cells) == 1, block


# What Mermaid's grammar for xychart-beta takes, as far as we use it: quoted labels, fixed decimals.
NUMBERS = r"\[-?\d+(\.\d+)?(, -?\d+(\.\d+)?)*\]"
CHART = re.compile(
    r"```mermaid\nxychart-beta( horizontal)?\n  title \"[^\"\n]+\"\n  x-axis \[\"[^\"\n]+\"(, \"[^\"\n]+\")*\]\n"
    rf"  y-axis \"[^\"\n]+\" -?\d+(\.\d+)? --> -?\d+(\.\d+)?\n  bar {NUMBERS}\n(  line {NUMBERS}\n)*```"
)


@pytest.mark.parametrize("task", ["binary_classification", "multiclass_classification", "regression"])
def test_charts_are_what_mermaid_takes(task: Task) -> None:
    text = (RECORDS / f"{task}.md").read_text()
    drawn = re.findall(r"```mermaid\n.*?```", text, flags=re.S)
    assert len(drawn) == (2 if task == "regression" else 3)
    assert all(CHART.fullmatch(chart) for chart in drawn)


@given(
    st.lists(st.text(), min_size=1, max_size=40),
    st.floats(-1e9, 1e9, allow_subnormal=False),
    st.floats(1e-12, 1e9),
)
def test_a_chart_of_any_labels_and_numbers_is_one_that_mermaid_takes(
    names: list[str], start: float, step: float
) -> None:
    values = [start + index * step for index in range(len(names))]
    chart = charts.xychart("title", names, values, [values], axis="unit")
    assert CHART.fullmatch(chart), chart
    assert chart.count('"') == 4 + 2 * min(len(names), charts.LABELS)


def test_a_chart_has_no_exponent_and_no_empty_axis() -> None:
    small = charts.xychart("t", ["a", "b"], [1e-5, 1e-5], axis="u", zero=False)
    assert "bar [0.000010000, 0.000010000]" in small
    assert '"u, not from 0" 0.000009000 --> 0.000011000' in small
    assert '"u" 0.000 --> 1.000' in charts.xychart("t", ["a"], [0.0], axis="u")
    assert '"u" 0.0000 --> 2.2000' in charts.xychart("t", ["a"], [2.0], axis="u")
    assert '"u" -2.2000 --> 0.0000' in charts.xychart("t", ["a"], [-2.0], axis="u")


COUNTS = {"binary_classification": 12, "multiclass_classification": 17, "regression": 9}


def test_the_page_needs_no_network_and_stays_light(trained: Trained) -> None:
    text = (trained.build / "report.html").read_text()
    assert len(text.encode()) < 1_500_000
    assert not re.search(r"""<(script|link|img|iframe)[^>]+(src|href)=""", text)
    assert text.count('class="plotly-graph-div"') == COUNTS[trained.task]


def test_the_plotting_script_is_the_published_one_that_the_plots_are_written_for() -> None:
    """From plotly.js-basic-dist-min, with its licence; Chromium draws every plot with it."""
    content = (pages.TEMPLATES / "plotly-basic.min.js").read_bytes()
    assert hashlib.sha256(content).hexdigest() == "138c2e81014b979dc00867a93da55b7605a17495ee78dd7afb433b7f021dfcfa"
    assert f"plotly.js (basic - minified) v{get_plotlyjs_version()}".encode() in content
    assert "MIT License" in (pages.TEMPLATES / "plotly-basic.LICENSE").read_text()


def large(decision: record.Decision, slices: int, features: int, gates: int = 10) -> record.Decision:
    """A decision with so many parts of slices, features and gates, all with long names."""
    names = [f"feature_{'x' * 60}_{index}" for index in range(features)]
    known = decision.evaluation
    assert known.data
    column = next(iter(known.data.features.values()))
    changed = known.model_copy(
        update={
            "slices": tuple(part(f"value {'y' * 60} {index}", 10, 0.5) for index in range(slices)),
            "importance": {name: record.Importance(mean=0.1, deviation=0.1) for name in names},
            "data": known.data.model_copy(update={"features": dict.fromkeys(names, column)}),
            "origin": known.origin.model_copy(update={"features": tuple(names)}),
        }
    )
    verdict = Verdict(gate={"kind": "floor", "metric": "roc_auc"}, outcome="pass", found="z" * 500, needed="more")
    return decision.model_copy(update={"evaluation": changed, "gates": (verdict,) * gates})


def test_200_slices_and_500_features_fit_and_what_was_cut_is_said(decision: record.Decision) -> None:
    many = large(decision, 200, 500)
    text = report.markdown(many)
    assert len(text) <= limits.BODY
    assert "_170 more rows are in build/report.html._" in text
    assert "_470 more rows are in build/report.html._" in text
    assert re.findall("^### (.*)$", text, flags=re.M) == HEADINGS
    page = report.page(many)
    assert len(page.encode()) < 1_500_000
    assert page.count("feature_") > 1000


def test_a_report_that_is_too_long_leaves_out_sections_and_says_which(decision: record.Decision) -> None:
    text = report.markdown(large(decision, 200, 500, gates=170))
    assert len(text) <= limits.BODY
    said = re.search(r"_Left out to fit into a comment: (.+). build/report.html has the full report._", text)
    assert said
    left_out = said[1].split(", ")
    assert re.findall("^### (.*)$", text, flags=re.M) == [name for name in HEADINGS if name not in left_out]
    assert 0 < len(left_out) < 5
    assert text.count("| ✅ pass |") == 170


def test_too_many_gates_are_cut_at_a_row_and_it_is_said(decision: record.Decision) -> None:
    text = report.markdown(large(decision, 1, 1, gates=1000))
    assert len(text) <= limits.BODY
    assert text.endswith("\n\n_Gates is cut here; build/report.html has the full report._\n")
    assert text.count("\n| ✅ pass |") > 100


HOSTILE = ["a|b", "<script>x</script>", "@octocat", "#1", "`x`", "two\nlines", "[a](b)", "**b**", "```", '"]\nbar [1]']


@pytest.mark.parametrize("hostile", HOSTILE)
def test_text_from_data_cannot_break_the_report(hostile: str, decision: record.Decision) -> None:
    """As the value of a slice, the name of a feature, and the subject of a commit."""
    code = record.Code(commits=1, subjects=(hostile,), changed=1, files=(hostile,))
    given = evaluation(slices=(part(hostile, 10, 0.5),), importance={hostile: record.Importance(mean=1, deviation=0)})
    origin = given.origin.model_copy(update={"features": (hostile,), "parameters": {hostile: hostile}})
    against = record.Champion(origin=given.origin, metrics=given.metrics, differences={}, code=code)
    changed = decision.model_copy(
        update={"evaluation": given.model_copy(update={"champion": against, "origin": origin})}
    )
    text = report.markdown(changed)
    row = next(line for line in text.splitlines() if line.startswith("| colour |"))
    assert len(re.findall(r"(?<!\\)\|", row)) == 5
    assert re.findall("^### (.*)$", text, flags=re.M) == HEADINGS
    assert all(CHART.fullmatch(chart) for chart in re.findall(r"```mermaid\n.*?```", text, flags=re.S))
    assert text.count("```") == 6
    assert not re.search(r"(?<!`)" + re.escape(hostile) + r"(?!`)", re.sub(r"```mermaid\n.*?```", "", text, flags=re.S))
    assert "<script>x" not in report.page(changed)


def test_the_baseline_and_the_champion_stand_beside_a_metric_not_beside_a_slice(decision: record.Decision) -> None:
    given = evaluation()
    against = record.Champion(origin=given.origin, metrics=given.metrics, differences={}, code=None)
    verdicts = (
        Verdict(gate={"kind": "floor", "metric": "roc_auc"}, outcome="pass", found="", needed=""),
        Verdict(gate={"kind": "slice", "slice": "colour", "metric": "roc_auc"}, outcome="pass", found="", needed=""),
        Verdict(gate={"kind": "parity", "severity": "warn"}, outcome="warn", found="", needed=""),
    )
    changed = decision.model_copy(
        update={"gates": verdicts, "evaluation": given.model_copy(update={"champion": against})}
    )
    rows = sections.of(changed)[0].tables[0].rows
    assert [row[1:5] for row in rows] == [
        ("parity (warning only)", "", "", ""),  # what did not pass comes first
        ("floor ROC AUC", "", "0.9", "0.5"),
        ("slice colour ROC AUC", "", "", ""),
    ]
    assert verdicts[1].title == "slice colour ROC AUC"
