"""Shows tests that fail beside their code on GitHub: a plugin of pytest, which `make test` loads there."""

from typing import Any

from lifecycle.failures import annotation


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Write an annotation for each test that failed, or whose fixtures did."""
    for kind in ("failed", "error"):
        for report in terminalreporter.stats.get(kind, []):
            name, line, test = getattr(report, "location", (report.nodeid, None, "collection"))
            said = getattr(report.longrepr, "reprcrash", None)
            text = said.message if said else report.longreprtext
            terminalreporter.write_line(annotation(text[:2_000], test, name, (line or 0) + 1))
