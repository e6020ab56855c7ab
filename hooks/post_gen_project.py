"""Applies the chosen task and server to the configuration, then creates a git repository with a `template` branch."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from fnmatch import fnmatch
from pathlib import Path

TASK = "<< cookiecutter.task >>"
SERVING = "<< cookiecutter.serving >>"
SLUG = "<< cookiecutter.project_slug >>"
# A raw string of JSON: `tojson` escapes single quotes, so no folder's name can end it.
# fmt: off
TEMPLATE = r'''<< cookiecutter._repo_dir|tojson >>'''
# fmt: on
LICENSED = (
    "serve.server is seldon-core, which is under the Business Source License: production needs a licence "
    "from Seldon; `server: asgi` in config.yaml needs none."
)
READY = (
    f"{SLUG} is ready with an example: cd {SLUG} && make doctor\n"
    "For your own table: make adopt FILE=data.csv TARGET=column"
)
COMMIT = (
    "git init --initial-branch=main && git add --force . && git commit -m 'Start from the template' "
    "&& git branch template"
)


def configure(project: Path, task: str, serving: str) -> None:
    """Keep the task's `config.yaml`, with the chosen server."""
    chosen = project / "tasks" / f"{task}.yaml"
    if chosen.is_file():
        chosen.replace(project / "config.yaml")
    shutil.rmtree(project / "tasks")
    path = project / "config.yaml"
    path.write_text(path.read_text().replace("  server: asgi ", f"  server: {serving} ", 1))


def clean(project: Path) -> None:
    """Remove environments, caches and outputs, which a template's checkout holds once it was worked in."""
    ignored = [line.rstrip("/") for line in (project / ".gitignore").read_text().splitlines()]
    for folder, inner, _ in os.walk(project):
        for name in [name for name in inner if any(fnmatch(name, pattern) for pattern in ignored)]:
            shutil.rmtree(Path(folder, name))
            inner.remove(name)


def revision(template: Path) -> str:
    """The template's commit, with `-dirty` if its files were changed; empty if it is not a git repository."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(template), *arguments], capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""

    # A folder inside a repository, as in a test, has no commit of its own.
    if shutil.which("git") is None or git("rev-parse", "--show-toplevel") != str(template.resolve()):
        return ""
    return git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")


def record(project: Path, revision: str) -> None:
    """Write the template's commit to the answers."""
    path = project / ".cookiecutter.yaml"
    path.write_text(path.read_text().replace('_commit: ""', f"_commit: {json.dumps(revision)}"))


def commit(project: Path) -> str:
    """Make the first commit; returns a sentence on what to do if git cannot, else an empty text."""
    if shutil.which("git") is None:
        return f"git is not installed: install it, then run in {SLUG}: {COMMIT}"

    def git(*arguments: str) -> bool:
        return subprocess.run(["git", *arguments], cwd=project, capture_output=True).returncode == 0

    # An identity from the configuration or the environment, none that git makes up from the machine's name.
    if not all(git("-c", "user.useConfigOnly=true", "var", f"GIT_{role}_IDENT") for role in ("AUTHOR", "COMMITTER")):
        return (
            "git does not know who you are: run `git config --global user.name NAME` and "
            f"`git config --global user.email ADDRESS`, then run in {SLUG}: {COMMIT}"
        )
    steps = [
        ("init", "--quiet"),
        ("symbolic-ref", "HEAD", "refs/heads/main"),
        ("add", "--all", "--force"),  # whatever this machine ignores, such as *.parquet
        ("commit", "--quiet", "--no-verify", "--message", "Start from the template"),
        # Upgrades are committed to this branch and merged from it, so git merges your changes with the template's.
        ("branch", "template"),
    ]
    failed = next((step for step in steps if not git(*step)), None)
    return f"git {failed[0]} failed: in {SLUG}, run it again, fix what it reports, then run {COMMIT}" if failed else ""


def main() -> int:
    project = Path.cwd()
    clean(project)
    configure(project, TASK, SERVING)
    record(project, revision(Path(json.loads(TEMPLATE))))
    print(commit(project) or READY, file=sys.stderr)
    if SERVING == "seldon-core":
        print(LICENSED, file=sys.stderr)
    return 0


if __name__ == "__main__":
    # Cookiecutter leaves this rendered copy in the temporary folder.
    if Path(__file__).parent == Path(tempfile.gettempdir()):
        Path(__file__).unlink()
    sys.exit(main())
