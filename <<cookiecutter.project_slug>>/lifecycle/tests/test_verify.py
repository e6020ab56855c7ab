"""What cosign says of a release, played by a program of that name."""

import base64
import json
from pathlib import Path

import pytest
import yaml
from conftest import Git
from test_release import IMAGES, OVERLAYS, SETTINGS, TODAY, newer, promoted
from tiny import Trained

from lifecycle import InputError
from lifecycle import __main__ as command
from lifecycle.documents import answers, record
from lifecycle.releasing import promote, verify

KIND = "https://github.com/Acme/tiny/decision"


@pytest.fixture
def cosign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Prints what stands in a file of the image's digest; fails if there is none."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "cosign"
    program.write_text(f'#!/bin/sh\necho "$@" > {folder}/said\nfor image; do :; done\ncat "{folder}/${{image##*:}}"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def attested(cosign: Path, decision: record.Decision, repository: Git) -> None:
    """Let production run a release whose record is attested for both images."""
    promoted(decision, repository)
    for image in IMAGES.values():
        attest(cosign, image, json.loads(record.dump(decision)))


def attest(cosign: Path, image: str, predicate: object, kind: str = KIND) -> None:
    statement = json.dumps({"predicateType": kind, "predicate": predicate})
    line = json.dumps({"payload": base64.b64encode(statement.encode()).decode()})
    (cosign / image.rpartition(":")[2]).write_text(line + "\n")


def test_a_record_that_was_attested_for_its_images_is_verified(
    cosign: Path, decision: record.Decision, repository: Git
) -> None:
    attested(cosign, decision, repository)
    assert verify.run("production", SETTINGS) == "production: 2 images with the record that was attested for them"
    said = (cosign / "said").read_text()
    signer = "https://github.com/Acme/tiny/.github/workflows/release.yaml@refs/heads/main"
    assert f"verify-attestation --type {KIND} --certificate-identity {signer} " in said
    newer(decision, repository)
    repository.commit(promote.run("production", SETTINGS, TODAY, 10).title)
    with pytest.raises(InputError, match="dddd has no record that .* attested"):
        verify.run("production", SETTINGS)


def test_a_record_with_other_metrics_than_those_attested_is_refused(
    cosign: Path, decision: record.Decision, repository: Git
) -> None:
    attested(cosign, decision, repository)
    path = OVERLAYS / "production/release/decision.json"
    document = json.loads(path.read_text())
    document["evaluation"]["metrics"]["roc_auc"]["value"] = 1.0
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match="is not the record that .* attested for ghcr.io/acme/tiny-serve"):
        verify.run("production", SETTINGS)


@pytest.mark.parametrize(("predicate", "kind"), [({}, KIND), (None, "https://slsa.dev/provenance/v1")])
def test_another_attestation_is_no_record(
    predicate: object, kind: str, cosign: Path, decision: record.Decision, repository: Git
) -> None:
    promoted(decision, repository)
    for image in IMAGES.values():
        attest(cosign, image, json.loads(record.dump(decision)) if predicate is None else predicate, kind)
    with pytest.raises(InputError, match="is not the record that"):
        verify.run("production", SETTINGS)


def test_without_an_environment_it_verifies_what_is_to_be_offered(
    cosign: Path,
    binary: Trained,
    decision: record.Decision,
    repository: Git,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    attested(cosign, decision, repository)
    Path("config.yaml").write_text(yaml.safe_dump(binary.document))
    asked = ["--build", str(tmp_path), "verify", "--environment", ""]
    assert command.main(asked) == 0
    assert "no environment is to change" in capsys.readouterr().out
    newer(decision, repository)
    promote.run("production", SETTINGS, TODAY).write(tmp_path)
    assert command.main(asked) == 1
    assert "dddd has no record that" in capsys.readouterr().err


def test_a_registry_that_does_not_answer_is_not_waited_for_without_end(
    cosign: Path, decision: record.Decision, repository: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    attested(cosign, decision, repository)
    (cosign / "cosign").write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(verify, "SECONDS", 0.1)
    with pytest.raises(InputError, match=r"cosign found no answer about ghcr.io/acme/tiny-serve@.* in 0.1 s"):
        verify.run("production", SETTINGS)


def test_without_cosign_it_is_told_what_to_install(
    decision: record.Decision, repository: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    promoted(decision, repository)
    known = answers.read("HEAD")
    monkeypatch.setattr(answers, "read", lambda _: known)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="cosign is not installed"):
        verify.run("production", SETTINGS)
