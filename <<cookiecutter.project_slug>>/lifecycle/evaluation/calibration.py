"""Compares probabilities with observed shares, and predicted values with the truth."""

import numpy as np
from sklearn.metrics import confusion_matrix

from lifecycle.artifact.predictor import Predictions
from lifecycle.artifact.runtimes import Array
from lifecycle.documents.record import Bin, Coverage, Residuals

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
NOMINAL = (0.5, 0.8, 0.9, 0.95)
BINS = 10


def bins(truth: Array, served: Predictions) -> tuple[Bin, ...]:
    """The rows by ten equal ranges of the probability, without empty ranges.

    The probability is of the second of two classes, or of the predicted class if there are more.
    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017.
    """
    if served.probabilities is None:
        return ()
    probability, held, codes = coded(truth, served.probabilities)
    return tuple(
        Bin(rows=int(chosen.sum()), predicted=probability[chosen].mean(), observed=held[chosen].mean())
        for chosen in (codes == code for code in range(BINS))
        if chosen.any()
    )


def coded(truth: Array, probabilities: Array) -> tuple[Array, Array, Array]:
    """Each row's probability, whether it came true, and its bin, (n,) each."""
    binary = probabilities.shape[1] == 2
    probability = probabilities[:, 1] if binary else probabilities.max(axis=1)
    held = truth == 1 if binary else truth == probabilities.argmax(axis=1)
    return probability, held, np.minimum((probability * BINS).astype(int), BINS - 1)


def confusion(truth: Array, served: Predictions) -> tuple[tuple[int, ...], ...]:
    """The counts of rows by truth and prediction; empty for regression."""
    if served.probabilities is None:
        return ()
    return tuple(
        map(tuple, confusion_matrix(truth, served.labels, labels=range(served.probabilities.shape[1])).tolist())
    )


def residuals(truth: Array, served: Predictions) -> Residuals:
    """The residuals of rows in time order; bands fitted on the earlier half are tested on the later half.

    Source: Lei et al., Distribution-Free Predictive Inference for Regression, JASA 113 (2018), split by time.
    """
    found = truth - served.labels
    half = len(found) // 2
    earlier, later = np.abs(found[:half]), np.abs(found[half:])
    widths = np.quantile(earlier, NOMINAL) if half else np.zeros(len(NOMINAL))
    return Residuals(
        quantiles={f"{at:g}": float(value) for at, value in zip(QUANTILES, np.quantile(found, QUANTILES), strict=True)},
        coverage=tuple(
            Coverage(nominal=nominal, width=width, observed=float((later <= width).mean()))
            for nominal, width in zip(NOMINAL, widths, strict=True)
        ),
    )
