"""Metrics of answers whose truth is a chance: 0 or 1 for what came true, in between for what is only estimated.

Each returns its value and each row's influence on it: the squared influences sum to n² times the sampling variance.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

COUNTED = ("f1", "precision", "recall")  # undefined where truth or answers do not vary
type Array = np.ndarray[Any, Any]
type Measured = tuple[float, Array]


@dataclass(frozen=True)
class Claims:
    """n answers, each about the second of two classes, or about every class against the rest: (n, 1) or (n, classes).

    `chance` that the class is true, whether it was `answered`, and the model's `score`.
    """

    chance: Array
    answered: Array
    score: Array

    def at(self, places: Array) -> "Claims":
        return Claims(self.chance[places], self.answered[places], self.score[places])

    @property
    def varied(self) -> bool:
        """Whether both truth and answers have more than one class."""
        return bool((self.chance != self.chance[0]).any() and (self.answered != self.answered[0]).any())


def ratio(part: Array, whole: Array) -> Measured:
    """The sum of one column as a share of another's; 0 of nothing."""
    scale = whole.mean()
    if scale == 0:
        return 0.0, np.zeros(len(part))
    value = part.mean() / scale
    return float(value), (part - value * whole) / scale


def area(chance: Array, score: Array) -> Measured:
    """The area under the ROC curve, ties counted half; NaN without any positive or negative.

    Source: Hanley and McNeil, Radiology 143 (1982); its influence as DeLong, DeLong and Clarke-Pearson, Biometrics 44
    (1988).
    """
    positive, negative = chance.sum(), (1 - chance).sum()
    if min(positive, negative) <= 0:
        return float("nan"), np.full(len(chance), np.nan)
    _, level = np.unique(score, return_inverse=True)
    hits, misses = np.bincount(level, chance), np.bincount(level, 1 - chance)
    below = (np.cumsum(misses) - misses / 2) / negative
    above = 1 - (np.cumsum(hits) - hits / 2) / positive
    value = float(hits @ below / positive)
    gain, loss = chance * (below[level] - value) / positive, (1 - chance) * (above[level] - value) / negative
    return value, (gain + loss) * len(chance)


def precision(chance: Array, score: Array) -> Measured:
    """The mean over positives of the precision among all that score at least as high; NaN without any positive."""
    positive = chance.sum()
    if positive <= 0:
        return float("nan"), np.full(len(chance), np.nan)
    _, level = np.unique(score, return_inverse=True)
    hits, rows = np.bincount(level, chance), np.bincount(level)
    found, called = np.cumsum(hits[::-1])[::-1], np.cumsum(rows[::-1])[::-1]
    value = float(hits @ (found / called) / positive)
    # A row adds its own precision, and changes that of every positive that scores no higher.
    own, gain, loss = found / called - value, np.cumsum(hits / called), np.cumsum(hits * found / called**2)
    return value, (chance * (own + gain)[level] - loss[level]) * len(chance) / positive


# The chance, whether it was answered and the score of one class: (n,) each.
METRICS: dict[str, Callable[[Array, Array, Array], Measured]] = {
    "precision": lambda chance, answered, score: ratio(chance * answered, answered),
    "recall": lambda chance, answered, score: ratio(chance * answered, chance),
    "f1": lambda chance, answered, score: ratio(chance * answered, (chance + answered) / 2),
    "roc_auc": lambda chance, answered, score: area(chance, score),
    "average_precision": lambda chance, answered, score: precision(chance, score),
}


def measure(metric: str, answers: Claims) -> Measured:
    """A metric, as the plain mean over the classes."""
    if metric == "accuracy":
        right = np.where(answers.answered, answers.chance, 0).sum(axis=1)
        if answers.chance.shape[1] == 1:
            right = np.where(answers.answered, answers.chance, 1 - answers.chance)[:, 0]
        return ratio(right, np.ones(len(right)))
    columns = zip(answers.chance.T, answers.answered.T.astype(float), answers.score.T, strict=True)
    found = [METRICS[metric](*column) for column in columns]
    return float(np.mean([value for value, _ in found])), np.mean([influence for _, influence in found], axis=0)
