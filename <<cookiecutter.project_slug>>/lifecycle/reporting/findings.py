"""The monitor's report, section by section, as Markdown for an issue and as a page."""

from collections.abc import Sequence

from lifecycle.documents import trends
from lifecycle.documents.summary import Summary, Window
from lifecycle.drawing import monitored
from lifecycle.reporting import advice, charts, pages, shifts, track
from lifecycle.reporting.pages import Section, Table
from lifecycle.tasks import label, sign

BLIND = (
    "The estimate needs no labels. It sees when inputs become harder to predict from, but not when they come to mean "
    "something else (concept drift). Only labels show that: compare the estimate with realised values as they arrive."
)
ERROR = "± is the standard error of so many rows and, of an estimate, of the reference's that taught it."
BY = {
    "nannyml": f"NannyML estimated these; {ERROR}",
    "own": f"The template's own estimator made these; {ERROR}",
}
GROUPS = (
    "The slices of evaluate.slices, by the template's own estimator. Bounds come from each part's reference windows, "
    "and are so wide that all parts together raise no more false alerts than all rows do."
)
NAMED = 10  # series at the head of a report
WHOLE = "build/monitor/report.html"


def blind(summary: Summary) -> bool:
    """Whether an alert that does not come says little: no estimate beats a constant, and no window has labels."""
    realised = any(window.kind == "realised" and not window.reference for window in summary.windows)
    return summary.track is not None and summary.track.blind and not realised


def verdict(summary: Summary) -> str:
    quiet = "⚪ No alert, which says little" if blind(summary) else "✅ No alert"
    return f"{'🔔 Alert' if summary.alert else quiet}: {summary.name} {summary.version}"


def setting(summary: Summary) -> list[str]:
    """What to do next, what was read, when it alerts, and the warnings."""
    log, rule = summary.log, summary.rule
    held = [f"{entry.kind} {trends.shown(entry)}" for entry in summary.alerts if entry.holds]
    held = [*held[:NAMED], f"and {len(held) - NAMED} more"] if len(held) > NAMED else held
    sampled = f" Larger windows were sampled to {summary.sampled:,} rows." if summary.sampled else ""
    return [
        advice.following(summary, blind(summary)),
        *([f"Out of bounds: {', '.join(held)}."] if held else []),
        f"{log.rows:,} predictions were logged, {log.labelled:,} of them have a label.{sampled} An alert is raised "
        f"when {rule.windows} of the last {rule.of} windows are worse than their bound.",
        *(f"The whole report: {address}" for address in summary.kept),
        *track.warnings(summary.track),
        *summary.warnings,
    ]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _moment(end: str | None) -> str:
    return (end or "")[:16].replace("T", " ")


def _alerts(summary: Summary) -> Section:
    rows = [
        (
            "🔔 alert" if entry.holds else "quiet",
            entry.kind,
            trends.shown(entry),
            f"{entry.windows} of {summary.rule.of}",
            _moment(entry.raised) or "never",
        )
        for entry in sorted(summary.alerts, key=lambda entry: (not entry.holds, entry.kind == "quality"))
        if entry.holds or entry.raised or not (entry.kind == "quality" or entry.slice)
    ]
    never = [entry for entry in summary.alerts if not entry.raised]
    quiet, calm = (sum(one.kind == "quality" for one in never), sum(one.slice is not None for one in never))
    lines = [f"{quiet} other data-quality measures never raised an alert."] if quiet else []
    lines += [f"{calm} other measures of slices never raised an alert."] if calm else []
    return Section("Alerts", lines, [Table(("", "kind", "series", "windows out of bounds", "last raised"), rows, True)])


def _latest(windows: Sequence[Window]) -> tuple[str, str, str, str, str]:
    """Reference, latest value, bounds, end and state of a series."""
    last = windows[-1]
    return (
        _number(trends.usual(windows)),
        (_number(last.value) or "undefined")
        + (f" ± {last.error:.2g}" if last.error is not None else "")
        + (f", {last.labelled:.0%} of its rows have labels" if last.labelled is not None else ""),
        f"{_number(last.low)} to {_number(last.high)}",
        _moment(last.end),
        "out of bounds" if last.outside else "",
    )


def _performance(summary: Summary) -> Section:
    rows, charts, said = list[tuple[str, ...]](), list[str](), list[str]()
    for kind in ("estimated", "realised"):
        for metric, windows in trends.of(summary, kind).items():
            rows.append((kind, label(metric), *_latest(windows)))
            if metric in summary.rule.metrics and (drawn := _chart(metric, kind, windows)):
                charts.append(drawn)
            odd = windows[-1].unlike
            if kind == "estimated" or metric not in trends.of(summary, "estimated"):
                said += track.measured(summary.track, metric)
            said += [f"Labels of the latest window do not look like its rows: {', '.join(odd)}."] if odd else []
    head = ("", "metric", "reference", "latest window", "bounds", "until", "")
    return Section(
        "Performance", [BY[summary.estimator], BLIND, *dict.fromkeys(said)], [Table(head, rows)] if rows else [], charts
    )


def _chart(metric: str, kind: str, windows: Sequence[Window]) -> str:
    """The last windows of a metric as bars, with its worse bound as a line; nothing if no window has both."""
    last = [window for window in windows if window.value is not None and trends.bound(window) is not None]
    last = last[-charts.LABELS :]
    if not last:
        return ""
    title = f"{label(metric)}, {kind} (line: {'lower' if sign(metric) > 0 else 'upper'} bound)"
    labels, values = [window.end[:10] for window in last], [window.value or 0.0 for window in last]
    bounds = [trends.bound(window) or 0.0 for window in last]
    return charts.xychart(title, labels, values, [bounds], axis=label(metric), zero=False)


def _slices(summary: Summary) -> Section:
    """Each part of a slice with windows of the log, those out of bounds first."""
    found = []
    for (name, part, kind, metric), windows in trends.sliced(summary).items():
        own = [window for window in windows if not window.reference]
        if own:
            usual, value, _, until, state = _latest(windows)
            bound = _number(trends.bound(own[-1]))
            outside = sum(window.outside for window in own)
            cells = (
                name,
                part,
                f"{kind} {label(metric)}",
                usual,
                f"{value}, {own[-1].rows:,} rows",
                bound,
                until,
                state,
            )
            found.append(((not own[-1].outside, -outside), (*cells, f"{outside} of {len(own)}")))
    rows = [cells for _, cells in sorted(found, key=lambda one: one[0])]
    head = ("slice", "part", "", "reference", "latest window", "bound", "until", "", "windows out of bounds")
    return Section("Slices", [GROUPS], [Table(head, rows)] if rows else [])


def _outputs(summary: Summary) -> Section:
    rows = [(name, *_latest(windows)[:2]) for name, windows in trends.of(summary, "output").items()]
    return Section("Outputs", tables=[Table(("mean of", "reference", "latest window"), rows)] if rows else [])


def _log(summary: Summary) -> Section:
    log = summary.log
    lines = [
        f"Read: {log.rows:,} rows. Skipped: {log.repeated:,} duplicates, {log.unreadable:,} unreadable lines, "
        f"{log.future:,} rows from the future, {log.damaged:,} damaged files, {log.odd:,} labels.",
        f"Doubtful: {log.reused:,} rows under a used request id, {log.ahead:,} with a time after their answer.",
        f"Labels for no answer of this version in this log: {log.unmatched:,}.",
    ]
    if log.impossible or log.late:
        lines.append(f"In no window: {log.impossible:,} answers that the model cannot give, {log.late:,} late rows.")
    if log.versions:
        lines.append(f"Other versions in the log: {', '.join(log.versions)}.")
    return Section("Log", lines)


def sections(summary: Summary) -> list[Section]:
    """Every section, always in the same order."""
    return [
        _alerts(summary),
        _performance(summary),
        _slices(summary),
        track.section(summary.track),
        _outputs(summary),
        shifts.drift(summary),
        shifts.quality(summary),
        _log(summary),
    ]


def markdown(summary: Summary) -> str:
    """The report for an issue's body."""
    whole = pages.plain((*summary.kept, WHOLE)[0])
    return pages.markdown(verdict(summary), setting(summary), sections(summary), whole)


def page(summary: Summary) -> str:
    """The report as one self-contained HTML page."""
    return pages.page(
        verdict(summary),
        setting(summary),
        sections(summary),
        monitored.sections(summary),
        not (summary.alert or blind(summary)),
    )
