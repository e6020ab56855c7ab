"""Prints the largest differences between NannyML's estimates and the template's own, over 100 seeds of each task.

Then it prints how often what comes true is within the interval of an estimate, by the reference's rows.
"""

import sys
import warnings
from collections import defaultdict
from typing import Any

import numpy as np
from lifecycle.estimation import cbpe, chances, dle, own
from lifecycle.monitoring import nannyml
from lifecycle.tasks import MONITORED
from test_estimation import Boosting, coverage, measured, table

SEEDS, DRAWN = 100, 1000
REFERENCES = (2, 5, 10, 20)  # windows


def covered(known_rows: int, rows: int = 1000) -> dict[str, tuple[float, float]]:
    """By metric, how often 95 of 100 holds: with the error of what the reference teaches, and by sampling alone."""
    generator, near = np.random.default_rng(0), dict[str, Any]()
    for _ in range(DRAWN):
        known, asked = (coverage(generator, count) for count in (known_rows, rows))
        found = cbpe.taught(known)(asked)
        for metric in MONITORED["binary_classification"]:
            (value, _), (truth, _) = (chances.measure(metric, one) for one in (found, asked))
            error = np.sqrt(np.mean(chances.measure(metric, known)[1] ** 2))
            reach = [1.96 * error * own.spread(kind, rows, known_rows) for kind in ("estimated", "realised")]
            near[metric] = near.get(metric, 0) + (abs(value - truth) < np.array(reach)) / DRAWN
    return {metric: (float(whole), float(alone)) for metric, (whole, alone) in near.items()}


def main() -> int:
    warnings.simplefilter("ignore")
    dle.regressor = Boosting
    print("| task | measure | largest difference of a value | of a bound |\n| --- | --- | --- | --- |")
    for task in MONITORED:
        most: dict[str, tuple[float, float]] = defaultdict(lambda: (0.0, 0.0))
        for seed in range(SEEDS):
            known, rows = table(task, seed), table(task, seed + SEEDS, shift=0.7)
            found, theirs = measured(own, task, known, rows), measured(nannyml, task, known, rows)
            for key, one in theirs.items():
                pairs = ((found[key].value, one.value), (found[key].high, one.high))
                gaps = (abs(ours - other) for ours, other in pairs if ours is not None and other is not None)
                name = f"{one.kind} {one.metric}"
                value, bound = [*gaps, 0.0, 0.0][:2]
                most[name] = (max(most[name][0], value), max(most[name][1], bound))
        for name, (value, bound) in most.items():
            print(f"| {task} | {name} | {value:.0e} | {bound:.0e} |", flush=True)
    print("\n| reference | metric | within the interval | by sampling alone |\n| --- | --- | --- | --- |")
    for windows in REFERENCES:
        for metric, (whole, alone) in covered(1000 * windows).items():
            print(f"| {windows} windows of 1,000 rows | {metric} | {whole:.1%} | {alone:.1%} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
