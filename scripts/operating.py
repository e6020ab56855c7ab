"""Prints the champion gates' operating characteristic: how often they accept equal, worse and better models.

For few rows, it also prints what the gates say of this themselves, about pairs that are equal by construction; and what
gates on parts of the rows say.

Each model is trained on fresh rows from a known source, as many as the example has, so models differ as retrained ones
do. A worse model is one with noise on its scores that lowers its ROC AUC on 250,000 rows by twice the margin.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from lifecycle import config, policy
from lifecycle.artifact.predictor import Predictions
from lifecycle.artifact.runtimes import Array
from lifecycle.documents import record
from lifecycle.evaluation import gate, groups, intervals, metrics, power, together
from scipy.special import expit, logit
from sklearn.ensemble import HistGradientBoostingClassifier

PROJECT = Path(__file__).resolve().parents[1] / "<<cookiecutter.project_slug>>"
FEATURES, TRAIN_ROWS, MODELS, REPETITIONS = 8, 40_000, 24, 200
NOISE_ROWS = 250_000
SIZES = (1_000, 2_000, 5_000, 10_000, 20_000)
FEW = 300  # test rows, by which equal models are often refused
PARTED, KNOWN = 1_000, 4  # test rows in parts, and models whose truth is known
GATES = (
    policy.SliceGate(kind="slice", slice="group", metric="f1", bound=0, rows=50),
    policy.GapGate(kind="gap", slice="group", metric="f1", bound=1, rows=50),
    policy.FairnessGate(kind="fairness", slice="group", metric="equalized_odds_difference", bound=1),
    policy.CalibrationGate(kind="calibration", bound=1),
)


def rows(generator: np.random.Generator, count: int) -> tuple[Array, Array]:
    """Inputs (count, features) and truth (count,): about a third positive, ROC AUC near 0.9."""
    inputs = generator.normal(size=(count, FEATURES))
    known = 2 * inputs[:, 0] + 1.5 * inputs[:, 1] * inputs[:, 2] + inputs[:, 3] - np.abs(inputs[:, 4])
    return inputs, (generator.random(count) < expit(1.5 * known)).astype(int)


def trained(generator: np.random.Generator) -> HistGradientBoostingClassifier:
    inputs, truth = rows(generator, TRAIN_ROWS)
    return HistGradientBoostingClassifier(max_iter=40, max_leaf_nodes=15, random_state=0).fit(inputs, truth)


def score(model: HistGradientBoostingClassifier, inputs: Array) -> Array:
    found: Array = logit(model.predict_proba(inputs)[:, 1])
    return found


def noise_for(loss: float, models: list[HistGradientBoostingClassifier], generator: np.random.Generator) -> float:
    """The standard deviation of score noise that lowers ROC AUC by `loss`, found by bisection."""
    inputs, truth = rows(generator, NOISE_ROWS)
    clean = [score(model, inputs) for model in models[:4]]
    noise = generator.normal(size=len(truth))
    areas = [metrics.area(truth == 1, one)[0] for one in clean]
    low, high = 0.0, 10.0
    for _ in range(20):
        middle = (low + high) / 2
        noisy = [metrics.area(truth == 1, one + middle * noise)[0] for one in clean]
        lost = np.mean(areas) - np.mean(noisy)
        low, high = (middle, high) if lost < loss else (low, middle)
    return low


def predictions(scores: Array) -> Predictions:
    probability = expit(scores)
    return Predictions((probability >= 0.5).astype(int), np.column_stack([1 - probability, probability]))


def decided(settings: config.Config, truth: Array, candidate: Predictions, champion: Predictions) -> record.Decision:
    """The champion gates' decision."""
    names = [rule.metric for rule in settings.gates if isinstance(rule, policy.ChampionGate)]
    found = intervals.estimates(names, truth, {"candidate": candidate, "champion": champion}, settings.evaluate)
    differences = intervals.differences(found["candidate"], found["champion"], settings.evaluate.level)
    against = record.Champion.model_construct(differences=differences)
    evaluation = record.Evaluation.model_construct(rows=len(truth), champion=against, directions={})
    return gate.decide(settings, evaluation)


def outcomes(decision: record.Decision, outcome: str = "pass") -> dict[str, bool]:
    """Whether each champion gate has an outcome."""
    return {str(v.gate["metric"]): v.outcome == outcome for v in decision.gates if v.gate["kind"] == "champion"}


def passes(settings: config.Config, truth: Array, candidate: Predictions, champion: Predictions) -> dict[str, bool]:
    """Whether each champion gate accepts the candidate, whether all do, and whether its ROC AUC is no lower."""
    decision = decided(settings, truth, candidate, champion)
    areas = [metrics.value("roc_auc", truth, answers) for answers in (candidate, champion)]
    return {**outcomes(decision), "all": decision.passed, "candidate >= champion": areas[0] >= areas[1]}


def seen(
    settings: config.Config, models: list[HistGradientBoostingClassifier], spread: float, loss: float
) -> dict[str, Array]:
    """How often equal models pass and one whose ROC AUC is lower by `loss` fails, each after what the gates say of it.

    Equal are a model with noise and the same with other noise; worse is a model with noise than it is without.
    """
    generator, counts = np.random.default_rng(1), dict[str, Array]()
    plan = settings.evaluate.model_copy(update={"resamples": 250})  # each tells a little, 200 repetitions enough
    fewer = settings.model_copy(update={"evaluate": plan})
    for repetition in range(REPETITIONS):
        inputs, truth = rows(generator, FEW)
        clean = score(models[repetition % MODELS], inputs)
        one, other = (predictions(clean + spread / 3 * generator.normal(size=FEW)) for _ in range(2))
        worse = predictions(clean + spread * generator.normal(size=FEW))
        for column, candidate, champion in ((0, one, other), (2, worse, predictions(clean))):
            decision = decided(settings, truth, candidate, champion)
            moves = together.estimates(fewer, truth, {"candidate": candidate, "champion": champion})[1]
            told = power.told(decision, settings.gates, moves)
            if column == 0:
                said = {str(v.gate["metric"]): v.power.equal or 0 for v in told.gates if v.power}
                said["all"], found = 1 - (told.refuses or 0), {**outcomes(told), "all": told.passed}
            elif view := power.view(settings.gates[0], told.evaluation, moves):
                said, found = {"roc_auc": np.mean(np.array(view.moves) - loss < view.bar)}, outcomes(told, "fail")
            for name, share in said.items():
                counts.setdefault(name, np.zeros(4))[column : column + 2] += share, found[name]
    return {name: found / REPETITIONS for name, found in counts.items()}


def parted(
    model: HistGradientBoostingClassifier, spread: float, count: int, generator: np.random.Generator
) -> tuple[pd.DataFrame, Array, Predictions]:
    """Rows in three groups, of which one is predicted worse, by a model that is too sure."""
    inputs, truth = rows(generator, count)
    group = generator.choice(3, count, p=(0.5, 0.3, 0.2))
    noisy = score(model, inputs) + spread * group * generator.normal(size=count)
    return pd.DataFrame({"group": np.array(["a", "b", "c"])[group]}), truth, predictions(1.5 * noisy)


def parts(
    settings: config.Config, models: list[HistGradientBoostingClassifier], spread: float
) -> dict[str, tuple[float, float, float]]:
    """How often a model fails that is worse than each gate's bound by what the gate says that it sees.

    Then, where the bound is nearer, how often a model passes, after what the gate says of one that is exactly as good.
    """
    generator, groups_of = np.random.default_rng(2), {"column": "group", "fairness": {"rows": 50}}
    plan = settings.evaluate.model_copy(update={"resamples": 250, "slices": (config.Slice.model_validate(groups_of),)})
    given = settings.model_copy(update={"gates": GATES, "evaluate": plan})
    weights = np.concatenate(list(intervals.resamples(PARTED, plan)))
    every, told = np.arange(PARTED), dict[str, list[tuple[float, float, Array]]]()

    def judged(
        model: HistGradientBoostingClassifier, count: int, gates: Sequence[policy.AnyGate]
    ) -> Iterator[tuple[policy.AnyGate, groups.Judged]]:
        test, truth, answers = parted(model, spread, count, generator)
        found = groups.judged(given.model_copy(update={"gates": gates}), truth, {"candidate": answers}, test, every)
        yield from zip(gates, found.values(), strict=True)

    known = []
    for model in models[:KNOWN]:
        found = [(rule, one.values[None], one.rule.good) for rule, one in judged(model, NOISE_ROWS, GATES)]
        known.append([(rule.model_copy(update={"bound": abs(good(true)[0])}), true) for rule, true, good in found])
    for repetition in range(REPETITIONS):
        gates, truths = zip(*known[repetition % KNOWN], strict=True)
        drawn = judged(models[repetition % KNOWN], PARTED, gates)
        for (rule, one), true in zip(drawn, truths, strict=True):
            moved = weights @ (one.influences - one.influences.mean(axis=0)) / PARTED
            good, name = one.rule.good, rule.kind
            sees = float(np.quantile(one.told(moved)["moved"], power.SEEN))
            behind = float(good(one.values[None])[0] - good(true)[0])
            told.setdefault(name, []).append((sees, behind, good(true + moved) - good(true)))
    shares = {}
    for name, each in told.items():
        sees = float(np.mean([one for one, _, _ in each]))
        behind, near = np.array([one for _, one, _ in each]), -sees / 2
        says = float(np.mean([(equal >= near).mean() for _, _, equal in each]))
        shares[name] = float((behind < sees).mean()), says, float((behind >= near).mean())
    return shares


def main() -> int:
    sizes = tuple(map(int, sys.argv[1:])) or SIZES
    known = config.load(PROJECT / "config.yaml")
    rules = tuple(rule for rule in known.gates if isinstance(rule, policy.ChampionGate))
    settings = known.model_copy(update={"gates": rules})
    margin = next(rule.margin for rule in rules if rule.metric == "roc_auc")
    generator = np.random.default_rng(0)
    models = [trained(generator) for _ in range(MODELS)]
    spread = noise_for(2 * margin, models, generator)
    named = ", ".join(f"{rule.metric} {rule.margin:g}" for rule in rules)
    print(f"Margins: {named}; worse and better by {2 * margin:g} ROC AUC; {REPETITIONS} repetitions.\n")
    print("| test rows | gate | equal passes | worse is refused | better is refused |\n| --- | --- | --- | --- | --- |")
    pairs = [(one, other) for one in range(MODELS) for other in range(MODELS) if one != other]
    for size in sizes:
        counts: dict[str, Array] = {}
        for pair in generator.choice(len(pairs), REPETITIONS, replace=False):
            inputs, truth = rows(generator, size)
            first, second = (score(models[index], inputs) for index in pairs[pair])
            clean, other = predictions(first), predictions(second)
            for column, (candidate, champion) in enumerate(
                (
                    (clean, other),
                    (predictions(first + spread * generator.normal(size=size)), other),
                    (clean, predictions(second + spread * generator.normal(size=size))),
                )
            ):
                for name, passed in passes(settings, truth, candidate, champion).items():
                    counts.setdefault(name, np.zeros(3))[column] += passed == (column == 0)
        for name, found in counts.items():
            equal, worse, better = found / REPETITIONS
            print(f"| {size:,} | {name} | {equal:.1%} | {worse:.1%} | {better:.1%} |", flush=True)
    print("\n| test rows | gate | says: equal passes | equal passes | says: worse fails | worse fails |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, found in seen(settings, models, spread, 2 * margin).items():
        print(f"| {FEW} | {name} | {' | '.join(f'{share:.1%}' for share in found)} |")
    print("\n| test rows | gate | says: worse fails | worse fails | says: equal passes | equal passes |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, shares in parts(settings, models, spread).items():
        print(f"| {PARTED:,} | {name} | {power.SEEN:.1%} | {' | '.join(f'{share:.1%}' for share in shares)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
