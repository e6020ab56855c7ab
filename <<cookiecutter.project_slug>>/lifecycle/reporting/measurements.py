"""The sections of a report on the measurements in a decision."""

from collections.abc import Iterable, Iterator

from lifecycle.documents import record
from lifecycle.documents.record import Evaluation, Measure
from lifecycle.reporting import charts
from lifecycle.reporting.pages import Section, Table
from lifecycle.tasks import METRICS, label, unit

NAMED = 5  # parts of slices


def _shown(measure: Measure | None) -> str:
    return "undefined" if measure is None else str(measure)


def value(measures: dict[str, Measure], metric: str) -> str:
    return f"{measures[metric].value:.4g}" if metric in measures else "undefined"


def _bars(evaluation: Evaluation) -> list[str]:
    """A chart of the first metric of every model and slice."""
    metric = METRICS[evaluation.task][0]
    champion = {"champion": evaluation.champion.metrics} if evaluation.champion else {}
    places = {"candidate": evaluation.metrics, **champion, "baseline": evaluation.baseline}
    places |= {f"{part.column} {part.part}": part.metrics for part in evaluation.slices}
    found = {name: measures[metric] for name, measures in places.items() if metric in measures}
    if not found:
        return []
    return [
        charts.xychart(
            f"{label(metric)} from 0; the tables have the intervals",
            list(found),
            [point.value for point in found.values()],
            axis=f"{label(metric)} ({unit(metric)})",
        )
    ]


def metrics(decision: record.Decision) -> Section:
    """Every metric of candidate, champion and baseline."""
    evaluation = decision.evaluation
    champion = evaluation.champion
    head = ["metric", "candidate", *(["champion", "candidate - champion"] if champion else []), "baseline"]
    rows = []
    for metric in evaluation.measured:
        row = [label(metric), _shown(evaluation.metrics.get(metric))]
        if champion:
            difference = champion.differences.get(metric)
            row += [
                _shown(champion.metrics.get(metric)),
                difference.signed if difference else "undefined",
            ]
        rows.append([*row, value(evaluation.baseline, metric)])
    return Section("Metrics", tables=[Table(head, rows)], charts=_bars(evaluation))


def slices(decision: record.Decision) -> Section:
    """The gated metrics of each part of each slice, and fairness between groups."""
    evaluation = decision.evaluation
    if not evaluation.slices:
        return Section("Slices", ["config.yaml names no slices."])
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
    tables = [Table(("slice", "part", "rows", *map(label, metrics)), rows)]
    lines = list(_without(evaluation, metrics))
    for part in evaluation.fairness:
        differences = ", ".join(f"{label(name)} {value:.4g}" for name, value in part.differences.items())
        lines.append(
            f"Fairness between groups of {part.column} with at least {part.smallest:,} rows: "
            f"{differences or 'fewer than two are large enough to compare'}."
        )
        rates = list(part.groups[0].rates)
        groups = [
            (group.part, f"{group.rows:,}", *(f"{group.rates[rate]:.4g}" for rate in rates)) for group in part.groups
        ]
        tables.append(Table((part.column, "rows", *map(label, rates)), groups))
    return Section("Slices", lines, tables)


def _without(evaluation: Evaluation, metrics: Iterable[str]) -> Iterator[str]:
    """Which parts are not drawn, as they have no value."""
    for metric in metrics:
        lacking = [f"{part.column} {part.part}" for part in evaluation.slices if metric not in part.metrics]
        if lacking:
            named = ", ".join(lacking[:NAMED]) + " and others" * (len(lacking) > NAMED)
            yield (
                f"{len(lacking)} of {len(evaluation.slices)} parts have no {label(metric)}, too few rows or one class "
                f"alone: {named}."
            )


def calibration(decision: record.Decision) -> Section:
    """How reliable probabilities are, which classes are confused, how large residuals are."""
    evaluation = decision.evaluation
    lines, tables, drawn = [], [], []
    if bins := evaluation.calibration:
        lines.append(f"Expected calibration error: {evaluation.calibration_error:.4f}.")
        rows = [(f"{part.predicted:.3f}", f"{part.observed:.3f}", f"{part.rows:,}") for part in bins]
        tables.append(Table(("predicted probability", "observed share", "rows"), rows))
        drawn.append(
            charts.xychart(
                "Calibration: bars are observed shares, the line is predicted probabilities",
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
        tables.append(Table(("earlier half within the band", "band", "later half within the band"), bands))
    return Section("Calibration", lines, tables, drawn)


def explanation(decision: record.Decision) -> Section:
    """Which features the model depends on."""
    evaluation = decision.evaluation
    found = evaluation.importance
    if not found:
        return Section("Explanation", ["Not measured."])
    metric = label(METRICS[evaluation.task][0])
    rows = [(name, f"{part.mean:.4f} ± {part.deviation:.4f}") for name, part in found.items()]
    chart = charts.xychart(
        f"Loss of {metric} when a feature is shuffled",
        list(found),
        [part.mean for part in found.values()],
        axis=f"loss of {metric}",
        horizontal=True,
    )
    lines = [
        f"Exact SHAP values of {len(evaluation.shap[0].values)} rows, permutation importance and partial dependence."
        if evaluation.shap
        else "Permutation importance and partial dependence; the estimator has no exact SHAP values."
    ]
    table = Table(("feature", f"permutation importance, {metric}"), rows)
    return Section("Explanation", lines, [table], charts=[chart])


def data(decision: record.Decision) -> Section:
    """The training and test data."""
    evaluation = decision.evaluation
    data = evaluation.data
    if data is None:
        return Section("Data", ["Not measured."])
    targets = list(data.train.target)
    periods = [
        (name, span, f"{part.rows:,}", *(f"{part.target[key]:.4g}" for key in targets))
        for name, span, part in (
            ("train", evaluation.origin.rows("train"), data.train),
            ("test", evaluation.origin.rows("test"), data.test),
        )
    ]
    features = [
        (name, f"{column.drift:.3f}", f"{column.missing_train:.1%}", f"{column.missing_test:.1%}")
        for name, column in sorted(data.features.items(), key=lambda item: -item[1].drift)
    ]
    return Section(
        "Data",
        ["Drift is the Jensen-Shannon distance between training and test rows: 0 identical, 1 nothing in common."],
        [
            Table(("", "period", "rows", *(f"target {key}" for key in targets)), periods),
            Table(("feature", "drift", "missing in train", "missing in test"), features),
        ],
    )


def cost(decision: record.Decision) -> Section:
    """The latency and size of the served model."""
    evaluation = decision.evaluation
    rows = [("one row", f"{evaluation.latency:.3g} ms")]
    if evaluation.batch:
        rows.append((f"{evaluation.batch.rows:,} rows at once", f"{evaluation.batch.milliseconds:.3g} ms"))
    if evaluation.origin.seconds is not None:
        rows.append(("to fit the estimator", f"{evaluation.origin.seconds:.3g} s"))
    rows += [
        ("size of the served model", f"{evaluation.bytes / 1000:,.0f} kB"),
        ("largest difference between the served model and scikit-learn", f"{evaluation.parity:.1e}"),
    ]
    served = f"Served with {evaluation.runtime}" if evaluation.runtime else ""
    lines = [f"{served}, because {evaluation.not_onnx}." if evaluation.not_onnx else f"{served}."] if served else []
    return Section("Cost", lines, [Table(("served model", "median"), rows)])
