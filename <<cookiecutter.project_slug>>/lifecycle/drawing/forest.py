"""Draws how far the candidate is from the champion, and where each metric stands between its bounds."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from lifecycle.documents.record import Decision, Evaluation, Measure
from lifecycle.drawing import marks
from lifecycle.drawing.marks import Scale
from lifecycle.tasks import SHARED, label, unit

FAR = 50  # times what else is drawn: a row that is farther out ends in an arrow


def _bounds(decision: Decision, *kinds: str) -> dict[str, list[tuple[str, float]]]:
    """What gates of these kinds allow, by metric."""
    found: dict[str, list[tuple[str, float]]] = {}
    for verdict in decision.gates:
        kind, metric = verdict.gate.get("kind"), verdict.gate.get("metric")
        allowed = verdict.gate.get("margin" if kind == "champion" else "bound")
        if kind in kinds and metric is not None and isinstance(allowed, int | float):
            found.setdefault(str(metric), []).append((str(kind), float(allowed)))
    return found


def reach(known: Sequence[Measure], margins: Sequence[float]) -> float:
    """How far the axis goes on either side: as far as margins and rows, but for rows that are far beyond the others."""
    far = sorted(max(abs(one.low), abs(one.high)) for one in known)
    found = 1.2 * max(margins, default=0.0) or far[(len(far) - 1) // 4]
    for extent in far:
        if extent > FAR * found > 0:
            break
        found = max(found, 1.1 * extent)
    return found or 1.0


def turned(measure: Measure, sign: int) -> Measure:
    """A difference with better on the right."""
    if sign > 0:
        return measure
    return Measure(value=0 - measure.value, low=0 - measure.high, high=0 - measure.low)


def _judged(measure: Measure) -> str:
    if measure.low <= 0 <= measure.high:
        return "no difference beyond noise"
    return "better" if measure.value > 0 else "worse"


def differences(decision: Decision) -> Iterator[str]:
    """Candidate minus champion, a chart for each unit; right is better."""
    evaluation = decision.evaluation
    known = evaluation.champion.differences if evaluation.champion else {}
    margins, units = _bounds(decision, "champion"), dict.fromkeys(map(unit, known))
    for own in units:
        yield _panel(evaluation, {name: one for name, one in known.items() if unit(name) == own}, margins, own)


def _panel(
    evaluation: Evaluation, known: Mapping[str, Measure], margins: Mapping[str, list[tuple[str, float]]], own: str
) -> str:
    better = {name: turned(one, evaluation.sign(name)) for name, one in known.items()}
    allowed = [margin for name in known for _, margin in margins.get(name, ())]
    end = reach(list(better.values()), allowed)
    scale = Scale(-end, end)
    rows = []
    for name, one in better.items():
        own_margins = [margin for _, margin in margins.get(name, ())]
        lines = [marks.line(scale, -margin, "margin") for margin in own_margins]
        drawn = marks.cell(
            marks.line(scale, 0, "zero"), *lines, marks.point(scale, one.low, one.value, one.high, "candidate")
        )
        side = "" if evaluation.sign(name) > 0 else '<span class="note"> lower is better: turned</span>'
        said = f"{known[name].signed} {_judged(one)}" + "".join(f", margin {margin:g}" for margin in own_margins)
        rows.append((escape(label(name)) + side, drawn, escape(said)))
    foot = ("", marks.axis(scale, marks.ticks(scale), "+"), f'<span class="note">{escape(own)}</span>')
    entries = [("candidate", f"difference, {evaluation.level * 100:g} % interval"), ("zero", "no difference")]
    entries += [("margin", "margin: how much worse a gate allows")] * bool(allowed)
    entries += [("arrow", "beyond the axis, the number is beside it")] * any(
        scale.beyond(at) for one in better.values() for at in (one.low, one.high)
    )
    head = ("metric", "← worse than the champion · better →", "candidate - champion")
    return marks.table(
        f"Candidate - champion on the same rows ({own}), better to the right", head, rows, foot, marks.legend(*entries)
    )


def levels(decision: Decision) -> Iterator[str]:
    """Where the metrics that are shares stand, beside the champion's and the bounds of gates."""
    evaluation = decision.evaluation
    known = {name: one for name, one in evaluation.metrics.items() if name in SHARED}
    before = evaluation.champion.metrics if evaluation.champion else {}
    bounds, scale, rows = _bounds(decision, "floor", "ceiling"), Scale(0, 1), []
    for name, one in known.items():
        shapes = [marks.line(scale, bound, "margin") for _, bound in bounds.get(name, ())]
        if old := before.get(name):
            shapes.append(marks.point(scale, old.low, old.value, old.high, "champion", 22))
        height = 9 if old else marks.HEIGHT // 2
        shapes.append(marks.point(scale, one.low, one.value, one.high, "candidate", height))
        side = "" if evaluation.sign(name) > 0 else '<span class="note"> lower is better</span>'
        said = str(one) + "".join(
            f", {'at least' if kind == 'floor' else 'at most'} {bound:g}" for kind, bound in bounds.get(name, ())
        )
        rows.append((escape(label(name)) + side, marks.cell(*shapes), escape(said)))
    if not rows:
        return
    foot = ("", marks.axis(scale, marks.ticks(scale)), '<span class="note">share</span>')
    entries = [("candidate", f"candidate, {evaluation.level * 100:g} % interval")]
    entries += [("champion", "champion")] * bool(before)
    entries += [("margin", "floor or ceiling of a gate")] * any(name in bounds for name in known)
    yield marks.table("Where each share stands", ("metric", "0 to 1", "candidate"), rows, foot, marks.legend(*entries))
