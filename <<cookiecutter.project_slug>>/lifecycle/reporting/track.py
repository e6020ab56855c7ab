"""The track record of the monitor's estimate in words, for a report on a decision and for the monitor's page."""

from collections.abc import Sequence

from lifecycle.documents.summary import REFERENCE_WINDOWS
from lifecycle.documents.track import Drop, Operating, Track, TrackRecord
from lifecycle.reporting.pages import Section, Table
from lifecycle.tasks import label, sign

TITLE = "Track record"
HOW = (
    "Each later window of the test rows was estimated from the windows before it, as the monitor would, and compared "
    "with what came true.",
    "The constant is the mean of the windows before. Chance is the error of even a perfect estimate of so many rows. "
    "Days ahead are to the first realised value out of bounds; add those that labels take.",
    "No estimate sees that the same inputs have come to mean something else (concept drift): only labels show that.",
)
SIMULATED = (
    "What alerts would do, by simulation from the reference's windows, as if each were independent: how many a quiet "
    "year raises, and the drop that is seen within so many rows in 80 of 100 cases (in 95). An estimated drop is one "
    "that the inputs show.",
)
HELP = (
    "What helps: larger windows (monitor.window), more reference (split.test), other metrics in monitor.alert.metrics."
)
REMAINS = "What remains: drift, data quality, and labels as they come."
HEAD = ("metric", "windows", "error", "constant's", "chance's", "skill", "drops seen", "missed", "days ahead", "false")


def warnings(record: TrackRecord | None) -> list[str]:
    """What to know of an alert that does not come; nothing if every estimate that alerts judge has shown skill."""
    if record is None:
        return []
    if record.why and not record.now:
        return [f"⚠️ Whether the monitor's estimate follows the truth is unknown. {record.why} {REMAINS}"]
    mute = {one.metric: one.never for one in reversed(record.operating) if one.never}
    said = [f"⚠️ Alerts on {label(metric)} can never come: {why}. {HELP}" for metric, why in mute.items()]
    said += [f"⚠️ {_loud(one)} {HELP}" for one in record.operating if one.loud]
    found = [f"⚠️ {_unproven(track)}{_before(record, track)}" for track in record.unproven]
    if found and (better := [label(track.metric) for track in record.now if track.found == "skilled"]):
        found.append(f"Better estimated: {', '.join(better)}. Let monitor.alert.metrics name what alerts should judge.")
    return [*said, *found, REMAINS] if found else said


def _unproven(track: Track) -> str:
    if track.found == "untested":
        return (
            f"{label(track.metric)} varied by no more than chance on the test rows, so they do not show whether the "
            "monitor's estimate would see a drop."
        )
    much = "hardly better than" if track.skill > 0 else "no better than" if track.outside is None else "worse than"
    where = "on the test rows" if track.outside is None else "by the labels that came since the release"
    return (
        f"The monitor's estimate of {label(track.metric)} is {much} a constant {where} (error "
        f"{track.error:.3g}, the constant's {track.constant:.3g}), so that it raises no alert says little."
    )


def _before(record: TrackRecord, track: Track) -> str:
    """What the training had found of a metric that labels now say something else of."""
    first = next((one for one in record.tracks if one.metric == track.metric), None)
    if track.outside is None or first is None:
        return ""
    return f" At training its error was {first.error:.3g}, the constant's {first.constant:.3g}."


def _loud(one: Operating) -> str:
    few = f"its bound comes from only {one.windows} windows"
    why = few if one.windows < REFERENCE_WINDOWS else "it lies close to its bound although nothing changed"
    return f"A quiet year would raise {one.quiet:.2g} alerts on the {one.kind} {label(one.metric)}: {why}."


def _alerts(operating: Sequence[Operating]) -> Table:
    """What the alert rule makes of each metric; a column for each number of rows."""
    horizons = {seen.windows: seen.windows * one.rows for one in operating for seen in one.seen}
    rows = []
    for one in operating:
        seen = {part.windows: f"{part.likely:.2g} ({part.sure:.2g})" for part in one.seen}
        quiet = "never" if one.never else f"{one.quiet:.2g}"
        bound = "" if one.bound is None else f"{one.bound:.4g}"
        rows.append((f"{one.kind} {label(one.metric)}", bound, quiet, *(seen.get(windows, "") for windows in horizons)))
    within = (f"drop within {count:,} rows" for count in horizons.values())
    return Table(("alerts on", "bound", "in a quiet year", *within), rows)


def _ahead(drops: Sequence[Drop]) -> str:
    days = [drop.days for drop in drops if drop.days is not None]
    return f"{sum(days) / len(days):.2g}" if days else ""


def _told(metric: str, drop: Drop) -> str:
    went, seen = "fell" if sign(metric) > 0 else "rose", "missed" if drop.days is None else "seen"
    return f"{label(metric)} {went} to {drop.worst:.3g} from {drop.begin[:10]} to {drop.end[:10]}: {seen}."


def measured(record: TrackRecord | None, metric: str) -> list[str]:
    """The measured error of a metric's estimate beside that of a constant guess, in a sentence."""
    for track in record.now if record else ():
        if track.metric == metric:
            where = f"on {track.windows} windows " + ("of the test rows" if track.outside is None else "with labels")
            told = ": hardly better" if track.skill > 0 else ": worse"
            better = {"skilled": ": better", "blind": told, "untested": ", but too little changed to tell"}[track.found]
            return [
                f"{label(metric)}: {where} the estimate was off by {track.error:.3g} on average (MAE), "
                f"a constant guess by {track.constant:.3g}{better}."
            ]
    return []


def _contradicted(track: Track) -> str:
    """How often what came true was outside of the estimate's interval."""
    more = ", more than chance puts there" if track.contradicted else ""
    return (
        f"Since the release, the realised {label(track.metric)} was outside of the estimate's interval (95 of 100) in "
        f"{track.outside} of {track.windows} windows{more}."
    )


def section(record: TrackRecord | None) -> Section:
    """The measured error of each metric's estimate, and which drops it saw."""
    if record is None or not (record.tracks or record.since):
        return Section(TITLE, [record.why if record and record.why else "Not measured."])
    rows = []
    for track in (*record.tracks, *record.since):
        numbers = (f"{value:.3g}" for value in (track.error, track.constant, track.chance))
        seen = sum(drop.days is not None for drop in track.drops)
        counts = (f"{seen}", f"{len(track.drops) - seen}", _ahead(track.drops), f"{track.false} of {track.bounded}")
        name = f"{label(track.metric)}, judged by alerts" if track.alerts else label(track.metric)
        name += ", since the release" if track.outside is not None else ""
        rows.append((name, f"{track.windows}", *numbers, f"{track.skill:.0%}", *counts))
    told = [_told(track.metric, drop) for track in record.tracks for drop in track.drops]
    told += [_contradicted(track) for track in record.since]
    simulated, alerts = (SIMULATED, [_alerts(record.operating)]) if record.operating else ((), [])
    return Section(TITLE, [*HOW, *told, *simulated], [Table(HEAD, rows), *alerts])
