"""Draws each slice of the test rows as a panel of its own, all panels of a metric with the same axis."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from lifecycle.documents.record import Decision, Measure, SlicePart
from lifecycle.drawing import forest, marks
from lifecycle.drawing.marks import Scale
from lifecycle.tasks import METRICS, label, unit

LEAST = 30  # rows of a part that the axis makes room for
MOST = 40  # parts of a panel; the table has all


def drawn(decision: Decision) -> Iterator[str]:
    """A grid of the metric of each part, then one of how far it is from the champion's."""
    evaluation = decision.evaluation
    metric, groups = METRICS[evaluation.task][0], _groups(evaluation.slices)
    bounds = {
        (str(one.gate.get("slice")), str(one.gate.get("metric"))): float(one.gate["bound"])
        for one in decision.gates
        if one.gate.get("kind") == "slice" and isinstance(one.gate.get("bound"), int | float)
    }
    metrics = dict.fromkeys([metric, *(name for column, name in bounds if column in groups)])
    for name in metrics:
        limits = {column: bound for (column, own), bound in bounds.items() if own == name}
        yield _levels(decision, name, groups, limits)
    if evaluation.champion and evaluation.champion.slices:
        yield _differences(decision, metric, _groups(evaluation.champion.slices))


def _groups(parts: Sequence[SlicePart]) -> dict[str, list[SlicePart]]:
    found: dict[str, list[SlicePart]] = {}
    for part in parts:
        found.setdefault(part.column, []).append(part)
    return found


def _levels(
    decision: Decision, metric: str, groups: Mapping[str, Sequence[SlicePart]], limits: Mapping[str, float]
) -> str:
    whole = decision.evaluation.metrics.get(metric)
    known = [part for group in groups.values() for part in group if metric in part.metrics]
    room = [part.metrics[metric] for part in known if part.rows >= LEAST] or [part.metrics[metric] for part in known]
    ends = [end for one in room for end in (one.low, one.high)] + list(limits.values())
    ends += [whole.value] if whole else []
    if not room:
        return ""
    low, high = min(ends), max(ends)
    pad = 0.03 * (high - low) or 0.1 * abs(high) or 1.0
    scale = Scale(low - pad, high + pad)
    said = [("candidate", f"candidate, {decision.evaluation.level * 100:g} % interval")]
    said += [("zero", f"all rows, {whole.value:.4g}")] if whole else []
    said += [("margin", "bound of a gate")] if limits else []
    panels = []
    for column, group in groups.items():
        lines = [marks.line(scale, whole.value, "zero")] if whole else []
        lines += [marks.line(scale, limits[column], "margin")] if column in limits else []
        panels.append(_panel(column, label(metric), scale, [(one, one.metrics.get(metric)) for one in group], lines))
    sided = "higher" if decision.evaluation.sign(metric) > 0 else "lower"
    title = f"{label(metric)} in each part ({unit(metric)}, {sided} is better)"
    return _grid(title, said, panels, scale, [one for one in known if _beyond(scale, one.metrics[metric])])


def _differences(decision: Decision, metric: str, groups: Mapping[str, Sequence[SlicePart]]) -> str:
    sign = decision.evaluation.sign(metric)
    known = [(part, part.metrics[metric]) for group in groups.values() for part in group if metric in part.metrics]
    if not known:
        return ""
    end = forest.reach([one for _, one in known], [])
    scale = Scale(-end, end)
    panels = [
        _panel(
            column,
            "candidate - champion",
            scale,
            [(one, one.metrics.get(metric)) for one in group],
            [marks.line(scale, 0, "zero")],
            sign,
        )
        for column, group in groups.items()
    ]
    turned = "" if sign > 0 else ", turned, as lower is better"
    said = [("candidate", "difference; its interval holds for all parts at once"), ("zero", "no difference")]
    title = f"{label(metric)}: candidate - champion in each part ({unit(metric)}{turned}), better to the right"
    return _grid(title, said, panels, scale, [one for one, found in known if _beyond(scale, found)])


def _beyond(scale: Scale, measure: Measure) -> bool:
    return scale.beyond(measure.low) or scale.beyond(measure.high)


def _panel(
    column: str,
    head: str,
    scale: Scale,
    found: Sequence[tuple[SlicePart, Measure | None]],
    lines: Sequence[str],
    sign: int = 0,
) -> str:
    """The parts of one slice; with a sign they are differences, better to the right."""
    rows = []
    for part, measure in found[:MOST]:
        if measure is None:
            continue
        shown = forest.turned(measure, sign) if sign else measure
        point = marks.point(scale, shown.low, shown.value, shown.high, "candidate")
        name = f'{escape(part.part)} <span class="note">{part.rows:,} rows</span>'
        rows.append((name, marks.cell(*lines, point), escape(measure.signed if sign else str(measure))))
    foot = ("", marks.axis(scale, marks.ticks(scale), "+" if sign else ""), "")
    more = f", the first {MOST} of {len(found)} parts" if len(found) > MOST else ""
    name = f"{column}{more}"
    return marks.table(name, (name, head, "value"), rows, foot, "") if rows else ""


def _grid(
    title: str,
    said: list[tuple[str, str]],
    panels: Sequence[str],
    scale: Scale,
    beyond: Sequence[SlicePart],
) -> str:
    said += [("arrow", "beyond the axis, the number is beside it")] if beyond else []
    return f'<h3>{escape(title)}</h3>{marks.legend(*said)}<div class="grid">{"".join(panels)}</div>'
