"""Merges a newer template: renders it with this repository's answers onto the branch `template`, then merges that.

The branch holds only rendered templates, so this is a true three-way merge between people's changes here and the
template's changes.
Cookiecutter runs the template's hooks, so this runs without a token, and on a commit that a person confirmed. `offer`
takes nothing but the rendered files from it: branch, commits, title and text are made again from them.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from lifecycle import InputError, git
from lifecycle.documents import change as documents
from lifecycle.documents import limits
from lifecycle.documents.answers import ANSWERS
from lifecycle.documents.change import Change
from lifecycle.github import api, branches, merge
from lifecycle.reporting import pages
from lifecycle.strict import parsed

TITLE = "Upgrade to the newest template"
BUNDLE, CHANGES = "upgrade.bundle", "changes.md"  # the rendered files, and what the template says of them
HASH = re.compile("[0-9a-f]{40}")
CHANGELOG = Path(".github/CHANGELOG.md")


def _token() -> dict[str, str]:
    """Settings by which git reads a private template on the own host, with the token in TEMPLATE_TOKEN."""
    if not os.environ.get("TEMPLATE_TOKEN"):
        return {}
    count = int(os.environ.get("GIT_CONFIG_COUNT") or 0)
    return {
        "GIT_CONFIG_COUNT": str(count + 1),
        f"GIT_CONFIG_KEY_{count}": f"credential.https://{api.host()}.helper",
        f"GIT_CONFIG_VALUE_{count}": '!f() { echo username=x-access-token; echo "password=$TEMPLATE_TOKEN"; }; f',
    }


def _private(error: str) -> str:
    """What to do if git may not read a template."""
    asked = re.search("Authentication failed|could not read Username|Repository not found", error)
    return " If the template is private, give a token that may read it as TEMPLATE_TOKEN." if asked else ""


def newest(source: str) -> str:
    """The commit that a template's address has now; raises InputError if it cannot be reached."""
    from cookiecutter.config import BUILTIN_ABBREVIATIONS
    from cookiecutter.repository import expand_abbreviations

    # Cookiecutter knows git by the prefix, git does not.
    address = expand_abbreviations(source, BUILTIN_ABBREVIATIONS).removeprefix("git+")
    try:
        return git.run("ls-remote", "--", address, "HEAD", **_token()).partition("\t")[0]
    except InputError as error:
        raise InputError(f"{error}{_private(str(error))}") from error


def render(template: str, answers: dict[str, Any], folder: Path, commit: str = "") -> Path:
    """Render the repository from a template at a commit; raises InputError with cookiecutter's message."""
    command = [sys.executable, "-m", "cookiecutter", "--no-input", "--output-dir", str(folder), template]
    command[4:4] = ["--checkout", commit] if commit else []
    known = [f"{name}={value}" for name, value in answers.items() if not name.startswith("_")]
    given = {**os.environ, **_token()}
    done = subprocess.run([*command, *known], env=given, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        said = " ".join((done.stdout + done.stderr).split())[-600:]
        raise InputError(f"The template {template} cannot be rendered: {said}{_private(said)}")
    made = folder / str(answers["project_slug"])
    shutil.rmtree(made / ".git", ignore_errors=True)
    return made


def rendered(folder: Path, parent: str, message: str) -> str:
    """Commit exactly a folder's files on top of `parent`; empty when `parent` already has them."""
    with tempfile.TemporaryDirectory() as temporary:
        index = {"GIT_INDEX_FILE": str(Path(temporary) / "index")}
        git.run("--work-tree", str(folder), "add", "--all", "--force", ".", **index)
        tree = git.run("write-tree", **index)
    return committed(tree, parent, message)


def committed(tree: str, parent: str, message: str) -> str:
    """Commit a tree on top of `parent`; empty when `parent` already has it."""
    if not merge.differ(parent, tree):
        return ""
    return git.run("commit-tree", tree, "-p", parent, "-m", message, **branches.identity())


def changelog(text: str, since: str, until: str) -> str:
    """The sections of a changelog after version `since`, up to and including `until`, newest first."""
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    wanted = [section for section in sections if since < section.partition("\n")[0].strip() <= until]
    return "\n".join(f"### {section.strip()}\n" for section in wanted)


def description(source: str, since: str, until: str, changes: str) -> str:
    """The text of the pull request: both versions, and the template's changelog between them, as a block of code."""
    versions = f"version {pages.plain(since or '(none)')} to {pages.plain(until or '(none)')}"
    body = (
        f"From {versions} of `{source}`, merged with what was changed here.\n"
        "Your `config.yaml`, `data/`, `model/`, `tests/`, `locks/model.txt` and an edited `README.md` stay as they "
        "are.\n"
    )
    return f"{body}\n{pages.fenced(changes.strip(), 'markdown')}" if changes.strip() else body


def _answers() -> dict[str, Any]:
    try:
        answers: dict[str, Any] = parsed(ANSWERS.read_bytes())
        for name in ("_template", "project_slug"):
            answers[name]
    except (OSError, yaml.YAMLError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise InputError(f"{ANSWERS} is missing or damaged; restore it with `git checkout -- {ANSWERS}`.") from error
    return answers


def _versions(answers: dict[str, Any], commit: str) -> tuple[str, str]:
    """The template's version here, and that of a rendered commit."""
    try:
        now = parsed(merge.answers(commit)) or {}
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(
            f"{ANSWERS} of the rendered template is not valid YAML ({' '.join(str(error).split())}); do not merge it."
        ) from error
    return str(answers.get("_version", "")), str(now.get("_version", ""))


def _parent() -> str:
    """The branch `template`, which holds what was rendered last."""
    names = ("refs/remotes/origin/template", "refs/heads/template")
    parent = next((name for name in names if git.ask("rev-parse", "--verify", "--quiet", name)), None)
    if parent is None:
        raise InputError(
            "There is no branch `template`; fetch it, or make it from the commit that started this repository."
        )
    return parent


def _answered_anew(answers: dict[str, Any], parent: str) -> bool:
    """Whether somebody changed an answer since the template was rendered last."""
    before = parsed(merge.answers(parent)) or {}
    return any(answers[name] != before.get(name) for name in answers if not name.startswith("_"))


def prepare(build: Path, commit: str, source: str, answers: dict[str, Any]) -> str:
    """Write `change.json` for a commit on top of the branch `template`, unless that has nothing new for HEAD."""
    made, conflicts = merge.merged(commit, TITLE) if commit else ("HEAD", [])
    if not conflicts and not merge.differ("HEAD", made):
        return f"{source} has nothing new"
    path = build / documents.RENDERED / CHANGES
    changes = path.read_text(errors="replace") if path.is_file() and not path.is_symlink() else ""
    body = description(source, *_versions(answers, commit), pages.cut(changes, limits.DIFFERENCES))
    if conflicts:
        listed = "".join(f"- {pages.plain(name)}\n" for name in conflicts)
        body += f"\nBoth sides changed these files; choose on this page, or with `git merge`:\n\n{listed}"
    Change(TITLE, body, f"upgrade/{commit[:10]}", commit=made, template=commit).write(build)
    git.run("update-ref", "refs/upgrade/change", made)
    git.run("update-ref", "refs/upgrade/template", commit)
    return f"{TITLE}: {len(conflicts)} files need a choice" if conflicts else TITLE


def run(build: Path, template: str, commit: str) -> str:
    """Render the template and write `change.json`; of an address only `commit`, which a person confirmed."""
    documents.forget(build)
    answers = _answers()
    source = template or str(answers["_template"])
    address = ":" in source  # a URL or an abbreviation such as gh:acme/template
    if not template and not address:
        return f"the template {source!r} is a folder of one machine; name its repository as TEMPLATE"
    known, parent = str(answers.get("_commit", "")), _parent()
    same = not _answered_anew(answers, parent)
    if address and not commit:
        found = newest(source)
        if found == known and same:
            return f"{source} has nothing new"
        return (
            f"{source} is at {found}, and was at {known or 'an unknown commit'} here: read what changed, then confirm "
            f"it as COMMIT={found}, or on GitHub as the variable TEMPLATE_COMMIT"
        )
    if address and not HASH.fullmatch(commit):
        raise InputError(f"COMMIT is {commit!r}; give all 40 digits of the template's commit, which no one can move.")
    if address and commit == known and same:
        return f"{source} has nothing new"
    with tempfile.TemporaryDirectory() as folder:
        made = rendered(render(source, answers, Path(folder), commit if address else ""), parent, f"Render {source}")
    if not made:
        return f"{source} has nothing new"
    keep = build / documents.RENDERED
    keep.mkdir(parents=True, exist_ok=True)
    # Cookiecutter's clone of the address.
    clone = Path.home() / ".cookiecutters" / Path(source).name.removesuffix(".git")
    log = next((path for path in (Path(source) / CHANGELOG, clone / CHANGELOG) if path.is_file()), None)
    (keep / CHANGES).write_text(changelog(log.read_text(), *_versions(answers, made)) if log else "")
    outcome = prepare(build, made, source, answers)
    if (build / documents.CHANGE).is_file():
        git.run("bundle", "create", "--quiet", str(keep / BUNDLE), "refs/upgrade/template")
    return outcome


def unpack(build: Path, template: str) -> None:
    """Prepare the change again from the files that another job rendered, which may have written anything else."""
    bundle = build / documents.RENDERED / BUNDLE
    if (build / documents.CHANGE).is_file() or not bundle.is_file():
        return
    answers = _answers()
    source = template or str(answers["_template"])
    checked = ("-c", "fetch.fsckObjects=true", "fetch", "--quiet", "--no-tags")
    git.run(*checked, str(bundle), "+refs/upgrade/template:refs/upgrade/template")
    prepare(build, committed("refs/upgrade/template^{tree}", _parent(), f"Render {source}"), source, answers)
