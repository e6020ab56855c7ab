import json
from pathlib import Path

import pytest
from conftest import Trained

from model import InputError, record


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


def test_the_published_schema_is_that_of_the_record(request: pytest.FixtureRequest) -> None:
    """Readers outside of this repository rely on it; `make test TESTS=--refresh` writes it after a change."""
    path = Path(__file__).parents[1] / "schemas" / "decision.json"
    made = json.dumps(record.Decision.model_json_schema(), indent=1, sort_keys=True) + "\n"
    if request.config.getoption("--refresh"):
        path.write_text(made)
    assert path.read_text() == made


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
