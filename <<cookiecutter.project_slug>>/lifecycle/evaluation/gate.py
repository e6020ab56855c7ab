"""Decides: each gate passes, fails, is undecided, warns or is skipped; one failure refuses the model."""

from pathlib import Path

from lifecycle import InputError, config, files, policy
from lifecycle.documents import record
from lifecycle.documents.record import Evaluation, Outcome, Verdict
from lifecycle.evaluation import power
from lifecycle.tasks import SHARED

Judgement = tuple[Outcome, str, str]  # the outcome, what was found, what is needed


def _rows(gate: policy.RowsGate, evaluation: Evaluation) -> Judgement:
    outcome: Outcome = "pass" if evaluation.rows >= gate.bound else "fail"
    return outcome, f"{evaluation.rows:,} test rows", f"at least {gate.bound:,}"


def _bound(gate: policy.BoundGate, evaluation: Evaluation) -> Judgement:
    floor = gate.kind == "floor"
    needed = f"{'at least' if floor else 'at most'} {gate.bound:g}" + (
        " at the worse end of its interval" if gate.by == "interval" else ""
    )
    measure = evaluation.metrics.get(gate.metric)
    if measure is None:
        return "fail", "undefined on the test rows", needed
    worst = measure.value
    if gate.by == "interval":
        unseen = _unseen(measure, gate.metric, evaluation)
        worst = measure.low - unseen if floor else measure.high + unseen
    reached, held = (at >= gate.bound if floor else at <= gate.bound for at in (measure.value, worst))
    if reached and not held:
        return _undecided(gate, f"{measure}: the value reaches it, its interval does not", needed)
    return "pass" if held else "fail", str(measure), needed


def _baseline(gate: policy.BaselineGate, evaluation: Evaluation) -> Judgement:
    candidate, trivial = evaluation.metrics.get(gate.metric), evaluation.baseline.get(gate.metric)
    if candidate is None or trivial is None:
        return "fail", "undefined on the test rows", "better than the baseline"
    better = evaluation.sign(gate.metric) * (candidate.value - trivial.value) > 0
    return "pass" if better else "fail", str(candidate), f"better than the baseline's {trivial.value:.4g}"


def _champion(gate: policy.ChampionGate, evaluation: Evaluation) -> Judgement:
    """Non-inferior when the worse end of the paired interval stays within the margin."""
    worse = "below" if evaluation.sign(gate.metric) > 0 else "above"
    needed = f"at most {gate.margin:g} {worse} the champion"
    if evaluation.champion is None:
        return "skipped", "no champion to compare with", needed
    difference = evaluation.champion.differences.get(gate.metric)
    if difference is None:
        return "fail", evaluation.champion.unanswered or "undefined on the test rows", needed
    unseen = _unseen(difference, gate.metric, evaluation) if gate.margin else 0
    worst = (difference.low if evaluation.sign(gate.metric) > 0 else -difference.high) - unseen
    if worst >= -gate.margin:
        return "pass", _moved(difference), needed
    if evaluation.sign(gate.metric) * difference.value < -gate.margin:
        return "fail", _moved(difference), needed
    return _undecided(gate, f"{_moved(difference)} on {evaluation.rows:,} rows, too few to tell", needed)


def _unseen(measure: record.Measure, metric: str, evaluation: Evaluation) -> float:
    """What a share of rows may be off by although no resample moves it: by three in n rows, with 95 % confidence.

    Source: Hanley and Lippman-Hand, JAMA 249 (1983).
    """
    return 3 / evaluation.rows if metric in SHARED and measure.low == measure.high else 0.0


def _undecided(gate: policy.BoundGate | policy.ChampionGate, found: str, needed: str) -> Judgement:
    if gate.undecided == "warn":
        return "warn", f"{found} (undecided)", needed
    return "undecided", found, needed


def _moved(difference: record.Measure) -> str:
    """How a metric moved from champion to candidate, with its interval in the same direction."""
    if difference.value < 0:
        return f"fell {-difference.value:.3g} ({0 - difference.high:.3g} to {-difference.low:.3g})"
    verb = f"rose {difference.value:.3g}" if difference.value > 0 else "unchanged"
    return f"{verb} ({difference.low + 0:.3g} to {difference.high + 0:.3g})"


def _slice(gate: policy.SliceGate, evaluation: Evaluation) -> Judgement:
    """Every large enough part reaches the bound; a small part, or one without the metric, only warns."""
    failed, unsure, held = [], [], 0
    for part in (part for part in evaluation.slices if part.column == gate.slice):
        measure = part.metrics.get(gate.metric)
        if measure is None:
            unsure.append(f"{part.part} (undefined)")
        elif evaluation.sign(gate.metric) * (measure.value - gate.bound) >= 0:
            held += 1
        elif part.rows < gate.rows:
            unsure.append(f"{part.part} ({measure.value:.4g} on {part.rows:,} rows, too few to decide)")
        else:
            failed.append(f"{part.part} ({measure.value:.4g} on {part.rows:,} rows)")
    found = [f"{held} of {held + len(failed) + len(unsure)} parts hold"]
    found += [f"fails: {', '.join(failed)}"] if failed else []
    found += [f"unsure: {', '.join(unsure)}"] if unsure else []
    side = "at least" if evaluation.sign(gate.metric) > 0 else "at most"
    outcome: Outcome = "fail" if failed else "warn" if unsure else "pass"
    return outcome, "; ".join(found), f"{side} {gate.bound:g} in each part"


def _gap(gate: policy.GapGate, evaluation: Evaluation) -> Judgement:
    """The distance between the best and the worst of the large enough parts; fewer than two only warn."""
    needed = f"at most {gate.bound:g} apart"
    parts = [part for part in evaluation.slices if part.column == gate.slice and gate.metric in part.metrics]
    judged = sorted((part.metrics[gate.metric].value, part.part) for part in parts if part.rows >= gate.rows)
    if len(judged) < 2:
        return "warn", f"only {len(judged)} parts have {gate.rows:,} rows and the metric; two are needed", needed
    (low, lowest), (high, highest) = judged[0], judged[-1]
    outcome: Outcome = "pass" if high - low <= gate.bound else "fail"
    return outcome, f"{lowest} {low:.4g} to {highest} {high:.4g}", needed


def _fairness(gate: policy.FairnessGate, evaluation: Evaluation) -> Judgement:
    needed = f"at most {gate.bound:g}"
    measured = next((part for part in evaluation.fairness if part.column == gate.slice), None)
    if measured is None or gate.metric not in measured.differences:
        return "warn", "fewer than two groups are large enough to compare", needed
    difference = measured.differences[gate.metric]
    return "pass" if difference <= gate.bound else "fail", f"{difference:.4g} between groups", needed


def _calibration(gate: policy.CalibrationGate, evaluation: Evaluation) -> Judgement:
    error = evaluation.calibration_error
    outcome: Outcome = "pass" if error <= gate.bound else "fail"
    return outcome, f"expected calibration error {error:.4f}", f"at most {gate.bound:g}"


def _parity(gate: policy.ParityGate, evaluation: Evaluation) -> Judgement:
    outcome: Outcome = "pass" if evaluation.parity <= gate.bound else "fail"
    return outcome, f"the served model differs by at most {evaluation.parity:.1e}", f"at most {gate.bound:g}"


def _latency(gate: policy.LatencyGate, evaluation: Evaluation) -> Judgement:
    outcome: Outcome = "pass" if evaluation.latency <= gate.bound else "fail"
    return outcome, f"{evaluation.latency:.3g} ms for one row", f"at most {gate.bound:g} ms"


def _judged(gate: policy.AnyGate, evaluation: Evaluation) -> Judgement:
    match gate:
        case policy.RowsGate():
            return _rows(gate, evaluation)
        case policy.BoundGate():
            return _bound(gate, evaluation)
        case policy.BaselineGate():
            return _baseline(gate, evaluation)
        case policy.ChampionGate():
            return _champion(gate, evaluation)
        case policy.SliceGate():
            return _slice(gate, evaluation)
        case policy.GapGate():
            return _gap(gate, evaluation)
        case policy.FairnessGate():
            return _fairness(gate, evaluation)
        case policy.CalibrationGate():
            return _calibration(gate, evaluation)
        case policy.ParityGate():
            return _parity(gate, evaluation)
        case policy.LatencyGate():
            return _latency(gate, evaluation)


def _schema(allowed: str, evaluation: Evaluation) -> Verdict:
    """What callers of the champion send is still answered, or the change of the inputs is wanted."""
    gate: dict[str, str | float | int] = {"kind": "schema", "schema": allowed}
    needed = "every request that production answers is answered"
    if evaluation.champion is None:
        return Verdict(gate=gate, outcome="skipped", found="no champion to compare with", needed=needed)
    changes = evaluation.champion.requests
    found = "; ".join((*changes.breaks, *changes.other)) or "the same inputs"
    if not changes.breaks:
        return Verdict(gate=gate, outcome="pass", found=found, needed=needed)
    if allowed == "breaking":
        return Verdict(gate=gate, outcome="warn", found=f"{found}: callers must follow", needed=needed)
    needed += ", or `schema: breaking` in config.yaml once callers know"
    return Verdict(gate=gate, outcome="fail", found=found, needed=needed)


def decide(settings: config.Config, evaluation: Evaluation) -> record.Decision:
    """The decision record; a gate of severity `warn` never blocks."""
    verdicts = [_schema(settings.schema_, evaluation)]
    for gate in settings.gates:
        outcome, found, needed = _judged(gate, evaluation)
        if outcome in record.BLOCKING and gate.severity == "warn":
            outcome = "warn"
        verdicts.append(Verdict(gate=gate.model_dump(), outcome=outcome, found=found, needed=needed))
    rules = files.sha256("\n".join([settings.schema_, *(gate.model_dump_json() for gate in settings.gates)]).encode())
    return record.Decision(
        passed=all(verdict.outcome not in record.BLOCKING for verdict in verdicts),
        policy=rules,
        gates=tuple(verdicts),
        evaluation=evaluation,
    )


def run(settings: config.Config, build: Path) -> str:
    """Write `decision.json` under `build`, then raise InputError when the candidate is refused."""
    evaluation = record.evaluation(build / "evaluation.json")
    if evaluation.task != settings.task:
        raise InputError(
            f"build/evaluation.json is for {evaluation.task}, not {settings.task}; run `make evaluate` again."
        )
    decision = power.told(decide(settings, evaluation), settings.gates, power.read(build))
    files.write(build / "decision.json", record.dump(decision))
    failed = [
        (one, "undecided: " * (one.outcome == "undecided")) for one in decision.gates if one.outcome in record.BLOCKING
    ]
    if failed:
        gates = "1 gate" if len(failed) == 1 else f"{len(failed)} gates"
        told = "; ".join(f"{before}{decision.numbered(one)}" for one, before in failed)
        parts = tuple((one.title, f"{before}{one.reason}", 0) for one, before in failed)
        raise InputError(f"{evaluation.origin.version} is refused by {gates}: {told}.", parts=parts)
    counts = {kind: sum(v.outcome == kind for v in decision.gates) for kind in ("pass", "warn", "skipped")}
    return f"{evaluation.origin.version} passes: " + ", ".join(f"{n} {kind}" for kind, n in counts.items() if n)
