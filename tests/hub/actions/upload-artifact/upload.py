"""Uploads the matched files, relative to their common folder, like the real action."""

import hashlib
import io
import os
import re
import sys
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from artifacts import call, send

name, patterns = os.environ["NAME"], os.environ["FILES"].split()
matched = sorted({path for pattern in patterns for path in Path().glob(pattern)})
files = sorted({file for path in matched for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()})
files = [file for file in files if not any(part.startswith(".") for part in file.parts)]  # hidden ones stay behind
if files:
    searched = [re.split(r"/?[^/]*[*?\[]", pattern)[0] for pattern in patterns]  # up to the first wildcard
    root = Path(os.path.commonpath(searched))
    root = root.parent if root.is_file() else root
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for file in files:
            archive.write(file, file.relative_to(root))
    content, made = kept.getvalue(), call("CreateArtifact", name=name, version=7)
    send(f"{made['signed_upload_url']}&comp=block&blockid=MQ==", "PUT", content)
    listed = b"<BlockList><Latest>MQ==</Latest></BlockList>"
    send(f"{made['signed_upload_url']}&comp=blocklist", "PUT", listed, x_ms_blob_content_type="application/zip")
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    done = call("FinalizeArtifact", name=name, size=str(len(content)), hash=digest)
    with open(os.environ["GITHUB_OUTPUT"], "a") as output:  # noqa: PTH123 - the runner's
        output.write(f"artifact-id={done['artifact_id']}\n")
print(f"{len(files)} files in {name}")
