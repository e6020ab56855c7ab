"""The plain words on top of a report: what they say, and that they say no number that the record lacks."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_gate import evaluation, measure, part
from tiny import TASKS

from lifecycle.documents import record
from lifecycle.documents.record import Measure, Outcome, SlicePart, Verdict
from lifecycle.reporting import short, verdict
from lifecycle.tasks import LABELS

NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")
RECORDS = Path(__file__).parent / "records"


def against(differences: dict[str, Measure], **changes: Any) -> record.Champion:
    """A champion like the candidate but for these differences."""
    given = evaluation()
    same = record.Code(commits=0, subjects=(), changed=0, files=())
    known: dict[str, Any] = {"code": same} | changes
    return record.Champion(origin=given.origin, metrics=given.metrics, differences=differences, **known)


def decided(champion: record.Champion | None, *gates: Verdict, **origin: Any) -> record.Decision:
    measured = evaluation(champion=champion)
    changed = measured.model_copy(update={"origin": measured.origin.model_copy(update=origin)})
    return record.Decision(passed=not gates, policy="", gates=gates, evaluation=changed)


def group(name: str, value: float) -> SlicePart:
    return part(name, 100, 0.5).model_copy(update={"metrics": {"roc_auc": measure(value)}})


def test_what_changed_is_better_for_some_and_worse_for_others() -> None:
    code = record.Code(commits=3, subjects=(), changed=2, files=())
    slices = (group("red", 0.05), group("blue", -0.02), group("green", -0.04), group("grey", 0.001))
    champion = against({"roc_auc": measure(0.03)}, code=code, slices=slices)
    told = short.lines(decided(champion, data="f" * 64, lock="e" * 64, features=("x",), parameters={"depth": 3}))
    assert told == [
        "What changed: data, features, parameters (depth), packages, code (2 files in 3 commits).",
        "Better or worse than 2020.01.01-aaaaaaa: better in ROC AUC by 0.03 (0.02 to 0.04).",
        "For whom, by ROC AUC: worse in colour green by 0.04 (0.03 to 0.05), colour blue by 0.02 (0.01 to 0.03); "
        "better in colour red by 0.05 (0.04 to 0.06); no other group differs beyond noise.",
        "What it costs: 1 ms for one row, 1,000 bytes to serve.",
    ]


def test_a_lower_loss_is_better_and_noise_is_called_so() -> None:
    gates = [
        Verdict(gate={"kind": "champion", "metric": name}, outcome="fail", found="", needed="")
        for name in ("log_loss", "f1")
    ]
    champion = against({"roc_auc": measure(0.001), "log_loss": measure(-0.1), "f1": measure(-0.2)})
    told = short.lines(decided(champion, *gates))
    assert told[0] == "What changed: nothing that the record names."
    assert told[1].endswith(
        ": worse in F1 by 0.2 (0.19 to 0.21); better in log loss by 0.1 (0.09 to 0.11); no other metric differs beyond "
        "noise."
    )
    assert "no metric differs beyond noise." in short.lines(decided(against({"roc_auc": measure(0)})))[1]
    (merge,) = short.merge(decided(champion, *gates))
    assert merge == "On merge: it cannot be merged, as these gates refuse it: champion log loss, champion F1."


def test_a_first_model_and_one_whose_champion_is_silent_say_so() -> None:
    assert "there is none to compare it with" in short.lines(decided(None))[0]
    assert "unknown, 2020.01.01-aaaaaaa cannot answer" in short.lines(decided(against({}, unanswered="No.")))[1]
    assert len(short.merge(decided(None))) == 2


def test_the_time_to_train_is_told_beside_the_champions() -> None:
    assert "costs: 12.3 s to train, 1 ms" in short.lines(decided(None, seconds=12.34))[-1]
    champion = against({})
    slow = champion.model_copy(update={"origin": champion.origin.model_copy(update={"seconds": 0.02})})
    assert "costs: 12.3 s to train (before: 0.02 s), 1 ms" in short.lines(decided(slow, seconds=12.34))[-1]


def gate(kind: str, metric: str, outcome: Outcome, found: str, **keys: float | str) -> Verdict:
    return Verdict(gate={"kind": kind, "metric": metric, **keys}, outcome=outcome, found=found, needed="enough")


def test_a_refusal_begins_with_its_numbers_and_says_what_to_do() -> None:
    champion = against({"roc_auc": measure(-0.023), "log_loss": measure(-0.1), "f1": measure(-0.02)})
    gates = (
        gate("floor", "roc_auc", "pass", "0.9"),
        gate("champion", "roc_auc", "fail", "fell 0.023 (0.013 to 0.033)", margin=0.01),
        gate("champion", "f1", "undecided", "fell 0.02 (0.01 to 0.03) on 9 rows, too few to tell", margin=0.025),
    )
    said = decided(champion, *gates)
    assert verdict.why(said) == (
        "1 of 3 gates failed, 1 undecided: ROC AUC fell 0.023 (0.013 to 0.033), allowed 0.01; F1 fell 0.02 (0.01 to "
        "0.03) on 9 rows, too few to tell, allowed 0.025."
    )
    (after,) = verdict.following(said)
    assert after.startswith("Next: Change the model or its data: Changes says what differs from the champion")
    assert "Test on more rows (split.test); `make power` says how many" in after
    refused = decided(champion, gate("floor", "f1", "fail", "0.7"), *(gate("rows", "", "fail", "9 rows"),) * 3)
    assert verdict.why(refused).startswith("4 of 4 gates failed: floor F1: 0.7, needed: enough; rows")
    assert verdict.why(refused).endswith("; and 1 more.")


def test_an_acceptance_says_how_the_metrics_moved() -> None:
    """Without a margin where the metric is better, and in the direction that is better."""
    champion = against({"roc_auc": measure(-0.003), "log_loss": measure(-0.1)})
    gates = (
        gate("champion", "roc_auc", "pass", "fell 0.003 (-0.007 to 0.013)", margin=0.05),
        gate("champion", "log_loss", "pass", "fell 0.1 (0.09 to 0.11)", margin=0.02),
        gate("floor", "f1", "skipped", "no champion"),
    )
    accepted = decided(champion, *gates)
    assert verdict.why(accepted) == (
        "2 of 3 gates passed, 1 skipped: ROC AUC fell 0.003 (-0.007 to 0.013), allowed 0.05; log loss fell 0.1 (0.09 "
        "to 0.11)."
    )
    assert verdict.following(accepted) == []
    assert verdict.why(decided(None)) == "0 of 0 gates judged."


def numbers(document: Any) -> Iterator[str]:
    """Every number of a record, as the plain words write numbers."""
    if isinstance(document, dict | list):
        for one in document.values() if isinstance(document, dict) else document:
            yield from numbers(one)
    elif isinstance(document, int | float) and not isinstance(document, bool):
        yield from (f"{abs(document):.3g}", f"{document:,}")


def words(document: Any) -> Iterator[str]:
    """Every text of a record, also its keys, and the names of the parts of slices."""
    if isinstance(document, dict):
        yield from document
    if isinstance(document, dict | list):
        for one in document.values() if isinstance(document, dict) else document:
            yield from words(one)
    elif isinstance(document, str):
        yield document


def foreign(decision: record.Decision) -> list[str]:
    """The numbers in the plain words that the record lacks."""
    document = json.loads(record.dump(decision))
    text, known = "\n".join([*short.lines(decision), *short.merge(decision)]), set(numbers(document))
    text += verdict.why(decision).partition(":")[2]  # before it stand the counts of gates
    for word in sorted({*words(document), *LABELS.values()}, key=len, reverse=True):
        text = text.replace(word, "") if re.search(r"\d", word) and not NUMBER.fullmatch(word) else text
    return [found for found in NUMBER.findall(text) if found.rstrip(".,") not in known]


FINITE = st.floats(-1e6, 1e6, allow_subnormal=False)
MEASURES = st.lists(FINITE, min_size=3, max_size=3).map(
    lambda found: dict(zip(("low", "value", "high"), sorted(found), strict=True))
)


@given(
    st.dictionaries(st.sampled_from(("roc_auc", "log_loss")), MEASURES),
    st.lists(MEASURES, max_size=8),
    st.integers(0, 10**6),
    st.floats(0, 1e6),
)
def test_no_number_is_told_that_the_record_lacks(
    differences: dict[str, Any], slices: list[Any], count: int, latency: float
) -> None:
    champion = against(
        {name: Measure(**found) for name, found in differences.items()},
        code=record.Code(commits=count, subjects=(), changed=count, files=()),
        slices=tuple(
            SlicePart(column="colour", part=f"part {index}x", rows=count, metrics={"roc_auc": Measure(**found)})
            for index, found in enumerate(slices)
        ),
    )
    decision = decided(champion)
    measured = decision.evaluation.model_copy(update={"latency": latency, "bytes": count})
    assert foreign(decision.model_copy(update={"evaluation": measured})) == []


@pytest.mark.parametrize("task", TASKS)
def test_the_golden_records_say_nothing_of_their_own(task: str) -> None:
    assert foreign(record.decision(RECORDS / f"{task}.json")) == []
