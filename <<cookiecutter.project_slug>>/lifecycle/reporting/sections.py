"""The sections of a report on a decision, independent of its format."""

from collections.abc import Callable, Iterable, Sequence

from lifecycle.documents import record
from lifecycle.reporting import measurements, power, short, track, verdict
from lifecycle.reporting.pages import Section, Table

DRAWN = ("The test rows were drawn, not later ones: how the model fares as time goes on was not measured.",)
HIDDEN = "⚠️ The log will not show {} (data.features: log): the monitor cannot see their drift or quality."
ORDER = ("fail", "undecided", "warn", "pass", "skipped")  # of the gates in the report
SIGNS = {"pass": "✅", "fail": "❌", "undecided": "❓", "warn": "⚠️", "skipped": "⏭️"}


def headline(decision: record.Decision) -> str:
    """The decision in one line."""
    sign, word = ("✅", "Accepted") if decision.passed else ("❌", "Refused")
    return f"{sign} {word}: {decision.evaluation.name} {decision.version}"


def setting(decision: record.Decision, after: Sequence[str] = ()) -> list[str]:
    """Why it was decided so, what comes `after`, the decision in plain words, and what it is based on."""
    evaluation = decision.evaluation
    against = evaluation.champion
    return [
        verdict.why(decision),
        *verdict.following(decision),
        *after,
        *short.lines(decision),
        f"{evaluation.rows:,} test rows, {evaluation.origin.rows('test')}; intervals at {evaluation.level * 100:g} %. "
        + (
            f"The champion is {against.origin.version}, "
            + ("which cannot answer these rows." if against.unanswered else "compared on the same rows.")
            if against
            else "There is no champion: comparisons were skipped."
        ),
        *([f"The positive class is {evaluation.classes[1]}."] if len(evaluation.classes) == 2 else []),
        *DRAWN * bool(evaluation.origin.draw),
        *([HIDDEN.format(", ".join(evaluation.hidden))] if evaluation.hidden else []),
        *track.warnings(evaluation.track),
    ]


def _gates(decision: record.Decision) -> Section:
    evaluation = decision.evaluation
    rows = []
    for one in sorted(decision.gates, key=lambda gate: ORDER.index(gate.outcome)):
        metric = str(one.gate.get("metric", ""))
        judged = metric in evaluation.measured and "slice" not in one.gate
        champion = evaluation.champion.metrics if evaluation.champion else {}
        rows.append(
            (
                f"{SIGNS[one.outcome]} {one.outcome}",
                one.title + (" (warning only)" if one.gate.get("severity") == "warn" else ""),
                one.found,
                measurements.value(champion, metric) if judged and champion else "",
                measurements.value(evaluation.baseline, metric) if judged else "",
                one.needed,
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
    periods = new.rows("train"), old.rows("train")
    lines = [
        "Data: the same file." if new.data == old.data else f"Data: file {new.data[:12]}, was {old.data[:12]}.",
        f"Trained on {periods[0]}" + (", as before." if periods[0] == periods[1] else f", was {periods[1]}."),
    ]
    added = [name for name in new.features if name not in old.features]
    removed = [name for name in old.features if name not in new.features]
    features = [f"{word} {', '.join(names)}" for word, names in (("added", added), ("removed", removed)) if names]
    lines.append(f"Features: {'; '.join(features) or 'the same'}.")
    lines += [f"Callers: {change}." for change in (*champion.requests.breaks, *champion.requests.other)]
    names = dict.fromkeys([*new.parameters, *old.parameters])
    parameters = [
        f"{name} {new.parameters.get(name, 'unset')}, was {old.parameters.get(name, 'unset')}"
        for name in names
        if new.parameters.get(name, "unset") != old.parameters.get(name, "unset")
    ]
    lines.append(f"Parameters: {'; '.join(parameters) or 'the same'}.")
    lines.append(f"Packages: {'the same' if new.lock == old.lock else 'another lock file'}.")
    if champion.code is None:
        lines.append("Code: unknown, because this clone lacks the champion's commit.")
    elif champion.code.changed == 0:
        lines.append("Code: the same.")
    else:
        code = champion.code
        lines.append(f"Code: {code.changed} files in {code.commits} commits: {_listed(code.files, code.changed)}.")
        lines += [f"Commits: {_listed(code.subjects, code.commits)}."] * bool(code.commits)
    return Section("Changes", lines)


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
    command = f"git checkout {commit[:12]} && make pipeline" if commit else "make pipeline"
    lines = [f"To reproduce it: {command}" + (f" CHAMPION=<model of {origins[1].version}>" if len(origins) > 1 else "")]
    if evaluation.origin.dirty:
        lines.append("It was trained with uncommitted changes.")
    return Section("Lineage", lines, [Table(("", "candidate", *(["champion"] if evaluation.champion else [])), rows)])


SECTIONS: tuple[Callable[[record.Decision], Section], ...] = (
    _gates,
    power.section,
    _changes,
    measurements.metrics,
    measurements.slices,
    measurements.calibration,
    measurements.explanation,
    measurements.data,
    measurements.cost,
    lambda decision: track.section(decision.evaluation.track),
    _lineage,
)


def of(decision: record.Decision) -> list[Section]:
    """Every section, always in the same order."""
    return [section(decision) for section in SECTIONS]
