"""Works out what each gate can see with the test rows, from resamples of them.

Each resample moves a metric as other test rows would, so the moves show how often a model is judged as it should be.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import FiniteFloat, ValidationError

from lifecycle import InputError, files
from lifecycle.documents.record import Decision, Evaluation, Measure, Power
from lifecycle.policy import (
    AnyGate,
    BaselineGate,
    BoundGate,
    CalibrationGate,
    ChampionGate,
    FairnessGate,
    GapGate,
    SliceGate,
)
from lifecycle.strict import Strict, problems
from lifecycle.tasks import sign

SEEN, EQUAL = 0.8, 0.95  # shares of cases: in which a loss is seen, in which an equal model should pass
# By what the candidate is compared with, itself for its bounds, then by metric: how much each resample moves it. By the
# key of a gate on parts: how each moves what it judges, better is more, and finds a model as good as the champion.
Moves = dict[str, dict[str, list[FiniteFloat]]]


class Draws(Strict):
    """The moves, with the hash of the evaluation that they belong to."""

    evaluation: str
    moves: Moves


@dataclass(frozen=True)
class View:
    """What a gate has to tell apart; better is positive.

    A model fails whose value is below `bar`, and passes if it is above by `half`, the worse half of its interval; in
    between it is undecided, which refuses it unless `lenient`. `equals` is how far ahead of what the gate compares with
    each resample finds a model that is exactly as good as the champion; None where there is no champion.
    """

    moves: Sequence[float]
    bar: float = 0
    half: float = 0
    equals: Sequence[float] | None = None
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
        return [self.equals is None or equal >= self.bar + above for equal in self.equals or self.moves]

    def power(self, rows: int, margin: float = 0) -> Power:
        """As the record holds it; `rows` are those of the test, `margin` is a champion gate's."""
        passed = None if self.equals is None else sum(self.reached(self.half)) / len(self.moves)
        needed = math.ceil(rows * (self.margin / margin) ** 2) if margin else None
        return Power(sees=float(f"{self.sees:.4g}"), equal=passed, rows=needed)

    def _ordered(self, share: float) -> float:
        """The move below which this share of them is."""
        return sorted(self.moves)[int(share * len(self.moves))]


def key(gate: AnyGate) -> str:
    """What tells a gate apart whose moves are its own."""
    return " ".join(map(str, gate.model_dump(exclude={"severity"}).values()))


def _parted(
    gate: SliceGate | GapGate | FairnessGate | CalibrationGate, found: Mapping[str, list[float]]
) -> View | None:
    """What a gate on parts or on calibration has to tell apart; what must be low counts below 0."""
    if not found or min(found["moved"]) == max(found["moved"]):
        return None
    bound = gate.bound if isinstance(gate, SliceGate) and sign(gate.metric) > 0 else -gate.bound
    equals = [one - bound for one in found["equal"]] if "equal" in found else None
    return View(found["moved"], equals=equals)


def view(gate: AnyGate, evaluation: Evaluation, moves: Moves, shrunk: float = 1) -> View | None:
    """What the gate has to tell apart; None if that is unknown: it compares no metric, or no resample moves it.

    `shrunk` is how much less another number of test rows moves it: the square root of the ratio of rows.
    """
    if isinstance(gate, SliceGate | GapGate | FairnessGate | CalibrationGate):
        return _parted(gate, moves.get(key(gate), {}))
    if not isinstance(gate, ChampionGate | BoundGate | BaselineGate):
        return None
    better = {"floor": 1, "ceiling": -1}.get(gate.kind) or evaluation.sign(gate.metric)
    against = gate.kind if gate.kind in ("champion", "baseline") else "candidate"
    moved = [better * shrunk * move for move in moves.get(against, {}).get(gate.metric, ())]
    champion = evaluation.champion
    if not moved or min(moved) == max(moved):
        return None
    if isinstance(gate, ChampionGate) and champion:
        half = _half(champion.differences[gate.metric], better)
        return View(moved, -gate.margin, shrunk * half, moved, gate.undecided == "warn")
    bound = gate.bound if isinstance(gate, BoundGate) else evaluation.baseline[gate.metric].value
    known = champion.metrics.get(gate.metric) if champion else None
    equals = [better * (known.value - bound) + move for move in moved] if known else None
    if isinstance(gate, BoundGate) and gate.by == "interval":
        half = _half(evaluation.metrics[gate.metric], better)
        return View(moved, 0, shrunk * half, equals, gate.undecided == "warn")
    return View(moved, equals=equals)


def _half(measure: Measure, better: int) -> float:
    """How far the worse end of an interval is from the value."""
    return measure.value - measure.low if better > 0 else measure.high - measure.value


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
