"""Renders the decision record for people: Markdown for the pull request, one HTML page with plots."""

from collections.abc import Iterator
from pathlib import Path

from lifecycle import files
from lifecycle.documents import curves, record
from lifecycle.documents.curves import Curves
from lifecycle.drawing import characteristics, plots
from lifecycle.reporting import pages, sections, short, thresholds, track
from lifecycle.reporting.pages import Section


def markdown(decision: record.Decision) -> str:
    """The report for a pull request."""
    verdict, setting = sections.headline(decision), sections.setting(decision, short.merge(decision))
    return pages.markdown(verdict, setting, sections.of(decision), "build/report.html")


def page(decision: record.Decision, drawn: Curves | None = None) -> str:
    """The report as one self-contained HTML page; without curves, if there are none."""
    verdict, setting = sections.headline(decision), sections.setting(decision, short.merge(decision))
    shown: list[Section] = []
    for section in sections.of(decision):
        shown += [section, *(_curves(drawn) if drawn and section.title == "Metrics" else ())]
    figures = plots.sections(decision, drawn)
    figures[thresholds.TITLE] = [*figures.get(thresholds.TITLE, ()), *thresholds.explorer(drawn, decision.evaluation)]
    if decision.evaluation.track:
        figures[track.TITLE] = [*characteristics.figures(decision.evaluation.track.operating)]
    return pages.page(verdict, setting, shown, figures, decision.passed)


def _curves(drawn: Curves) -> Iterator[Section]:
    """The sections that only the page has."""
    behind = (
        "The champion's are dashed, on the same rows." if drawn.champion else "There is no champion's to compare with."
    )
    yield Section("Curves", [f"Of the test rows, thinned. {behind}"])
    yield from thresholds.section(drawn)


def run(build: Path) -> str:
    """Write `report.md` and `report.html` under `build`."""
    decision = record.decision(build / "decision.json")
    files.write(build / "report.md", markdown(decision))
    files.write(build / "report.html", page(decision, curves.read(build, decision.evaluation)))
    verdict = "passes" if decision.passed else "is refused"
    return f"{decision.evaluation.origin.version} {verdict}: {build / 'report.md'}, {build / 'report.html'}"
