"""Prints the CPU microseconds that our model takes to check and convert a request's columns and to answer them."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from lifecycle.artifact.predictor import Predictor

SECONDS = 0.5


def microseconds(call: Callable[[], object]) -> float:
    calls, begin = 0, time.process_time()
    while (spent := time.process_time() - begin) < SECONDS:
        for _ in range(100):
            call()
        calls += 100
    return spent / calls * 1e6


def main(model: str, sample: str) -> None:
    predictor = Predictor(Path(model))
    told = json.loads(Path(sample).read_text())

    def measured(count: int) -> float:
        columns = dict(zip(told["names"], zip(*told["rows"][:count], strict=True), strict=True))
        return microseconds(lambda: predictor.run(predictor.inputs(columns)))

    print(json.dumps({str(count): measured(count) for count in (1, 100)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
