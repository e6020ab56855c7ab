"""Known vulnerabilities of locked packages, from the verb that finds them to the one that tells, and the exceptions."""

from datetime import date
from pathlib import Path

import yaml
from pydantic import Field, ValidationError

from lifecycle import InputError, files
from lifecycle.strict import Strict, parsed, problems

EXCEPTIONS = Path("locks/exceptions.yaml")


class Vulnerability(Strict):
    """One that a locked version has; `names` are its id and aliases, `fixes` the newer versions without it."""

    package: str
    version: str
    names: tuple[str, ...]
    fixes: tuple[str, ...]
    locks: tuple[str, ...]


class Vulnerabilities(Strict):
    """All that have a fix and no exception, and sentences about exceptions that no longer hold."""

    vulnerabilities: tuple[Vulnerability, ...]
    said: tuple[str, ...]


class Excepted(Strict):
    """A vulnerability, by its id or an alias, that is not told before the day `until`."""

    id: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9-]+-[A-Za-z0-9-]+$", max_length=60)
    until: date
    reason: str = Field(min_length=10)


class Exceptions(Strict):
    exceptions: tuple[Excepted, ...]


def exceptions(path: Path) -> tuple[Excepted, ...]:
    """The exceptions in a file; raises InputError naming each wrong key."""
    if not path.is_file():
        raise InputError(f"{path} does not exist; write `exceptions: []` into it.")
    try:
        found = Exceptions.model_validate(parsed(path.read_bytes())).exceptions
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        told = problems(error, Exceptions) if isinstance(error, ValidationError) else " ".join(str(error).split())
        raise InputError(f"{path} is not valid: {told}.") from error
    if twice := {one.id for one in found if [other.id for other in found].count(one.id) > 1}:
        raise InputError(f"{path} names {', '.join(sorted(twice))} twice; keep one.")
    return found


def write(path: Path, found: Vulnerabilities) -> None:
    files.write(path, found.model_dump_json(indent=1) + "\n")


def read(path: Path) -> Vulnerabilities:
    """What `make vulnerabilities` wrote."""
    try:
        return Vulnerabilities.model_validate_json(files.read(path, "vulnerabilities"))
    except ValidationError as error:
        raise InputError(
            f"{path} is damaged: {problems(error, Vulnerabilities)}; run `make vulnerabilities` again."
        ) from error
