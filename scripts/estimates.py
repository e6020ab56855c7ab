"""Prints the largest differences between NannyML's estimates and the template's own, over 100 seeds of each task."""

import sys
import warnings
from collections import defaultdict

from lifecycle.estimation import dle, own
from lifecycle.monitoring import nannyml
from lifecycle.tasks import MONITORED
from test_estimation import Boosting, measured, table

SEEDS = 100


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
    return 0


if __name__ == "__main__":
    sys.exit(main())
