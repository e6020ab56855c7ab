"""Decides: each gate of `config.yaml` passes, fails, warns or is skipped; one that fails refuses the model."""

from pathlib import Path

from model import InputError, config, files, metrics, policy, record
from model.record import Evaluation, Measure, Outcome, Verdict

Said = tuple[Outcome, str]


def shown(measure: Measure) -> str:
    """A metric with its interval."""
    return f"{measure.value:.4g} [{measure.low:.4g}, {measure.high:.4g}]"


def _rows(gate: policy.Rows, evaluation: Evaluation) -> Said:
    outcome: Outcome = "pass" if evaluation.rows >= gate.bound else "fail"
    return outcome, f"{evaluation.rows:,} test rows, at least {gate.bound:,} needed"


def _bound(gate: policy.Bound, evaluation: Evaluation) -> Said:
    measure = evaluation.metrics[gate.metric]
    floor = gate.kind == "floor"
    judged = measure.value if gate.by == "value" else measure.low if floor else measure.high
    holds = judged >= gate.bound if floor else judged <= gate.bound
    needed = f"{'at least' if floor else 'at most'} {gate.bound:g} needed"
    return "pass" if holds else "fail", f"{shown(measure)}, {needed}" + (
        " of its interval" if gate.by == "interval" else ""
    )


def _baseline(gate: policy.Baseline, evaluation: Evaluation) -> Said:
    candidate, trivial = evaluation.metrics[gate.metric], evaluation.baseline[gate.metric]
    better = metrics.sign(gate.metric) * (candidate.value - trivial.value) > 0
    return "pass" if better else "fail", f"{shown(candidate)}, better than {trivial.value:.4g} of the baseline needed"


def _champion(gate: policy.Champion, evaluation: Evaluation) -> Said:
    """Non-inferior when the worse end of the paired interval stays within the margin."""
    if evaluation.champion is None:
        return "skipped", "no champion to compare with"
    difference = evaluation.champion.differences[gate.metric]
    worst = difference.low if metrics.sign(gate.metric) > 0 else -difference.high
    better = "higher" if metrics.sign(gate.metric) > 0 else "lower"
    return (
        "pass" if worst > -gate.margin else "fail",
        f"{difference.value:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}] against the champion "
        f"({better} is better), worse by less than {gate.margin:g} needed",
    )


def _slice(gate: policy.SliceBound, evaluation: Evaluation) -> Said:
    """Every large enough part reaches the bound; a small one or one without the metric warns instead of deciding."""
    failed, unsure, held = [], [], 0
    for part in (part for part in evaluation.slices if part.column == gate.slice):
        measure = part.metrics.get(gate.metric)
        if measure is None:
            unsure.append(f"{part.part} (undefined)")
        elif metrics.sign(gate.metric) * (measure.value - gate.bound) >= 0:
            held += 1
        elif part.rows < gate.rows:
            unsure.append(f"{part.part} ({measure.value:.4g} on {part.rows:,} rows, too few to decide)")
        else:
            failed.append(f"{part.part} ({measure.value:.4g} on {part.rows:,} rows)")
    side = "at least" if metrics.sign(gate.metric) > 0 else "at most"
    text = [f"{side} {gate.bound:g} needed: {held} of {held + len(failed) + len(unsure)} parts hold"]
    text += [f"fails: {', '.join(failed)}"] if failed else []
    text += [f"unsure: {', '.join(unsure)}"] if unsure else []
    return "fail" if failed else "warn" if unsure else "pass", "; ".join(text)


def _gap(gate: policy.Gap, evaluation: Evaluation) -> Said:
    """The distance between the extremes of the parts that are large enough; fewer than two of them warn."""
    parts = [part for part in evaluation.slices if part.column == gate.slice and gate.metric in part.metrics]
    judged = sorted((part.metrics[gate.metric].value, part.part) for part in parts if part.rows >= gate.rows)
    if len(judged) < 2:
        return "warn", f"{len(judged)} parts have {gate.rows:,} rows, two are needed to decide"
    (low, lowest), (high, highest) = judged[0], judged[-1]
    outcome: Outcome = "pass" if high - low <= gate.bound else "fail"
    return outcome, f"{lowest} {low:.4g} to {highest} {high:.4g}, at most {gate.bound:g} apart needed"


def calibration_error(evaluation: Evaluation) -> float:
    """Expected calibration error: the distance of each bin's share from its mean probability, weighted by its rows.

    Source: Naeini, Cooper and Hauskrecht, Obtaining Well Calibrated Probabilities Using Bayesian Binning, AAAI 2015.
    """
    rows = sum(part.rows for part in evaluation.calibration)
    return sum(part.rows * abs(part.predicted - part.observed) for part in evaluation.calibration) / rows


def _calibration(gate: policy.Calibration, evaluation: Evaluation) -> Said:
    error = calibration_error(evaluation)
    return (
        "pass" if error <= gate.bound else "fail",
        f"expected calibration error {error:.4f}, at most {gate.bound:g} needed",
    )


def _parity(gate: policy.Parity, evaluation: Evaluation) -> Said:
    outcome: Outcome = "pass" if evaluation.parity <= gate.bound else "fail"
    return outcome, f"ONNX differs by at most {evaluation.parity:.1e}, {gate.bound:g} allowed"


def _latency(gate: policy.Latency, evaluation: Evaluation) -> Said:
    outcome: Outcome = "pass" if evaluation.latency <= gate.bound else "fail"
    return outcome, f"{evaluation.latency:.3g} ms for one row, at most {gate.bound:g} ms needed"


def _said(gate: policy.AnyGate, evaluation: Evaluation) -> Said:
    match gate:
        case policy.Rows():
            return _rows(gate, evaluation)
        case policy.Bound():
            return _bound(gate, evaluation)
        case policy.Baseline():
            return _baseline(gate, evaluation)
        case policy.Champion():
            return _champion(gate, evaluation)
        case policy.SliceBound():
            return _slice(gate, evaluation)
        case policy.Gap():
            return _gap(gate, evaluation)
        case policy.Calibration():
            return _calibration(gate, evaluation)
        case policy.Parity():
            return _parity(gate, evaluation)
        case policy.Latency():
            return _latency(gate, evaluation)


def decide(settings: config.Config, evaluation: Evaluation) -> record.Decision:
    """The decision record; a gate of severity `warn` never blocks."""
    verdicts = []
    for gate in settings.gates:
        outcome, reason = _said(gate, evaluation)
        if outcome == "fail" and gate.severity == "warn":
            outcome = "warn"
        verdicts.append(Verdict(gate=gate.model_dump(), outcome=outcome, reason=reason))
    rules = files.sha256("\n".join(gate.model_dump_json() for gate in settings.gates).encode())
    return record.Decision(
        passed=all(verdict.outcome != "fail" for verdict in verdicts),
        policy=rules,
        gates=tuple(verdicts),
        evaluation=evaluation,
    )


def title(verdict: Verdict) -> str:
    """A gate's name: its kind with the slice and the metric that it reads."""
    named = [str(verdict.gate[key]) for key in ("kind", "slice", "metric") if key in verdict.gate]
    return " ".join(named)


def run(settings: config.Config, build: Path) -> str:
    """Write `decision.json` under `build`, then raise InputError when the candidate is refused."""
    evaluation = record.evaluation(build / "evaluation.json")
    if evaluation.task != settings.task:
        raise InputError(
            f"build/evaluation.json is of {evaluation.task}, not {settings.task}; run `make evaluate` again."
        )
    decision = decide(settings, evaluation)
    files.write(build / "decision.json", record.dump(decision))
    failed = [f"{title(verdict)} ({verdict.reason})" for verdict in decision.gates if verdict.outcome == "fail"]
    if failed:
        gates = "1 gate" if len(failed) == 1 else f"{len(failed)} gates"
        raise InputError(f"{evaluation.origin.version} is refused by {gates}: {'; '.join(failed)}.")
    counts = {kind: sum(v.outcome == kind for v in decision.gates) for kind in ("pass", "warn", "skipped")}
    return f"{evaluation.origin.version} passes: " + ", ".join(f"{n} {kind}" for kind, n in counts.items() if n)
