"""The flights that the demo asks about, day by day, and how they change."""

import random
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb

LATE = 30  # minutes after schedule, up to which a flight's arrival is least certain
DEICING = 20  # minutes
type Row = dict[str, Any]


def flights(data: Path, begin: str, end: str) -> list[Row]:
    """The flights that left between two days (start inclusive, end exclusive), in order, as JSON values."""
    with duckdb.connect() as connection:
        found = connection.execute(
            "select * replace (departed_at::timestamptz at time zone 'UTC' as departed_at) from read_parquet(?) "
            "where departed_at::timestamptz at time zone 'UTC' >= ?::timestamp "
            "and departed_at::timestamptz at time zone 'UTC' < ?::timestamp "
            "order by departed_at, carrier, flight, origin",
            [str(data), begin, end],
        )
        names = [column[0] for column in found.description or []]
        rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    for row in rows:
        row["departed_at"] = f"{row['departed_at'].isoformat()}+00:00"
    return rows


def _days(rows: list[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["departed_at"][:10], []).append(row)
    return found


def drawn(rows: list[Row], seed: int) -> list[Row]:
    """As many days, each with the flights of one of them that was drawn, so that no order of real days is relied on."""
    generator, days = random.Random(seed), _days(rows)  # noqa: S311 - a drawing that can be repeated
    chosen = [days[generator.choice(list(days))] for _ in days]
    return [
        {**row, "departed_at": day + row["departed_at"][10:]}
        for day, own in zip(days, chosen, strict=True)
        for row in own
    ]


def uncertain(rows: list[Row], since: str, until: str, seed: int) -> list[Row]:
    """From a day on and up to another, as many requests, but only about flights that leave up to half an hour late."""
    generator, found = random.Random(seed), list[Row]()  # noqa: S311
    for day, own in _days(rows).items():
        asked = [row for row in own if 0 <= row["departure_delay"] <= LATE]
        if since <= day < until and asked:
            own = sorted(generator.choices(asked, k=len(own)), key=lambda row: str(row["departed_at"]))
        found += own
    return found


def deiced(rows: list[Row], since: str) -> list[Row]:
    """From a day on, each flight arrives later by what de-icing takes after it has left the gate: no feature tells."""
    later = [DEICING if row["departed_at"] >= since else 0 for row in rows]
    return [{**row, "arrival_delay": row["arrival_delay"] + minutes} for row, minutes in zip(rows, later, strict=True)]


def told(moment: str) -> str:
    """The day on which labels come: the airlines report the flights of a month on the first day of the next."""
    return (date.fromisoformat(moment[:10]).replace(day=28) + timedelta(days=4)).replace(day=1).isoformat()
