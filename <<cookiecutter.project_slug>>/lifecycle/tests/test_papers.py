"""A release's papers: valid by the schemas of their makers, and with no number that the record lacks."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from test_release import IMAGES
from test_short import NUMBER, words
from tiny import TASKS

from lifecycle.config import Card
from lifecycle.documents import record
from lifecycle.papers import bom, card, lineage, write
from lifecycle.reporting.pages import plain
from lifecycle.tasks import LABELS, label

HERE = Path(__file__).parent
SAID = Card(
    description="Says yes | or <no>.", license="mit", direct_use="Colours.", limitations="Only three.", contact="Ann"
)
# What the makers' formats say of themselves.
CONSTANT = {bom.SCHEMA, lineage.SCHEMA, lineage.FACET}


# What OpenLineage asks of a finished run. Source: openlineage.io, spec 2-0-2.
TEXT = {"type": "string", "minLength": 1}
DATASETS = {"type": "array", "items": {"type": "object", "required": ["namespace", "name"]}}
EVENT = {
    "type": "object",
    "required": ["eventTime", "producer", "schemaURL", "run", "job"],
    "properties": {
        "eventType": {"const": "COMPLETE"},
        "eventTime": {**TEXT, "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z$"},
        "producer": {**TEXT, "pattern": "^[a-z]+:"},
        "schemaURL": {**TEXT, "pattern": "^https://"},
        "run": {"required": ["runId"], "properties": {"runId": {**TEXT, "pattern": "^[0-9a-f-]{36}$"}}},
        "job": {"required": ["namespace", "name"], "additionalProperties": TEXT},
        "inputs": DATASETS,
        "outputs": DATASETS,
    },
    "additionalProperties": False,
}


@pytest.fixture(params=TASKS)
def decision(request: pytest.FixtureRequest) -> record.Decision:
    found = record.decision(HERE / "records" / f"{request.param}.json")
    return found.model_copy(update={"images": record.Images(**IMAGES)})


@pytest.mark.parametrize("said", [Card(), SAID])
def test_the_bill_of_materials_is_valid(said: Card, decision: record.Decision) -> None:
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    document = bom.document(decision, said)
    assert validator.validate_str(json.dumps(document)) is None
    document["metadata"]["component"]["modelCard"]["mood"] = "good"
    assert validator.validate_str(json.dumps(document)) is not None


def test_the_lineage_leads_from_the_data_to_the_images(decision: record.Decision) -> None:
    train, build = lineage.events(decision)
    for event in (train, build):
        jsonschema.validate(event, EVENT)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**train, "job": {}}, EVENT)
    assert [one["name"] for one in train["inputs"]] == ["data", "lock", "code"]
    assert train["outputs"] == build["inputs"]
    assert [one["facets"]["version"]["datasetVersion"] for one in build["outputs"]] == list(decision.digests)
    assert train["eventTime"] == "2020-02-01T00:00:00Z"


def test_the_card_has_what_a_person_said_and_marks_what_nobody_did(decision: record.Decision) -> None:
    blank, told = card.text(decision, Card()), card.text(decision, SAID)
    assert blank.count("to be said by a person") == len(Card.model_fields) - 1  # a language has a field only if said
    assert told.count("to be said by a person") == len(Card.model_fields) - 1 - 5
    assert "Says yes \\| or &lt;no&gt;." in told
    head = yaml.safe_load(told.split("---\n")[1])
    assert head["license"] == "mit"
    assert "license" not in yaml.safe_load(blank.split("---\n")[1])
    (model,) = head["model-index"]
    found = {one["type"]: one["value"] for one in model["results"][0]["metrics"]}
    assert found == {name: measure.value for name, measure in decision.evaluation.metrics.items()}


def test_the_card_calls_metrics_as_people_do(decision: record.Decision) -> None:
    """Only its head, which programs read, also has the keys of config.yaml."""
    _, head, body = card.text(decision, Card()).split("---\n", 2)
    keys = [name for name in decision.evaluation.metrics if label(name) != name]
    assert [name for name in keys if re.search(rf"\b{name}\b", body.replace("\\", ""))] == []
    assert all(f"| {plain(label(name))} | all |" in body for name in decision.evaluation.metrics)
    assert all(f"type: {name}" in head for name in keys)


def numbers(document: Any) -> Iterator[str]:
    """Every number of a record, as the papers write numbers."""
    if isinstance(document, dict | list):
        for one in document.values() if isinstance(document, dict) else document:
            yield from numbers(one)
    elif isinstance(document, int | float) and not isinstance(document, bool):
        yield from (f"{abs(document):.4g}", f"{document:,}", str(abs(document)), f"{document:g}")


def foreign(text: str, decision: record.Decision) -> list[str]:
    """The numbers in a paper that the record lacks; what a record says in words may hold numbers."""
    document = json.loads(record.dump(decision))
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "", text)  # ids that are hashes of the record
    days = {document["evaluation"]["origin"]["version"].partition("-")[0].replace(".", "-") + "T00:00:00Z"}
    for word in sorted({*words(document), *CONSTANT, *days, *LABELS.values(), "SHA-256"}, key=len, reverse=True):
        if (re.search(r"\d", word) and not NUMBER.fullmatch(word)) or word in CONSTANT:
            text = text.replace(word, " ")
    digests = [digest for image in IMAGES.values() for digest in image.split("@")]
    for word in digests:
        text = text.replace(word, " ")
    return [one for one in NUMBER.findall(text) if one.rstrip(".,") not in set(numbers(document))]


def test_no_paper_has_a_number_that_the_record_lacks(decision: record.Decision) -> None:
    document = bom.document(decision, Card())
    assert (document.pop("version"), document.pop("specVersion")) == (1, "1.6")
    for text in (card.text(decision, Card()), json.dumps(document), json.dumps(lineage.events(decision))):
        assert foreign(text, decision) == []
    assert foreign("0.123456", decision) == ["0.123456"]


def test_the_papers_are_written_beside_the_record(decision: record.Decision, tmp_path: Path) -> None:
    write.run(decision, Card(), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(write.NAMES)
    assert json.loads((tmp_path / write.BOM).read_text()) == bom.document(decision, Card())
    assert len((tmp_path / write.LINEAGE).read_text().splitlines()) == 2
