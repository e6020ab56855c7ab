"""Checks the data file against `config.yaml`, labels its rows and splits them."""

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pandas.api.types import is_numeric_dtype

from lifecycle import InputError, config, files
from lifecycle.artifact import derive
from lifecycle.artifact.frames import LABEL
from lifecycle.privacy import erased
from lifecycle.rows import features, split, store, tables
from lifecycle.rows.store import said as said
from lifecycle.tasks import Task


@contextmanager
def fetch(section: config.Data) -> Iterator[dict[str, Path]]:
    """The pinned files on this machine, by name in order of name; copies of remote ones go with the block.

    Raises InputError when one is absent, is too large for the memory, or the pin is another.
    """
    found = store.find(section.path)
    tables.fit(sum(file.size for file in found.files), section.path)  # no table is smaller in memory than in Parquet
    with store.local(found) as paths:
        _check_pin(found, found.pin({name: files.hashed(path) for name, path in paths.items()}), section)
        yield paths


def _check_pin(found: store.Found, pin: str, section: config.Data) -> None:
    if pin == section.sha256:
        return
    if found.many:
        count = f"{len(found.files):,} file{'s' if len(found.files) > 1 else ''}"
        raise InputError(
            f"The data at {section.path}, {count}, have the hash of hashes {pin}, not {section.sha256} as data.sha256 "
            "says; restore the files, or review what is new and run `make pin`."
        )
    raise InputError(
        f"The data file {section.path} has sha256 {pin}, not {section.sha256} as data.sha256 says; "
        "restore the file, or review the new one and pin its hash."
    )


def table(sources: tables.Files, section: config.Data) -> tuple[pd.DataFrame, list[str]]:
    """The rows of the data files, categories as text, and the columns that requests send as true or false.

    Raises InputError if they break the contract.
    """
    frame, schema = _source(sources, section)
    needed = [*filter(None, [section.time, section.weight]), *section.key, *section.inputs, section.target.column]
    if missing := [name for name in needed if name not in schema.names]:
        raise InputError(
            f"The data file {section.path} lacks the column {', '.join(missing)}; "
            f"it has {', '.join(schema.names)}: add it, or correct config.yaml: data."
        )
    _check_types(schema, section)
    frame = tables.frame(sources, section.path) if frame is None else frame
    sent = [name for name in section.inputs if pa.types.is_boolean(schema.field(name).type)]
    frame = erased.without(frame)
    for name in frame.select_dtypes("category"):
        frame[name] = frame[name].astype("object")
    for name in sent:
        frame[name] = frame[name].astype("float64")
    _check_order(frame, section)
    if section.weight:
        _check_weight(frame[section.weight], section)
    for name, column in section.inputs.items():
        _check_values(frame[name], name, column, section.path)
    return frame, sent


def _source(sources: tables.Files, section: config.Data) -> tuple[pd.DataFrame | None, pa.Schema]:
    """The types of the columns and, where the team's code reads the files, the rows."""
    if not features.loads():
        return None, tables.schema(sources, section.path)
    frame = features.load(sources.values(), section.path)
    try:
        return frame, pa.Schema.from_pandas(frame, preserve_index=False)
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise InputError(
            f"load() in {derive.FILE} returns rows of {section.path} that no table can hold ({said(error)}); let "
            "each column have one type."
        ) from error


def derived(frame: pd.DataFrame, section: config.Data) -> pd.DataFrame:
    """The rows with the features that the team's code makes of `data.raw`, in place of columns of the same names."""
    made = features.made(frame, section)
    for name, feature in section.features.items():
        _check_values(made[name], name, feature, derive.FILE)
    return frame.drop(columns=[name for name in made if name in frame]).join(made)


def _check_types(schema: pa.Schema, section: config.Data) -> None:
    if section.time and not pa.types.is_timestamp(schema.field(section.time).type):
        raise InputError(
            f"The column {section.time} of {section.path} holds {schema.field(section.time).type}, "
            "but data.time must be a timestamp; convert it."
        )
    for name in section.key:
        if pa.types.is_nested(schema.field(name).type):
            raise InputError(
                f"The column {name} of {section.path} holds {schema.field(name).type}, which data.key cannot "
                "compare; convert the column, or name another."
            )
    place = "data.raw" if section.raw else "data.features"
    for name, column in section.inputs.items():
        kind = schema.field(name).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        fits = {
            "number": pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind),
            "category": pa.types.is_string(kind) or pa.types.is_large_string(kind),
            "time": pa.types.is_timestamp(kind),
        }
        if not fits[column.type]:
            raise InputError(
                f"The column {name} of {section.path} holds {kind}, but {place} says {column.type}; "
                "convert the column, or correct its type."
            )


def _check_order(frame: pd.DataFrame, section: config.Data) -> None:
    if section.time:
        time = frame[section.time]
        if empty := int(time.isna().sum()):
            raise InputError(f"{section.time} is missing in {empty} rows of {section.path}; drop or date them.")
        if backwards := int((time.diff() < pd.Timedelta(0)).sum()):
            raise InputError(
                f"{section.path} is not in order of {section.time}: {backwards} rows come before the one above; "
                "sort it."
            )
    key = [*filter(None, [section.time]), *section.key]
    if not key:
        return
    if twice := int(frame.duplicated(key).sum()):
        raise InputError(
            f"{section.path} has {twice} rows with the same {', '.join(key)} as another; "
            "drop them, or add the column to data.key that tells them apart."
        )


def _check_weight(column: pd.Series, section: config.Data) -> None:
    number = is_numeric_dtype(column)
    odd = int((~(np.isfinite(column.astype("float64")) & (column >= 0))).sum()) if number else len(column)
    if odd:
        raise InputError(
            f"The column {section.weight} of {section.path} is not a finite number of at least 0 in {odd} rows; "
            "correct them, or name another column in data.weight."
        )


def _check_values(column: pd.Series, name: str, feature: config.Feature | config.Raw, path: str) -> None:
    empty = int(column.isna().sum())
    if empty and not feature.missing:
        raise InputError(
            f"The column {name} of {path} is missing in {empty} rows; fill it, or allow it with `missing: true`."
        )
    if isinstance(feature, config.Raw) or feature.type == "category":
        return
    low = -np.inf if feature.min is None else feature.min
    high = np.inf if feature.max is None else feature.max
    if outside := int(((column < low) | (column > high)).sum()):
        raise InputError(
            f"The column {name} of {path} leaves {low} to {high} in {outside} rows "
            f"(it spans {column.min():g} to {column.max():g}); correct the rows, or the bounds in data.features."
        )


def label(column: pd.Series, task: Task, target: config.Target, path: str) -> pd.Series:
    """The label to learn: a number, or the class's code (0, 1, ...) in the order of `classes`."""
    if empty := int(column.isna().sum()):
        raise InputError(f"The target {column.name} of {path} is missing in {empty} rows; drop them.")
    if task == "regression" or target.cuts:
        if not is_numeric_dtype(column):
            raise InputError(f"The target {column.name} of {path} holds {column.dtype}, not numbers; convert it.")
        if infinite := int(np.isinf(column.astype("float64")).sum()):
            raise InputError(f"The target {column.name} of {path} is infinite in {infinite} rows; drop them.")
        if task == "regression":
            return column.astype("float64")
        return pd.Series(np.searchsorted(target.cuts, column, side="left"), index=column.index)
    codes = column.astype(str).map({name: code for code, name in enumerate(target.classes)})
    if unknown := sorted(set(column[codes.isna()].astype(str))):
        raise InputError(
            f"The target {column.name} of {path} holds {', '.join(unknown[:5])}, which data.target.classes does not "
            "name; add it there, or correct the rows."
        )
    return codes.astype("int64")


def contract(settings: config.Config) -> str:
    """A hash of everything that determines `build/data`; later steps use it to detect outdated data."""
    parts = [settings.task, settings.data.model_dump_json(), settings.split.model_dump_json()]
    parts += filter(None, [erased.contract()])
    return files.sha256("\n".join(parts).encode())


def check_classes(parts: Mapping[str, pd.DataFrame], settings: config.Config) -> None:
    """Raise InputError if the rows to train or to test on lack a class."""
    plan = settings.split
    for name, rows in parts.items():
        seen = set(rows[LABEL])
        absent = [one for code, one in enumerate(settings.data.target.classes) if code not in seen]
        if not absent:
            continue
        if isinstance(plan, config.Split):
            begin, end = plan.train if name == "train" else plan.test
            where, remedy = f"split.{name} ({begin} to {end})", "lengthen it"
        else:
            where, remedy = f"What split draws to {name} on", "change split.test or split.seed"
        raise InputError(f"{where} lacks a class of data.target.classes ({', '.join(absent)}); {remedy}.")


def run(settings: config.Config, build: Path, slices: Sequence[str] = ()) -> str:
    """Write `data/train.parquet` and `data/test.parquet` under `build`, with contract and period in their metadata.

    `slices` are the columns of `evaluate.slices`, which otherwise would be missed only after the training.
    """
    section = settings.data
    features.check(section)
    with fetch(section) as paths:
        frame, sent = table(paths, section)
    sources = frame
    if section.raw:
        frame = derived(frame, section)
    if absent := [name for name in slices if name not in frame]:
        raise InputError(
            f"evaluate.slices names {', '.join(absent)}, which {section.path} does not have; it has "
            f"{', '.join(frame.columns)}: correct it in config.yaml."
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pd.errors.PerformanceWarning)  # of many columns, which are not copied together
        frame[LABEL] = label(frame[section.target.column], settings.task, section.target, section.path)
    counts, left, parts = {}, len(frame), split.parts(frame, settings)
    check_classes({name: rows for name, (rows, _) in parts.items()}, settings)
    with files.replaced(build / "data") as folder:
        for name, (rows, span) in parts.items():
            origin = {"contract": contract(settings), "period": span, "booleans": sent}
            write(rows, origin, folder / f"{name}.parquet")
            if section.raw and name == "test":
                write(sources.loc[rows.index], origin, folder / "raw.parquet")
            counts[name] = len(rows)
            left -= len(rows)
    later = "later" if isinstance(settings.split, config.Split) else "other"
    outside = f"; {left:,} rows of {section.path} are outside both periods" if left else ""
    return f"{counts['train']:,} rows to train on, {counts['test']:,} {later} rows to test on{outside}"


def write(frame: pd.DataFrame, origin: dict[str, Any], path: Path) -> None:
    rows = pa.Table.from_pandas(frame, preserve_index=False)
    pq.write_table(rows.replace_schema_metadata({**rows.schema.metadata, b"origin": json.dumps(origin)}), path)


def read(path: Path, settings: config.Config) -> tuple[pd.DataFrame, list[str]]:
    """The rows of one part and their period; raises InputError if `make data` must run first."""
    try:
        schema = pq.read_schema(files.made(path, "data"))
        origin = json.loads(schema.metadata[b"origin"])
        made, period = origin["contract"], origin["period"]
        rows = tables.read([path], schema.names)
    except (pa.ArrowException, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path} is damaged or foreign ({said(error)}); run `FORCE=1 make data`.") from error
    if made != contract(settings):
        raise InputError(
            f"{path} was made with another task, data or split than config.yaml has; run `make data` again."
        )
    return rows, period


def raw(build: Path, settings: config.Config, test: pd.DataFrame) -> pd.DataFrame:
    """The test rows as the data files have them, before the team's code, if any, made features of them."""
    return read(build / "data" / "raw.parquet", settings)[0] if settings.data.raw else test


def sent_as_booleans(path: Path) -> list[str]:
    """The features that callers send as true or false, of a part that `read` has taken."""
    found: list[str] = json.loads(pq.read_schema(path).metadata[b"origin"]).get("booleans", [])
    return found
