import numpy as np
import pandas as pd
import pytest

from lifecycle.evaluation import drift

RNG = np.random.default_rng(0)


def test_alike_is_near_0_and_apart_is_1() -> None:
    same = pd.Series(RNG.normal(size=5000)), pd.Series(RNG.normal(size=5000))
    assert drift.distance(*same) < 0.1
    assert drift.distance(same[0], same[1] + 1) > 0.3
    assert drift.distance(same[0], same[1] + 100) == pytest.approx(1)


def test_categories_are_compared_by_their_shares() -> None:
    half = pd.Series(["a", "b"] * 50)
    assert drift.distance(half, half) == 0
    assert drift.distance(half, pd.Series(["c"] * 10)) == pytest.approx(1)
    assert 0 < drift.distance(half, pd.Series(["a"] * 10)) < 1


def test_a_missing_value_counts_and_a_unit_does_not() -> None:
    number = pd.Series(RNG.normal(size=1000))
    assert drift.distance(number, number.where(number > 0)) > 0.3
    assert drift.distance(pd.Series(["a", "b"]), pd.Series(["a", None])) > 0.3
    assert drift.distance(pd.Series([np.nan] * 5), pd.Series([np.nan] * 7)) == 0
    later = pd.Series(RNG.normal(size=1000) + 0.5)
    assert drift.distance(number * 1000, later * 1000) == pytest.approx(drift.distance(number, later))


def test_true_and_false_are_numbers() -> None:
    assert drift.distance(pd.Series([True, False]), pd.Series([False, True])) == 0
    assert drift.distance(pd.Series([True, True]), pd.Series([False, False])) == pytest.approx(1)
