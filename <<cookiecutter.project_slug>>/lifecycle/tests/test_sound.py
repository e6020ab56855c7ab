from typing import Any

import numpy as np
import pandas as pd
import pytest

from lifecycle import InputError
from lifecycle.documents.summary import Window
from lifecycle.monitoring import nannyml, sound


def window(value: float | None, reference: bool, **changes: Any) -> Window:
    fields = {"kind": "realised", "metric": "f1", "column": None, "begin": "a", "end": "b", "rows": 100}
    return Window(
        **{**fields, "value": value, "reference": reference, "low": 1.0, "high": 1.0, "outside": True} | changes
    )


def rows(seed: int, **constant: Any) -> pd.DataFrame:
    """A thousand rows of one feature, in ten windows, with probabilities that are right."""
    generator = np.random.default_rng(seed)
    chance = generator.random(1000)
    frame = {"number": generator.normal(size=1000), "probability_no": 1 - chance, "probability_yes": chance}
    truth = {"prediction": (chance > 0.5).astype(int), "label": (generator.random(1000) < chance).astype(float)}
    times = pd.date_range("2020-01-01", periods=1000, freq="h", tz="UTC")
    return pd.DataFrame(frame | truth).assign(chunk=np.arange(1000) // 100, time=times, **constant)


def test_a_measure_that_fails_is_told_and_the_others_go_on() -> None:
    def fail() -> list[Window]:
        raise ValueError("Input contains\nNaN")

    assert sound.attempted("Drift", lambda: [window(1.0, False)])[1] == []
    found, (sentence,) = sound.attempted("Drift", fail)
    assert found == []
    assert sentence.startswith("Drift could not be measured on these rows (ValueError: Input contains NaN); see")


@pytest.mark.parametrize("error", [InputError, MemoryError])
def test_what_a_person_has_to_put_right_still_ends_it(error: type[Exception]) -> None:
    def fail() -> list[Window]:
        raise error("Correct it.")

    with pytest.raises(error):
        sound.attempted("Drift", fail)


def test_a_series_whose_reference_does_not_vary_has_no_bounds() -> None:
    flat = [window(1.0, True), window(1.0, True), window(0.9, False)]
    others = [window(value, place < 2, metric="roc_auc") for place, value in enumerate((0.9, 1.0, 0.8))]
    alone = [window(1.0, True, metric="mae"), window(0.5, False, metric="mae"), window(None, False, metric="mae")]
    found, (sentence,) = sound.bounded([*flat, *others, *alone])
    assert [(one.low, one.high, one.outside) for one in found[:3]] == [(None, None, False)] * 3
    assert found[3:] == [*others, *alone]
    assert "so they have no bounds and raise no alert: realised F1." in sentence
    assert sound.bounded(others) == (others, [])


def test_a_reference_with_one_class_raises_no_alert_of_what_cannot_vary() -> None:
    """All its precision is 1, with bounds of no width, so each later window would be outside."""
    known, seen = rows(0, label=1.0), rows(1)
    metrics = ("average_precision", "f1")
    raw = nannyml.realised(known, "binary_classification", ("no", "yes"), metrics)(seen)
    assert any(one.outside for one in raw if one.metric == "average_precision")
    found, (sentence, unknown) = sound.bounded(raw)
    assert not any(one.outside for one in found if one.metric == "average_precision")
    assert "realised average precision" in sentence
    assert "what came true of these is undefined in each window, so they raise no alert: realised F1." in unknown
    assert [one for one in found if one.metric == "f1"] == [one for one in raw if one.metric == "f1"]


def test_a_reference_without_values_takes_drift_alone() -> None:
    known, seen = rows(0, other=np.nan), rows(1, other=0.5)
    found, told = sound.attempted("Drift", lambda: nannyml.drift(known, ["number", "other"], ["probability_yes"])(seen))
    assert (found, len(told)) == ([], 1)
    assert told[0].startswith("Drift could not be measured on these rows (CalculatorException: ")
