"""Measures how far the served model's answers differ from the fitted estimator's."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lifecycle.artifact.predictor import Predictions


@dataclass(frozen=True)
class Parity:
    """How the served model's answers differ from scikit-learn's: by at most `largest`, in the label of `flips` rows."""

    largest: float
    flips: int
    rows: int

    def holds(self, tolerance: float) -> bool:
        return self.largest <= tolerance and not self.flips  # False with NaN

    def and_of(self, other: "Parity") -> "Parity":
        """The worse of two that were measured on the same rows."""
        return Parity(max(self.largest, other.largest), max(self.flips, other.flips), self.rows)


def measure(fitted: Any, served: Predictions, rows: pd.DataFrame, threshold: float) -> Parity:
    """Compare both models' answers to all rows; `threshold` decides the label where there are two classes.

    Probabilities differ absolutely, values relative to the larger of 1 and their size.
    """
    if served.probabilities is None:
        expected = fitted.predict(rows)
        differences = np.abs(served.labels - expected) / np.maximum(1.0, np.abs(expected))
        return Parity(float(differences.max()), 0, len(rows))
    expected = fitted.predict_proba(rows)
    differences = np.abs(served.probabilities - expected)
    labels = expected[:, 1] >= threshold if expected.shape[1] == 2 else expected.argmax(axis=1)
    return Parity(float(differences.max()), int((served.labels != labels).sum()), len(rows))
