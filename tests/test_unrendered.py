"""The model repository as it stands in this template. Apart from test_bake.py, so that another process may take it."""

import re

from conftest import run, unrendered


def test_the_unrendered_repository_passes_its_tests() -> None:
    """Beside what a fresh repository tests, those of the servers that it has not installed."""
    said = run(["make", "test", "TESTS=-rs"], unrendered("dev", "seldon", "serve", "skops"))
    assert re.search(r"\d+ passed.* in ", said)
    # What only root can do, and what needs a browser, is skipped where there is none; a server that is missing is not.
    assert re.findall(r"SKIPPED .*not installed.*", said) == []
