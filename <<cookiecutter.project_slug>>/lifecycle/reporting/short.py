"""A decision in plain words, for somebody who has one minute: each number in them stands in the record."""

from collections.abc import Iterable, Iterator

from lifecycle.documents import record
from lifecycle.documents.record import Evaluation, Measure, Origin
from lifecycle.tasks import METRICS, label

NAMED = 3  # groups of rows, on each side
OFTEN = 0.05  # of equal models refused, from which it is said


def lines(decision: record.Decision) -> list[str]:
    """What changed, whether it is better, for whom, what the gates can see, and what it costs."""
    evaluation = decision.evaluation
    champion = evaluation.champion
    served = f"{evaluation.latency:.3g} ms for one row, {evaluation.bytes:,} bytes to serve"
    cost = f"What it costs: {_trained(evaluation)}{served}."
    if champion is None:
        return ["What changed: this is the first model, there is none to compare it with.", cost]
    found = [f"What changed: {', '.join(_changed(evaluation.origin, champion)) or 'nothing that the record names'}."]
    if champion.unanswered:
        return [*found, f"Better or worse: unknown, {champion.origin.version} cannot answer these rows.", cost]
    measured = dict.fromkeys([METRICS[evaluation.task][0], *_compared(decision)])
    sides = _sides(evaluation, ((label(name), name, champion.differences.get(name)) for name in measured))
    found.append(f"Better or worse than {champion.origin.version}: {_told(*sides, 'metric')}.")
    if champion.slices:
        metric = METRICS[evaluation.task][0]
        groups = ((f"{one.column} {one.part}", metric, one.metrics.get(metric)) for one in champion.slices)
        found.append(f"For whom, by {label(metric)}: {_told(*_sides(evaluation, groups), 'group')}.")
    found += _seen(decision)
    return [*found, cost]


def merge(decision: record.Decision) -> list[str]:
    """What the merge of its pull request does, and how that is undone."""
    if decision.refused:
        gates = [verdict.title for verdict in decision.gates if verdict.outcome in record.BLOCKING]
        return [f"On merge: it cannot be merged, as these gates refuse it: {_first(gates)}."]
    return [
        "On merge: if it changes what trains, CI trains it again, refuses other metrics than these, and offers it to "
        "the first environment. Production changes with a merge of its own.",
        "To undo it: revert the merge; where it is released by then, roll the environment back.",
    ]


def _changed(new: Origin, champion: record.Champion) -> Iterator[str]:
    old, code = champion.origin, champion.code
    if (new.data, new.train, new.draw) != (old.data, old.train, old.draw):
        yield "data"
    if set(new.features) != set(old.features):
        yield "features"
    names = [
        name for name in {**new.parameters, **old.parameters} if new.parameters.get(name) != old.parameters.get(name)
    ]
    if names:
        yield f"parameters ({_first(names)})"
    if new.lock != old.lock:
        yield "packages"
    if code and code.changed:
        yield f"code ({code.changed:,} files in {code.commits:,} commits)"


def _trained(evaluation: Evaluation) -> str:
    """How long training took, beside the champion's."""
    seconds = evaluation.origin.seconds
    if seconds is None:
        return ""
    before = evaluation.champion.origin.seconds if evaluation.champion else None
    return f"{seconds:.3g} s to train{f' (before: {before:.3g} s)' if before is not None else ''}, "


def _compared(decision: record.Decision) -> list[str]:
    """The metrics by which gates compare with the champion."""
    return [str(verdict.gate["metric"]) for verdict in decision.gates if verdict.gate["kind"] == "champion"]


def _seen(decision: record.Decision) -> Iterator[str]:
    """What the gates that compare with the champion can see with these test rows."""
    seen = [
        f"{label(str(verdict.gate['metric']))} worse by {verdict.power.sees:.3g}"
        for verdict in decision.gates
        if verdict.gate["kind"] == "champion" and verdict.power
    ]
    often = "; so few test rows that they often refuse equal models" * ((decision.refuses or 0) > OFTEN)
    if seen:
        yield f"What the gates can see: {', '.join(seen)}{often}."


def _sides(
    evaluation: Evaluation, found: Iterable[tuple[str, str, Measure | None]]
) -> tuple[list[str], list[str], list[str]]:
    """What is better, worse and not told apart, the largest differences first."""
    better, worse, alike = [], [], []
    for name, metric, difference in found:
        if difference is None:
            continue
        ends = sorted((abs(difference.low), abs(difference.high)))
        said = f"{name} by {abs(difference.value):.3g} ({ends[0]:.3g} to {ends[1]:.3g})"
        if difference.low <= 0 <= difference.high:
            alike.append((0.0, name))
        elif evaluation.sign(metric) * difference.value > 0:
            better.append((-abs(difference.value), said))
        else:
            worse.append((-abs(difference.value), said))
    one, two, three = ([said for _, said in sorted(side)] for side in (better, worse, alike))
    return one, two, three


def _told(better: list[str], worse: list[str], alike: list[str], what: str) -> str:
    """The sides in words, with the first of each by name."""
    said = [f"{word} in {_first(side)}" for word, side in (("worse", worse), ("better", better)) if side]
    if alike or not said:
        said.append(f"no {'other ' if said else ''}{what} differs beyond noise")
    return "; ".join(said)


def _first(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + " and others" * (len(names) > NAMED)
