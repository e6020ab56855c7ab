"""The tests of the gates turn red when a comparison in gate.py is inverted, a gate always passes, or no gate runs."""

import ast
from pathlib import Path
from types import ModuleType

import pytest
import test_gate
from tiny import Trained

from lifecycle.evaluation import gate

SOURCE = Path(gate.__file__).read_text()
INVERSE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    **{ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt},
    **{
        ast.Eq: ast.NotEq,
        ast.NotEq: ast.Eq,
        ast.Is: ast.IsNot,
        ast.IsNot: ast.Is,
        ast.In: ast.NotIn,
        ast.NotIn: ast.In,
    },
}


def decisive(tree: ast.Module) -> list[ast.FunctionDef]:
    """The functions that decide, without those that show or write."""
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return [function for function in functions if function.name.startswith("_") or function.name == "decide"]


def comparisons(tree: ast.Module) -> list[ast.Compare]:
    found = [node for function in decisive(tree) for node in ast.walk(function) if isinstance(node, ast.Compare)]
    return sorted(found, key=lambda node: (node.lineno, node.col_offset))


def mutants() -> dict[str, ast.Module]:
    made = {}
    for index, original in enumerate(comparisons(ast.parse(SOURCE))):
        tree = ast.parse(SOURCE)
        comparison = comparisons(tree)[index]
        comparison.ops = [INVERSE[type(comparison.ops[0])]()]
        made[f"line {original.lineno} {ast.unparse(original)} inverted"] = tree
    kinds = [function.name for function in decisive(ast.parse(SOURCE)) if function.name not in ("_judged", "decide")]
    for kind in kinds:
        tree = ast.parse(SOURCE)
        next(f for f in decisive(tree) if f.name == kind).body = ast.parse("return 'pass', '', ''").body
        made[f"{kind} always passes"] = tree
    none = ast.parse(SOURCE.replace("for gate in settings.gates:", "for gate in ():"))
    return {**made, "no gate runs": none}


def suite(binary: Trained) -> None:
    """Every test that calls a gate or the decision."""
    for case in test_gate.CASES.values():
        test_gate.test_a_better_and_an_equal_candidate_pass_and_a_worse_one_fails(*case)
        test_gate.test_one_failed_gate_refuses_unless_it_only_warns(*case, binary)
    test_gate.test_the_baseline_must_be_beaten_not_equalled()
    test_gate.test_the_champion_is_compared_by_the_worse_end_of_the_interval()
    test_gate.test_without_a_champion_a_comparison_is_skipped_not_passed()
    test_gate.test_a_small_or_undefined_part_of_a_slice_warns_instead_of_deciding()
    test_gate.test_a_gap_cannot_be_judged_from_one_part()
    test_gate.test_groups_that_are_too_small_or_not_measured_warn()
    test_gate.test_other_slices_do_not_decide()
    test_gate.test_what_is_needed_says_which_way()
    test_gate.test_a_measured_loss_is_refused_also_where_what_is_undecided_only_warns()
    test_gate.test_an_identical_model_passes_at_margin_nothing()
    test_gate.test_models_that_no_row_tells_apart_are_equal_once_there_are_enough_rows()
    test_gate.test_a_change_that_breaks_callers_is_refused_unless_the_policy_says_that_it_is_wanted(binary)
    test_gate.test_a_champion_that_cannot_answer_the_test_rows_refuses_the_candidate()
    for unsure in test_gate.UNSURE.values():
        test_gate.test_what_the_test_rows_are_too_few_to_tell_is_undecided_and_refused_unless_the_policy_only_warns(
            *unsure, binary
        )
    for move in test_gate.MOVES:
        test_gate.test_a_comparison_says_which_way_the_metric_moved(*move)
    for rule in (test_gate.FLOOR, test_gate.CEILING, test_gate.BASELINE, test_gate.HIGHER):
        test_gate.test_a_metric_that_is_undefined_on_the_test_rows_does_not_pass(rule)


def test_the_gates_as_they_are_hold(binary: Trained) -> None:
    suite(binary)
    assert len(mutants()) > 40


@pytest.mark.parametrize("tree", mutants().values(), ids=mutants())
def test_a_gate_that_is_inverted_or_removed_is_noticed(
    tree: ast.Module, binary: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant = ModuleType("lifecycle.evaluation.gate")
    exec(compile(tree, "mutant", "exec"), mutant.__dict__)  # noqa: S102 - our own source, changed in one place
    monkeypatch.setattr(test_gate, "gate", mutant)
    with pytest.raises((AssertionError, TypeError, KeyError, AttributeError, ValueError)):
        suite(binary)
