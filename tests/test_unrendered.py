"""The unrendered model repository; separate from test_bake.py so that another process can run it."""

import re

from conftest import run, unrendered


def test_the_unrendered_repository_passes_its_tests() -> None:
    """Includes tests of servers that a fresh repository has not installed; no bake repeats the template's own."""
    said = run(["make", "test", "PYTEST=-rs"], unrendered("dev", "seldon", "serve", "skops"))
    assert len(re.findall(r"\d+ passed.* in ", said)) == 2  # the team's, and the template's
    # Tests may be skipped for lack of root or a browser, not for a missing server.
    assert re.findall(r"SKIPPED .*not installed.*", said) == []
