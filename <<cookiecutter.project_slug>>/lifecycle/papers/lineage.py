"""Makes the lineage of a release as OpenLineage events: from data to model, from model to images."""

from typing import Any
from uuid import NAMESPACE_URL, uuid5

from lifecycle.documents import record

SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
FACET = "https://openlineage.io/spec/facets/1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet"
OWN = "urn:model-lifecycle"

type Document = dict[str, Any]


def events(decision: record.Decision) -> list[Document]:
    """Two finished runs, of the day that the versions name."""
    origin, name = decision.evaluation.origin, decision.evaluation.name
    images = decision.images.model_dump() if decision.images else {}
    model = _dataset(decision, "model", origin.model)
    sources = [_dataset(decision, "data", origin.data), _dataset(decision, "lock", origin.lock)]
    sources.append(_dataset(decision, "code", origin.commit))
    built = [_dataset(decision, image.partition("@")[0], image.partition("@")[2]) for image in images.values()]
    return [
        _event(name, "train", origin.version, sources, [model]),
        _event(name, "build", decision.version, [model], built),
    ]


def _event(name: str, job: str, version: str, inputs: list[Document], outputs: list[Document]) -> Document:
    day = version.partition("-")[0].replace(".", "-")
    return {
        "eventType": "COMPLETE",
        "eventTime": f"{day}T00:00:00Z",
        "producer": OWN,
        "schemaURL": SCHEMA,
        "run": {"runId": str(uuid5(NAMESPACE_URL, f"{name}/{job}/{version}"))},
        "job": {"namespace": name, "name": job},
        "inputs": inputs,
        "outputs": outputs,
    }


def _dataset(decision: record.Decision, name: str, version: str) -> Document:
    facet = {"_producer": OWN, "_schemaURL": FACET, "datasetVersion": version}
    return {"namespace": decision.evaluation.name, "name": name, "facets": {"version": facet}}
