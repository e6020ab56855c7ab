"""Prints the CPU microseconds that our model takes to check and convert a request's columns and to answer them."""

import json
import sys
from pathlib import Path

from lifecycle.artifact.predictor import Predictor
from spent import microseconds  # type: ignore[import-not-found]


def main(model: str, sample: str) -> None:
    predictor = Predictor(Path(model))
    told = json.loads(Path(sample).read_text())

    def measured(count: int) -> float:
        columns = dict(zip(told["names"], zip(*told["rows"][:count], strict=True), strict=True))
        found: float = microseconds(lambda: predictor.run(predictor.inputs(columns)), 100)
        return found

    print(json.dumps({str(count): measured(count) for count in (1, 100)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
