"""What a gate says that it can see: by the formula of a normal difference, by its rule, and in words."""

import json
import random
from pathlib import Path
from statistics import NormalDist
from typing import Any

import pytest
from test_gate import FLOOR, HIGHER, LOWER, against, evaluation, measure, rules
from tiny import Trained

from lifecycle import InputError, policy
from lifecycle.documents import record
from lifecycle.documents.record import Measure, Power, Verdict
from lifecycle.evaluation import gate, power
from lifecycle.reporting import power as words
from lifecycle.reporting import short

ROWS, SPREAD = 1000, 0.01  # of the test; the standard deviation of the differences
NORMAL = NormalDist()
GRID = [SPREAD * NORMAL.inv_cdf((place + 0.5) / 1000) for place in range(1000)]
HALF = SPREAD * NORMAL.inv_cdf(0.975)
BASELINE = policy.BaselineGate(kind="baseline", metric="roc_auc")


def measured(**changes: Any) -> record.Evaluation:
    """A candidate whose differences from the champion have a standard deviation of SPREAD."""
    known = {"roc_auc": measure(0, HALF), "log_loss": measure(0, HALF)}
    champion = against(known).model_copy(update={"metrics": {"roc_auc": measure(0.9), "log_loss": measure(0.3)}})
    return evaluation(**{"champion": champion, "rows": ROWS} | changes)


def moves(moved: list[float] = GRID, other: list[float] | None = None) -> power.Moves:
    """These are how resamples move each difference in ROC AUC, and in log loss."""
    found = {"roc_auc": moved, "log_loss": moved if other is None else other}
    return {"candidate": found, "champion": found, "baseline": found}


def seen(rule: policy.AnyGate, found: power.Moves | None = None, **changes: Any) -> Power:
    view = power.view(rule, measured(**changes), found or moves())
    assert view
    return view.power(ROWS, rule.margin if isinstance(rule, policy.ChampionGate) else 0)


@pytest.mark.parametrize("rule", [HIGHER, LOWER], ids=["higher is better", "lower is better"])
def test_a_champion_gate_sees_and_passes_as_the_formula_says(rule: policy.ChampionGate) -> None:
    found = seen(rule)
    assert found.sees == pytest.approx(rule.margin + SPREAD * NORMAL.inv_cdf(0.8), rel=0.01)
    assert found.equal == pytest.approx(NORMAL.cdf(rule.margin / SPREAD - NORMAL.inv_cdf(0.975)), abs=0.002)
    needed = (SPREAD * (NORMAL.inv_cdf(0.975) + NORMAL.inv_cdf(0.95)) / rule.margin) ** 2 * ROWS
    assert found.rows == pytest.approx(needed, rel=0.01)


def test_which_side_is_better_decides_which_moves_count() -> None:
    lopsided = [-0.05] * 300 + [0.0001] * 700
    assert seen(HIGHER, moves(lopsided)).equal == 0.7
    assert seen(LOWER, moves([-move for move in lopsided])) == seen(HIGHER, moves(lopsided))
    assert seen(LOWER, moves(lopsided)).equal == 1


@pytest.mark.parametrize("rule", [FLOOR, policy.BoundGate(kind="ceiling", metric="log_loss", bound=0.4)])
def test_a_bound_fails_what_is_beyond_it_by_chance_and_an_interval_passes_less(rule: policy.BoundGate) -> None:
    assert seen(rule) == Power(sees=seen(BASELINE).sees, equal=1.0)
    assert seen(rule).sees == pytest.approx(SPREAD * NORMAL.inv_cdf(0.8), rel=0.01)
    known: dict[str, Any] = {"metrics": {"roc_auc": measure(0.9, HALF), "log_loss": measure(0.3, HALF)}}
    near = rule.model_copy(update={"bound": 0.89 if rule.kind == "floor" else 0.31})  # one deviation away
    assert seen(near, **known).equal == pytest.approx(NORMAL.cdf(1), abs=0.002)
    strict = near.model_copy(update={"by": "interval"})
    assert seen(strict, **known).equal == pytest.approx(NORMAL.cdf(1 - NORMAL.inv_cdf(0.975)), abs=0.002)
    assert seen(strict, **known).sees == seen(near).sees


def test_without_a_champion_only_bounds_and_the_baseline_see_something(binary: Trained) -> None:
    alone = measured(champion=None)
    given = rules(binary, FLOOR, BASELINE, HIGHER)
    told = power.told(
        gate.decide(given, alone), given.gates, {"candidate": moves()["candidate"]} | {"baseline": moves()["baseline"]}
    )
    assert [verdict.power and verdict.power.equal for verdict in told.gates] == [None] * 4
    assert [bool(verdict.power) for verdict in told.gates] == [False, True, True, False]
    assert told.refuses is None


def test_models_that_answer_alike_tell_nothing() -> None:
    assert power.view(HIGHER, measured(), moves([0.0] * 100)) is None
    assert power.view(policy.RowsGate(kind="rows", bound=1), measured(), moves()) is None


def refused(binary: Trained, found: power.Moves, *gates: policy.AnyGate) -> float | None:
    given = rules(binary, *gates)
    return power.told(gate.decide(given, measured()), given.gates, found).refuses


def test_gates_together_refuse_by_how_they_move_together(binary: Trained) -> None:
    generator = random.Random(0)  # noqa: S311 - shuffles
    shuffled = generator.sample(GRID, len(GRID))
    one = refused(binary, moves(), HIGHER) or 0
    assert one == pytest.approx(1 - (seen(HIGHER).equal or 0))
    assert 0.4 < one < 0.6
    same = [-move for move in GRID]  # a lower loss is better
    assert refused(binary, moves(GRID, same), HIGHER, LOWER) == pytest.approx(one, abs=0.002)
    assert refused(binary, moves(GRID, shuffled), HIGHER, LOWER) == pytest.approx(1 - (1 - one) ** 2, abs=0.05)
    assert refused(binary, moves(GRID, GRID), HIGHER, LOWER) == pytest.approx(min(1, 2 * one), abs=0.002)


def test_what_only_warns_refuses_no_equal_model(binary: Trained) -> None:
    """A gate of severity `warn` never, one that may be undecided only where the loss itself is beyond the margin."""
    assert refused(binary, moves(), HIGHER.model_copy(update={"severity": "warn"})) is None
    lenient = HIGHER.model_copy(update={"undecided": "warn"})
    assert refused(binary, moves(), lenient) == pytest.approx(NORMAL.cdf(-HIGHER.margin / SPREAD), abs=0.002)
    assert seen(lenient) == seen(HIGHER)


def test_a_record_without_power_has_no_key_that_older_code_refuses(decision: record.Decision, tmp_path: Path) -> None:
    bare = decision.model_copy(
        update={"refuses": None, "gates": tuple(one.model_copy(update={"power": None}) for one in decision.gates)}
    )
    document = json.loads(record.dump(bare))
    assert "refuses" not in document
    assert all(set(one) == {"gate", "outcome", "found", "needed"} for one in document["gates"])
    (tmp_path / "decision.json").write_text(record.dump(bare))
    assert record.decision(tmp_path / "decision.json") == bare
    assert [verdict.power is not None for verdict in decision.gates] == [False, False, True, True, False]


def test_moves_of_another_evaluation_are_refused(binary: Trained, tmp_path: Path) -> None:
    build = binary.copy(tmp_path)
    assert power.read(build)
    (build / "evaluation.json").write_text((build / "evaluation.json").read_text() + " ")
    with pytest.raises(InputError, match="belongs to another evaluation.*run `make evaluate` again"):
        gate.run(binary.settings, build)
    (build / "draws.json").unlink()
    with pytest.raises(InputError, match="run `make evaluate` first"):
        power.read(build)


def told(given: policy.AnyGate, found: Power) -> str:
    verdict = Verdict(gate=given.model_dump(), outcome="pass", found="", needed="", power=found)
    decision = record.Decision(passed=True, policy="", gates=(verdict,), evaluation=measured())
    return words.section(decision).lines[1]


def test_the_report_says_what_each_gate_sees() -> None:
    assert told(HIGHER, Power(sees=0.02841, equal=0.516, rows=3250)) == (
        "champion ROC AUC sees a fall of 0.0284 in ROC AUC and passes 52 of 100 equal models, 95 with 3,250 test rows."
    )
    assert told(LOWER, Power(sees=0.02, equal=0.97, rows=900)) == (
        "champion log loss sees a rise of 0.02 in log loss and passes 97 of 100 equal models."
    )
    assert told(FLOOR, Power(sees=0.01)) == "floor ROC AUC sees ROC AUC below 0.79."
    ceiling = policy.BoundGate(kind="ceiling", metric="log_loss", bound=0.4)
    assert told(ceiling, Power(sees=0.01, equal=1)) == (
        "ceiling log loss sees log loss above 0.41 and passes 100 of 100 equal models."
    )
    parts: dict[str, Any] = {"slice": "colour", "rows": 50}
    part = policy.SliceGate(kind="slice", metric="f1", bound=0.6, **parts)
    assert told(part, Power(sees=0.03)) == "slice colour F1 sees F1 of any part below 0.57."
    worst = part.model_copy(update={"metric": "log_loss"})
    assert told(worst, Power(sees=0.03)) == "slice colour log loss sees log loss of any part above 0.63."
    gap = policy.GapGate(kind="gap", metric="f1", bound=0.1, **parts)
    assert told(gap, Power(sees=0.03)) == "gap colour F1 sees a gap of F1 above 0.13."
    odds = policy.FairnessGate(kind="fairness", slice="colour", metric="equalized_odds_difference", bound=0.1)
    assert told(odds, Power(sees=0.03)).endswith("sees a difference of odds above 0.13.")
    calibration = policy.CalibrationGate(kind="calibration", bound=0.1)
    assert told(calibration, Power(sees=0.03)) == "calibration sees a calibration error above 0.13."
    assert told(BASELINE, Power(sees=0.01)) == "baseline ROC AUC sees ROC AUC worse than the baseline's by 0.01."


def test_the_report_says_how_often_all_gates_refuse_equal_models(binary: Trained) -> None:
    given = rules(binary, HIGHER)
    decision = power.told(gate.decide(given, measured()), given.gates, moves())
    assert words.section(decision).lines[-1] == "Together they refuse 48 of 100 equal models."
    origin = decision.evaluation.origin
    champion = record.Champion(
        origin=origin, metrics={}, differences={"roc_auc": Measure(value=0, low=-HALF, high=HALF)}, code=None
    )
    shown = decision.model_copy(update={"evaluation": measured(champion=champion)})
    said = "What the gates can see: ROC AUC worse by 0.0284"
    assert f"{said}; so few test rows that they often refuse equal models." in short.lines(shown)
    assert f"{said}." in short.lines(shown.model_copy(update={"refuses": 0.04}))
    bare = shown.model_copy(update={"gates": (), "refuses": None})
    assert words.section(bare).lines == ["Not measured."]
    assert not any("can see" in line for line in short.lines(bare))


def asked(binary: Trained, folder: Path, rows: str, *gates: policy.AnyGate, found: power.Moves | None = None) -> str:
    """What `make power ROWS=` says after an evaluation with these moves."""
    known = measured(champion=None).model_dump_json()
    champion = {"origin": json.loads(known)["origin"], "metrics": {}, "code": None}
    champion["differences"] = {"roc_auc": measure(0, HALF).model_dump()}
    (folder / "evaluation.json").write_text(json.dumps(json.loads(known) | {"champion": champion}))
    power.write(folder, moves() if found is None else found)
    return words.run(rules(binary, *gates), folder, rows)


def test_make_power_says_which_rows_a_margin_needs_and_which_margin_rows_allow(binary: Trained, tmp_path: Path) -> None:
    assert asked(binary, tmp_path, "", HIGHER) == (
        "with 1,000 test rows\n"
        "  margin 0.02: sees a fall of 0.0284 in ROC AUC and passes 52 of 100 equal models; "
        "a margin of 0.036 passes 95 of them, or that of 0.02 with 3,240 rows"
    )
    assert asked(binary, tmp_path, "4000", HIGHER) == (
        "with 4,000 test rows\n"
        "  margin 0.02: sees a fall of 0.0242 in ROC AUC and passes 98 of 100 equal models; "
        "a margin of 0.018 passes 95 of them, or that of 0.02 with 3,240 rows"
    )
    alike = asked(binary, tmp_path, "", HIGHER, found=moves([0.0] * 1000))
    assert alike.endswith("ROC AUC: unknown, as no test row tells the two models apart by it")
    nothing = HIGHER.model_copy(update={"margin": 0})
    assert asked(binary, tmp_path, "", nothing).endswith("a margin of 0.036 passes 95 of them")


@pytest.mark.parametrize("rows", ["1", "0", "-5", "many", "1e3", "\N{ARABIC-INDIC DIGIT NINE}", "10 "])
def test_rows_that_are_no_number_are_refused(rows: str, binary: Trained, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="ROWS is a whole number of test rows from 2 on"):
        asked(binary, tmp_path, rows, HIGHER)


def test_power_without_a_champion_or_a_gate_says_what_to_do(binary: Trained, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no gate of kind champion"):
        asked(binary, tmp_path, "", FLOOR)
    with pytest.raises(InputError, match="compared with no champion.*run `make champion evaluate`"):
        words.run(rules(binary, HIGHER), binary.build, "")
