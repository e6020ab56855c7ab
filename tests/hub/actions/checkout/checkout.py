"""Fetches one commit, or all branches if the depth is 0, and keeps no credentials."""

import os
import subprocess
from pathlib import Path


def git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True)


assert os.environ["PERSIST"] == "false", "a workflow keeps its credentials"
ref, depth = os.environ["REF"], int(os.environ["DEPTH"])
git("init", "--quiet", ".")
git("remote", "add", "origin", f"{os.environ['GITHUB_SERVER_URL']}/{os.environ['GITHUB_REPOSITORY']}.git")
wanted = f"refs/heads/{ref}" if ref else os.environ["HUB_SHA"]
if depth:
    git("fetch", "--quiet", "--no-tags", f"--depth={depth}", "origin", wanted)
else:
    git("fetch", "--quiet", "origin", "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
    git("fetch", "--quiet", "origin", wanted)
git("checkout", "--quiet", "--force", *(["-B", ref] if ref else ["--detach"]), "FETCH_HEAD")
for lock in Path("locks").glob("*.txt"):  # older than the shared environments
    os.utime(lock, (0, 0))
