"""The curves beside the record: what they hold is what the answers to the test rows are."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score
from tiny import Trained

from lifecycle import InputError
from lifecycle.artifact.predictor import Predictions
from lifecycle.documents import curves as documents
from lifecycle.documents import record
from lifecycle.evaluation import curves
from lifecycle.reporting import report

ROWS, RECORDS = 3000, Path(__file__).parent / "records"


def answers(seed: int = 0) -> tuple[np.ndarray, Predictions]:
    random = np.random.default_rng(seed)
    score = random.random(ROWS).round(2)  # so that some lie at a threshold
    truth = (random.random(ROWS) < score).astype("int64")
    return truth, Predictions((score >= 0.37).astype("int64"), np.column_stack([1 - score, score]))


def area(line: documents.Line) -> float:
    return float(np.trapezoid(line.y, line.x))


def test_thinned_curves_keep_their_areas_and_ends() -> None:
    truth, served = answers()
    assert served.probabilities is not None
    (found,) = curves.drawn(truth, served, ("no", "yes"), 0.37).classes
    score = served.probabilities[:, 1]
    assert found.name == "yes"
    assert max(len(found.roc.x), len(found.precision.x)) <= curves.POINTS
    assert area(found.roc) == pytest.approx(roc_auc_score(truth, score), abs=2e-3)
    assert area(found.precision) == pytest.approx(average_precision_score(truth, score), abs=5e-3)
    assert (found.roc.x[0], found.roc.y[0], found.roc.x[-1], found.roc.y[-1]) == (0, 0, 1, 1)
    assert (found.precision.x[0], found.precision.x[-1]) == (0, 1)
    assert [sum(one.counts) for one in found.scores] == [truth.sum(), ROWS - truth.sum()]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=2000))
def test_a_curve_of_any_points_is_thinned(values: list[float]) -> None:
    x = np.sort(np.array(values))
    line = curves.thinned(x, x**2)
    assert 1 <= len(line.x) <= curves.POINTS
    assert line.x[-1] == pytest.approx(x[-1], rel=1e-4)
    assert line.x[0] == pytest.approx(x[0], rel=1e-4)
    assert list(line.x) == sorted(line.x)


def test_each_threshold_counts_every_row_as_the_model_would_answer() -> None:
    truth, served = answers()
    assert served.probabilities is not None
    found = curves.drawn(truth, served, ("no", "yes"), 0.37)
    assert len(found.thresholds) == curves.STEPS  # with the model's own
    for one in found.thresholds:
        called = served.probabilities[:, 1] >= one.at
        assert one.true_positive == (called & (truth == 1)).sum()
        assert one.false_positive == (called & (truth == 0)).sum()
        assert one.false_negative == (~called & (truth == 1)).sum()
        assert one.true_negative == (~called & (truth == 0)).sum()
    assert found.threshold in [one.at for one in found.thresholds]
    nobody = curves.drawn(np.zeros(9, "int64"), Predictions(np.zeros(9), np.tile([1.0, 0.0], (9, 1))), ("a", "b"), 0.5)
    assert {(one.precision, one.recall) for one in nobody.thresholds} == {(None, None)}
    assert nobody.classes == ()


def test_the_values_of_a_regression_are_bands_of_rows_never_single_ones() -> None:
    random = np.random.default_rng(0)
    predicted = random.normal(size=ROWS)
    truth = predicted + random.normal(size=ROWS)
    found = curves.drawn(truth, Predictions(predicted, None), (), 0.5)
    assert found.residuals is not None
    assert sum(found.residuals.counts) == sum(band.rows for band in found.bands) == ROWS
    assert min(band.rows for band in found.bands) >= curves.LEAST
    assert [band.predicted for band in found.bands] == sorted(band.predicted for band in found.bands)
    assert len(curves.drawn(truth[:5], Predictions(predicted[:5], None), (), 0.5).bands) == 1


def test_the_models_own_threshold_counts_what_the_record_has(trained: Trained) -> None:
    evaluation = record.evaluation(trained.build / "evaluation.json")
    kept = documents.read(trained.build, evaluation)
    assert kept is not None
    found = kept.candidate
    if trained.task == "binary_classification":
        (own,) = (one for one in found.thresholds if one.at == found.threshold)
        counts = ((own.true_negative, own.false_positive), (own.false_negative, own.true_positive))
        assert counts == evaluation.confusion
        assert own.recall == pytest.approx(evaluation.metrics["recall"].value)
    assert bool(found.classes) == bool(evaluation.classes)
    assert (trained.build / documents.NAME).stat().st_size < 100_000
    assert '<h2 id="Curves">' in (trained.build / "report.html").read_text()


def test_curves_of_another_evaluation_or_damaged_ones_are_refused(binary: Trained, tmp_path: Path) -> None:
    evaluation = record.evaluation(binary.build / "evaluation.json")
    content = (binary.build / documents.NAME).read_text()
    other = json.loads(content) | {"evaluation": "0" * 64}
    short = json.loads(content)
    short["candidate"]["classes"][0]["roc"]["x"].pop()
    for text, reason in (
        (json.dumps(other), "another evaluation"),
        ("{", "Invalid JSON"),
        (json.dumps(short), "stand"),
    ):
        (tmp_path / documents.NAME).write_text(text)
        with pytest.raises(InputError, match=f"damaged or foreign .*{reason}.*run `make evaluate` again"):
            documents.read(tmp_path, evaluation)


def test_a_page_without_curves_has_none(decision: record.Decision, tmp_path: Path) -> None:
    """A release's record comes without them, when its images are built anew."""
    assert documents.read(tmp_path, decision.evaluation) is None
    assert '<h2 id="Curves">' not in report.page(decision)


def test_the_page_shows_every_threshold_and_what_its_errors_cost() -> None:
    path = RECORDS / "binary_classification.curves.json"
    drawn = documents.Curves.model_validate_json(path.read_bytes())
    decision = record.decision(RECORDS / "binary_classification.json")
    page = report.page(decision, drawn)
    table = page.partition('<table id="thresholds">')[2].partition("</table>")[0]
    rows = [re.findall(r"<t[hd][^>]*>([^<]*)<", row) for row in table.split("<tbody>")[1].split("</tr>")[:-1]]
    assert [[float(cell) for cell in row[1:5]] for row in rows] == [
        [one.true_positive, one.false_positive, one.true_negative, one.false_negative]
        for one in drawn.candidate.thresholds
    ]
    assert all(float(row[7]) == float(row[2]) + float(row[4]) for row in rows)
    assert [row[0] for row in rows if "present" in row[0]] == ["0.5 (present)"]
    other = record.decision(RECORDS / "regression.json")
    assert 'class="explorer"' not in report.page(other, drawn.model_copy(update={"candidate": documents.OneModel()}))


def test_a_hostile_class_is_text_on_the_page() -> None:
    name = "<script>x</script>"
    path = RECORDS / "binary_classification.curves.json"
    text = path.read_text().replace('"name": "yes"', f'"name": "{name}"')
    assert name in text
    decision = record.decision(RECORDS / "binary_classification.json")
    evaluation = decision.evaluation.model_copy(update={"classes": (name, name + "2")})
    page = report.page(
        decision.model_copy(update={"evaluation": evaluation}), documents.Curves.model_validate_json(text)
    )
    assert "<script>x" not in page
