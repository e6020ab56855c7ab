"""Refuses answers that would not work, and a folder that holds files, in one sentence each before any is written."""

import json
import re
import sys
import tempfile
from pathlib import Path, PurePath

import yaml  # with which cookiecutter reads its own settings

# Raw strings of JSON: `tojson` escapes single quotes, so an answer cannot end them.
# fmt: off
ANSWERS = {
    "project_name": r'''<< cookiecutter.project_name|tojson >>''',
    "project_slug": r'''<< cookiecutter.project_slug|tojson >>''',
    "description": r'''<< cookiecutter.description|tojson >>''',
    "owner": r'''<< cookiecutter.owner|tojson >>''',
    "reviewers": r'''<< cookiecutter.reviewers|tojson >>''',
    "registry": r'''<< cookiecutter.registry|tojson >>''',
}
# fmt: on
SLUG = re.compile(r"[a-z](-?[a-z0-9])*")
OWNER = re.compile(r"[A-Za-z0-9](-?[A-Za-z0-9]){0,38}")
# GitHub ignores other owners in CODEOWNERS: nobody would have to agree. Source: GitHub Docs, About code owners.
REVIEWERS = re.compile(rf"@{OWNER.pattern}(/[a-z0-9_](-?[a-z0-9_])*)?", flags=re.IGNORECASE)
REGISTRY = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?(/[a-z0-9]+([._-][a-z0-9]+)*)*")
# The slug is part of the names of namespaces, Deployments and images, which may have 63 characters.
SLUG_LENGTH = 40


def refusals(answers: dict[str, str]) -> list[str]:
    """One sentence per unusable answer."""
    found = []
    slug = answers["project_slug"]
    if not SLUG.fullmatch(slug) or not 2 <= len(slug) <= SLUG_LENGTH:
        found.append(
            f"project_slug is {slug!r}, which cannot name Kubernetes objects and images: give 2 to {SLUG_LENGTH} "
            "lower-case letters, digits and single hyphens, the first a letter."
        )
    elif (read := yaml.safe_load(slug)) != slug:
        found.append(f"project_slug is {slug!r}, which YAML reads as {json.dumps(read)}: give another word.")
    for name in ("project_name", "description"):
        if not answers[name].strip() or not answers[name].isprintable() or len(answers[name]) > 200:
            found.append(f"{name} is {answers[name]!r}: give one line of 1 to 200 printable characters.")
    if not OWNER.fullmatch(answers["owner"]):
        found.append(
            f"owner is {answers['owner']!r}, which GitHub does not allow: "
            "give 1 to 39 letters, digits and single hyphens, without the @."
        )
    if not REVIEWERS.fullmatch(answers["reviewers"]):
        found.append(
            f"reviewers is {answers['reviewers']!r}, which GitHub ignores in CODEOWNERS: "
            "give a person as @person, or a team as @organisation/team."
        )
    if not REGISTRY.fullmatch(answers["registry"]):
        found.append(
            f"registry is {answers['registry']!r}: give a host such as ghcr.io, without https:// and in lower case."
        )
    return found


def clean(project: Path, slug: str) -> None:
    """Remove the folders of a slug with slashes; cookiecutter itself removes only the last one."""
    for folder in [project, *project.parents][: len(PurePath(slug).parts)]:
        if any(folder.iterdir()):
            return
        folder.rmdir()


def occupied(project: Path) -> list[str]:
    """A sentence if the folder holds files already, which `cookiecutter -f` would overwrite and commit."""
    if not any(project.iterdir()):
        return []
    upgrade = " To bring it up to date, run `make upgrade` in it." if (project / ".git").exists() else ""
    return [f"{project.name} is not empty, so nothing was written: choose another folder, without -f.{upgrade}"]


def main() -> int:
    answers = {name: json.loads(answer) for name, answer in ANSWERS.items()}
    found = refusals(answers) or occupied(Path.cwd())
    for sentence in found:
        print(sentence, file=sys.stderr)
    if found and "/" in answers["project_slug"]:
        clean(Path.cwd(), answers["project_slug"])
    return 1 if found else 0


if __name__ == "__main__":
    # Cookiecutter leaves this rendered copy in the temporary folder.
    if Path(__file__).parent == Path(tempfile.gettempdir()):
        Path(__file__).unlink()
    sys.exit(main())
