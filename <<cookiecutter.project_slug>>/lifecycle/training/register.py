"""Logs the decision to the model's MLflow run, and adds an accepted model to the registry."""

import io
from contextlib import redirect_stderr
from pathlib import Path

import mlflow

from lifecycle import InputError
from lifecycle.documents import record
from lifecycle.documents.record import Decision, Evaluation
from lifecycle.training import tracking


def _metrics(evaluation: Evaluation) -> dict[str, float]:
    """Every metric and the ends of its interval, by name, for the candidate, the baseline and the champion."""
    columns = {"": evaluation.metrics, "baseline/": evaluation.baseline}
    if evaluation.champion:
        columns |= {"champion/": evaluation.champion.metrics, "difference/": evaluation.champion.differences}
    found: dict[str, float] = {}
    for place, measures in columns.items():
        for name, measure in measures.items():
            found |= {f"{place}{name}": measure.value}
            found |= {f"{place}{name}/low": measure.low, f"{place}{name}/high": measure.high}
    return found


def log(decision: Decision, documents: list[Path], build: Path) -> str:
    """Add metrics, verdict and documents to the model's run; an accepted model becomes a version in the registry.

    Repeating it changes nothing. Returns the registered version as text; raises InputError if the run does not exist.
    """
    evaluation, origin = decision.evaluation, decision.evaluation.origin
    tags = {
        "version": origin.version,
        "verdict": "accepted" if decision.passed else "refused",
        "policy": decision.policy,
        "commit": origin.commit,
        "data": origin.data,
        "lock": origin.lock,
        "model": origin.model,
    }
    with tracking.server(build):
        with mlflow.start_run(run_id=origin.run):
            mlflow.log_metrics(_metrics(evaluation))
            mlflow.set_tags(tags)
            for document in documents:
                mlflow.log_artifact(str(document), "decision")
        if not decision.passed:
            return "not registered, because it was refused"
        client = mlflow.MlflowClient()
        known = client.search_model_versions(f"name='{evaluation.name}'")
        same = [version for version in known if version.tags.get("model") == origin.model]
        tags |= {name: f"{measure.value:.4g}" for name, measure in evaluation.metrics.items()}
        with redirect_stderr(io.StringIO()):  # its message duplicates ours
            found = same[0] if same else mlflow.register_model(f"runs:/{origin.run}/model", evaluation.name, tags=tags)
        return f"version {found.version} of {evaluation.name} in the registry"


def run(build: Path) -> str:
    """Log the decision record and its reports; raises InputError if one is missing or MLflow has no such run."""
    decision = record.decision(build / "decision.json")
    documents = [build / name for name in ("decision.json", "report.md", "report.html")]
    if missing := [str(path) for path in documents if not path.is_file()]:
        raise InputError(f"{', '.join(missing)} does not exist; run `make report` first.")
    return f"{decision.evaluation.origin.version} is {log(decision, documents, build)}"
