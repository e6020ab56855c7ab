"""What a report says of a decision, section by section, whichever way it is rendered."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from model import charts, gate, record
from model.record import Evaluation, Measure
from model.tasks import METRICS

SIGNS = {"pass": "✅", "fail": "❌", "warn": "⚠️", "skipped": "⏭️"}


@dataclass(frozen=True)
class Table:
    """Rows of text under a head; `whole` when no row may be cut to save space."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    whole: bool = False


@dataclass(frozen=True)
class Section:
    """A part of the report: sentences, then tables, then charts as Mermaid text."""

    title: str
    lines: Sequence[str] = ()
    tables: Sequence[Table] = ()
    charts: Sequence[str] = field(default=())


def _shown(measure: Measure | None) -> str:
    return "undefined" if measure is None else gate.shown(measure)


def _value(measures: dict[str, Measure], metric: str) -> str:
    return f"{measures[metric].value:.4g}" if metric in measures else "undefined"


def verdict(decision: record.Decision) -> str:
    """The decision in one line."""
    evaluation = decision.evaluation
    sign, word = ("✅", "Accepted") if decision.passed else ("❌", "Refused")
    return f"{sign} {word}: {evaluation.name} {evaluation.origin.version}"


def setting(evaluation: Evaluation) -> list[str]:
    """On what the decision rests."""
    begin, end = evaluation.origin.test
    against = evaluation.champion
    return [
        f"{evaluation.rows:,} test rows, {begin} until {end}; intervals at {evaluation.level * 100:g} %. "
        + (
            f"The champion is {against.origin.version}, compared on the same rows."
            if against
            else "There is no champion: comparisons were skipped."
        )
    ]


def _gates(decision: record.Decision) -> Section:
    evaluation = decision.evaluation
    rows = []
    for verdict in decision.gates:
        metric = str(verdict.gate.get("metric", ""))
        measured = metric in METRICS[evaluation.task] and "slice" not in verdict.gate
        champion = evaluation.champion.metrics if evaluation.champion else {}
        rows.append(
            (
                f"{SIGNS[verdict.outcome]} {verdict.outcome}",
                gate.title(verdict) + (" (warns only)" if verdict.gate.get("severity") == "warn" else ""),
                verdict.found,
                _value(champion, metric) if measured and champion else "",
                _value(evaluation.baseline, metric) if measured else "",
                verdict.needed,
            )
        )
    return Section("Gates", tables=[Table(("", "gate", "candidate", "champion", "baseline", "needed"), rows, True)])


def _listed(names: Iterable[str], total: int) -> str:
    shown = list(names)
    return ", ".join(shown) + (f" and {total - len(shown)} more" if total > len(shown) else "")


def _changes(decision: record.Decision) -> Section:
    """What differs from the champion in data, features, parameters, packages and code."""
    champion = decision.evaluation.champion
    if champion is None:
        return Section("Changes", ["There is no champion to compare with."])
    new, old = decision.evaluation.origin, champion.origin
    periods = " until ".join(new.train), " until ".join(old.train)
    lines = [
        "Data: the same file." if new.data == old.data else f"Data: file {new.data[:12]}, was {old.data[:12]}.",
        f"Trained on {periods[0]}" + (", as before." if periods[0] == periods[1] else f", was {periods[1]}."),
    ]
    added = [name for name in new.features if name not in old.features]
    removed = [name for name in old.features if name not in new.features]
    features = [f"{word} {', '.join(names)}" for word, names in (("added", added), ("removed", removed)) if names]
    lines.append(f"Features: {'; '.join(features) or 'the same'}.")
    names = dict.fromkeys([*new.parameters, *old.parameters])
    parameters = [
        f"{name} {new.parameters.get(name, 'unset')}, was {old.parameters.get(name, 'unset')}"
        for name in names
        if new.parameters.get(name, "unset") != old.parameters.get(name, "unset")
    ]
    lines.append(f"Parameters: {'; '.join(parameters) or 'the same'}.")
    lines.append(f"Packages: {'the same' if new.lock == old.lock else 'another lock file'}.")
    if champion.code is None:
        lines.append("Code: unknown, because this clone does not have the champion's commit.")
    elif champion.code.changed == 0:
        lines.append("Code: the same.")
    else:
        code = champion.code
        lines.append(f"Code: {code.changed} files in {code.commits} commits: {_listed(code.files, code.changed)}.")
        lines.append(f"Commits: {_listed(code.subjects, code.commits)}.")
    return Section("Changes", lines)


def _intervals(evaluation: Evaluation) -> list[str]:
    """The first metric of every model and slice, with the ends of its interval."""
    metric = METRICS[evaluation.task][0]
    champion = {"champion": evaluation.champion.metrics} if evaluation.champion else {}
    places = {"candidate": evaluation.metrics, **champion, "baseline": evaluation.baseline}
    places |= {f"{part.column} {part.part}": part.metrics for part in evaluation.slices}
    found = {name: measures[metric] for name, measures in places.items() if metric in measures}
    if not found:
        return []
    points = list(found.values())
    return [
        charts.xychart(
            f"{metric}: bars, with lines through the ends of their intervals",
            list(found),
            [point.value for point in points],
            [[point.low for point in points], [point.high for point in points]],
            axis=metric,
            zero=False,
        )
    ]


def _metrics(decision: record.Decision) -> Section:
    evaluation = decision.evaluation
    champion = evaluation.champion
    head = ["metric", "candidate", *(["champion", "candidate - champion"] if champion else []), "baseline"]
    rows = []
    for metric in METRICS[evaluation.task]:
        row = [metric, _shown(evaluation.metrics.get(metric))]
        if champion:
            difference = champion.differences.get(metric)
            row += [
                _shown(champion.metrics.get(metric)),
                gate.change(difference) if difference else "undefined",
            ]
        rows.append([*row, _value(evaluation.baseline, metric)])
    return Section("Metrics", tables=[Table(head, rows)], charts=_intervals(evaluation))


def _slices(decision: record.Decision) -> Section:
    evaluation = decision.evaluation
    if not evaluation.slices:
        return Section("Slices", ["config.yaml names none."])
    shown = METRICS[evaluation.task][:1] + tuple(
        dict.fromkeys(
            str(verdict.gate["metric"]) for verdict in decision.gates if verdict.gate["kind"] in ("slice", "gap")
        )
    )
    metrics = dict.fromkeys(shown)
    rows = [
        (part.column, part.part, f"{part.rows:,}", *(_shown(part.metrics.get(metric)) for metric in metrics))
        for part in evaluation.slices
    ]
    tables = [Table(("slice", "part", "rows", *metrics), rows)]
    lines = []
    for part in evaluation.fairness:
        differences = ", ".join(f"{name} {value:.4g}" for name, value in part.differences.items())
        lines.append(
            f"Fairness between groups of {part.column} with at least {part.smallest:,} rows: "
            f"{differences or 'fewer than two are large enough to compare'}."
        )
        rates = list(part.groups[0].rates)
        groups = [
            (group.part, f"{group.rows:,}", *(f"{group.rates[rate]:.4g}" for rate in rates)) for group in part.groups
        ]
        tables.append(Table((part.column, "rows", *rates), groups))
    return Section("Slices", lines, tables)


def _calibration(decision: record.Decision) -> Section:
    evaluation = decision.evaluation
    lines, tables, drawn = [], [], []
    if bins := evaluation.calibration:
        lines.append(f"Expected calibration error: {gate.calibration_error(evaluation):.4f}.")
        rows = [(f"{part.predicted:.3f}", f"{part.observed:.3f}", f"{part.rows:,}") for part in bins]
        tables.append(Table(("predicted probability", "observed share", "rows"), rows))
        drawn.append(
            charts.xychart(
                "Calibration: bars are what came true, the line what was predicted",
                [f"{part.predicted:.2f}" for part in bins],
                [part.observed for part in bins],
                [[part.predicted for part in bins]],
                axis="share",
            )
        )
    if evaluation.confusion:
        names = evaluation.classes
        counts = [
            (name, *(f"{count:,}" for count in row)) for name, row in zip(names, evaluation.confusion, strict=True)
        ]
        tables.append(Table(("truth, predicted as", *names), counts))
    if residuals := evaluation.residuals:
        quantiles = [(f"{float(at) * 100:g} %", f"{value:.4g}") for at, value in residuals.quantiles.items()]
        tables.append(Table(("quantile of truth - prediction", ""), quantiles))
        bands = [(f"{c.nominal:.0%}", f"± {c.width:.4g}", f"{c.observed:.1%}") for c in residuals.coverage]
        tables.append(Table(("of the earlier half within", "band", "of the later half within"), bands))
    return Section("Calibration", lines, tables, drawn)


def _explanation(decision: record.Decision) -> Section:
    evaluation = decision.evaluation
    found = evaluation.importance
    if not found:
        return Section("Explanation", ["Not measured."])
    metric = METRICS[evaluation.task][0]
    rows = [(name, f"{part.mean:.4f} ± {part.deviation:.4f}") for name, part in found.items()]
    chart = charts.xychart(
        f"Loss of {metric} when a feature is shuffled",
        list(found),
        [part.mean for part in found.values()],
        axis=f"loss of {metric}",
        horizontal=True,
    )
    return Section(
        "Explanation", tables=[Table(("feature", f"permutation importance, {metric}"), rows)], charts=[chart]
    )


def _data(decision: record.Decision) -> Section:
    evaluation = decision.evaluation
    data = evaluation.data
    if data is None:
        return Section("Data", ["Not measured."])
    targets = list(data.train.target)
    periods = [
        (name, " until ".join(span), f"{part.rows:,}", *(f"{part.target[key]:.4g}" for key in targets))
        for name, span, part in (
            ("train", evaluation.origin.train, data.train),
            ("test", evaluation.origin.test, data.test),
        )
    ]
    features = [
        (name, f"{column.drift:.3f}", f"{column.missing_train:.1%}", f"{column.missing_test:.1%}")
        for name, column in sorted(data.features.items(), key=lambda item: -item[1].drift)
    ]
    return Section(
        "Data",
        ["Drift is the Jensen-Shannon distance of the test from the training rows: 0 alike, 1 nothing in common."],
        [
            Table(("", "period", "rows", *(f"target {key}" for key in targets)), periods),
            Table(("feature", "drift", "missing in train", "missing in test"), features),
        ],
    )


def _cost(decision: record.Decision) -> Section:
    evaluation = decision.evaluation
    rows = [("one row", f"{evaluation.latency:.3g} ms")]
    if evaluation.batch:
        rows.append((f"{evaluation.batch.rows:,} rows at once", f"{evaluation.batch.milliseconds:.3g} ms"))
    rows += [
        ("size of the ONNX model", f"{evaluation.bytes / 1000:,.0f} kB"),
        ("largest difference between ONNX and scikit-learn", f"{evaluation.parity:.1e}"),
    ]
    return Section("Cost", tables=[Table(("served model", "median"), rows)])


def _lineage(decision: record.Decision) -> Section:
    evaluation = decision.evaluation
    origins = [evaluation.origin, *([evaluation.champion.origin] if evaluation.champion else [])]
    keys = ("version", "commit", "data", "lock", "model", "run")
    labels = dict(zip(keys, (*keys[:-1], "MLflow run"), strict=True))
    rows = [(labels[key], *(getattr(origin, key) or "none" for origin in origins)) for key in keys]
    rows += [
        (name, *(str(origin.parameters.get(name, "unset")) for origin in origins)) for name in origins[0].parameters
    ]
    rows.append(("gates", decision.policy, *([""] if evaluation.champion else [])))
    commit = evaluation.origin.commit
    again = f"git checkout {commit[:12]} && make pipeline" if commit else "make pipeline"
    lines = [f"To reproduce it: {again}" + (f" CHAMPION=<model of {origins[1].version}>" if len(origins) > 1 else "")]
    if evaluation.origin.dirty:
        lines.append("It was trained with changes that are in no commit.")
    return Section("Lineage", lines, [Table(("", "candidate", *(["champion"] if evaluation.champion else [])), rows)])


SECTIONS: tuple[Callable[[record.Decision], Section], ...] = (
    _gates,
    _changes,
    _metrics,
    _slices,
    _calibration,
    _explanation,
    _data,
    _cost,
    _lineage,
)


def of(decision: record.Decision) -> list[Section]:
    """Every section, always in the same order."""
    return [section(decision) for section in SECTIONS]
