"""Reads a model directory, the contract of training, serving and monitoring, and checks its hashes."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from lifecycle import InputError, files
from lifecycle.strict import parsed
from lifecycle.tasks import Task

FORMAT = 2
NEEDED = ("name", "version", "task", "classes", "threshold", "time", "key", "data", "runtime")


@dataclass(frozen=True)
class Column:
    """One input: `number`, `category` or, if it is raw, `time`; `missing` when null is allowed, `boolean` when true and
    false are 1 and 0."""

    name: str
    type: str
    missing: bool
    boolean: bool = False


@dataclass(frozen=True)
class Model:
    """A sealed model directory; `metadata` comes from its MLmodel, `context` names the columns that identify a row.

    `columns` are the model's features, `raw` those that its own code makes them of, if it has any.
    """

    path: Path
    sha256: str
    metadata: dict[str, Any]
    columns: tuple[Column, ...]
    raw: tuple[Column, ...] = ()

    @property
    def requests(self) -> tuple[Column, ...]:
        """The columns that a request sends."""
        return self.raw or self.columns

    @cached_property
    def features(self) -> tuple[str, ...]:
        """The names of its columns."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def version(self) -> str:
        version: str = self.metadata["version"]
        return version

    @cached_property
    def task(self) -> Task:
        task: Task = self.metadata["task"]
        return task

    @cached_property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.metadata["classes"])

    @cached_property
    def threshold(self) -> float:
        threshold: float = self.metadata["threshold"]
        return threshold

    @cached_property
    def categories(self) -> dict[str, frozenset[str]]:
        """The categories seen in training, by column."""
        path = self.path / "categories.json"
        try:
            return {name: frozenset(seen) for name, seen in files.read_json(path).items()}
        except (AttributeError, TypeError) as error:
            raise InputError(f"{path} has no categories by column; copy the model or train it again.") from error

    @cached_property
    def time(self) -> str | None:
        """The column with a row's own moment, if rows have one."""
        time: str | None = self.metadata["time"]
        return time

    @cached_property
    def context(self) -> tuple[str, ...]:
        return (*filter(None, [self.time]), *self.metadata["key"])


def load(path: Path) -> Model:
    """Check and read a model directory; raises InputError when it is damaged, foreign or of another format."""
    sha256 = files.unseal(path)
    try:
        document = parsed((path / "MLmodel").read_bytes())
        metadata = document["metadata"]
        found = metadata["format"]
    except (OSError, yaml.YAMLError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f"{path} is not a model directory of this template: its MLmodel has no format; run `make train`."
        ) from error
    if found != FORMAT:
        raise InputError(
            f"The model directory {path} has format {found}, but this code reads {FORMAT}; "
            "use the code that it was released with, or train again."
        )
    try:
        booleans = set(metadata.get("booleans", ()))
        columns = tuple(
            Column(
                column["name"],
                "category" if column["type"] == "string" else "number",
                not column["required"],
                column["name"] in booleans,
            )
            for column in json.loads(document["signature"]["inputs"])
        )
        raw = tuple(Column(**column) for column in metadata.get("raw", ()))
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path / 'MLmodel'} has no valid signature; copy the model or train it again.") from error
    if missing := [name for name in NEEDED if name not in metadata]:
        raise InputError(f"{path / 'MLmodel'} lacks {', '.join(missing)}; copy the model or train it again.")
    return Model(path, sha256, metadata, columns, raw)
