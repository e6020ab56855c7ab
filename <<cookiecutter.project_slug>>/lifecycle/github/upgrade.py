"""Merges a newer template: renders it with this repository's answers onto the branch `template`, then merges that.

The branch holds only rendered templates, so this is a true three-way merge between people's changes here and the
template's changes.
Cookiecutter runs the template's hooks, so this runs without a token; `offer` pushes what it made, from a bundle.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from lifecycle import InputError, git
from lifecycle.documents.change import Change, forget
from lifecycle.github import branches, merge
from lifecycle.github.merge import ANSWERS

BUNDLE = "upgrade.bundle"
CHANGELOG = Path(".github/CHANGELOG.md")


def render(template: str, answers: dict[str, Any], folder: Path) -> Path:
    """Render the repository from a template; raises InputError with cookiecutter's message."""
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
    """Commit exactly a folder's files on top of `parent`; empty when `parent` already has them."""
    with tempfile.TemporaryDirectory() as temporary:
        index = {"GIT_INDEX_FILE": str(Path(temporary) / "index")}
        git.run("--work-tree", str(folder), "add", "--all", "--force", ".", **index)
        tree = git.run("write-tree", **index)
    if not merge.differ(parent, tree):
        return ""
    return git.run("commit-tree", tree, "-p", parent, "-m", message, **branches.identity())


def changelog(text: str, since: str, until: str) -> str:
    """The sections of a changelog after version `since`, up to and including `until`, newest first."""
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    wanted = [section for section in sections if since < section.partition("\n")[0].strip() <= until]
    return "\n".join(f"### {section.strip()}\n" for section in wanted)


def description(source: str, since: str, until: str) -> str:
    """The text of the pull request: both versions, and the template's changelog between them."""
    # Cookiecutter's clone of the address.
    clone = Path.home() / ".cookiecutters" / Path(source).name.removesuffix(".git")
    found = next((path for path in (Path(source) / CHANGELOG, clone / CHANGELOG) if path.is_file()), None)
    versions = f"version {since or '(none)'} to {until or '(none)'}"
    body = (
        f"From {versions} of `{source}`, merged with what was changed here.\n"
        "Your `config.yaml`, `data/`, `model/`, `tests/`, `locks/model.txt` and an edited `README.md` stay as they "
        "are.\n"
    )
    changes = changelog(found.read_text(), since, until) if found else ""
    return f"{body}\n{changes}" if changes else body


def run(build: Path, template: str) -> str:
    """Write `change.json` and the bundle of its commits, unless the template has nothing new."""
    forget(build)
    (build / BUNDLE).unlink(missing_ok=True)
    try:
        answers = yaml.safe_load(ANSWERS.read_bytes())
        source = template or str(answers["_template"])
        answers["project_slug"]
    except (OSError, yaml.YAMLError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{ANSWERS} is missing or damaged; restore it with `git checkout -- {ANSWERS}`.") from error
    if not template and ":" not in source:  # neither a URL nor an abbreviation such as gh:acme/template
        return f"the template {source!r} is a folder of one machine; name its repository as TEMPLATE"
    names = ("refs/remotes/origin/template", "refs/heads/template")
    parent = next((name for name in names if git.ask("rev-parse", "--verify", "--quiet", name)), None)
    if parent is None:
        raise InputError(
            "There is no branch `template`; fetch it, or make it from the commit that started this repository."
        )
    with tempfile.TemporaryDirectory() as folder:
        commit = rendered(render(source, answers, Path(folder)), parent, f"Render {source}")
    title = "Upgrade to the newest template"
    made, conflicts = merge.merged(commit, title) if commit else ("HEAD", [])
    if not conflicts and not merge.differ("HEAD", made):
        return f"{source} has nothing new"
    now = yaml.safe_load(merge.answers(commit)) or {}
    body = description(source, str(answers.get("_version", "")), str(now.get("_version", "")))
    if conflicts:
        listed = "".join(f"- `{name}`\n" for name in conflicts)
        body += f"\nBoth sides changed these files; choose on this page, or with `git merge`:\n\n{listed}"
    Change(title, body, f"upgrade/{commit[:10]}", commit=made, template=commit).write(build)
    git.run("update-ref", "refs/upgrade/change", made)
    git.run("update-ref", "refs/upgrade/template", commit)
    git.run("bundle", "create", "--quiet", str(build / BUNDLE), "refs/upgrade/change", "refs/upgrade/template")
    return f"{title}: {len(conflicts)} files need a choice" if conflicts else title


def unpack(build: Path) -> None:
    """Take the commits of a bundle that another job made."""
    if (build / BUNDLE).is_file():
        git.run("fetch", "--quiet", str(build / BUNDLE), "refs/upgrade/*:refs/upgrade/*")
