"""Says in words what the gates can see with the test rows, and how many rows or which margin they would need."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from lifecycle import InputError, config, policy
from lifecycle.documents import record
from lifecycle.evaluation import power
from lifecycle.reporting.pages import Section
from lifecycle.tasks import label

NOTE = "A gate sees what fails in 80 of 100 cases; an equal model is exactly as good as the champion."
# What gates on parts of the rows judge of a metric.
PARTS = {"slice": "{} of any part", "gap": "a gap of {}", "fairness": "a {}", "calibration": "a calibration error"}


def section(decision: record.Decision) -> Section:
    """What each gate can see, and how often all together refuse an equal model."""
    lines = []
    for verdict in decision.gates:
        if found := verdict.power:
            said = words(verdict.gate, found, decision.evaluation.sign(str(verdict.gate.get("metric"))))
            few = found.rows and found.equal is not None and found.equal < power.EQUAL
            lines.append(f"{verdict.title} {said}{f', 95 with {found.rows:,} test rows' if few else ''}.")
    if decision.refuses is not None:
        lines.append(f"Together they refuse {_of(decision.refuses)} equal models.")
    return Section("Power", [NOTE, *lines] if lines else ["Not measured."])


def words(gate: Mapping[str, str | float | int], found: record.Power, sign: int) -> str:
    """What one gate can see, and how often equal models pass; `sign` is 1 if more of its metric is better."""
    metric, bound, kind = label(str(gate.get("metric"))), gate.get("bound"), str(gate.get("kind"))
    if isinstance(bound, int | float):
        side = 1 if kind == "floor" or (kind == "slice" and sign > 0) else -1
        seen = PARTS.get(kind, "{}").format(metric)
        seen += f" {'below' if side > 0 else 'above'} {bound - side * found.sees:.4g}"
    elif kind == "baseline":
        seen = f"{metric} worse than the baseline's by {found.sees:.3g}"
    else:
        seen = f"a {'fall' if sign > 0 else 'rise'} of {found.sees:.3g} in {metric}"
    return f"sees {seen}" + ("" if found.equal is None else f" and passes {_of(found.equal)} equal models")


def _of(share: float) -> str:
    return f"{share * 100:.0f} of 100"


def run(settings: config.Config, build: Path, asked: str) -> str:
    """What each champion gate can see with the test rows of the last evaluation, or with as many as are asked about."""
    if asked and not (asked.isascii() and asked.isdecimal() and int(asked) > 1):
        raise InputError(f"ROWS is a whole number of test rows from 2 on, not {asked!r}.")
    evaluation, moves = record.evaluation(build / "evaluation.json"), power.read(build)
    gates = [gate for gate in settings.gates if isinstance(gate, policy.ChampionGate)]
    if not gates:
        raise InputError("config.yaml has no gate of kind champion, whose margin would need rows; add one.")
    if not moves.get("champion"):
        raise InputError(
            "The last evaluation compared with no champion, and only two models show how far apart chance puts them; "
            "run `make champion evaluate`, or `make evaluate CHAMPION=<model directory>`."
        )
    rows = int(asked or evaluation.rows)
    return "\n".join([f"with {rows:,} test rows", *_told(gates, evaluation, moves, rows)])


def _told(
    gates: list[policy.ChampionGate], evaluation: record.Evaluation, moves: power.Moves, rows: int
) -> Iterator[str]:
    """For each gate, what it sees, the margin that the rows allow, and the rows that its margin needs."""
    for gate in gates:
        view = power.view(gate, evaluation, moves, math.sqrt(evaluation.rows / rows))
        if view is None:
            yield f"  {label(gate.metric)}: unknown, as no test row tells the two models apart by it"
            continue
        found = view.power(rows, gate.margin)
        needed = f", or that of {gate.margin:g} with {found.rows:,} rows" if found.rows else ""
        said = words(gate.model_dump(), found, evaluation.sign(gate.metric))
        yield f"  margin {gate.margin:g}: {said}; a margin of {view.margin:.2g} passes 95 of them{needed}"
