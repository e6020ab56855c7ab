"""Downloads an artifact, or those of a pattern, like the real action: another run's need a token, by GitHub's API."""

import hashlib
import io
import json
import os
import sys
import zipfile
from fnmatch import fnmatch
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from artifacts import call, send

name, target = os.environ["NAME"], Path(os.environ["TARGET"])
if token := os.environ["TOKEN"]:
    api = f"{os.environ['GITHUB_API_URL']}/repos/{os.environ['GITHUB_REPOSITORY']}/actions"
    run = os.environ["RUN"] or os.environ["GITHUB_RUN_ID"]
    listed = send(f"{api}/runs/{run}/artifacts?per_page=100", Authorization=f"token {token}")
    found = {one["name"]: (one["id"], one["digest"]) for one in json.loads(listed)["artifacts"]}
else:
    found = {one["name"]: (one["database_id"], one["digest"]) for one in call("ListArtifacts")["artifacts"]}
found = {key: one for key, one in found.items() if (key == name if name else fnmatch(key, os.environ["PATTERN"]))}
if name and not found:
    sys.exit(f"Error: Unable to download artifact(s): Artifact not found for name: {name}")
wrong = []
for key, (number, digest) in found.items():
    if token:
        content = send(f"{api}/artifacts/{number}/zip", Authorization=f"token {token}")
    else:
        content = send(call("GetSignedArtifactURL", name=key)["signed_url"])
    with zipfile.ZipFile(io.BytesIO(content)) as archive:  # which makes a file of a link, like the real action
        archive.extractall(target if len(found) == 1 else target / key)
    if digest != f"sha256:{hashlib.sha256(content).hexdigest()}":
        wrong.append(key)
if wrong:  # told after all are extracted, as there
    sys.exit(f"Error: Unable to download artifact(s): Digest validation failed for artifact(s): {', '.join(wrong)}.")
