"""Checks that a model that was trained again measures as it did when it was reviewed."""

from pathlib import Path

from lifecycle import InputError
from lifecycle.documents import record


def run(tolerance: float, build: Path) -> str:
    """Compare `evaluation.json` with the metrics in `reviewed.json`, which may hold none; raises InputError.

    `tolerance` is the largest difference of a metric, in its own unit.
    """
    found = record.evaluation(build / "evaluation.json").metrics
    reviewed = record.metrics(build / "reviewed.json")
    if not reviewed:
        return "no review has metrics to compare with"
    if found.keys() != reviewed.keys():
        names = ", ".join(sorted(found.keys() ^ reviewed.keys()))
        raise InputError(f"The review and this training do not both have {names}; open a pull request that does.")
    worst = max(found, key=lambda name: abs(found[name].value - reviewed[name]))
    if abs(found[worst].value - reviewed[worst]) > tolerance:
        raise InputError(
            f"{worst} is {found[worst].value:.6g}, but {reviewed[worst]:.6g} was reviewed, more apart than "
            f"reproduce.tolerance ({tolerance:g}) allows; make the training repeatable, or widen the tolerance."
        )
    return f"{len(found)} metrics as they were reviewed, {worst} by {abs(found[worst].value - reviewed[worst]):.2g}"
