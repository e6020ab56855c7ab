"""The command line: `python -m figures [RUNS] [FIGURE ...]` prints a table of the named figures, by default all."""

import os
import signal
import sys
from collections.abc import Callable, Iterable

from figures import (
    Row,
    bakes,
    demo,
    durable,
    evaluation,
    fleet,
    formats,
    limits,
    minutes,
    models,
    monitoring,
    quiet,
    rendering,
    serving,
    tests,
    tracing,
)

FIGURES: dict[str, Callable[[int], Iterable[Row]]] = {
    "bakes": bakes.rows,
    "rendering": rendering.rows,
    "evaluation": evaluation.rows,
    "serving": serving.rows,
    "limits": limits.rows,
    "durable": durable.rows,
    "formats": formats.rows,
    "models": models.rows,
    "monitoring": monitoring.rows,
    "tracing": tracing.rows,
    "fleet": fleet.rows,
    "minutes": minutes.rows,
    "demo": demo.rows,
    "tests": tests.rows,
}


def main(arguments: list[str]) -> int:
    runs = [int(word) for word in arguments if word.isdecimal()]
    named = [word for word in arguments if not word.isdecimal()]
    if unknown := set(named) - set(FIGURES):
        print(f"bench: unknown figures: {', '.join(sorted(unknown))}; known: {', '.join(FIGURES)}.", file=sys.stderr)
        return 1
    print(f"| figure ({os.cpu_count()} cores) | median | | others |\n| --- | --- | --- | --- |", flush=True)
    code = 0
    for figure in named or FIGURES:
        watch = quiet.Watch()
        rows, others = list(FIGURES[figure](runs[-1] if runs else 3)), watch.others()
        if refused := quiet.refusal(figure, others):
            print(f"bench: {refused}", file=sys.stderr)
            code = 1
            continue
        load = "" if others is None else f"{others:.2f}"
        for name, value, unit, note in rows:
            print(f"| {name} | {value:,.{0 if value >= 100 else 2}f} {unit} | {note} | {load} |", flush=True)
    return code


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # run the cleanup of started processes
    sys.exit(main(sys.argv[1:]))
