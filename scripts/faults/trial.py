"""Tries one fault under load, and measures what became of requests, rows and words."""

import time
from typing import Any

from faults import Failed
from faults.fault import Fault, Outcome, Untried
from faults.stage import SPACE, Stage

QUIET = 15.0  # seconds in which a word too many, or a late answer, would come


def said(stage: Stage, words: int) -> list[dict[str, Any]]:
    """The words on production that came after so many."""
    return [one for one in stage.words()[words:] if one["environment"] == "production"]


def shown(stage: Stage) -> str:
    seen = stage.cluster.application(SPACE)
    return " ".join(seen[key] for key in ("phase", "sync", "health") if seen[key])


def _acted(fault: Fault, stage: Stage, words: int) -> None:
    fault.act(stage)
    stage.cluster.refresh(SPACE)
    if fault.shows:
        stage.cluster.until(f"{fault.shows} of {SPACE}", fault.within, lambda: fault.shows in shown(stage))
    early = fault.told.count("failed")
    stage.cluster.until("GitHub's word", 120, lambda: len(said(stage, words)) >= early)


def _mended(fault: Fault, stage: Stage, words: int) -> None:
    fault.mend(stage)
    stage.cluster.refresh(SPACE)
    stage.settles()
    stage.cluster.until("GitHub's last word", 300, lambda: len(said(stage, words)) >= len(fault.told))


def tried(fault: Fault, stage: Stage) -> Outcome:
    """The outcome of a fault, even if it did not come to its end."""
    begin = time.monotonic()
    words, before = len(stage.words()), {identity for _, _, identity in stage.calls()}
    showed, problem = "", ""
    for part in (_acted, _mended):  # what a person does then is done whatever came before
        try:
            part(fault, stage, words)
        except Untried as reason:
            return Outcome(fault, untried=str(reason))
        except Failed as failure:
            problem = problem or str(failure)
        showed = showed or shown(stage)
    seconds = time.monotonic() - begin
    stage.cluster.pause(QUIET)
    calls = [call for call in stage.calls() if call[2] not in before]
    answered = {identity for _, status, identity in calls if status == 200}
    lost = len(answered - stage.logged())
    failed = sum(status != 200 for _, status, _ in calls)
    heard = said(stage, words)
    told = tuple(str(one["event"]) for one in heard)
    after = tuple(one["at"] - stage.repository.committed(one["revision"]) for one in heard)
    return Outcome(fault, seconds, len(calls), failed, lost, showed, told, after, problem)
