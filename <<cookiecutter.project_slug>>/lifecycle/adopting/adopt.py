"""Writes the pinned Parquet file and the sections of config.yaml that fit a team's own table, and says why."""

import difflib
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from lifecycle import InputError, config, files, git, progress
from lifecycle.adopting import columns, gates, source, summary, target, writing
from lifecycle.adopting.columns import Choice
from lifecycle.artifact import derive
from lifecycle.artifact.frames import LABEL
from lifecycle.documents.summary import FEWEST_WINDOWS, REFERENCE_WINDOWS
from lifecycle.rows import data, split
from lifecycle.rows import features as features_of
from lifecycle.tasks import MONITORED

ESTIMATOR, EXAMPLE = Path("model/estimator.py"), Path(__file__).with_name("example.py")
TEST = 0.3  # of the rows
FEWEST = 20  # rows from which anything can be learnt
DAYS = 3  # from the first to the last row, for a split by days
WINDOWS, SMALLEST = REFERENCE_WINDOWS, 100  # of the monitor in the test rows, and rows of one
SLICES, PARTS = 2, 6  # how many slices, and of how many parts at most


def run(path: Path, build: Path, location: str, names: Mapping[str, str]) -> str:
    """Adopt the table at `location`; `names` has the words TARGET, TIME, KEY (with commas) and POSITIVE.

    Prints a sentence for each choice and the difference of config.yaml. Raises InputError when config.yaml has changes
    that are not committed, or nothing can be learnt from the table.
    """
    if not location or not names["TARGET"]:
        raise InputError("make adopt needs FILE= and TARGET=, such as `make adopt FILE=data.csv TARGET=churned`.")
    settings, text = config.load(path), path.read_text()
    if git.ask("status", "--porcelain", "--", str(path)):
        raise InputError(f"{path} has changes that are not committed; commit them first, so that none is lost.")
    if features_of.code():
        raise InputError(
            f"{derive.FILE} makes features of raw columns, which make adopt cannot choose; remove the file to adopt a "
            "table as it is, or write data.raw and data.features in config.yaml yourself."
        )
    progress.part("reading the table")
    frame = source.read(location)
    key = [name.strip() for name in names["KEY"].split(",") if name.strip()]
    wanted = [names["TARGET"], *filter(None, [names["TIME"]]), *key]
    if absent := [name for name in wanted if name not in frame]:
        raise InputError(
            f"FILE {location} has no column {', '.join(absent)}; it has {', '.join(frame.columns)}: correct the name."
        )
    encoding = frame.attrs.get("encoding", "UTF-8")
    said = [f"{location} is read as {encoding}, as it is not UTF-8: look at names and categories"] * (
        encoding != "UTF-8"
    )
    rows, time = _ordered(frame, names, said)
    if len(rows) < FEWEST:
        raise InputError(f"FILE {location} has {len(rows)} rows with a target; at least {FEWEST} are needed.")
    progress.part("choosing columns and split")
    asked = target.decide(rows[names["TARGET"]], names["POSITIVE"])
    said.append(f"{names['TARGET']}: {asked.why}")
    without = {names["TARGET"], *filter(None, [time]), *key}
    choices = columns.choose(rows, without)
    said += [f"{one.column}: {'' if one.feature else 'left out: '}{one.why}" for one in choices]
    features = {one.name: one.feature for one in choices if one.feature}
    if not features:
        why = "; ".join(f"{one.column}: {one.why}" for one in choices) or "it has no other column"
        raise InputError(f"FILE {location} has no column that can be a feature ({why}); add one.")
    key = key or ([] if time else _identity(rows, choices, said))
    kept, group = _keyed(rows, time, key, said)
    pinned = pd.DataFrame({one.name: one.values for one in choices if one.feature})
    pinned = pd.concat([rows[[*filter(None, [time]), *key]], pinned, asked.values.rename(names["TARGET"])], axis=1)
    output = Path("data") / f"{re.sub(r'[^a-z0-9]+', '-', _stem(location).lower()).strip('-') or 'table'}.parquet"
    buffer = io.BytesIO()
    pinned.to_parquet(buffer, index=False)
    content = buffer.getvalue()

    document = settings.model_dump(mode="json", by_alias=True)
    document |= {
        "task": asked.task,
        "data": {
            "path": output.as_posix(),
            "snapshots": output.with_name(f"{output.stem}*.parquet").as_posix(),
            "sha256": files.sha256(content),
            **({"time": time} if time else {}),
            **({"key": kept} if kept else {}),
            "target": _target(names["TARGET"], asked),
            "features": features,
        },
        "split": _split(rows, time, group, said),
        "evaluate": document["evaluate"] | {"slices": _slices(choices, said)},
        "gates": [],
    }
    parameters, watching = document["train"]["parameters"], document["monitor"]
    if "min_samples_leaf" in parameters:
        parameters["min_samples_leaf"] = max(5, min(50, len(rows) // 100))
    watching["window"], watching["metrics"] = SMALLEST, [MONITORED[asked.task][0]]
    watching["alert"]["metrics"] = list(watching["metrics"])
    provisional = config.Config.model_validate(document)
    checked, _ = data.table({output.name: buffer}, provisional.data)
    checked[LABEL] = data.label(checked[names["TARGET"]], asked.task, provisional.data.target, output.as_posix())
    parts = {name: found for name, (found, _) in split.parts(checked, provisional).items()}
    data.check_classes(parts, provisional)
    _encoded([one for one in choices if one.feature and "encoding" in one.feature], said)
    progress.part("training once, to choose the gates")
    proposal = gates.propose(parts["train"], parts["test"], provisional)
    document["gates"], count = proposal.gates, len(parts["test"])
    said += proposal.said
    watching["window"] = _window(count, said)
    written = writing.written(text, document)
    config.read(written, str(path))
    print("\n".join(f"  {sentence}" for sentence in said))
    print("".join(difflib.unified_diff(text.splitlines(True), written.splitlines(True), f"{path} (before)", str(path))))
    files.write(output, content)
    files.write(path, written)
    page = build / "adopted.html"
    files.write(page, summary.page(parts, choices, provisional, said))
    unused = "" if settings.data.path == output.as_posix() else f" {settings.data.path} is no longer used; delete it."
    return (
        f"{len(parts['train']):,} rows to train on, {count:,} to test on, {len(features)} features: {output}, {path} "
        f"and {page} are written.{unused} Look at the page, then run `make pipeline`"
    )


def _target(name: str, asked: target.Labels) -> dict[str, Any]:
    """The keys of `data.target`."""
    found: dict[str, Any] = {"column": name}
    if asked.classes:
        found["classes"] = list(asked.classes)
    if asked.task == "binary_classification":
        found["positive"] = asked.classes[1]
    return found


def _window(count: int, said: list[str]) -> int:
    """The rows of a window of the monitor, so that the test rows make enough of them if they can."""
    rows = max(SMALLEST, count // WINDOWS // 50 * 50)
    windows = count // rows
    state = f"monitor: windows of {rows:,} rows, {windows} of them in the test rows"
    if windows < FEWEST_WINDOWS:
        state += f"; with fewer than {FEWEST_WINDOWS} it shows estimates and is off as an alarm until there are more"
    elif windows < WINDOWS:
        state += f"; with fewer than {WINDOWS} its bounds are uncertain"
    said.append(state)
    return rows


def _encoded(many: list[Choice], said: list[str]) -> None:
    """Give the example's estimator, if it is still that, what categories of many values need.

    Raises InputError for an estimator of the team's own that does not ask for the encoding.
    """
    if not many or not ESTIMATOR.is_file() or "encoding" in ESTIMATOR.read_text():
        return
    if git.ask("diff", "--quiet", "template", "--", str(ESTIMATOR)) is None:
        raise InputError(
            f"{', '.join(one.column for one in many)} has more than {columns.CATEGORIES} categories, and "
            f"{ESTIMATOR} is yours: let it use TargetEncoder of scikit-learn where a feature's `encoding` is `target`, "
            f"as lifecycle/adopting/{EXAMPLE.name} does, then run `make adopt` again."
        )
    files.write(ESTIMATOR, EXAMPLE.read_text())
    said.append(f"{ESTIMATOR}: encodes by the target what has more than {columns.CATEGORIES} categories")


def _stem(location: str) -> str:
    """The file's name without its endings."""
    return location.rstrip("/").rpartition("/")[2].split("?")[0].partition(".")[0]


def _ordered(frame: pd.DataFrame, names: Mapping[str, str], said: list[str]) -> tuple[pd.DataFrame, str | None]:
    """The rows with a target, in order of time if there is one, and the name of that column."""
    rows = frame[frame[names["TARGET"]].notna()]
    if dropped := len(frame) - len(rows):
        said.append(f"{dropped:,} rows have no {names['TARGET']} and are left out")
    if not (time := names["TIME"]):
        return rows.reset_index(drop=True), None
    found = columns.moments(rows[time])
    if found is None:
        raise InputError(
            f"TIME {time} holds {str(rows[time].dropna().iloc[0])[:40]!r}, no moments, or days "
            "that can be read in two ways; write them as 2026-11-27, or name another."
        )
    rows = rows.assign(**{time: found})
    if empty := int(found.isna().sum()):
        rows = rows[found.notna()]
        said.append(f"{empty:,} rows have no {time} and are left out")
    return rows.sort_values(time, kind="stable").reset_index(drop=True), time


def _identity(rows: pd.DataFrame, choices: list[Choice], said: list[str]) -> list[str]:
    """The first column that tells all rows apart and is no feature: a draw by it is kept when columns change."""
    for one in choices:
        column = rows[one.column]
        words = column.map(lambda value: len(value.split()) if isinstance(value, str) else isinstance(value, int))
        names = (words == 1).all() and columns.moments(column) is None
        if one.feature is None and names and column.is_unique:
            said.append(f"{one.column}: tells rows apart, so the draw goes by it and outlives a change of columns")
            return [one.column]
    return []


def _keyed(rows: pd.DataFrame, time: str | None, key: list[str], said: list[str]) -> tuple[list[str], str | None]:
    """The columns that tell rows apart, and the one whose rows must be on one side of a draw."""
    if not key:
        if time and (twice := int(rows.duplicated([time]).sum())):
            raise InputError(
                f"{twice:,} rows share their {time} with another; name the columns that tell them apart: KEY=id, say."
            )
        return [], None
    if not (twice := int(rows.duplicated([*filter(None, [time]), *key]).sum())):
        return key, None
    if time or len(key) > 1:
        raise InputError(
            f"{twice:,} rows share {', '.join([*filter(None, [time]), *key])} with another; drop them, or add the "
            "column to KEY that tells them apart."
        )
    said.append(f"{key[0]}: {twice:,} rows share theirs with another, so all rows of one {key[0]} are drawn together")
    return [], key[0]


def _split(rows: pd.DataFrame, time: str | None, group: str | None, said: list[str]) -> dict[str, Any]:
    """Periods of whole days that leave TEST of the rows to test on, or a draw."""
    if time:
        days = rows[time].dt.floor("D")
        first, cut, end = days.iloc[0], days.iloc[int((1 - TEST) * len(rows))], days.iloc[-1] + pd.Timedelta(days=1)
        if first < cut and (end - first).days > DAYS:
            train, test = ([f"{begin:%Y-%m-%d}", f"{until:%Y-%m-%d}"] for begin, until in ((first, cut), (cut, end)))
            said.append(f"split: trained on days before {test[0]}, tested on the later ones, as it will be used")
            return {"train": train, "test": test}
        said.append(f"split: {time} spans too few days for a split by time")
    said.append(
        f"split: {TEST:.0%} of the rows are drawn to test on; this cannot show how the model fares as time goes on"
    )
    return {"test": TEST, "seed": 0} | ({"group": group} if group else {})


def _slices(choices: list[Choice], said: list[str]) -> list[dict[str, Any]]:
    """Slices by the categories with few values, or else by the ranges of a number."""
    found: list[dict[str, Any]] = [
        {"column": one.name}
        for one in choices
        if one.feature and one.feature["type"] == "category" and 2 <= one.values.nunique() <= PARTS
    ][:SLICES]
    if not found:
        for one in choices:
            if one.feature and one.feature["type"] == "number":
                values = one.values.astype("float64")
                cuts = sorted({float(f"{values.quantile(share):.3g}") for share in (1 / 3, 2 / 3)})
                cuts = [cut for cut in cuts if values.min() <= cut < values.max()]
                if cuts:
                    found = [{"column": one.name, "cuts": cuts}]
                    break
    names = ", ".join(part["column"] for part in found) or "none"
    said.append(f"slices: {names}; which groups should be treated alike is yours to say")
    return found
