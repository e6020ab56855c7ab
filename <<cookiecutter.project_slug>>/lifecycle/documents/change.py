"""What a verb did to the files, to be offered as a pull request."""

from dataclasses import asdict, dataclass
from pathlib import Path

from lifecycle import InputError, files

CHANGE = "change.json"
TEXT = "pull-request.md"
DIFFERENCES = "diff.json"


@dataclass(frozen=True)
class Change:
    """The files of `paths`, to be offered from the branch of that name.

    An upgrade has its `commit` already, and the one of the `template` that it merges.
    """

    title: str
    body: str
    branch: str
    paths: tuple[str, ...] = ()
    commit: str = ""
    template: str = ""

    def write(self, build: Path) -> Path:
        """Write `change.json`, and the text for a person who opens the pull request by hand; returns the latter."""
        files.write_json(build / CHANGE, asdict(self))
        files.write(build / TEXT, f"# {self.title}\n\n{self.body}")
        return build / TEXT


def read(build: Path) -> Change | None:
    """What was written last, or None; raises InputError where it is damaged."""
    path = build / CHANGE
    if not path.is_file():
        return None
    try:
        return Change(**files.read_json(path))
    except TypeError as error:
        raise InputError(f"{path} is damaged ({error}); run the verb that wrote it again.") from error


def forget(build: Path) -> None:
    """Delete an earlier change, so that it is not taken for the present one."""
    for name in (CHANGE, TEXT, DIFFERENCES):
        (build / name).unlink(missing_ok=True)
