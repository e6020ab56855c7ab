import numpy as np
import pytest

from lifecycle.artifact.predictor import Predictions
from lifecycle.evaluation import calibration


def predictions(score: list[float]) -> Predictions:
    return Predictions((np.array(score) >= 0.5).astype(int), np.column_stack([1 - np.array(score), score]))


def test_bins_hold_the_share_that_came_true() -> None:
    found = calibration.bins(np.array([0, 1, 1, 1]), predictions([0.11, 0.19, 1.0, 0.95]))
    assert [(part.rows, part.observed) for part in found] == [(2, 0.5), (2, 1.0)]
    assert found[0].predicted == pytest.approx(0.15)


def test_of_more_than_two_classes_the_predicted_one_is_judged() -> None:
    served = np.array([[0.7, 0.2, 0.1], [0.2, 0.1, 0.7], [0.4, 0.3, 0.3]])
    found = calibration.bins(np.array([0, 1, 0]), Predictions(served.argmax(axis=1), served))
    assert [(part.rows, round(part.predicted, 2), part.observed) for part in found] == [(1, 0.4, 1.0), (2, 0.7, 0.5)]


def test_the_confusion_matrix_has_a_row_for_each_truth() -> None:
    found = calibration.confusion(np.array([0, 0, 1]), predictions([0.1, 0.9, 0.9]))
    assert found == ((1, 1), (0, 1))
    assert calibration.confusion(np.array([0.5]), Predictions(np.array([0.5]), None)) == ()


def test_a_band_that_held_before_is_tried_on_later_rows() -> None:
    generator = np.random.default_rng(0)
    errors = generator.normal(size=4000)
    calm = calibration.residuals(errors, Predictions(np.zeros(4000), None))
    assert [part.observed for part in calm.coverage] == pytest.approx([0.5, 0.8, 0.9, 0.95], abs=0.03)
    assert calm.quantiles["0.5"] == pytest.approx(0, abs=0.05)
    errors[2000:] *= 2
    wilder = calibration.residuals(errors, Predictions(np.zeros(4000), None))
    assert wilder.coverage[2].width == calm.coverage[2].width
    assert wilder.coverage[2].observed < 0.65
