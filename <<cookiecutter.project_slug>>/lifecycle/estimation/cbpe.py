"""Estimates the performance of a classifier without labels: what its own probabilities, once calibrated, promise.

Source: confidence-based performance estimation (CBPE), in Białek and others, We Don't Need No Labels, arXiv:2401.08348.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from sklearn.isotonic import IsotonicRegression
from sklearn.model_selection import StratifiedShuffleSplit

from lifecycle.estimation.chances import Array, Claims, area

BINS, SPLITS, SHARE, SEED = 10, 10, 0.1, 42
PERFECT = 0.999  # a ROC AUC from which on there is nothing to calibrate
type Calibration = Callable[[Array], Array]


def _isotonic(score: Array, truth: Array) -> Calibration:
    found: Calibration = IsotonicRegression(out_of_bounds="clip").fit(score, truth).predict
    return found


def _gap(score: Array, truth: Array) -> float:
    """The expected calibration error over bins of equally many rows.

    Source: Naeini, Cooper and Hauskrecht, AAAI 2015.
    """
    order, width = np.argsort(score), max(1, len(score) // BINS)
    begins = np.arange(0, len(score) - width + 1, width)  # the last bin takes what remains
    return float(np.abs(np.add.reduceat((score - truth)[order], begins)).sum() / len(score))


def calibration(score: Array, truth: Array) -> Calibration:
    """From a score to a chance: isotonic, if that was closer to the truth on rows held out, else the score itself."""
    if truth.min() == truth.max() or area(truth, score)[0] > PERFECT or np.bincount(truth.astype(int)).min() < 2:
        return lambda own: own
    scores, chances, truths = [], [], []
    split = StratifiedShuffleSplit(SPLITS, test_size=SHARE, random_state=SEED)
    for known, held in split.split(score, truth):
        scores.append(score[held])
        chances.append(_isotonic(score[known], truth[known])(score[held]))
        truths.append(truth[held])
    before, after, told = map(np.concatenate, (scores, chances, truths))
    return _isotonic(score, truth) if _gap(before, told) > _gap(after, told) else lambda own: own


def _columns(frame: pd.DataFrame, classes: Sequence[str], name: str) -> Array:
    """Which class a column names, against the rest; the second alone of two, which are codes."""
    values = frame[name].to_numpy()
    found: Array = np.column_stack([values == 1] if len(classes) == 2 else [values == one for one in classes])
    return found


def claims(frame: pd.DataFrame, classes: Sequence[str]) -> Claims:
    """The answers with what came true of them, or NaN where the frame has no label."""
    named = classes[1:] if len(classes) == 2 else classes
    score = frame[[f"probability_{name}" for name in named]].to_numpy("float64")
    unknown = np.full(score.shape, np.nan)
    truth = _columns(frame, classes, "label").astype("float64") if "label" in frame else unknown
    return Claims(truth, _columns(frame, classes, "prediction"), score)


def taught(known: Claims) -> Callable[[Claims], Claims]:
    """Gives answers the chances that the known rows teach; of several classes they sum to 1."""
    lessons = [calibration(score, truth) for score, truth in zip(known.score.T, known.chance.T, strict=True)]

    def estimated(one: Claims) -> Claims:
        chance = np.column_stack([teach(score) for teach, score in zip(lessons, one.score.T, strict=True)])
        if len(lessons) > 1:
            total = chance.sum(axis=1, keepdims=True)
            even = np.full(chance.shape, 1 / len(lessons))
            chance = np.divide(chance, total, out=even, where=total != 0)
        return Claims(chance, one.answered, one.score)

    return estimated
