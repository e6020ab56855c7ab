"""Renders the decision record for people: Markdown for the pull request, one HTML page with plots."""

from pathlib import Path

from model import files, pages, plots, record, sections

LIMIT = 65_000
ROWS, CELL = 30, 300  # of a table or list, and of a text in it, in Markdown


def _cut(decision: record.Decision, left_out: list[str]) -> str:
    found = [section for section in sections.of(decision) if section.title not in left_out]
    return pages.render(
        "report.md",
        verdict=sections.verdict(decision),
        setting=sections.setting(decision.evaluation),
        sections=found,
        left_out=left_out,
        most=ROWS,
        longest=CELL,
    )


def markdown(decision: record.Decision) -> str:
    """The report for a pull request, at most 65,000 characters.

    Long tables end with how many rows they lack. If that is not enough, whole sections are left out, the longest
    first, and named; gates are kept.
    """
    left_out: list[str] = []
    lengths = {title: len(text) for title, text in _split(_cut(decision, left_out)).items() if title != "Gates"}
    for title in sorted(lengths, key=lambda name: -lengths[name]):
        if len(text := _cut(decision, left_out)) <= LIMIT:
            return text
        left_out.append(title)
    note = "\n\n_The gates were cut here; build/report.html has all of them._\n"
    text = _cut(decision, left_out)
    return text if len(text) <= LIMIT else text[: LIMIT - len(note)].rsplit("\n", 1)[0] + note


def _split(text: str) -> dict[str, str]:
    return {part.split("\n", 1)[0]: part for part in text.split("\n### ")[1:]}


def page(decision: record.Decision) -> str:
    """The report as one self-contained HTML page."""
    figures = plots.sections(decision.evaluation)
    drawn = iter(pages.fragments([figure for group in figures.values() for figure in group]))
    return pages.render(
        "report.html",
        passed=decision.passed,
        verdict=sections.verdict(decision),
        setting=sections.setting(decision.evaluation),
        sections=sections.of(decision),
        plots={title: [next(drawn) for _ in group] for title, group in figures.items()},
    )


def run(build: Path) -> str:
    """Write `report.md` and `report.html` under `build`."""
    decision = record.decision(build / "decision.json")
    files.write(build / "report.md", markdown(decision))
    files.write(build / "report.html", page(decision))
    verdict = "passes" if decision.passed else "is refused"
    return f"{decision.evaluation.origin.version} {verdict}: {build / 'report.md'}, {build / 'report.html'}"
