"""How often the default gates decide correctly."""

import os
import re

from conftest import ROOT, run, unrendered


def test_at_10000_rows_equal_and_better_models_pass_and_worse_ones_do_not() -> None:
    """In 200 seeded repetitions; `scripts/operating` prints the table for other row counts."""
    unrendered("train")
    said = run(["scripts/operating", "10000"], ROOT, OMP_NUM_THREADS=os.environ.get("OMP_NUM_THREADS", "1"))
    assert "Margins: roc_auc 0.01, f1 0.03; worse and better by 0.02 ROC AUC; 200 repetitions." in said
    row = r"^\| 10,000 \| {} \| ([0-9.]+)% \| ([0-9.]+)% \| ([0-9.]+)% \|$"
    found = re.search(row.format("all"), said, flags=re.M)
    assert found, said
    equal_passes, worse_is_refused, better_is_refused = map(float, found.groups())
    assert equal_passes >= 98
    assert worse_is_refused >= 99
    assert better_is_refused <= 1
    naive = re.search(row.format("candidate >= champion"), said, flags=re.M)
    assert naive
    assert float(naive[1]) < 65, "a plain comparison refuses about half of the equal models"
    for name in ("roc_auc", "f1", "all"):  # at 300 rows, what the gates say of themselves
        line = re.search(
            rf"^\| 300 \| {name} \| ([0-9.]+)% \| ([0-9.]+)% \| ([0-9.]+)% \| ([0-9.]+)% \|$", said, flags=re.M
        )
        assert line, said
        says_passes, passes, says_fails, fails = map(float, line.groups())
        assert abs(says_passes - passes) < 10, "three standard errors of 200 repetitions"
        assert abs(says_fails - fails) < 10
        assert 20 < passes < 80, "where a gate could say anything and be right, nothing is shown"
    for name in ("slice", "gap", "fairness", "calibration"):  # at 1,000 rows in three parts
        line = re.search(
            rf"^\| 1,000 \| {name} \| 80.0% \| ([0-9.]+)% \| ([0-9.]+)% \| ([0-9.]+)% \|$", said, flags=re.M
        )
        assert line, said
        fails, says_passes, passes = map(float, line.groups())
        assert abs(fails - 80) < 9, "three standard errors of 200 repetitions"
        assert abs(says_passes - passes) < 10
