from collections.abc import Iterator
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from lifecycle.monitoring import reader, windows


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with reader.connect(tmp_path) as made:
        yield made


def chunks(connection: duckdb.DuckDBPyConnection, times: list[str], window: int | str, sample: int) -> pd.DataFrame:
    count = len(times)
    given = {"id": range(count), "time": pd.to_datetime(times, utc=True), "request": "a", "row": range(count)}
    connection.register("given", pd.DataFrame(given))
    windows.cut(connection, "given", window, sample)
    return connection.execute("select * from cut order by chunk, time, row").df()


def hourly(count: int) -> list[str]:
    return [moment.isoformat() for moment in pd.date_range("2020-01-01T12:00", periods=count, freq="h", tz="UTC")]


def test_windows_of_rows_are_in_order_of_time_and_the_rest_is_dropped(connection: duckdb.DuckDBPyConnection) -> None:
    found = chunks(connection, hourly(25)[::-1], 10, 1000)
    assert found["chunk"].tolist() == [0] * 10 + [1] * 10
    assert found["id"].tolist() == list(range(24, 4, -1))
    assert set(found["size"]) == {10}


def test_fewer_rows_than_a_window_are_none(connection: duckdb.DuckDBPyConnection) -> None:
    assert chunks(connection, hourly(9), 10, 1000).empty
    assert chunks(connection, [], 10, 1000).empty
    assert chunks(connection, [], "day", 1000).empty


def test_the_first_and_the_last_period_and_nearly_empty_ones_are_left_out(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    days = {"2020-01-06": 150, "2020-01-13": 120, "2020-01-20": 99, "2020-02-03": 130, "2020-02-10": 150}
    times = [f"{day}T{row % 24:02}:00:00Z" for day, count in days.items() for row in range(count)]
    found = chunks(connection, times, "week", 1000)
    assert found.groupby("chunk")["time"].agg(["size", lambda part: str(part.min().date())]).to_numpy().tolist() == [
        [120, "2020-01-13"],
        [130, "2020-02-03"],
    ]


def test_a_period_is_one_of_utc(connection: duckdb.DuckDBPyConnection) -> None:
    times = ["2020-01-01T12:00:00Z", *["2020-01-03T00:30:00+02:00"] * 100, *["2020-01-03T00:00:00Z"] * 100]
    assert len(chunks(connection, times, "day", 1000)) == 100


def test_a_sample_is_seeded_of_the_stated_size_and_from_the_whole_window(connection: duckdb.DuckDBPyConnection) -> None:
    found = chunks(connection, hourly(2000), 1000, 200)
    assert found.groupby("chunk").size().tolist() == [200, 200]
    assert set(found["size"]) == {1000}
    assert found["id"].tolist() == chunks(connection, hourly(2000), 1000, 200)["id"].tolist()
    first = found[found["chunk"] == 0]["id"]
    assert 400 < first.mean() < 600
    assert first.is_unique


def test_a_window_is_told_by_its_first_and_last_moment(connection: duckdb.DuckDBPyConnection) -> None:
    found = windows.spans(chunks(connection, hourly(20), 10, 1000))
    assert found[1] == {"begin": "2020-01-01T22:00:00+00:00", "end": "2020-01-02T07:00:00+00:00", "rows": 10}
