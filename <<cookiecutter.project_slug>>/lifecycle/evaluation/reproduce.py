"""Checks that a retrained model has the metrics of its review."""

from pathlib import Path

from lifecycle import InputError
from lifecycle.documents import record
from lifecycle.tasks import label


def run(tolerance: float, build: Path) -> str:
    """Compare `evaluation.json` with the metrics in `reviewed.json`, if it has any.

    Raises InputError when other metrics were reviewed, or one differs by more than `tolerance`, in its own unit.
    """
    found = record.evaluation(build / "evaluation.json").metrics
    reviewed = record.metrics(build / "reviewed.json")
    if not reviewed:
        return "there are no reviewed metrics to compare with"
    if found.keys() != reviewed.keys():
        names = ", ".join(sorted(found.keys() ^ reviewed.keys()))
        raise InputError(
            f"The review and this training do not both have {names}; open a new pull request to review all metrics."
        )
    worst = max(found, key=lambda name: abs(found[name].value - reviewed[name]))
    largest = abs(found[worst].value - reviewed[worst])
    if largest > tolerance:
        raise InputError(
            f"{label(worst)} is {found[worst].value:.6g}, but was {reviewed[worst]:.6g} in the review, "
            f"a difference above reproduce.tolerance ({tolerance:g}); make the training repeatable, or widen it."
        )
    return f"{len(found)} metrics match the review; the largest difference is {largest:.2g} ({label(worst)})"
