"""Works out what each gate can see with the test rows, from resamples of them.

Each resample moves a metric as other test rows would, so the moves show how often a model is judged as it should be.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import FiniteFloat, ValidationError

from lifecycle import InputError, files
from lifecycle.documents.record import Decision, Evaluation, Measure, Power
from lifecycle.policy import AnyGate, BaselineGate, BoundGate, ChampionGate
from lifecycle.strict import Strict, problems

SEEN, EQUAL = 0.8, 0.95  # shares of cases: in which a loss is seen, in which an equal model should pass
# By what the candidate is compared with, itself for its bounds, then by metric: how much each resample moves it.
Moves = dict[str, dict[str, list[FiniteFloat]]]


class Draws(Strict):
    """The moves, with the hash of the evaluation that they belong to."""

    evaluation: str
    moves: Moves


@dataclass(frozen=True)
class View:
    """What a gate has to tell apart; better is positive.

    A model fails whose value is below `bar`, and passes if it is above by `half`, the worse half of its interval; in
    between it is undecided, which refuses it unless `lenient`. `equal` is how far ahead of what the gate compares with
    a model is that is exactly as good as the champion; None where there is no champion.
    """

    moves: Sequence[float]
    bar: float = 0
    half: float = 0
    equal: float | None = None
    lenient: bool = False

    @property
    def sees(self) -> float:
        """The loss with which a model fails in a share SEEN of cases."""
        return self._ordered(SEEN) - self.bar

    @property
    def margin(self) -> float:
        """The margin at which a share EQUAL of equal models passes."""
        return self.half - self._ordered(1 - EQUAL)

    def reached(self, above: float) -> list[bool]:
        """Whether a model as good as the champion is above the bar by so much, on each resample."""
        return [self.equal is None or self.equal + move >= self.bar + above for move in self.moves]

    def power(self, rows: int, margin: float = 0) -> Power:
        """As the record holds it; `rows` are those of the test, `margin` is a champion gate's."""
        passed = None if self.equal is None else sum(self.reached(self.half)) / len(self.moves)
        needed = math.ceil(rows * (self.margin / margin) ** 2) if margin else None
        return Power(sees=float(f"{self.sees:.4g}"), equal=passed, rows=needed)

    def _ordered(self, share: float) -> float:
        """The move below which this share of them is."""
        return sorted(self.moves)[int(share * len(self.moves))]


def view(gate: AnyGate, evaluation: Evaluation, moves: Moves, shrunk: float = 1) -> View | None:
    """What the gate has to tell apart; None if that is unknown: it compares no metric, or no resample moves it.

    `shrunk` is how much less another number of test rows moves it: the square root of the ratio of rows.
    """
    if not isinstance(gate, ChampionGate | BoundGate | BaselineGate):
        return None
    sign = {"floor": 1, "ceiling": -1}.get(gate.kind) or evaluation.sign(gate.metric)
    against = gate.kind if gate.kind in ("champion", "baseline") else "candidate"
    moved = [sign * shrunk * move for move in moves.get(against, {}).get(gate.metric, ())]
    champion = evaluation.champion
    if not moved or min(moved) == max(moved):
        return None
    if isinstance(gate, ChampionGate) and champion:
        half = _half(champion.differences[gate.metric], sign)
        return View(moved, -gate.margin, shrunk * half, 0, gate.undecided == "warn")
    bound = gate.bound if isinstance(gate, BoundGate) else evaluation.baseline[gate.metric].value
    known = champion.metrics.get(gate.metric) if champion else None
    equal = sign * (known.value - bound) if known else None
    if isinstance(gate, BoundGate) and gate.by == "interval":
        half = _half(evaluation.metrics[gate.metric], sign)
        return View(moved, 0, shrunk * half, equal, gate.undecided == "warn")
    return View(moved, equal=equal)


def _half(measure: Measure, sign: int) -> float:
    """How far the worse end of an interval is from the value."""
    return measure.value - measure.low if sign > 0 else measure.high - measure.value


def told(decision: Decision, gates: Sequence[AnyGate], moves: Moves) -> Decision:
    """The decision with what each gate can see, and how often all of them together refuse an equal model."""
    evaluation, verdicts, held = decision.evaluation, list(decision.gates), []
    for place, gate in enumerate(gates, len(verdicts) - len(gates)):  # the schema's verdict stands before theirs
        if found := view(gate, evaluation, moves):
            margin = gate.margin if isinstance(gate, ChampionGate) else 0
            verdicts[place] = verdicts[place].model_copy(update={"power": found.power(evaluation.rows, margin)})
            if gate.severity == "block":
                held.append(found.reached(0 if found.lenient else found.half))
    compared = held and evaluation.champion and not evaluation.champion.unanswered
    refuses = 1 - sum(map(all, zip(*held, strict=True))) / len(held[0]) if compared else None
    return decision.model_copy(update={"gates": tuple(verdicts), "refuses": refuses})


def write(build: Path, moves: Moves) -> None:
    """Write the moves beside the evaluation that they belong to."""
    evaluation = files.hashed(build / "evaluation.json")
    files.write(build / "draws.json", json.dumps({"evaluation": evaluation, "moves": moves}))


def read(build: Path) -> Moves:
    """Read what `evaluate` wrote; raises InputError if it is damaged or of another evaluation."""
    path = build / "draws.json"
    try:
        found = Draws.model_validate_json(files.read(path, "evaluate"))
        lengths = {len(moved) for metrics in found.moves.values() for moved in metrics.values()}
        if found.evaluation == files.hashed(build / "evaluation.json") and len(lengths) < 2:
            return found.moves
        reason = "it belongs to another evaluation"
    except ValidationError as error:
        reason = problems(error, Draws)
    raise InputError(f"{path} is damaged or foreign ({reason}); run `make evaluate` again.")
