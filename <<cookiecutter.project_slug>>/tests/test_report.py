import re

import pytest
from conftest import Trained
from hypothesis import given
from hypothesis import strategies as st
from test_gate import evaluation, part

from model import pages, record, report
from model.record import Verdict


def test_the_verdict_stands_first_and_every_gate_is_told(trained: Trained) -> None:
    decision = record.decision(trained.build / "decision.json")
    text = (trained.build / "report.md").read_text()
    assert text.startswith("## ✅ Accepted: tiny")
    assert text.count("\n| ✅ pass |") == 3
    assert text.count("\n| ⏭️ skipped |") == 1
    assert all(name in text for name in decision.evaluation.metrics)
    headings = re.findall("^### (.*)$", text, flags=re.M)
    assert headings == ["Gates", "Metrics", "Slices", "Origin"]


def test_a_refusal_says_so_first(decision: record.Decision) -> None:
    verdict = Verdict(gate={"kind": "floor", "metric": "roc_auc"}, outcome="fail", reason="0.7, at least 0.8 needed")
    text = report.markdown(decision.model_copy(update={"passed": False, "gates": (verdict,)}))
    assert text.startswith("## ❌ Refused")
    assert "| ❌ fail | floor roc\\_auc | 0.7, at least 0.8 needed |" in text


def test_tables_are_whole(trained: Trained) -> None:
    """Every row of a table has as many cells as its head."""
    for block in (trained.build / "report.md").read_text().split("\n\n"):
        lines = block.strip().splitlines()
        if lines and lines[0].startswith("|"):
            cells = {len(re.findall(r"(?<!\\)\|", line)) for line in lines}
            assert len(cells) == 1, block


def test_the_page_needs_no_network_and_stays_light(trained: Trained) -> None:
    text = (trained.build / "report.html").read_text()
    assert len(text) < 6_000_000
    assert not re.search(r"""<(script|link|img|iframe)[^>]+(src|href)=""", text)
    assert text.count('class="plotly-graph-div"') == (2 if trained.task == "regression" else 3)


def test_the_report_has_an_upper_bound(decision: record.Decision) -> None:
    parts = tuple(part(f"value {index}", 10, 0.5) for index in range(5000))
    many = evaluation(slices=parts, champion=None)
    text = report.markdown(decision.model_copy(update={"evaluation": many}))
    assert len(text) <= report.LIMIT
    assert "was cut here" in text


@pytest.mark.parametrize(
    "hostile", ["a|b", "<script>x</script>", "@octocat", "#1", "`x`", "two\nlines", "[a](b)", "**b**"]
)
def test_text_from_data_cannot_break_the_report(hostile: str, decision: record.Decision) -> None:
    changed = decision.model_copy(update={"evaluation": evaluation(slices=(part(hostile, 10, 0.5),), champion=None)})
    text = report.markdown(changed)
    row = next(line for line in text.splitlines() if line.startswith("| colour |"))
    assert len(re.findall(r"(?<!\\)\|", row)) == 5
    assert hostile not in text
    assert "<script>x" not in report.page(changed)


@given(st.text())
def test_plain_text_keeps_no_sign_that_markdown_or_html_reads(text: str) -> None:
    made = pages.plain(text)
    assert not re.search(r"[<>@\n]|(?<!\\)[`|*_\[\]~]", made)
