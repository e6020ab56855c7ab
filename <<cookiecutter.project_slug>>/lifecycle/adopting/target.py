"""Decides what a target asks for: two classes, more classes or a number, and which of two classes is positive."""

from dataclasses import dataclass

import pandas as pd
from pandas.api import types

from lifecycle import InputError
from lifecycle.adopting import columns
from lifecycle.tasks import Task

CLASSES = 30  # more are no classes that gates can judge one by one
NUMBERS = 10  # of that many different whole numbers at most, each is a class
YES = {"1", "yes", "y", "true", "t", "positive", "pos"}
NO = {"0", "no", "n", "false", "f", "negative", "neg"}


@dataclass(frozen=True)
class Labels:
    """The task, its classes with the positive one last, and why; `values` are the labels as they are written."""

    task: Task
    classes: tuple[str, ...]
    why: str
    values: pd.Series


def decide(column: pd.Series, positive: str) -> Labels:
    """What the target column asks for; raises InputError if nothing can be learnt from it."""
    filled, name = column.dropna(), column.name
    count = filled.nunique()
    if count < 2:
        raise InputError(f"TARGET {name} has {count} different values, so nothing can be learnt; name another column.")
    numeric = types.is_numeric_dtype(filled.infer_objects()) and not types.is_bool_dtype(filled.infer_objects())
    if numeric and not (count <= NUMBERS and (filled % 1 == 0).all()):
        if positive:
            raise InputError(f"POSITIVE is {positive}, but TARGET {name} is a number without classes; leave it out.")
        return Labels("regression", (), f"{count:,} different numbers: a regression", filled.astype("float64"))
    values = columns.text(filled).astype("str")
    found = sorted(values.unique(), key=lambda label: (not label.lstrip("-").isdigit(), _number(label), label))
    if len(found) > CLASSES:
        raise InputError(
            f"TARGET {name} has {len(found)} different texts, more than {CLASSES} classes; group them, or name another "
            "column."
        )
    if positive and positive not in found:
        raise InputError(f"POSITIVE is {positive}, which TARGET {name} does not have; it has {', '.join(found)}.")
    if len(found) > 2:
        if positive:
            raise InputError(f"POSITIVE is for two classes, but TARGET {name} has {len(found)}; leave it out.")
        return Labels("multiclass_classification", tuple(found), f"{len(found)} classes", values)
    chosen, why = _positive(values, found, positive)
    other = next(label for label in found if label != chosen)
    return Labels("binary_classification", (other, chosen), f"two classes; {chosen} is positive, {why}", values)


def _number(label: str) -> int:
    return int(label) if label.lstrip("-").isdigit() else 0


def _positive(values: pd.Series, found: list[str], positive: str) -> tuple[str, str]:
    """The positive class of two, and why."""
    if positive:
        return positive, "as POSITIVE says"
    said = {label: label.strip().lower() for label in found}
    yes, no = ([label for label in found if said[label] in words] for words in (YES, NO))
    if len(yes) == len(no) == 1:
        return yes[0], "by its name; POSITIVE= names the other"
    counts = values.value_counts()
    rarer = min(found, key=lambda label: (counts[label], label))
    share = counts[rarer] / len(values)
    return rarer, f"the rarer one ({share:.1%}); POSITIVE= names the other"
