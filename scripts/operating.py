"""Prints the champion gates' operating characteristic: how often they accept equal, worse and better models.

Each model is trained on fresh rows from a known source, as many as the example has, so models differ as retrained ones
do. A worse model is one with noise on its scores that lowers its ROC AUC on 250,000 rows by twice the margin.
"""

import sys
from pathlib import Path

import numpy as np
from lifecycle import config, policy
from lifecycle.artifact.predictor import Array, Predictions
from lifecycle.documents import record
from lifecycle.evaluation import gate, intervals, metrics
from scipy.special import expit, logit
from sklearn.ensemble import HistGradientBoostingClassifier

PROJECT = Path(__file__).resolve().parents[1] / "<<cookiecutter.project_slug>>"
FEATURES, TRAIN_ROWS, MODELS, REPETITIONS = 8, 40_000, 24, 200
NOISE_ROWS = 250_000
SIZES = (1_000, 2_000, 5_000, 10_000, 20_000)


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


def passes(settings: config.Config, truth: Array, candidate: Predictions, champion: Predictions) -> dict[str, bool]:
    """Whether each champion gate accepts the candidate, whether all do, and whether its ROC AUC is no lower."""
    names = [rule.metric for rule in settings.gates if isinstance(rule, policy.ChampionGate)]
    found = intervals.estimates(names, truth, {"candidate": candidate, "champion": champion}, settings.evaluate)
    differences = intervals.differences(found["candidate"], found["champion"], settings.evaluate.level)
    against = record.Champion.model_construct(differences=differences)
    evaluation = record.Evaluation.model_construct(rows=len(truth), champion=against)
    decision = gate.decide(settings, evaluation)
    outcomes = {verdict.title: verdict.outcome for verdict in decision.gates}
    each = {name: outcomes[f"champion {name}"] == "pass" for name in names}
    return {**each, "all": decision.passed, "candidate >= champion": differences["roc_auc"].value >= 0}


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
    return 0


if __name__ == "__main__":
    sys.exit(main())
