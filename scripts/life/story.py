"""The two drops of the demo, and whether the monitor told them as promised: one ahead of the labels, one not at all.

The first is of inputs that become harder, which an estimate sees. The second is of inputs that come to mean something
else, which none can see. What an estimate is worth stands in each model's report before its release.
"""

from datetime import date
from typing import Any

import days

CALLERS, WINTER = "2013-08-01", "2013-12-01"  # the days on which the drops begin
SEEN, UNSEEN = "average_precision", "f1"  # the metrics that show them
PERIODS = (("2013-07-01", "2013-09-01"), ("2013-11-01", "2014-01-01"))  # what each model answers
# The demo sends months of flights in seconds, so the server's clock says nothing of them; and alerts judge what the
# first report calls better estimated, too.
WATCH = {
    "\nmonitor:\n": "\nmonitor:\n  time: caller\n",
    "alert: {metrics: [f1]": f"alert: {{metrics: [{UNSEEN}, {SEEN}]",
}
RETRAIN = {
    "train: [2013-01-01, 2013-05-01]": "train: [2013-01-01, 2013-08-01]",
    "test: [2013-05-01, 2013-07-01]": "test: [2013-08-01, 2013-10-01]",
}


def requests(flights: list[days.Row], seed: int) -> list[days.Row]:
    """The traffic of a period: its days in a drawn order, with the drop that begins in it."""
    drawn = days.drawn(flights, seed)
    return days.deiced(days.uncertain(drawn, CALLERS, PERIODS[0][1], seed), WINTER)


def warning(report: str, label: str) -> str:
    """The sentence of a report that warns of the estimate of a metric; empty if there is none."""
    lines = [line for line in report.splitlines() if f"The monitor's estimate of {label} is" in line]
    return lines[0].lstrip("- ⚠️") if lines else ""


def first(summary: dict[str, Any], kind: str, metric: str) -> str | None:
    """The end of the window that first raises an alert."""
    rule = summary["rule"]
    own = [one for one in summary["windows"] if (one["kind"], one["metric"], one["reference"]) == (kind, metric, False)]
    for place, window in enumerate(own):
        if sum(one["outside"] for one in own[max(0, place + 1 - rule["of"]) : place + 1]) >= rule["windows"]:
            end: str = window["end"]
            return end
    return None


def ahead(summary: dict[str, Any], warned: str) -> int | None:
    """By how many days the estimate told the first drop before the labels; None if that is not what happened.

    Nor is it if the report `warned` of the estimate, or if it raised an alert before anything changed.
    """
    seen, shown = (first(summary, kind, SEEN) for kind in ("estimated", "realised"))
    before = [end for metric in (SEEN, UNSEEN) if (end := first(summary, "estimated", metric)) and end < CALLERS]
    if warned or before or not (seen and shown):
        return None
    lead = (date.fromisoformat(days.told(shown)) - date.fromisoformat(seen[:10])).days
    return lead if lead > 0 else None


def unseen(summary: dict[str, Any], warned: str) -> str | None:
    """The day on which labels told the second drop, and no estimate, as the report `warned`; None if not so."""
    shown = first(summary, "realised", UNSEEN)
    estimated = [first(summary, "estimated", metric) for metric in (SEEN, UNSEEN)]
    if not warned or any(estimated) or not shown or shown < WINTER:
        return None
    return days.told(shown)
