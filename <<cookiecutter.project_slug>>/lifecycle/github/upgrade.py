"""Merges a newer template: renders it with the answers of this repository onto the branch `template`, then merges that.

The branch holds nothing but what templates rendered, so the merge is a true three-way one: what people changed here
and what the template changed meet as two branches. Cookiecutter runs the template's hooks, which is why this runs
without a token; `offer` pushes what it made, from a bundle.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from lifecycle import InputError, git
from lifecycle.documents.change import Change, forget
from lifecycle.github import branches

BUNDLE = "upgrade.bundle"
ANSWERS = Path(".cookiecutter.yaml")


def render(template: str, answers: dict[str, Any], folder: Path) -> Path:
    """The repository as a template makes it now; raises InputError with what cookiecutter said."""
    command = [sys.executable, "-m", "cookiecutter", "--no-input", "--output-dir", str(folder), template]
    known = [f"{name}={value}" for name, value in answers.items() if not name.startswith("_")]
    done = subprocess.run([*command, *known], capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise InputError(
            f"The template {template} cannot be rendered: {' '.join((done.stdout + done.stderr).split())[-600:]}"
        )
    made = folder / str(answers["project_slug"])
    shutil.rmtree(made / ".git", ignore_errors=True)
    return made


def rendered(folder: Path, parent: str, message: str) -> str:
    """A commit on `parent` of exactly the files of a folder; empty when they are those of `parent`."""
    with tempfile.TemporaryDirectory() as temporary:
        index = {"GIT_INDEX_FILE": str(Path(temporary) / "index")}
        git.run("--work-tree", str(folder), "add", "--all", "--force", ".", **index)
        tree = git.run("write-tree", **index)
    if tree == git.run("rev-parse", f"{parent}^{{tree}}"):
        return ""
    return git.run("commit-tree", tree, "-p", parent, "-m", message, **branches.identity())


def merged(commit: str, title: str) -> tuple[str, list[str]]:
    """The merge of HEAD and a commit; or, where people must choose, that commit and the files in question."""
    done = subprocess.run(  # noqa: S603
        ["git", "merge-tree", "--write-tree", "--name-only", "--no-messages", "HEAD", commit],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.split("\n")
    if done.returncode == 1:
        return commit, sorted(filter(None, lines[1:]))
    if done.returncode:
        raise InputError(f"git cannot merge the template: {' '.join(done.stderr.split())}")
    return git.run("commit-tree", lines[0], "-p", "HEAD", "-p", commit, "-m", title, **branches.identity()), []


def run(build: Path, template: str) -> str:
    """Write `change.json` and the bundle of its commits; nothing when the template has nothing new."""
    forget(build)
    (build / BUNDLE).unlink(missing_ok=True)
    answers = yaml.safe_load(ANSWERS.read_text())
    source = template or str(answers["_template"])
    if not template and ":" not in source:  # neither an address nor an abbreviation of one, as in gh:acme/template
        return f"the template {source!r} is a folder of one machine; name its repository as TEMPLATE"
    parent = next((name for name in ("refs/remotes/origin/template", "refs/heads/template") if _exists(name)), None)
    if parent is None:
        raise InputError(
            "There is no branch `template`; fetch it, or make it from the commit that started this repository."
        )
    with tempfile.TemporaryDirectory() as folder:
        commit = rendered(render(source, answers, Path(folder)), parent, f"Render {source}")
    if not commit:
        return f"{source} has nothing new"
    title = "Upgrade to the newest template"
    made, conflicts = merged(commit, title)
    body = f"What `{source}` renders now, merged with what was changed here.\n"
    if conflicts:
        listed = "".join(f"- `{name}`\n" for name in conflicts)
        body += f"\nBoth sides changed these files; choose on this page, or with `git merge`:\n\n{listed}"
    Change(title, body, f"upgrade/{commit[:10]}", commit=made, template=commit).write(build)
    git.run("update-ref", "refs/upgrade/change", made)
    git.run("update-ref", "refs/upgrade/template", commit)
    git.run("bundle", "create", "--quiet", str(build / BUNDLE), "refs/upgrade/change", "refs/upgrade/template")
    return f"{title}: {len(conflicts)} files need a choice" if conflicts else title


def _exists(name: str) -> bool:
    command = ["git", "rev-parse", "--quiet", "--verify", name]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603


def unpack(build: Path) -> None:
    """Take the commits of a bundle that another job made."""
    if (build / BUNDLE).is_file():
        git.run("fetch", "--quiet", str(build / BUNDLE), "refs/upgrade/*:refs/upgrade/*")
