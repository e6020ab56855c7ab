"""Splits the rows into those to train and those to test on: by periods of time, or by a draw that later rows keep."""

from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from lifecycle import InputError, config
from lifecycle.artifact.runtimes import Array

ROWS = 100_000  # that are text at a time


def period(frame: pd.DataFrame, time: str, span: tuple[date, date]) -> pd.DataFrame:
    """The rows of a period in UTC, start inclusive, end exclusive, of rows in order of time; they are not copied."""
    zone = None if frame[time].dt.tz is None else "UTC"
    begin, end = (frame[time].searchsorted(pd.Timestamp(day, tz=zone)) for day in span)
    return frame.iloc[begin:end]


def shares(frame: pd.DataFrame, columns: list[str], seed: int, together: bool) -> Array:
    """A number from 0 to 1 for each row, shape (n,), that depends on the seed and its values in these columns alone.

    Equal rows have the same number if they belong `together`; else it also depends on how many of them came before.
    Otherwise rows of few different values would never be on both sides, and their target would tell the side.
    """
    bits = _hashes(frame, columns, None if together else np.zeros(len(frame), "int64"))
    if not together:
        turns = pd.Series(bits).groupby(bits).cumcount().to_numpy()
        bits[turns > 0] = _hashes(frame[turns > 0], columns, turns[turns > 0])
    # Two rounds of splitmix64 spread what the seed changes over all bits.
    bits = bits ^ np.uint64(seed % 2**64)
    for _ in range(2):
        bits = bits + np.uint64(0x9E3779B97F4A7C15)
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        bits = bits ^ (bits >> np.uint64(31))
    found: Array = bits / 2.0**64
    return found


def _hashes(frame: pd.DataFrame, columns: list[str], turns: Array | None) -> Array:
    """A hash of each row's values and turn, shape (n,); few rows are text at a time, which takes many times more."""
    found = [np.empty(0, "uint64")]
    for place in range(0, len(frame), ROWS):
        text = frame.iloc[place : place + ROWS][columns].astype("str").agg("\x1f".join, axis=1)
        if turns is not None:
            text += "\x1f" + pd.Series(turns[place : place + ROWS], text.index).astype("str")
        found.append(pd.util.hash_array(text.to_numpy("object"), categorize=False))
    return np.concatenate(found)


def drawn(settings: config.Config) -> dict[str, Any] | None:
    """What the sides of the rows depend on where they are drawn, for the model's metadata."""
    draw, section = settings.split, settings.data
    if not isinstance(draw, config.Draw):
        return None
    by = [draw.group] if draw.group else list(section.key) or sorted([*section.features, section.target.column])
    return {"by": by, "together": bool(draw.group or section.key), "test": draw.test, "seed": draw.seed}


def parts(frame: pd.DataFrame, settings: config.Config) -> dict[str, tuple[pd.DataFrame, list[str]]]:
    """The rows of `train` and `test`, each with its period; raises InputError if one is empty."""
    section, split, found = settings.data, settings.split, {}
    if isinstance(split, config.Split) and section.time:
        for name, span in (("train", split.train), ("test", split.test)):
            rows = period(frame, section.time, span)
            if rows.empty:
                raise InputError(
                    f"split.{name} ({span[0]} to {span[1]}) holds no row of {section.path}, which spans "
                    f"{frame[section.time].min():%Y-%m-%d} to {frame[section.time].max():%Y-%m-%d}; move it."
                )
            found[name] = rows, [str(day) for day in span]
        return found
    plan = drawn(settings) or {}
    if missing := [name for name in plan["by"] if name not in frame]:
        raise InputError(f"split.group is {', '.join(missing)}, which {section.path} does not have; correct it.")
    side = shares(frame, plan["by"], plan["seed"], plan["together"]) < plan["test"]
    for name, rows in (("train", frame[~side]), ("test", frame[side])):
        if rows.empty:
            raise InputError(
                f"split draws no row of {section.path} to {name} on, of {len(frame)} in all; change split.test or "
                "split.seed, or name another split.group."
            )
        found[name] = rows, ["", ""]
    return found
