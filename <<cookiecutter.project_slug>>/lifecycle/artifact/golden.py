"""Compares a model's answers to its golden rows with those recorded at training."""

import math
from typing import Any

REQUEST = "smoke-"  # prefix of the ids of requests with golden rows; the monitor skips them
TOLERANCE = 1e-4  # of a probability or a value: processors differ in their last digits


def columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Rows of the same columns as columns."""
    return {name: [row[name] for row in rows] for name in rows[0]}


def difference(answers: list[dict[str, Any]], expected: list[dict[str, Any]]) -> str:
    """The first answer that differs, as text; empty if all agree."""
    if len(answers) != len(expected):
        return f"{len(answers)} answers to {len(expected)} golden rows"
    for answer, wanted in zip(answers, expected, strict=True):
        pairs = [(answer["prediction"], wanted["prediction"])]
        pairs += [(answer["probabilities"][name], p) for name, p in wanted.get("probabilities", {}).items()]
        if not all(a == b if isinstance(b, str) else math.isclose(a, b, abs_tol=TOLERANCE) for a, b in pairs):
            return f"{answer} to a golden row, not {wanted}"
    return ""
