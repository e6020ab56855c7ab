"""A request of 100 rows to the service, for some models, beside the bare call of onnxruntime."""

from collections.abc import Iterator
from statistics import median

from figures import Row, formats


def rows(runs: int) -> Iterator[Row]:
    found = [formats.measured("many.py") for _ in range(runs)]
    for name in found[0]:
        request, call, bare = (median(run[name][part] for run in found) for part in ("request", "call", "bare"))
        note = f"{request / bare:.1f} bare calls ({bare:.0f} µs); of it our call {call:.0f} µs; without HTTP and log"
        yield f"100 rows, {name}", request, "µs of CPU", note
