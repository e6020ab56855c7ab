"""Logs the decision to the model's MLflow run, and adds an accepted model to the registry."""

import io
from contextlib import redirect_stderr
from pathlib import Path

import mlflow
from mlflow.exceptions import MlflowException

from lifecycle import InputError
from lifecycle.artifact import directory
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

    Repeating it changes nothing. Returns the registered version as text.
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
    with tracking.server(build) as uri:
        run = _run(decision, uri, build)
        with mlflow.start_run(run_id=run):
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
            found = same[0] if same else mlflow.register_model(f"runs:/{run}/model", evaluation.name, tags=tags)
        return f"version {found.version} of {evaluation.name} in the registry"


def _run(decision: Decision, uri: str, build: Path) -> str:
    """The id of the training's run; where MLflow has none, of one made now: a release trains without it."""
    origin, client = decision.evaluation.origin, mlflow.MlflowClient()
    try:
        client.get_run(origin.run)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
    else:
        return origin.run
    belongs = tracking.experiment(decision.evaluation.name, uri, build)
    if found := client.search_runs([belongs], f"tags.model = '{origin.model}'"):
        return str(found[0].info.run_id)
    if directory.load(build / "model").sha256 != origin.model:
        raise InputError(f"{build / 'model'} is not the model of {build / 'decision.json'}; run `make pipeline`.")
    with mlflow.start_run(run_name=origin.version) as made:
        mlflow.log_params(origin.parameters)
        mlflow.log_artifacts(str(build / "model"), "model")
        mlflow.set_tags({"model": origin.model, "trained as": origin.run})  # last: without it the next try begins anew
    return str(made.info.run_id)


def run(build: Path) -> str:
    """Log the decision record and its reports; raises InputError if one is missing or the model is another."""
    decision = record.decision(build / "decision.json")
    documents = [build / name for name in ("decision.json", "report.md", "report.html")]
    if missing := [str(path) for path in documents if not path.is_file()]:
        raise InputError(f"{', '.join(missing)} does not exist; run `make report` first.")
    return f"{decision.evaluation.origin.version} is {log(decision, documents, build)}"
