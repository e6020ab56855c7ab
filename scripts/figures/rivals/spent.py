"""Measures the CPU microseconds of a call."""

import time
from collections.abc import Callable

SECONDS = 0.5


def microseconds(call: Callable[[], object], together: int = 20) -> float:
    """The mean of calls that go on for half a second; the clock is read after so many `together`."""
    calls, begin = 0, time.process_time()
    while (spent := time.process_time() - begin) < SECONDS:
        for _ in range(together):
            call()
        calls += together
    return spent / calls * 1e6
