"""Makes the rows of the page: a model and an environment each, in words, with the address that proves each word."""

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from overview.ask import Known
from overview.clone import State


@dataclass(frozen=True)
class Cell:
    """A word, and the address of the commit or issue that it comes from."""

    text: str
    address: str = ""
    alarm: bool = False


HEAD = (
    "model",
    "environment",
    "version",
    "since",
    "merged by",
    "verdict",
    "data until",
    "alert",
    "freeze",
    "drift",
    "template",
)
type Row = dict[str, Cell]


def of(known: Known, state: State, today: date) -> list[Row]:
    """The rows of a repository, one for each of its environments."""
    found, before = [], ""
    tip = f"{known.address}/commit/{state.tip}"
    for one in state.running:
        brought = f"{known.address}/commit/{one.commit}" if one.commit else tip
        alerts = known.alerts.get(one.environment, [])
        differs = bool(before and one.version and one.version != before)
        cells = (
            Cell(known.name, tip),
            Cell(one.environment, tip),
            Cell(one.version or "nothing", brought),
            Cell(one.since, brought),
            Cell(known.merged.get(one.commit, one.author), brought),
            Cell(
                ("accepted" if one.passed else "refused") if one.version else "",
                brought,
                bool(one.version) and not one.passed,
            ),
            Cell(_age(one.trained, today), brought),
            Cell(f"{len(alerts)} open" if alerts else "", alerts[0] if alerts else tip, bool(alerts)),
            Cell(state.freezes.get(one.environment, ""), tip),
            Cell(f"not {before}" if differs else "", brought),
            Cell(state.template, tip),
        )
        found.append(dict(zip(HEAD, cells, strict=True)))
        before = one.version
    return found


def _age(until: str, today: date) -> str:
    """The end of the training period with its age; of drawn rows there is none."""
    try:
        days = (today - date.fromisoformat(until)).days
    except ValueError:
        return ""
    return f"{until}, {days:,} days old"


def unreadable(known: Known, reason: str) -> Row:
    """The row of a repository that could not be read."""
    cells = {name: Cell("") for name in HEAD}
    return cells | {
        "model": Cell(known.name, known.address),
        "environment": Cell(f"cannot be read: {reason}", "", True),
    }


def document(rows: list[Row]) -> list[dict[str, Any]]:
    """The rows for programs."""
    return [{name: asdict(cell) for name, cell in row.items()} for row in rows]
