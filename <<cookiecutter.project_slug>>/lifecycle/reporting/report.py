"""Renders the decision record for people: Markdown for the pull request, one HTML page with plots."""

from pathlib import Path

from lifecycle import files
from lifecycle.documents import record
from lifecycle.drawing import plots
from lifecycle.reporting import pages, sections, short


def markdown(decision: record.Decision) -> str:
    """The report for a pull request."""
    verdict, setting = sections.headline(decision), sections.setting(decision, short.merge(decision))
    return pages.markdown(verdict, setting, sections.of(decision), "build/report.html")


def page(decision: record.Decision) -> str:
    """The report as one self-contained HTML page."""
    verdict, setting = sections.headline(decision), sections.setting(decision, short.merge(decision))
    figures = plots.sections(decision)
    return pages.page(verdict, setting, sections.of(decision), figures, decision.passed)


def run(build: Path) -> str:
    """Write `report.md` and `report.html` under `build`."""
    decision = record.decision(build / "decision.json")
    files.write(build / "report.md", markdown(decision))
    files.write(build / "report.html", page(decision))
    verdict = "passes" if decision.passed else "is refused"
    return f"{decision.evaluation.origin.version} {verdict}: {build / 'report.md'}, {build / 'report.html'}"
