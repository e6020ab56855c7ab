"""Checks with cosign that this repository's release workflow attested an environment's records for their images."""

import base64
import json
import subprocess
from collections.abc import Iterator
from typing import Any

from lifecycle import InputError
from lifecycle.config import Promote
from lifecycle.documents import answers, record
from lifecycle.documents.environments import CANDIDATE, RECORD, current, folder

ISSUER = "https://token.actions.githubusercontent.com"
SECONDS = 120


def run(environment: str, promotion: Promote) -> str:
    """Verify the release of an environment and the candidate beside it; raises InputError if one is not attested."""
    target = folder(environment, promotion.order)
    known = answers.read("HEAD")
    address = f"https://github.com/{known.repository}"
    kind, signer = f"{address}/decision", f"{address}/.github/workflows/release.yaml@refs/heads/main"
    verified = []
    for path in (target / RECORD, target / CANDIDATE):
        decision = current(target, path.name)
        if decision is None or decision.images is None:
            continue
        for image in decision.images.model_dump().values():
            if not any(_same(one, decision) for one in _attested(image, kind, signer)):
                raise InputError(
                    f"{path} is not the record that {signer} attested for {image}; release it anew on GitHub."
                )
            verified.append(image)
    return f"{environment}: {len(verified)} images with the record that was attested for them"


def _same(predicate: dict[str, Any], decision: record.Decision) -> bool:
    """Whether an attested record is this one, which got its images later."""
    try:
        attested = record.Decision.model_validate_json(json.dumps(predicate))
    except ValueError:
        return False
    return attested == decision.model_copy(update={"images": None})


def _attested(image: str, kind: str, signer: str) -> Iterator[dict[str, Any]]:
    """The records that the signer attested for an image, as predicates of this kind; raises InputError without any."""
    options = ("--type", kind, "--certificate-identity", signer, "--certificate-oidc-issuer", ISSUER)
    try:
        done = subprocess.run(  # noqa: S603
            ["cosign", "verify-attestation", *options, image],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
    except OSError as error:
        raise InputError("cosign is not installed; install it, then try again.") from error
    except subprocess.TimeoutExpired as error:
        raise InputError(f"cosign found no answer about {image} in {SECONDS} s; try again later.") from error
    if done.returncode:
        said = " ".join(done.stderr.split())
        raise InputError(f"{image} has no record that {signer} attested ({said}); release it anew on GitHub.")
    for line in done.stdout.splitlines():
        statement = json.loads(base64.b64decode(json.loads(line)["payload"]))
        if statement["predicateType"] == kind:
            yield statement["predicate"]
