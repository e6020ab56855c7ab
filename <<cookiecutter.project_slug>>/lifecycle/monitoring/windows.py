"""Cuts rows into windows of a fixed number of rows or one period each; only whole windows count, and their edges stay.

Rows are counted in the server's order, and anew from each block: a third of the days that are read. Reading begins with
a block, so what is no longer read takes its own windows with it and moves no other.
"""

from datetime import UTC, datetime, timedelta

import duckdb

SMALLEST = 100  # fewest rows of a period that is worth measuring
SEED = 0
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def block(days: int) -> timedelta:
    """How long rows are counted on before the count begins anew."""
    return timedelta(hours=8 * days)


def begin(window: int | str, days: int, now: datetime) -> datetime:
    """From when the log is read: `days` ago or, for windows of rows, from the first block that begins after that."""
    earliest = now - timedelta(days=days)
    if isinstance(window, str):
        return earliest
    return EPOCH - (EPOCH - earliest) // block(days) * block(days)


def settle(connection: duckdb.DuckDBPyConnection, window: int | str) -> int:
    """Remove the rows of `answered` that came too late for their period, and return their number.

    A period is closed once a row of the next but one has been logged. Windows of rows take each row as it comes.
    """
    if isinstance(window, int):
        return 0
    found = connection.execute(
        f"""
        delete from answered where id in (
            with placed as (select id, logged, date_trunc($window, time) as period from answered),
            begun as (select period, min(logged) as moment from placed group by period),
            closed as (select period, min(moment) over (order by period range between
                       interval 2 {window} following and unbounded following) as moment from begun)
            select id from placed join closed using (period) where logged > moment)
        """,  # noqa: S608 - hour, day, week or month
        {"window": window},
    ).fetchone()
    return int(found[0]) if found else 0


def cut(
    connection: duckdb.DuckDBPyConnection, table: str, window: int | str, sample: int, days: int | None = None
) -> None:
    """Fill the table `cut` with the rows of `table` (id, time, logged, request, row) that lie in whole windows.

    It adds `chunk`, the window's number from 0, and `size`, its number of rows. Windows larger than `sample` rows are
    sampled with a seed. The first and the last period are left out, because they may be partial. Rows are counted in
    blocks if `days` is given.
    """
    part, whole, order = "0", "size = $window", "logged, request, row"
    if isinstance(window, int):
        place = f"(row_number() over (partition by {{part}} order by {order}) - 1) // $window"
        if days is not None:
            part = f"epoch_us(logged) // {block(days) // timedelta(microseconds=1)}"
    else:
        place = "date_trunc($window, time)"
        whole = f"place > first and place < last and size >= {SMALLEST}"
    connection.execute(
        f"""
        create or replace table cut as
        with placed as (select *, {part} as part, {place.format(part=part)} as place from {table}),
        sizes as (select part, place, count(*) as size from placed group by all),
        ends as (select *, min(place) over () as first, max(place) over () as last from sizes),
        numbers as (select part, place, size, row_number() over (order by part, place) - 1 as chunk
                    from ends where {whole})
        select placed.* exclude (part, place), size, chunk from placed join numbers using (part, place)
        """,  # noqa: S608 - our own strings
        {"window": window},
    )
    connection.execute(
        f"""
        delete from cut where id in (
            select id from cut where size > $sample
            qualify row_number() over (partition by chunk order by hash(request, row, {SEED}), request, row) > $sample)
        """,  # noqa: S608
        {"sample": sample},
    )


def gaps(connection: duckdb.DuckDBPyConnection, window: int | str) -> int:
    """How many periods between the first and the last in `cut` are no windows, as they have no rows or too few."""
    if isinstance(window, int):
        return 0
    found = connection.execute(
        "select date_diff($window, min(time), max(time)) + 1 - count(distinct chunk) from cut", {"window": window}
    ).fetchone()
    return int(found[0] or 0) if found else 0


def rest(connection: duckdb.DuckDBPyConnection, window: int | str, sample: int) -> dict[int, float]:
    """Fill `cut`, which has the rows of `labelled`, with those of `answered` among them that have no label instead.

    Returns the share of each window's rows that have one. Rows without are sampled with a seed.
    """
    key = "logged" if isinstance(window, int) else "date_trunc($window, time)"
    given = {} if isinstance(window, int) else {"window": window}
    connection.execute(
        f"create or replace table spans as select chunk, min({key}) as first, max({key}) as last, "  # noqa: S608
        "max(size) as labels from cut group by chunk",
        given,
    )
    connection.execute(
        f"""
        create or replace table cut as
        with others as (select *, {key} as key from answered anti join labelled using (id)),
        placed as (select others.*, chunk, labels from others asof join spans on key >= first where key <= last),
        sized as (select * exclude (key), count(*) over (partition by chunk) as size from placed)
        select * from sized
        qualify row_number() over (partition by chunk order by hash(request, row, {SEED}), request, row) <= $sample
        """,  # noqa: S608 - our own strings
        {**given, "sample": sample},
    )
    shares = connection.execute(
        "select chunk, spans.labels / (spans.labels + coalesce(max(size), 0)) from spans left join cut using (chunk) "
        "group by chunk, spans.labels"
    ).fetchall()
    return {int(chunk): float(share) for chunk, share in shares}
