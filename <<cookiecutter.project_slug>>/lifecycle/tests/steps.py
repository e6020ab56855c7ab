"""The pipeline's steps, one after the other; with the libraries that they import apart from conftest.py."""

from pathlib import Path

from tiny import LOCK

from lifecycle import config
from lifecycle.documents import record
from lifecycle.evaluation import evaluate, gate
from lifecycle.reporting import report
from lifecycle.rows import data
from lifecycle.training import train


def pipeline(given: config.Config, build: Path, champion: Path | None = None) -> record.Decision:
    data.run(given, build)
    train.run(given, build, LOCK)
    evaluate.run(given, build, champion)
    gate.run(given, build)
    report.run(build)
    return record.decision(build / "decision.json")
