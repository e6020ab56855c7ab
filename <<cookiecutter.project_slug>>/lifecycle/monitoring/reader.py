"""Reads the prediction log from disk or object stores into DuckDB, without duplicate rows and torn lines.

DuckDB works in a file, to save memory.
"""

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import fsspec
import pandas as pd

from lifecycle import InputError
from lifecycle.artifact import golden
from lifecycle.artifact.directory import Column, Model
from lifecycle.documents import log
from lifecycle.monitoring import lines
from lifecycle.monitoring.lines import quoted
from lifecycle.rows import memory

SPACE = (duckdb.IOException, duckdb.OutOfMemoryException, duckdb.FatalException)
# The rows of the table `cut` with what was logged of them, and their labels.
CUT = (
    "from cut as picked join log on log.rowid = picked.id left join labels on labels.request = picked.request "
    "and labels.row = picked.row and picked.turn = 1"
)
ORDER = "picked.chunk, picked.time, picked.request, picked.row"
PIECE = 200_000  # rows that are measured at a time, or one window
CELL = 48  # bytes of a value while it is measured: 3 million rows of 12 features take 2.3 GiB in all
WHOLE = 0.001  # how far from 1 probabilities may sum up, which are rounded
SKEW = timedelta(hours=1)  # tolerated lead of another machine's clock


@dataclass(frozen=True)
class Counts:
    """What was read: answered rows, unreadable lines, duplicate rows, rows from the future, other versions.

    `damaged` is the number of files that could not be read to their end, `reused` that of rows whose request had the
    identity of an earlier one, `ahead` that of rows whose own time is later than their answer, `impossible` that of
    rows with an answer that the model cannot give.
    """

    rows: int
    unreadable: int = 0
    repeated: int = 0
    future: int = 0
    versions: tuple[str, ...] = ()
    damaged: int = 0
    reused: int = 0
    ahead: int = 0
    impossible: int = 0


@dataclass(frozen=True)
class LabelCounts:
    """The feedback's labels, those that the model does not have, such as a former class, and its damaged files."""

    told: int
    odd: int
    damaged: int


@contextmanager
def connect(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database that spills into the folder; raises InputError when its disk is full."""
    options = {"memory_limit": "400MB", "temp_directory": str(folder)}
    try:
        with duckdb.connect(str(folder / "monitor.duckdb"), config={**options}) as connection:
            connection.execute("load icu; set timezone = 'UTC'")
            try:
                yield connection
            finally:
                for name in connection.list_filesystems():  # they would keep the connection alive
                    connection.unregister_filesystem(name)
    except SPACE as error:  # not of the log's files: lines.py has those
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"The monitor cannot work in {folder.parent} ({reason}); make room on that disk, set TMPDIR to another "
            "one, or shorten monitor.days."
        ) from error


def count(connection: duckdb.DuckDBPyConnection, query: str, parameters: object = None) -> int:
    """The number that a query gives: of rows that it counts, or deletes."""
    found = connection.execute(query, parameters).fetchone()
    return int(found[0]) if found else 0


def _struct(fields: dict[str, str]) -> str:
    return f"STRUCT({', '.join(f'{quoted(name)} {kind}' for name, kind in fields.items())})"


def find(connection: duckdb.DuckDBPyConnection, location: str, pattern: str) -> list[str]:
    """The paths below a folder or an fsspec URI that match a pattern, in DuckDB's notation.

    Raises InputError when a store cannot be read.
    """
    os.environ.setdefault("AWS_MAX_ATTEMPTS", "1")  # s3fs itself tries five times; with both, it takes seven minutes
    try:
        filesystem, root = fsspec.url_to_fs(location)
        found = sorted(filesystem.glob(f"{root.rstrip('/')}/{pattern}"))
    except Exception as error:  # each store raises its own exceptions
        reason = " ".join(str(error).split())[:200]
        lacks = (
            "" if "credentials" not in reason else ": set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        )
        raise InputError(f"{location} cannot be read ({reason}); correct it, or its credentials{lacks}.") from error
    if "://" not in location:
        return found
    if not connection.filesystem_is_registered(filesystem.protocol[0]):
        connection.register_filesystem(filesystem)
    return [filesystem.unstrip_protocol(path) for path in found]


def _since(paths: Iterable[str], begin: datetime) -> list[str]:
    """The files of the hours since `begin`; earlier files are not opened."""
    first = log.hour(begin)
    return [path for path in paths if log.begun(path) >= first]


def _possible(model: Model) -> tuple[str, dict[str, str]]:
    """The condition that a logged answer is one that the model can give, and its parameters."""
    names = {f"class{place}": name for place, name in enumerate(model.classes)}
    if not names:
        return "isfinite(answer.prediction)", {}
    shares = [f"answer.probabilities[${name}]" for name in names]
    known = [f"answer.prediction in ({', '.join(f'${name}' for name in names)})"]
    whole = f"abs({' + '.join(shares)} - 1) < {WHOLE}"
    return " and ".join([*known, *(f"{share} between 0 and 1" for share in shares), whole]), names


def load(
    connection: duckdb.DuckDBPyConnection,
    locations: Sequence[str],
    model: Model,
    begin: datetime,
    now: datetime,
    trusted: bool,
    hidden: Collection[str] = (),
) -> Counts:
    """Fill the table `log` with the model's answers, and `answered` with the id, time, request and row of each.

    A row's time is that of its answer or, if callers are `trusted`, its own, which cannot be later. `turn` is 1 for
    the first row of a request's identity; others reuse it. Rows of the smoke test are skipped, and the `hidden`
    features are not read. Raises InputError for an unreadable store.
    """
    files, versions = [], set()
    for location in locations:
        files += find(connection, location, log.pattern(log.answers(model.version)))
        versions |= {log.version(path) for path in find(connection, location, log.VERSIONS)}
    seen = [column for column in model.columns if column.name not in hidden]
    plain = {column.name: column.type == "number" and not column.boolean for column in seen}
    features = {name: "DOUBLE" if number else "VARCHAR" for name, number in plain.items()}
    answer = {"prediction": "VARCHAR" if model.classes else "DOUBLE"}
    if model.classes:
        answer["probabilities"] = "MAP(VARCHAR, DOUBLE)"  # fields of a struct must differ in more than case
    columns = {"request": "VARCHAR", "row": "BIGINT", "logged": "TIMESTAMPTZ", "version": "VARCHAR"}
    moment = "logged"
    if model.time and trusted:
        columns["context"] = _struct({model.time: "VARCHAR"})
        moment = f"coalesce(try_cast(context.{quoted(model.time)} as timestamptz), logged)"
    columns |= ({"features": _struct(features)} if features else {}) | {"answer": _struct(answer)}
    possible, classes = _possible(model)
    damaged = lines.read(connection, "log", _since(files, begin), columns)
    connection.execute("delete from log where starts_with(request, $prefix)", {"prefix": golden.REQUEST})
    connection.execute(
        f"""
        create or replace table answered as
        select id, if(said > logged + $skew, logged, said) as time, logged, request, row,
        said > logged + $skew as ahead,
        row_number() over (partition by request, row order by logged, id) as turn from (
            select rowid as id, {moment} as said, logged, request, row,
            row_number() over (partition by request, row, logged order by rowid) as copy
            from log where version = $version and row is not null and logged <= $latest
            and answer.prediction is not null and ({possible}) is true) where copy = 1
        """,  # noqa: S608 - a quoted name
        {"version": model.version, "latest": now + SKEW, "skew": SKEW, **classes},
    )
    counted = connection.execute(
        f"""
        select (select count(*) from answered), (select count(*) from answered where turn > 1),
        (select count(*) from answered where ahead), count(*),
        count(*) filter (logged > $latest and version = $version),
        count(*) filter (version is distinct from $version or row is null or logged is null
                         or answer.prediction is null),
        count(*) filter (version = $version and row is not null and logged <= $latest
                         and answer.prediction is not null and ({possible}) is not true) from log
        """,  # noqa: S608 - our own strings
        {"version": model.version, "latest": now + SKEW, **classes},
    ).fetchone()
    rows, reused, ahead, every, future, unreadable, impossible = counted or (0, 0, 0, 0, 0, 0, 0)
    repeated, others = every - rows - future - unreadable - impossible, tuple(sorted(versions - {model.version}))
    return Counts(rows, unreadable, repeated, future, others, len(damaged), reused, ahead, impossible)


def labels(
    connection: duckdb.DuckDBPyConnection, locations: Sequence[str], folder: str | None, model: Model, begin: datetime
) -> LabelCounts:
    """Fill the table `labels` with request, row and label, from feedback and from a folder.

    The latest label wins; the folder, read in order of file names, overrides feedback. Feedback that the model cannot
    have is set aside. Raises InputError for a folder without labels, an invalid line, or a label that the model does
    not have.
    """
    columns = {"request": "VARCHAR", "row": "BIGINT", "label": "JSON"}
    feedback = [path for location in locations for path in find(connection, location, log.pattern(log.LABELS))]
    torn = lines.read(connection, "feedback", _since(feedback, begin), {**columns, "logged": "TIMESTAMPTZ"})
    own = find(connection, folder, log.FILES) if folder is not None else []
    if folder is not None and not own:
        raise InputError(
            f"{folder} holds no *.jsonl file with request, row and label; put one there, or leave LABELS out."
        )
    if damaged := lines.read(connection, "own", own, columns):
        raise InputError(f"The labels in {damaged[0]} cannot be read to their end; restore or remove the file.")
    wrong = count(connection, "select count(*) from own where request is null or row is null or label is null")
    if wrong:
        raise InputError(
            f"The labels in {folder} have {wrong:,} lines that are not JSON objects with request, row and label; "
            "correct them."
        )
    wanted = f"one of {', '.join(model.classes)}" if model.classes else "a number"
    fits = "list_contains($classes, label ->> '$')" if model.classes else "isfinite(try_cast(label ->> '$' as double))"
    classes = {"classes": list(model.classes)} if model.classes else {}
    told = count(connection, "select count(*) from feedback where label is not null")
    odd = count(connection, f"delete from feedback where label is not null and ({fits}) is not true", classes)  # noqa: S608
    connection.execute(
        """
        create or replace table labels as
        select request, row, label ->> '$' as label from (
            select *, row_number() over (partition by request, row order by own desc, moment desc, place desc) as turn
            from (select *, logged as moment, 0 as own, rowid as place from feedback
                  union all select *, null, null, 1, rowid from own)
            where request is not null and row is not null and label is not null) where turn = 1
        """
    )
    unfit = connection.execute(
        f"select distinct label ->> '$' as text from own where ({fits}) is not true order by text limit 5",  # noqa: S608
        classes,
    ).fetchall()
    if unfit:
        raise InputError(
            f"The labels hold {', '.join(label for (label,) in unfit)}, but each must be {wanted}; correct them."
        )
    return LabelCounts(told, odd, len(torn))


def _value(column: Column) -> str:
    """A feature of a row of the log; true and false, or the numbers that a request may send for them, as a number."""
    value = f"features.{quoted(column.name)}"
    if column.type == "category":
        return f"coalesce({value}, '')"
    if column.boolean:
        return f"coalesce(try_cast({value} as double), try_cast(try_cast({value} as boolean) as double))"
    return value


def _fit(rows: int, model: Model) -> None:
    left = memory.available()
    needed = rows * (len(model.columns) + len(model.classes) + 2) * CELL
    if left is not None and needed > left:
        raise InputError(
            f"The log needs about {memory.size(needed)} of memory for {rows:,} rows, and {memory.size(left)} are left; "
            "shorten monitor.days, let monitor.window be a period, which is sampled, or raise the monitor's memory."
        )


def _columns(model: Model, hidden: Collection[str]) -> tuple[str, dict[str, Any], dict[str, str]]:
    """The columns of a row to select, the parameters for that, and the columns' own names where they differ."""
    # DuckDB takes names that differ only in case for one, such as a feature `Time` and the row's `time`.
    seen = [column for column in model.columns if column.name not in hidden]
    aliases = {f"feature {place}": column.name for place, column in enumerate(seen)}
    features = [f"{_value(column)} as {quoted(alias)}" for alias, column in zip(aliases, seen, strict=True)]
    outputs = {f"class {place}": name for place, name in enumerate(model.classes)}
    features += [f"answer.probabilities[$class{place}] as {quoted(alias)}" for place, alias in enumerate(outputs)]
    parameters: dict[str, Any] = {f"class{place}": name for place, name in enumerate(model.classes)}
    prediction, label = "answer.prediction", "label"
    if model.task == "binary_classification":
        prediction, label = (f"({name} = $positive)::bigint" for name in (prediction, label))
        parameters["positive"] = model.classes[1]
    if model.task == "regression":
        label = "label::double"
    columns = ", ".join(["picked.chunk", "picked.time", *features, f"{prediction} as prediction", f"{label} as label"])
    return columns, parameters, aliases | {alias: f"probability_{name}" for alias, name in outputs.items()}


def rows(connection: duckdb.DuckDBPyConnection, model: Model, hidden: Collection[str] = ()) -> pd.DataFrame:
    """The log's rows in the table `cut`: chunk, time, features but the `hidden`, prediction, and label if any.

    Prediction and label are codes 0 and 1 for two classes, and class names for more. Raises InputError if they do not
    fit into memory.
    """
    _fit(count(connection, "select count(*) from cut"), model)
    columns, parameters, names = _columns(model, hidden)
    return connection.execute(f"select {columns} {CUT} order by {ORDER}", parameters).df().rename(columns=names)


def pieces(
    connection: duckdb.DuckDBPyConnection, model: Model, hidden: Collection[str] = ()
) -> tuple[int, Iterator[pd.DataFrame]]:
    """The same rows, a few windows at a time and none twice, and their number: they are laid out on the disk first."""
    columns, parameters, names = _columns(model, hidden)
    connection.execute(
        f"create or replace table laid as select picked.request, picked.row, {columns} {CUT}",
        parameters,
    )
    sizes = connection.execute("select chunk, count(*) from laid group by chunk order by chunk").fetchall()
    bounds, held = list[tuple[int, int]](), 0
    for chunk, size in sizes:
        if bounds and held + size <= PIECE:
            bounds[-1], held = (bounds[-1][0], chunk), held + size
        else:
            bounds, held = [*bounds, (chunk, chunk)], size
    _fit(max([PIECE, *(size for _, size in sizes)]), model)

    def read() -> Iterator[pd.DataFrame]:
        for first, last in bounds:
            some = connection.execute(
                f"select * exclude (request, row) from laid as picked where chunk between $1 and $2 order by {ORDER}",  # noqa: S608
                [first, last],
            )
            yield some.df().rename(columns=names)

    return sum(size for _, size in sizes), read()
