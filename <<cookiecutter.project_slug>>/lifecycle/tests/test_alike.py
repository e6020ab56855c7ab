"""Whether rows with labels look like those without."""

import numpy as np
import pandas as pd
import pytest

from lifecycle.estimation import alike


def rows(seed: int, count: int, shift: float = 0.0) -> pd.DataFrame:
    """A skewed number with gaps, one of few values and a category of which some are rare."""
    generator = np.random.default_rng(seed)
    number = np.exp(generator.normal(shift, 1, count))
    number[generator.random(count) < 0.1] = np.nan
    names = generator.choice(["a", "b", "c", "rare", "rarer"], count, p=[0.5, 0.3, 0.185, 0.01, 0.005])
    return pd.DataFrame({"number": number, "step": generator.integers(0, 3, count), "name": names})


@pytest.mark.parametrize("column", ["number", "step", "name"])
def test_rows_of_one_source_look_alike_as_often_as_is_said(column: str) -> None:
    found = np.array([alike.chance(rows(2 * n, 150)[column], rows(2 * n + 1, 400)[column]) for n in range(150)])
    assert (found < 0.05).mean() == pytest.approx(0.05, abs=0.045)
    assert found.mean() == pytest.approx(0.5, abs=0.08)


def test_the_statistic_is_that_of_the_g_test() -> None:
    from scipy.stats import chi2_contingency

    one, other = rows(0, 300)["step"], rows(1, 500)["step"]
    counts = [np.bincount(side) for side in (one, other)]
    expected = chi2_contingency(counts, correction=False, lambda_="log-likelihood").pvalue
    assert alike.chance(one, other) == pytest.approx(expected)


def test_what_differs_is_named_and_chance_names_nothing() -> None:
    pairs = {n: (rows(2 * n, 200), rows(2 * n + 1, 500)) for n in range(40)}
    assert set(alike.unlike(pairs, ["number", "step", "name"]).values()) == {()}
    pairs[3] = rows(100, 200, shift=0.8), pairs[3][1]
    pairs[5] = pairs[5][0].assign(name="a"), pairs[5][1]
    pairs[7] = pairs[7][0].assign(number=np.nan), pairs[7][1]
    found = alike.unlike(pairs, ["number", "step", "name"])
    assert {chunk: names for chunk, names in found.items() if names} == {3: ("number",), 5: ("name",), 7: ("number",)}


def test_too_few_rows_tell_nothing() -> None:
    assert alike.chance(rows(0, 8)["number"], rows(1, 500, shift=3)["number"]) == 1.0
    assert alike.chance(rows(0, 8).assign(name="")["name"], rows(1, 3)["name"]) == 1.0
    assert alike.unlike({}, ["number"]) == {}
