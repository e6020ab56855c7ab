"""Speaks to GitHub's results service and storage, as the real actions do."""

import base64
import json
import os
import sys
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urljoin

SERVICE = "/twirp/github.actions.results.api.v1.ArtifactService/"


def send(address: str, method: str = "GET", content: bytes | None = None, **headers: str) -> bytes:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(address, content, named, method=method)  # noqa: S310 - the fake GitHub
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            found: bytes = answer.read()
    except urllib.error.HTTPError as error:
        sys.exit(f"Error: Failed request: ({error.code}) {error.reason}: {error.read().decode()}")
    return found


def call(method: str, /, **asked: Any) -> Any:
    """A call as the run whose token this is; the service finds the run's own name in the token."""
    token = os.environ["ACTIONS_RUNTIME_TOKEN"]
    claims = json.loads(base64.urlsafe_b64decode(f"{token.split('.')[1]}=="))
    scope = next(one for one in claims["scp"].split() if one.startswith("Actions.Results:"))
    _, asked["workflow_run_backend_id"], asked["workflow_job_run_backend_id"] = scope.split(":")
    address = urljoin(os.environ["ACTIONS_RESULTS_URL"], f"{SERVICE}{method}")
    content = json.dumps(asked).encode()
    return json.loads(send(address, "POST", content, Authorization=f"Bearer {token}", Content_Type="application/json"))
