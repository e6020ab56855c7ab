"""Says first why a model was accepted or refused, in numbers, and what to do next."""

from collections import Counter

from lifecycle.documents import record
from lifecycle.documents.record import Outcome

NAMED = 3  # gates
WORDS: dict[Outcome, str] = {
    "fail": "failed",
    "undecided": "undecided",
    "warn": "warn",
    "pass": "passed",
    "skipped": "skipped",
}
# What to do, by what refuses it.
NEXT = {
    "undecided": "Test on more rows (split.test); `make power` says how many the margins need.",
    "rows": "Test on more rows: move split.test.",
    "schema": "Keep the inputs that callers send, or tell them and set `schema: breaking` in config.yaml.",
    "parity": "Let the served model answer as scikit-learn does: docs/estimators.md says what converts.",
    "latency": "Make the model smaller or quicker, or measure again on a quiet machine.",
    "": "Change the model or its data: Changes says what differs from the champion, Slices for whom it is worse.",
}
BOUNDS = "If a bound is wrong, change it in a pull request of its own."


def why(decision: record.Decision) -> str:
    """How many gates ended how, then the numbers of those that decided."""
    gates = decision.gates
    refusing = [one for one in gates if one.outcome in record.BLOCKING]
    compared = [one for one in gates if one.gate.get("kind") == "champion" and one.outcome in ("pass", "warn")]
    deciding = refusing or compared
    counts = Counter(one.outcome for one in refusing or gates)
    first, *rest = [f"{counts[kind]} {word}" for kind, word in WORDS.items() if counts[kind]] or ["0 judged"]
    total = first.replace(" ", f" of {len(gates)} gate{'s' * (len(gates) != 1)} ", 1)
    numbers = "; ".join(decision.numbered(one) for one in deciding[:NAMED])
    more = f"; and {len(deciding) - NAMED} more" if len(deciding) > NAMED else ""
    return f"{', '.join([total, *rest])}{f': {numbers}{more}' if numbers else ''}."


def following(decision: record.Decision) -> list[str]:
    """What to do next about a refusal."""
    refusing = [one for one in decision.gates if one.outcome in record.BLOCKING]
    kinds = ("undecided" if one.outcome == "undecided" else str(one.gate.get("kind")) for one in refusing)
    steps = dict.fromkeys(NEXT.get(kind, NEXT[""]) for kind in kinds)
    return [f"Next: {' '.join(steps)} {BOUNDS}"] if steps else []
