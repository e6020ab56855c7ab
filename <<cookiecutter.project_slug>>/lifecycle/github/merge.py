"""Merges the newly rendered template into HEAD, and keeps the team's files as in HEAD."""

from lifecycle import InputError, git
from lifecycle.documents.answers import ANSWERS
from lifecycle.github import branches

RECORDED = ("_version:", "_commit:")  # the answers' lines about the template

README = "README.md"
CODE = ("locks/model.txt", "model/", "tests/")  # the template supplies their first files
TEAM = ("config.yaml", "data/", *CODE)


def answers(tree: str) -> str:
    """The answers file of a commit or a tree, or nothing."""
    return git.content(tree, ANSWERS) or ""


def differ(earlier: str, later: str) -> bool:
    """Whether two commits differ in more than the template's recorded version and commit."""
    one, other = git.entries(earlier), git.entries(later)
    if {name for name in one | other if one.get(name) != other.get(name)} - {str(ANSWERS)}:
        return True
    before, after = (
        [line for line in answers(tree).splitlines() if not line.startswith(RECORDED)] for tree in (earlier, later)
    )
    return before != after


def spared(commit: str) -> str:
    """The template's commit, followed by one that restores the team's files from HEAD.

    The template may delete its own code that nobody changed, and add code under names that are new here.
    """
    base = git.ask("merge-base", "HEAD", commit)
    if base is None:
        raise InputError(
            "The branch `template` and HEAD have no commit in common; start the branch at the commit that began this "
            "repository: `git branch --force template COMMIT`."
        )
    before, ours, theirs = git.entries(base.strip()), git.entries("HEAD"), git.entries(commit)

    def team(name: str) -> bool:
        edited = ours.get(README) != before.get(README)
        return name.startswith(TEAM) or (name == README and edited)

    def stays(name: str) -> bool:
        dropped = name.startswith(CODE) and name not in theirs and ours[name] == before.get(name)
        return team(name) and not dropped

    added = {name for name in theirs if name.startswith(CODE) and name not in before and name not in ours}
    files = {name: entry for name, entry in theirs.items() if name in added or not team(name)}
    files |= {name: entry for name, entry in ours.items() if stays(name)}
    title = "Keep the team's files"
    return git.run("commit-tree", git.tree(files), "-p", commit, "-m", title, **branches.identity())


def merged(commit: str, title: str) -> tuple[str, list[str]]:
    """The merge of HEAD and a commit; or, on conflicts, the commit to merge by hand and the files in conflict."""
    offered = spared(commit)
    tree, conflicts = git.merge("HEAD", offered)
    if conflicts:
        return offered, conflicts
    return git.run("commit-tree", tree, "-p", "HEAD", "-p", commit, "-m", title, **branches.identity()), []
