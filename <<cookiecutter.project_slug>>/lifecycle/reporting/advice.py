"""Says first what to do about what the monitor found, from its alerts and from what its estimate is worth."""

from collections.abc import Sequence

from lifecycle.documents import trends
from lifecycle.documents.summary import Alert, Summary
from lifecycle.tasks import label

NAMED = 3
ASIDE = "Find what writes the rows that were set aside: the numbers leave them out."
SILENT = "Find out why no prediction of this version is in the log: ask the service, and look where its log goes."
FEW = "Wait for more traffic: no window is full."
UNBOUNDED = (
    "Make the reference longer (split.test) or the windows smaller (monitor.window): nothing can raise an alert."
)
SOURCE = "Mend the source of {}: training does not mend data quality."
RETRAIN = (
    "Retrain on newer rows: merge the retraining's pull request if its gates pass, or run make pin, then make pipeline."
)
CALM = "Change nothing yet, and look again with the next labels."
CONFIRM = "Get labels of the windows from {} on, because the estimate alone raised this alert"
BLIND = "Get labels: the estimate is no better than a constant guess, and would not show a drop."
NEAR = "Look again after the next window: {} out of bounds, and {} of {} windows raise an alert."
NOTHING = "Nothing to do."


def following(summary: Summary, blind: bool) -> str:
    """What to do now, in a sentence or two; `blind` if an alert that does not come says little."""
    return f"Next: {_step(summary, blind)}"


def _step(summary: Summary, blind: bool) -> str:
    held = [entry for entry in summary.alerts if entry.holds]
    if summary.log.aside > summary.rule.aside:
        return ASIDE
    if held:
        return " ".join(_held(summary, held))
    if not summary.log.rows:
        return SILENT
    if not trends.logged(summary.windows):
        return FEW
    if not any(one.kind != "quality" and trends.bound(one) is not None for one in trends.logged(summary.windows)):
        return UNBOUNDED
    if blind:
        return BLIND
    near = [entry for entry in summary.alerts if entry.windows]
    return NEAR.format(_listed(near), summary.rule.windows, summary.rule.of) if near else NOTHING


def _held(summary: Summary, held: Sequence[Alert]) -> list[str]:
    """One sentence for each kind of what is out of bounds."""
    wrong = dict.fromkeys(entry.column or "" for entry in held if entry.kind == "quality")
    found = [SOURCE.format(_some(list(wrong)))] if wrong else []
    if any(entry.kind == "realised" for entry in held):
        return [*found, RETRAIN]
    estimated = [entry for entry in held if entry.kind == "estimated"]
    return [*found, _estimated(summary, estimated)] if estimated else found


def _estimated(summary: Summary, held: Sequence[Alert]) -> str:
    """What an alert of the estimate alone is worth: what labels say, or how well it followed them."""
    metrics = list(dict.fromkeys(entry.metric for entry in held))
    last = [windows[-1] for name, windows in trends.of(summary, "realised").items() if name in metrics]
    told = [one for one in last if not one.reference and one.value is not None and not one.unlike]
    if told and not any(one.outside for one in told) and not any(entry.slice for entry in held):
        said = ", ".join(f"{label(one.metric)} {one.value:.4g}" for one in told)
        return f"{CALM} The estimate alone is out of bounds; the latest labels say {said}, within bounds."
    now = {track.metric: track.found for track in (summary.track.now if summary.track else ())}
    if any(now.get(metric) == "skilled" for metric in metrics):
        return RETRAIN
    since = min((entry.raised or entry.since or "" for entry in held), default="")[:10]
    return f"{CONFIRM.format(since)}, and it has not shown that it follows the truth. Drift says what changed."


def _listed(entries: Sequence[Alert]) -> str:
    names = [f"{entry.kind} {trends.shown(entry)}".removeprefix("quality ") for entry in entries]
    return f"{_some(names)} {'was' if len(names) == 1 else 'were'}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
