"""Your data, against what `config.yaml` says of them."""

from typing import Any

import numpy as np

from lifecycle.artifact.frames import LABEL
from lifecycle.config import Config, Split
from lifecycle.evaluation import slices
from lifecycle.rows import split


def test_no_row_to_test_on_is_among_those_to_train_on(settings: Config, parts: dict[str, Any]) -> None:
    """Split by periods, they are later; drawn, no group or key is on both sides."""
    if isinstance(settings.split, Split):
        time = settings.data.time
        assert parts["train"][time].max() < parts["test"][time].min()
    else:
        plan = split.drawn(settings) or {}
        train, test = (set(map(tuple, parts[name][plan["by"]].astype("str").to_numpy())) for name in ("train", "test"))
        assert not (plan["together"] and train & test)


def test_both_parts_have_every_class_or_finite_values(settings: Config, parts: dict[str, Any]) -> None:
    for rows in parts.values():
        if settings.task == "regression":
            assert np.isfinite(rows[LABEL]).all()
        else:
            assert sorted(rows[LABEL].unique()) == list(range(len(settings.data.target.classes)))


def test_every_slice_has_rows_to_test_on(settings: Config, parts: dict[str, Any]) -> None:
    """Those that the gates name, too: `config.yaml` is refused when one of them is not in `evaluate.slices`."""
    for part in settings.evaluate.slices:
        assert slices.parts(parts["test"], part)
