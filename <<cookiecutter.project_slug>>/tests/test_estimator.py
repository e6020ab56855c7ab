"""Your estimator: that it learns from a few of your rows, and answers as the task asks."""

from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from lifecycle import InputError
from lifecycle.artifact import frames
from lifecycle.config import Config
from lifecycle.training import team

# What your estimator warns of is shown and fails nothing.
pytestmark = pytest.mark.filterwarnings("default")


def learnt(settings: Config, rows: Any) -> tuple[int, Any]:
    """How many rows it learnt from, and what it answers to them: the values, or the probability of each class."""
    inputs = frames.inputs(rows, {name: feature.type for name, feature in settings.data.features.items()})
    fitted = team.fit(inputs, rows[frames.LABEL], settings)
    return len(rows), fitted.predict(inputs) if settings.task == "regression" else fitted.predict_proba(inputs)


@pytest.fixture(scope="module")
def answered(settings: Config, parts: dict[str, Any], few: Any) -> tuple[int, Any]:
    try:
        return learnt(settings, few)
    except (InputError, ValueError):  # as of an estimator that asks for 1,000 neighbours
        return learnt(settings, parts["train"])


def test_the_configuration_makes_an_estimator(settings: Config) -> None:
    assert isinstance(team.estimator(settings), BaseEstimator)


def test_every_row_gets_a_finite_value_or_probabilities_that_sum_to_one(
    settings: Config, answered: tuple[int, Any]
) -> None:
    count, answers = answered
    assert np.isfinite(answers).all()
    if settings.task == "regression":
        assert np.shape(answers) == (count,)
    else:
        assert np.shape(answers) == (count, len(settings.data.target.classes))
        assert np.min(answers) >= 0
        assert np.sum(answers, axis=1) == pytest.approx(1, abs=1e-5)
