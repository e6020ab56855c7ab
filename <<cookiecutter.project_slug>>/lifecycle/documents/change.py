"""A verb's changes to files, ready to become a pull request."""

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from lifecycle import InputError, files

CHANGE = "change.json"
RENDERED = "upgrade"  # a folder: what a template rendered, for the job that offers it
TEXT = "pull-request.md"
DIFFERENCES = "diff.json"


@dataclass(frozen=True)
class Change:
    """A pull request to open: the files of `paths`, from `branch`.

    An upgrade already has its `commit`, and names the commit of the `template` that it merges.
    """

    title: str
    body: str
    branch: str
    paths: tuple[str, ...] = ()
    commit: str = ""
    template: str = ""

    @property
    def environment(self) -> str:
        """The environment that it changes, or nothing."""
        kind, *rest = self.branch.split("/")
        return rest[0] if kind in ("release", "promote", "rollback", "retire") else ""

    def write(self, build: Path) -> Path:
        """Write `change.json`, and the text for a person who opens the pull request by hand; returns its path."""
        files.write_json(build / CHANGE, asdict(self))
        files.write(build / TEXT, f"# {self.title}\n\n{self.body}")
        return build / TEXT


def read(build: Path) -> Change | None:
    """The last change written, or None; raises InputError if it is damaged."""
    path = build / CHANGE
    if not path.is_file():
        return None
    try:
        return Change(**files.read_json(path))
    except TypeError as error:
        raise InputError(f"{path} is damaged ({error}); run the verb that wrote it again.") from error


def forget(build: Path) -> None:
    """Delete an earlier change, so that no one takes it for the current one."""
    for name in (CHANGE, TEXT, DIFFERENCES):
        (build / name).unlink(missing_ok=True)
    shutil.rmtree(build / RENDERED, ignore_errors=True)
