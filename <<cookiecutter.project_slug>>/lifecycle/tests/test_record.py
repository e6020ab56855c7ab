import json
from pathlib import Path

import jsonschema
import pytest
from tiny import Trained

from lifecycle import InputError
from lifecycle.documents import record
from lifecycle.reporting import report


def test_a_record_reads_back_as_it_was_written(trained: Trained) -> None:
    path = trained.build / "decision.json"
    assert record.dump(record.decision(path)) == path.read_text()


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        (
            "mood",
            "good",
            "mood is not a known key; allowed are schema_version, passed, policy, gates, evaluation, images",
        ),
        ("schema_version", 99, "schema_version"),
        ("passed", "perhaps", "passed"),
    ],
)
def test_an_unknown_key_or_value_is_refused(
    key: str, value: object, sentence: str, binary: Trained, tmp_path: Path
) -> None:
    document = json.loads((binary.build / "decision.json").read_text())
    document[key] = value
    path = tmp_path / "decision.json"
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match=sentence) as caught:
        record.decision(path)
    assert "run `make gate` again" in str(caught.value)


SCHEMAS, RECORDS = Path(__file__).parents[1] / "schemas", Path(__file__).parent / "records"


def test_the_published_schema_is_that_of_the_record(request: pytest.FixtureRequest) -> None:
    """Readers outside of this repository rely on it.

    After a change, `make test TESTS=lifecycle/tests PYTEST=--refresh` writes it.
    A change that an earlier reader would refuse needs a new version, and a reader of the one before.
    """
    path = SCHEMAS / f"decision-{record.VERSION}.json"
    made = json.dumps(record.Decision.model_json_schema(), indent=1, sort_keys=True) + "\n"
    if request.config.getoption("--refresh"):
        path.write_text(made)
    assert path.read_text() == made


def test_a_record_fits_the_published_schema_and_a_changed_one_does_not(trained: Trained) -> None:
    schema = json.loads((SCHEMAS / f"decision-{record.VERSION}.json").read_text())
    document = json.loads((trained.build / "decision.json").read_text())
    jsonschema.validate(document, schema)
    document["evaluation"]["mood"] = "good"
    with pytest.raises(jsonschema.ValidationError, match="mood"):
        jsonschema.validate(document, schema)


def test_the_version_before_is_read_and_the_one_after_is_not(tmp_path: Path) -> None:
    path = RECORDS / "version-1.json"
    before = json.loads(path.read_text())
    jsonschema.validate(before, json.loads((SCHEMAS / "decision-1.json").read_text()))
    found = record.decision(path)
    assert found.schema_version == record.VERSION
    assert found.passed is before["passed"]
    assert found.policy == before["policy"]
    assert [verdict.reason for verdict in found.gates] == [gate["reason"] for gate in before["gates"]]
    assert found.evaluation.metrics["f1"].value == before["evaluation"]["metrics"]["f1"]["value"]
    assert found.evaluation.champion
    assert found.evaluation.champion.origin.version == before["evaluation"]["champion"]["origin"]["version"]
    assert report.markdown(found).startswith("## ✅ Accepted: tiny")
    assert "Accepted: tiny" in report.page(found)
    again = tmp_path / "decision.json"
    again.write_text(record.dump(found))
    assert record.decision(again) == found
    again.write_text(json.dumps({**before, "schema_version": record.VERSION + 1}))
    with pytest.raises(InputError, match="schema_version"):
        record.decision(again)
    again.write_text(json.dumps({**before, "mood": "good"}))
    with pytest.raises(InputError, match="mood is not a known key"):
        record.decision(again)
    del before["gates"]
    again.write_text(json.dumps(before))
    with pytest.raises(InputError, match="damaged or foreign"):
        record.decision(again)


def test_an_unknown_key_within_is_refused_with_what_is_allowed_there(decision: record.Decision, tmp_path: Path) -> None:
    document = json.loads(record.dump(decision))
    document["images"] = {"serve": f"r.io/s@sha256:{'a' * 64}", "monitor": f"r.io/s@sha256:{'a' * 64}", "gpu": ""}
    document["evaluation"]["metrics"]["roc_auc"]["sd"] = 1
    path = tmp_path / "decision.json"
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match="roc_auc.sd is not a known key; allowed are value, low, high") as caught:
        record.decision(path)
    assert "images.gpu is not a known key; allowed are serve, monitor" in str(caught.value)


def test_no_record_at_all_names_the_step(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="run `make gate` first"):
        record.decision(tmp_path / "decision.json")
    (tmp_path / "decision.json").write_text("{")
    with pytest.raises(InputError, match="damaged or foreign"):
        record.decision(tmp_path / "decision.json")
