"""Cuts rows, ordered by time, into windows of a fixed number of rows or one period each; only whole windows count."""

from typing import Any

import duckdb
import pandas as pd

SMALLEST = 100  # fewest rows of a period that is worth measuring
SEED = 0


def cut(connection: duckdb.DuckDBPyConnection, table: str, window: int | str, sample: int) -> None:
    """Fill the table `cut` with the rows of `table` (id, time, request, row) that lie in whole windows.

    It adds `chunk`, the window's number from 0, and `size`, its number of rows. Windows larger than `sample` rows are
    sampled with a seed. The first and the last period are left out, because they may be partial.
    """
    if isinstance(window, int):
        place = "(row_number() over (order by time, request, row) - 1) // $window"
        whole = "size = $window"
    else:
        place = "dense_rank() over (order by date_trunc($window, time)) - 1"
        whole = f"place > 0 and place < (select max(place) from placed) and size >= {SMALLEST}"  # noqa: S608
    connection.execute(
        f"""
        create or replace table cut as
        with placed as (select *, {place} as place from {table}),
        sized as (select *, count(*) over (partition by place) as size from placed),
        kept as (select * exclude (place), dense_rank() over (order by place) - 1 as chunk from sized where {whole})
        select * from kept
        qualify row_number() over (partition by chunk order by hash(request, row, {SEED}), request, row) <= $sample
        """,  # noqa: S608 - our own strings
        {"window": window, "sample": sample},
    )


def spans(frame: pd.DataFrame) -> dict[int, dict[str, Any]]:
    """By chunk: `begin` and `end`, its first and last time, and `rows`, the number of rows read."""
    times = frame.groupby("chunk")["time"].agg(["min", "max", "size"])
    return {
        int(chunk): {"begin": begin.isoformat(), "end": end.isoformat(), "rows": int(rows)}
        for chunk, begin, end, rows in times.itertuples()
    }
