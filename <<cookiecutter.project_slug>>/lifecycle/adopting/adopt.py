"""Writes the pinned Parquet file and the sections of config.yaml that fit a team's own table, and says why."""

import difflib
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from lifecycle import InputError, config, files, git
from lifecycle.adopting import columns, gates, source, summary, target
from lifecycle.adopting.columns import Choice
from lifecycle.artifact.frames import LABEL
from lifecycle.tasks import MONITORED
from lifecycle.training import data, split

ESTIMATOR, EXAMPLE = Path("model/estimator.py"), Path(__file__).with_name("example.py")
TEST = 0.3  # of the rows
FEWEST = 20  # rows from which anything can be learnt
DAYS = 3  # from the first to the last row, for a split by days
WINDOWS = 10  # of the monitor, in the reference
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
    frame = source.read(location)
    key = [name.strip() for name in names["KEY"].split(",") if name.strip()]
    wanted = [names["TARGET"], *filter(None, [names["TIME"]]), *key]
    if absent := [name for name in wanted if name not in frame]:
        raise InputError(
            f"FILE {location} has no column {', '.join(absent)}; it has {', '.join(frame.columns)}: correct the name."
        )
    said: list[str] = []
    rows, time = _ordered(frame, names, said)
    if len(rows) < FEWEST:
        raise InputError(f"FILE {location} has {len(rows)} rows with a target; at least {FEWEST} are needed.")
    asked = target.decide(rows[names["TARGET"]], names["POSITIVE"])
    said.append(f"{names['TARGET']}: {asked.why}")
    without = {names["TARGET"], *filter(None, [time]), *key}
    choices = columns.choose(rows, without)
    said += [f"{one.column}: {'' if one.feature else 'left out: '}{one.why}" for one in choices]
    features = {one.name: one.feature for one in choices if one.feature}
    if not features:
        raise InputError(f"FILE {location} has no column that can be a feature; read above why each was left out.")
    kept, group = _keyed(rows, time, key, said)
    pinned = pd.DataFrame({one.name: one.values for one in choices if one.feature})
    pinned = pd.concat([rows[[*filter(None, [time]), *key]], pinned, asked.values.rename(names["TARGET"])], axis=1)
    output = Path("data") / f"{re.sub(r'[^a-z0-9]+', '-', _stem(location).lower()).strip('-') or 'table'}.parquet"
    buffer = io.BytesIO()
    pinned.to_parquet(buffer, index=False)
    content = buffer.getvalue()

    document = settings.model_dump(mode="json", by_alias=True)
    named: dict[str, Any] = {"column": names["TARGET"]}
    if asked.classes:
        named["classes"] = list(asked.classes)
    if asked.task == "binary_classification":
        named["positive"] = asked.classes[1]
    document |= {
        "task": asked.task,
        "data": {
            "path": output.as_posix(),
            "snapshots": output.with_name(f"{output.stem}*.parquet").as_posix(),
            "sha256": files.sha256(content),
            **({"time": time} if time else {}),
            **({"key": kept} if kept else {}),
            "target": named,
            "features": features,
        },
        "split": _split(rows, time, group, said),
        "evaluate": document["evaluate"] | {"slices": _slices(choices, said)},
        "gates": [],
    }
    parameters = document["train"]["parameters"]
    if "min_samples_leaf" in parameters:
        parameters["min_samples_leaf"] = max(5, min(50, len(rows) // 100))
    document["monitor"] = document["monitor"] | {"window": 100, "metrics": [MONITORED[asked.task][0]]}
    document["monitor"]["alert"]["metrics"] = document["monitor"]["metrics"]
    provisional = config.Config.model_validate(document)
    checked = data.table(content, provisional.data)
    checked[LABEL] = data.label(checked[names["TARGET"]], asked.task, provisional.data.target, output.as_posix())
    parts = {name: found for name, (found, _) in split.parts(checked, provisional).items()}
    data.check_classes(parts, provisional)
    _encoded([one for one in choices if one.feature and "encoding" in one.feature], said)
    proposal = gates.propose(parts["train"], parts["test"], provisional)
    document["gates"], count = proposal.gates, len(parts["test"])
    said += proposal.said
    document["monitor"]["window"] = max(100, count // WINDOWS // 50 * 50 if count >= 1000 else 100)
    if (windows := count // document["monitor"]["window"]) < WINDOWS:
        said.append(
            f"monitor: the {count:,} test rows make {windows} windows of {document['monitor']['window']} rows, and "
            f"bounds need {WINDOWS}: it will show estimates, but be off as an alarm until there are more test rows"
        )
    else:
        said.append(f"monitor: windows of {document['monitor']['window']:,} rows, {windows} of them in the test rows")
    written = _written(text, document)
    config.Config.model_validate(yaml.safe_load(written))
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
            f"TIME {time} holds {str(rows[time].dropna().iloc[:1].tolist())[1:40]}, no moments; name another."
        )
    rows = rows.assign(**{time: found})
    if empty := int(found.isna().sum()):
        rows = rows[found.notna()]
        said.append(f"{empty:,} rows have no {time} and are left out")
    return rows.sort_values(time, kind="stable").reset_index(drop=True), time


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


def _line(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=100_000, allow_unicode=True).strip()


def _flow(value: Any) -> str:
    """A value in one line; YAML ends a plain one with a line of its own."""
    return _line(value).removesuffix("\n...")


def _written(text: str, document: Mapping[str, Any]) -> str:
    """`config.yaml` with the adopted sections; all others, with their comments, stay as they are."""
    found, section = document["data"], [f"  {key}: {_flow(value)}" for key, value in document["data"].items()]
    section = [line for line in section if not line.startswith(("  target:", "  features:"))]
    section += ["  target:", *(f"    {key}: {_flow(value)}" for key, value in found["target"].items())]
    section += ["  features:", *(f"    {_flow(name)}: {_flow(value)}" for name, value in found["features"].items())]
    sections = {
        "task": f"task: {document['task']}\n\n",
        "data": "\n".join(["data:", *section, "", ""]),
        "split": "\n".join(
            ["split:", *(f"  {key}: {_flow(value)}" for key, value in document["split"].items()), "", ""]
        ),
        "gates": "\n".join(["gates:", *(f"  - {_flow(gate)}" for gate in document["gates"]), "", ""]),
    }
    for name, words in sections.items():
        text = _within(text, name, r"\A.*\Z", words)
    train, evaluate, monitor = (document[name] for name in ("train", "evaluate", "monitor"))
    if document["task"] == "binary_classification":
        meaning = f"{train['threshold']} # the probability from which the answer is {found['target']['positive']}"
        text = _within(text, "train", r"(?<=^  threshold: )\S.*?$", meaning)
    leaf = str(train["parameters"].get("min_samples_leaf"))
    text = _within(text, "train", r"(?<=min_samples_leaf: )\d+", leaf)
    slices = "".join(f"    - {_flow(part)}\n" for part in evaluate["slices"]) or "    []\n"
    text = _within(text, "evaluate", r"^  slices:.*?(?=^  \w|^\w|\Z)", f"  slices:\n{slices}")
    text = _within(text, "monitor", r"^  metrics: .*?$", f"  metrics: {_flow(monitor['metrics'])}")
    text = _within(text, "monitor", r"(?<=^  window: )\S+", str(monitor["window"]))
    text = _within(text, "monitor", r"(?<=alert: \{metrics: )\[.*?\]", _flow(monitor["alert"]["metrics"]))
    # Where a person has written a section in another form, it is written anew, without its comments.
    for name, keys in {
        "train": {"parameters": train["parameters"]},
        "evaluate": {"slices": evaluate["slices"]},
        "monitor": {key: monitor[key] for key in ("metrics", "window", "alert")},
    }.items():
        own = yaml.safe_load(text)[name]
        if any(own.get(key) != value for key, value in keys.items()):
            whole = yaml.safe_dump({name: own | keys}, sort_keys=False, default_flow_style=None, allow_unicode=True)
            text = _within(text, name, r"\A.*\Z", f"{whole}\n")
    return text


def _within(text: str, section: str, pattern: str, words: str) -> str:
    """Replace the first match inside a section."""

    def replaced(match: re.Match[str]) -> str:
        return re.sub(pattern, lambda _: words, match[0], count=1, flags=re.M | re.S)

    return re.sub(rf"^{section}:.*?(?=^\w|\Z)", replaced, text, count=1, flags=re.M | re.S)
