"""Makes the machine-learning bill of materials of a release, in CycloneDX 1.6."""

from collections.abc import Iterator
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from lifecycle.config import Card
from lifecycle.documents import record
from lifecycle.documents.record import Measure

SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"


def document(decision: record.Decision, card: Card) -> dict[str, Any]:
    """The model with its card, what it was made of, and the images that hold it."""
    evaluation = decision.evaluation
    origin = evaluation.origin
    images = decision.images.model_dump() if decision.images else {}
    containers = [
        {"type": "container", "bom-ref": name, "name": image.partition("@")[0], "version": image.partition("@")[2]}
        for name, image in images.items()
    ]
    model = {
        "type": "machine-learning-model",
        "bom-ref": "model",
        "name": evaluation.name,
        "version": origin.version,
        "hashes": _hashes(origin.model),
        "pedigree": {"commits": [{"uid": origin.commit}]},
        "modelCard": _card(decision, card),
    }
    if card.license:
        model["licenses"] = [{"license": {"name": card.license}}]
    return {
        "$schema": SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, record.dump(decision))}",
        "version": 1,
        "metadata": {"component": model},
        "components": [
            {"type": "data", "bom-ref": "data", "name": "training and test data", "hashes": _hashes(origin.data)},
            {"type": "file", "bom-ref": "lock", "name": "lock files", "hashes": _hashes(origin.lock)},
            *containers,
        ],
        "dependencies": [
            {"ref": "model", "dependsOn": ["data", "lock"]},
            *({"ref": name, "dependsOn": ["model"]} for name in images),
        ],
    }


def _hashes(sha256: str) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": sha256}]


def _card(decision: record.Decision, card: Card) -> dict[str, Any]:
    evaluation = decision.evaluation
    said = {"users": card.users, "useCases": card.direct_use, "technicalLimitations": card.limitations}
    return {
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": evaluation.task,
            "datasets": [{"ref": "data"}],
        },
        "quantitativeAnalysis": {"performanceMetrics": list(_metrics(evaluation))},
        "considerations": {key: [text] for key, text in said.items() if text},
        "properties": [{"name": name, "value": str(value)} for name, value in evaluation.origin.parameters.items()],
    }


def _metrics(evaluation: record.Evaluation) -> Iterator[dict[str, Any]]:
    for name, measure in evaluation.metrics.items():
        yield _metric(name, measure)
    for one in evaluation.slices:
        for name, measure in one.metrics.items():
            yield _metric(name, measure) | {"slice": f"{one.column}: {one.part}"}


def _metric(name: str, measure: Measure) -> dict[str, Any]:
    ends = {"lowerBound": str(measure.low), "upperBound": str(measure.high)}
    return {"type": name, "value": str(measure.value), "confidenceInterval": ends}
