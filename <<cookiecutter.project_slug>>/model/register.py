"""Keeps the decision where models are kept: in the model's MLflow run and, when it was accepted, in the registry."""

from pathlib import Path

from model import InputError, record, tracking


def run(build: Path) -> str:
    """Log the decision record and its reports; raises InputError when they are not there or MLflow has no such run."""
    decision = record.decision(build / "decision.json")
    documents = [build / name for name in ("decision.json", "report.md", "report.html")]
    if missing := [str(path) for path in documents if not path.is_file()]:
        raise InputError(f"{', '.join(missing)} does not exist; run `make report` first.")
    return f"{decision.evaluation.origin.version} is {tracking.register(decision, documents, build)}"
