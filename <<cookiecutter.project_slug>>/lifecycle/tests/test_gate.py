from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import Trained

from lifecycle import InputError, config, policy
from lifecycle.documents import record
from lifecycle.documents.record import Measure, SlicePart
from lifecycle.evaluation import gate

Verdicts = dict[str, str]


def measure(value: float, half: float = 0.01) -> Measure:
    return Measure(value=value, low=value - half, high=value + half)


def evaluation(**changes: Any) -> record.Evaluation:
    """A candidate with ROC AUC 0.9 and log loss 0.3, as good as its champion; `changes` replace fields."""
    origin = record.Origin(
        version="2020.01.01-aaaaaaa",
        commit="a" * 40,
        dirty=False,
        model="0" * 64,
        data="1" * 64,
        lock="2" * 64,
        train=("2020-01-01", "2020-02-01"),
        test=("2020-02-01", "2020-03-01"),
        run="r",
        parameters={},
        features=("number",),
    )
    values: dict[str, Any] = {
        "name": "tiny",
        "task": "binary_classification",
        "level": 0.95,
        "rows": 1000,
        "origin": origin,
        "metrics": {"roc_auc": measure(0.9), "log_loss": measure(0.3)},
        "baseline": {"roc_auc": measure(0.5), "log_loss": measure(0.6)},
        "champion": champion(roc_auc=0, log_loss=0),
        "slices": (part("red", 500, 0.9), part("blue", 500, 0.9)),
        "classes": ("no", "yes"),
        "fairness": (groups(0.1),),
        "calibration": bins((1000, 0.5, 0.5)),
        "confusion": ((500, 100), (100, 300)),
        "residuals": None,
        "importance": {"number": record.Importance(mean=0.2, deviation=0.01)},
        "dependence": (),
        "shap": (),
        "data": None,
        "latency": 1.0,
        "batch": None,
        "parity": 1e-7,
        "bytes": 1000,
    }
    return record.Evaluation(**values | changes)


def champion(**differences: float) -> record.Champion:
    """A champion from which the candidate differs by so much, give or take 0.01."""
    return against({name: measure(value) for name, value in differences.items()})


def against(differences: dict[str, Measure]) -> record.Champion:
    return record.Champion.model_construct(origin=None, metrics={}, differences=differences, code=None)


def asked(breaks: tuple[str, ...] = (), other: tuple[str, ...] = ()) -> record.Evaluation:
    """A candidate as good as its champion, of whose inputs some differ."""
    as_good = champion(roc_auc=0, log_loss=0)
    return evaluation(champion=as_good.model_copy(update={"requests": record.Requests(breaks=breaks, other=other)}))


def groups(difference: float | None) -> record.Fairness:
    """Groups of the slice `colour` that differ by so much, or are too small to differ."""
    differences = {} if difference is None else {"selection_rate_difference": difference}
    group = record.Group(part="red", rows=500, rates={"selection_rate": 0.5})
    return record.Fairness(column="colour", smallest=100, groups=(group,), differences=differences)


def part(name: str, rows: int, auc: float | None) -> SlicePart:
    return SlicePart(column="colour", part=name, rows=rows, metrics={} if auc is None else {"roc_auc": measure(auc)})


def bins(*values: tuple[int, float, float]) -> tuple[record.Bin, ...]:
    return tuple(record.Bin(rows=rows, predicted=predicted, observed=observed) for rows, predicted, observed in values)


def outcome(rule: policy.AnyGate, given_evaluation: record.Evaluation) -> str:
    return gate._judged(rule, given_evaluation)[0]


FLOOR = policy.BoundGate(kind="floor", metric="roc_auc", bound=0.8)
CEILING = policy.BoundGate(kind="ceiling", metric="log_loss", bound=0.4)
ROWS = policy.RowsGate(kind="rows", bound=1000)
BASELINE = policy.BaselineGate(kind="baseline", metric="log_loss")
HIGHER = policy.ChampionGate(kind="champion", metric="roc_auc", margin=0.02)
LOWER = policy.ChampionGate(kind="champion", metric="log_loss", margin=0.02)
SLICE = policy.SliceGate(kind="slice", slice="colour", metric="roc_auc", bound=0.8, rows=100)
GAP = policy.GapGate(kind="gap", slice="colour", metric="roc_auc", bound=0.125, rows=100)
FAIRNESS = policy.FairnessGate(kind="fairness", slice="colour", metric="selection_rate_difference", bound=0.2)
CALIBRATION = policy.CalibrationGate(kind="calibration", bound=0.0625)
PARITY = policy.ParityGate(kind="parity", bound=1e-5)
LATENCY = policy.LatencyGate(kind="latency", bound=2)

# For each kind: a better candidate, an equal one (at the bound, or as good as what it is compared with), a worse one.
CASES: dict[str, tuple[Any, dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "rows": (ROWS, {"rows": 2000}, {"rows": 1000}, {"rows": 999}),
    "floor": (
        FLOOR,
        {"metrics": {"roc_auc": measure(0.81)}},
        {"metrics": {"roc_auc": measure(0.8)}},
        {"metrics": {"roc_auc": measure(0.79)}},
    ),
    "ceiling": (
        CEILING,
        {"metrics": {"log_loss": measure(0.39)}},
        {"metrics": {"log_loss": measure(0.4)}},
        {"metrics": {"log_loss": measure(0.41)}},
    ),
    "champion, higher is better": (
        HIGHER,
        {"champion": champion(roc_auc=0.05)},
        {"champion": champion(roc_auc=0)},
        {"champion": champion(roc_auc=-0.04)},
    ),
    "champion, lower is better": (
        LOWER,
        {"champion": champion(log_loss=-0.05)},
        {"champion": champion(log_loss=0)},
        {"champion": champion(log_loss=0.04)},
    ),
    "slice": (
        SLICE,
        {"slices": (part("red", 500, 0.9), part("blue", 500, 0.95))},
        {"slices": (part("red", 500, 0.8), part("blue", 500, 0.95))},
        {"slices": (part("red", 500, 0.79), part("blue", 500, 0.95))},
    ),
    "floor of the interval": (
        FLOOR.model_copy(update={"by": "interval"}),
        {"metrics": {"roc_auc": measure(0.82)}},
        {"metrics": {"roc_auc": Measure(value=0.81, low=0.8, high=0.82)}},
        {"metrics": {"roc_auc": measure(0.799)}},
    ),
    "ceiling of the interval": (
        CEILING.model_copy(update={"by": "interval"}),
        {"metrics": {"log_loss": measure(0.38)}},
        {"metrics": {"log_loss": Measure(value=0.39, low=0.38, high=0.4)}},
        {"metrics": {"log_loss": measure(0.401)}},
    ),
    "gap": (
        GAP,
        {"slices": (part("red", 500, 0.9), part("blue", 500, 0.9), part("green", 99, 0.1))},
        {"slices": (part("red", 500, 0.75), part("blue", 500, 0.875))},
        {"slices": (part("red", 500, 0.7), part("blue", 500, 0.875))},
    ),
    "fairness": (
        FAIRNESS,
        {"fairness": (groups(0.1),)},
        {"fairness": (groups(0.2),)},
        {"fairness": (groups(0.21),)},
    ),
    "calibration": (
        CALIBRATION,
        {"calibration": bins((100, 0.1, 0.1), (100, 0.5, 0.5))},
        {"calibration": bins((100, 0.25, 0.125), (100, 0.5, 0.5))},
        {"calibration": bins((100, 0.25, 0.1), (100, 0.5, 0.5))},
    ),
    "parity": (PARITY, {"parity": 0.0}, {"parity": 1e-5}, {"parity": 1.1e-5}),
    "latency": (LATENCY, {"latency": 1.0}, {"latency": 2.0}, {"latency": 2.1}),
}


@pytest.mark.parametrize(("rule", "better", "equal", "worse"), CASES.values(), ids=CASES)
def test_a_better_and_an_equal_candidate_pass_and_a_worse_one_fails(
    rule: policy.AnyGate, better: dict[str, Any], equal: dict[str, Any], worse: dict[str, Any]
) -> None:
    assert outcome(rule, evaluation(**better)) == "pass"
    assert outcome(rule, evaluation(**equal)) == "pass"
    assert outcome(rule, evaluation(**worse)) == "fail"


def test_the_baseline_must_be_beaten_not_equalled() -> None:
    assert outcome(BASELINE, evaluation()) == "pass"
    assert outcome(BASELINE, evaluation(metrics={"log_loss": measure(0.6)})) == "fail"
    assert outcome(BASELINE, evaluation(metrics={"log_loss": measure(0.7)})) == "fail"


def test_the_champion_is_compared_by_the_worse_end_of_the_interval() -> None:
    within = against({"roc_auc": Measure(value=-0.01, low=-0.02, high=0)})
    beyond = against({"roc_auc": Measure(value=-0.021, low=-0.03, high=0)})
    assert outcome(HIGHER, evaluation(champion=within)) == "pass"
    assert outcome(HIGHER, evaluation(champion=beyond)) == "fail"


UNSURE = {
    "champion": (HIGHER, {"champion": against({"roc_auc": Measure(value=-0.01, low=-0.021, high=0.2)})}),
    "champion, told apart by no row": (HIGHER, {"champion": against({"roc_auc": measure(0, 0)}), "rows": 149}),
    "floor, reached on every row": (
        FLOOR.model_copy(update={"by": "interval"}),
        {"metrics": {"roc_auc": measure(1, 0)}, "rows": 14},
    ),
    "ceiling, reached on every row": (
        policy.BoundGate(kind="ceiling", metric="brier", bound=0.2, by="interval"),
        {"metrics": {"brier": measure(0, 0)}, "rows": 14},
    ),
    "floor": (FLOOR.model_copy(update={"by": "interval"}), {"metrics": {"roc_auc": measure(0.805)}}),
    "ceiling": (CEILING.model_copy(update={"by": "interval"}), {"metrics": {"log_loss": measure(0.395)}}),
}


@pytest.mark.parametrize(("rule", "changes"), UNSURE.values(), ids=UNSURE)
def test_what_the_test_rows_are_too_few_to_tell_is_undecided_and_refused_unless_the_policy_only_warns(
    rule: policy.AnyGate, changes: dict[str, Any], binary: Trained
) -> None:
    few = evaluation(**changes)
    assert outcome(rule, few) == "undecided"
    assert not gate.decide(rules(binary, rule), few).passed
    found = gate.decide(rules(binary, rule.model_copy(update={"undecided": "warn"})), few)
    assert found.passed
    assert (found.gates[-1].outcome, found.gates[-1].found.endswith("(undecided)")) == ("warn", True)


def test_a_measured_loss_is_refused_also_where_what_is_undecided_only_warns() -> None:
    worse = against({"roc_auc": Measure(value=-0.021, low=-0.2, high=0.2)})
    lenient = HIGHER.model_copy(update={"undecided": "warn"})
    assert outcome(lenient, evaluation(champion=worse)) == "fail"


def test_models_that_no_row_tells_apart_are_equal_once_there_are_enough_rows() -> None:
    """Three in n rows may differ unseen. What is no share of rows, or differs on some, has its interval alone."""
    same = against({"roc_auc": measure(0, 0), "log_loss": measure(0, 0)})
    assert outcome(HIGHER, evaluation(champion=same, rows=149)) == "undecided"
    assert outcome(HIGHER, evaluation(champion=same, rows=150)) == "pass"
    assert outcome(LOWER, evaluation(champion=same, rows=2)) == "pass"
    assert outcome(HIGHER, evaluation(champion=champion(roc_auc=0), rows=2)) == "pass"
    strict = FLOOR.model_copy(update={"by": "interval"})
    assert outcome(strict, evaluation(metrics={"roc_auc": measure(1, 0)}, rows=16)) == "pass"
    assert outcome(FLOOR, evaluation(metrics={"roc_auc": measure(1, 0)}, rows=2)) == "pass"


def test_an_identical_model_passes_at_margin_nothing() -> None:
    same = against({"roc_auc": Measure(value=0, low=0, high=0)})
    assert outcome(HIGHER.model_copy(update={"margin": 0}), evaluation(champion=same)) == "pass"


def test_a_change_that_breaks_callers_is_refused_unless_the_policy_says_that_it_is_wanted(binary: Trained) -> None:
    settings = rules(binary)
    broken = asked(breaks=("colour is gone",), other=("size (number) is new and optional",))
    refused = gate.decide(settings, broken)
    assert (refused.passed, refused.gates[0].title, refused.gates[0].outcome) == (False, "schema", "fail")
    assert refused.gates[0].found == "colour is gone; size (number) is new and optional"
    wanted = gate.decide(settings.model_copy(update={"schema_": "breaking"}), broken)
    assert (wanted.passed, wanted.gates[0].outcome) == (True, "warn")
    assert "callers must follow" in wanted.gates[0].found
    assert wanted.policy != refused.policy
    assert gate.decide(settings, asked(other=("size is new",))).gates[0].outcome == "pass"
    assert gate.decide(settings, evaluation(champion=None)).gates[0].outcome == "skipped"


def test_a_champion_that_cannot_answer_the_test_rows_refuses_the_candidate() -> None:
    silent = champion().model_copy(update={"unanswered": "The model 1 needs colour."})
    assert gate._judged(HIGHER, evaluation(champion=silent))[:2] == ("fail", "The model 1 needs colour.")


def test_without_a_champion_a_comparison_is_skipped_not_passed() -> None:
    assert outcome(HIGHER, evaluation(champion=None)) == "skipped"


def test_a_small_or_undefined_part_of_a_slice_warns_instead_of_deciding() -> None:
    small = evaluation(slices=(part("red", 99, 0.1), part("blue", 500, 0.9)))
    undefined = evaluation(slices=(part("red", 500, None), part("blue", 500, 0.9)))
    assert outcome(SLICE, small) == outcome(SLICE, undefined) == "warn"
    both = evaluation(slices=(part("red", 99, 0.1), part("blue", 500, 0.1)))
    assert outcome(SLICE, both) == "fail"


def test_a_gap_cannot_be_judged_from_one_part() -> None:
    assert outcome(GAP, evaluation(slices=(part("red", 500, 0.9), part("blue", 99, 0.1)))) == "warn"
    assert outcome(GAP, evaluation(slices=(part("red", 500, 0.9), part("blue", 500, None)))) == "warn"


def test_groups_that_are_too_small_or_not_measured_warn() -> None:
    other = groups(0.9).model_copy(update={"column": "size"})
    assert outcome(FAIRNESS, evaluation(fairness=(groups(None),))) == "warn"
    assert outcome(FAIRNESS, evaluation(fairness=())) == outcome(FAIRNESS, evaluation(fairness=(other,))) == "warn"


@pytest.mark.parametrize("rule", [FLOOR, CEILING, BASELINE, HIGHER], ids=lambda rule: rule.kind)
def test_a_metric_that_is_undefined_on_the_test_rows_does_not_pass(rule: policy.AnyGate) -> None:
    nothing = evaluation(metrics={}, champion=champion())
    assert outcome(rule, nothing) == "fail"
    assert "undefined on the test rows" in gate._judged(rule, nothing)[1]
    assert outcome(BASELINE, evaluation(baseline={})) == "fail"


def test_other_slices_do_not_decide() -> None:
    other = SlicePart(column="size", part="small", rows=500, metrics={"roc_auc": measure(0.1)})
    parts = (part("red", 500, 0.9), part("blue", 500, 0.9), other)
    assert outcome(SLICE, evaluation(slices=parts)) == outcome(GAP, evaluation(slices=parts)) == "pass"


def test_what_is_needed_says_which_way() -> None:
    needed = {name: gate._judged(case[0], evaluation())[2] for name, case in CASES.items()}
    assert needed == {
        "rows": "at least 1,000",
        "floor": "at least 0.8",
        "ceiling": "at most 0.4",
        "champion, higher is better": "at most 0.02 below the champion",
        "champion, lower is better": "at most 0.02 above the champion",
        "slice": "at least 0.8 in each part",
        "floor of the interval": "at least 0.8 at the worse end of its interval",
        "ceiling of the interval": "at most 0.4 at the worse end of its interval",
        "gap": "at most 0.125 apart",
        "fairness": "at most 0.2",
        "calibration": "at most 0.0625",
        "parity": "at most 1e-05",
        "latency": "at most 2 ms",
    }


MOVES = [
    (Measure(value=-0.023, low=-0.026, high=-0.02), "fell 0.023 (0.02 to 0.026)"),
    (Measure(value=-0.01, low=-0.02, high=0), "fell 0.01 (0 to 0.02)"),
    (Measure(value=0.001, low=-0.002, high=0.004), "rose 0.001 (-0.002 to 0.004)"),
    (Measure(value=0, low=-0.0, high=-0.0), "unchanged (0 to 0)"),
]


@pytest.mark.parametrize(("difference", "sentence"), MOVES)
def test_a_comparison_says_which_way_the_metric_moved(difference: Measure, sentence: str) -> None:
    assert gate._judged(HIGHER, evaluation(champion=against({"roc_auc": difference})))[1] == sentence


def rules(binary: Trained, *gates: policy.AnyGate) -> config.Config:
    return binary.settings.model_copy(update={"gates": gates})


@pytest.mark.parametrize(("rule", "_better", "_equal", "worse"), CASES.values(), ids=CASES)
def test_one_failed_gate_refuses_unless_it_only_warns(
    rule: policy.AnyGate, _better: object, _equal: object, worse: dict[str, Any], binary: Trained
) -> None:
    others = tuple(case[0] for case in CASES.values())
    assert gate.decide(rules(binary, *others), evaluation()).passed
    bad = evaluation(**worse)
    assert not gate.decide(rules(binary, rule), bad).passed
    lenient = gate.decide(rules(binary, rule.model_copy(update={"severity": "warn"})), bad)
    assert lenient.passed
    assert lenient.gates[-1].outcome == "warn"
    assert gate.decide(rules(binary), bad).passed, "without the gate nothing refuses it"


@given(st.floats(-0.2, 0.2), st.floats(1e-6, 0.1), st.floats(0, 0.1))
def test_no_candidate_passes_whose_interval_reaches_beyond_the_margin(value: float, half: float, margin: float) -> None:
    found = against({"roc_auc": measure(value, half)})
    rule = policy.ChampionGate(kind="champion", metric="roc_auc", margin=margin)
    said = outcome(rule, evaluation(champion=found))
    assert (said == "pass") == (value - half >= -margin)
    assert (said == "fail") == (value < -margin)


def test_the_policy_is_named_by_its_gates(binary: Trained) -> None:
    one, other = (gate.decide(rules(binary, rule), evaluation()).policy for rule in (FLOOR, CEILING))
    assert one != other
    assert one == gate.decide(rules(binary, FLOOR), evaluation(rows=7)).policy


def test_the_record_is_written_before_the_candidate_is_refused(binary: Trained, tmp_path: Path) -> None:
    build = binary.copy(tmp_path)
    (build / "decision.json").unlink()
    strict = rules(binary, policy.BoundGate(kind="floor", metric="roc_auc", bound=0.999))
    with pytest.raises(InputError, match=r"is refused by 1 gate: floor ROC AUC: 0.*, needed: at least 0.999\."):
        gate.run(strict, build)
    assert not record.decision(build / "decision.json").passed


def test_an_evaluation_of_another_task_or_none_is_refused(binary: Trained, tmp_path: Path) -> None:
    other = binary.settings.model_copy(update={"task": "regression"})
    with pytest.raises(InputError, match="not regression; run `make evaluate` again"):
        gate.run(other, binary.build)
    with pytest.raises(InputError, match="run `make evaluate` first"):
        gate.run(binary.settings, tmp_path)
