import numpy as np
import pytest
from test_metrics import MAKERS, RNG, N, repeated

from lifecycle import config
from lifecycle.artifact.predictor import Predictions
from lifecycle.evaluation import intervals, metrics
from lifecycle.tasks import METRICS, Task

LEVEL = 0.9
SETTINGS = config.Evaluate.model_validate(
    {"seed": 0, "resamples": 1000, "level": LEVEL, "explain": {"rows": 100, "repeats": 2, "features": 0}}
)


def other(predictions: Predictions, apart: float = 0.3) -> Predictions:
    """A second model whose answers are related to the first's."""
    if predictions.probabilities is None:
        return Predictions(predictions.labels + RNG.normal(scale=apart, size=N), None)
    mixed = predictions.probabilities + apart * RNG.dirichlet(np.ones(predictions.probabilities.shape[1]), N)
    mixed /= mixed.sum(axis=1, keepdims=True)
    return Predictions(mixed.argmax(axis=1), mixed)


def by_rows(name: str, truth: np.ndarray, models: dict[str, Predictions]) -> dict[str, np.ndarray]:
    """The plain bootstrap: draw rows, compute the metric of each model on them."""
    draws: dict[str, list[float]] = {model: [] for model in models}
    for block in intervals.resamples(len(truth), SETTINGS):
        for weights in block:
            for model, predictions in models.items():
                draws[model].append(metrics.value(name, *repeated(truth, predictions, weights)))
    return {model: np.array(values) for model, values in draws.items()}


@pytest.mark.parametrize(("task", "name"), [(task, name) for task in MAKERS for name in METRICS[task]])
def test_every_interval_agrees_with_the_plain_bootstrap(task: Task, name: str) -> None:
    """Of one model, and of the difference of two on the same rows; the bootstrap's own noise is 2 % of its width."""
    truth, first = MAKERS[task]()
    if name == "mape":
        truth = truth + 10  # away from 0, where it has no spread that an interval could hold
        first = Predictions(first.labels + 10, None)
    models = {"candidate": first, "champion": other(first)}
    found = intervals.estimates((name,), truth, models, SETTINGS)
    drawn = by_rows(name, truth, models)
    for estimate, draws in (
        (found["candidate"][name], drawn["candidate"]),
        (found["candidate"][name] - found["champion"][name], drawn["candidate"] - drawn["champion"]),  # type: ignore[operator]
    ):
        expected = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        assert estimate.interval(LEVEL) == pytest.approx(expected, abs=0.1 * (expected[1] - expected[0]))


@pytest.mark.parametrize("task", MAKERS)
def test_a_model_differs_from_itself_by_nothing(task: Task) -> None:
    truth, predictions = MAKERS[task]()
    found = intervals.estimates(METRICS[task], truth, {"a": predictions, "b": predictions}, SETTINGS)
    differences = intervals.differences(found["a"], found["b"], LEVEL)
    assert list(differences) == list(METRICS[task])
    assert all((m.value, m.low, m.high) == (0, 0, 0) for m in differences.values())


@pytest.mark.parametrize("task", MAKERS)
def test_a_paired_interval_is_narrower_than_those_of_the_models(task: Task) -> None:
    truth, first = MAKERS[task]()
    found = intervals.estimates(METRICS[task], truth, {"a": first, "b": other(first, 0.05)}, SETTINGS)
    alone = intervals.measures(found["a"], LEVEL)
    for name, paired in intervals.differences(found["a"], found["b"], LEVEL).items():
        assert 0 < paired.high - paired.low < 0.8 * (alone[name].high - alone[name].low), name


def test_intervals_are_seeded() -> None:
    truth, predictions = MAKERS["binary_classification"]()
    again = SETTINGS.model_copy(update={"seed": 1})
    first, second, third = (
        intervals.measures(
            intervals.estimates(("f1", "average_precision"), truth, {"a": predictions}, settings)["a"], LEVEL
        )
        for settings in (SETTINGS, SETTINGS, again)
    )
    assert first == second
    assert all(first[name] != third[name] for name in first)


def test_resamples_draw_as_many_rows_as_there_are() -> None:
    few = SETTINGS.model_copy(update={"resamples": 150})
    drawn = np.concatenate(list(intervals.resamples(50, few)))
    assert drawn.shape == (150, 50)
    assert (drawn.sum(axis=1) == 50).all()
    assert [block.shape for block in intervals.resamples(60_000, few.model_copy(update={"resamples": 2}))] == [
        (1, 60_000),
        (1, 60_000),
    ]


def test_an_interval_stays_within_what_the_metric_can_be() -> None:
    truth = np.array([0, 0, 0, 1, 1, 1])
    score = np.array([0.1, 0.2, 0.6, 0.5, 0.8, 0.9])
    predictions = Predictions((score > 0.5).astype(int), np.column_stack([1 - score, score]))
    found = intervals.estimates(METRICS["binary_classification"], truth, {"a": predictions}, SETTINGS)["a"]
    assert found["roc_auc"].interval(LEVEL)[1] > 1
    assert all(0 <= m.low <= m.value <= m.high for m in intervals.measures(found, LEVEL).values())
    assert intervals.measures(found, LEVEL)["roc_auc"].high == 1


def test_what_is_undefined_on_the_rows_is_left_out() -> None:
    truth, predictions = MAKERS["binary_classification"]()
    found = intervals.estimates(("roc_auc", "brier"), np.ones_like(truth), {"a": predictions}, SETTINGS)["a"]
    assert list(found) == ["brier"]
    assert not intervals.differences({}, found, LEVEL)


@pytest.mark.parametrize(
    ("task", "name"), [(task, name) for task in MAKERS for name in metrics.WEIGHTED if name in METRICS[task]]
)
def test_a_part_of_many_rows_says_how_all_of_them_vary(task: Task, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each end, of one model and of a difference, within a tenth of the interval's width."""
    truth, first = MAKERS[task]()
    second = other(first)
    draw = np.random.default_rng(1)
    many = draw.integers(len(truth), size=30_000)
    models = {"a": intervals.taken(first, many), "b": intervals.taken(second, many)}
    known = truth[many]
    if task == "regression":
        known = known + draw.normal(scale=0.1, size=len(many))  # no two alike, as a median has steps where they are
    few = intervals.estimates((name,), known, models, SETTINGS)
    assert len(intervals.enough(known, models, SETTINGS)) == intervals.ENOUGH
    monkeypatch.setattr(intervals, "ENOUGH", len(many))
    whole = intervals.estimates((name,), known, models, SETTINGS)
    for part, every in (
        (few["a"][name], whole["a"][name]),
        (few["a"][name] - few["b"][name], whole["a"][name] - whole["b"][name]),  # type: ignore[operator]
    ):
        assert part.value == every.value
        low, high = every.interval(LEVEL)
        assert part.interval(LEVEL) == pytest.approx((low, high), abs=0.1 * (high - low))


@pytest.mark.parametrize(
    ("rows", "positives", "wanted"),
    [(10_000, 5_000, 10_000), (50_000, 25_000, 10_000), (500_000, 5_000, 100_000), (500_000, 500, 500_000)],
)
def test_a_rare_class_asks_for_more_rows(rows: int, positives: int, wanted: int) -> None:
    truth = np.zeros(rows, dtype="int64")
    truth[:positives] = 1
    models = {"a": Predictions(truth, np.column_stack([1.0 - truth, truth]))}
    places = intervals.enough(truth, models, SETTINGS)
    assert len(places) == len(set(places.tolist())) == wanted
    assert list(places) == list(intervals.enough(truth, models, SETTINGS))
