"""The unrendered model repository; separate from test_bake.py so that another process can run it."""

import re

from conftest import run, unrendered


def test_the_unrendered_repository_passes_its_tests() -> None:
    """Includes tests of servers that a fresh repository has not installed."""
    said = run(["make", "test", "TESTS=-rs"], unrendered("dev", "seldon", "serve", "skops"))
    assert re.search(r"\d+ passed.* in ", said)
    # Tests may be skipped for lack of root or a browser, not for a missing server.
    assert re.findall(r"SKIPPED .*not installed.*", said) == []
