import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.estimation import series
from lifecycle.monitoring import reader, windows


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with reader.connect(tmp_path) as made:
        yield made


def chunks(connection: duckdb.DuckDBPyConnection, times: list[str], window: int | str, sample: int) -> pd.DataFrame:
    moments = pd.to_datetime(times, utc=True)
    given = {"id": range(len(times)), "time": moments, "logged": moments, "request": "a", "row": range(len(times))}
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
    found = series.spans(chunks(connection, hourly(20), 10, 1000))
    assert found[1] == {"begin": "2020-01-01T22:00:00+00:00", "end": "2020-01-02T07:00:00+00:00", "rows": 10}


START = datetime(2026, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(0, 1000).map(lambda seed: np.random.default_rng(seed).integers(0, 40 * 24 * 60, 150).tolist())
DAYS = st.integers(1, 12)


@pytest.fixture(scope="module")
def memory() -> Iterator[duckdb.DuckDBPyConnection]:
    with tempfile.TemporaryDirectory() as folder, reader.connect(Path(folder)) as made:
        yield made


def cut(
    memory: duckdb.DuckDBPyConnection, minutes: list[int], days: int, first: datetime, last: datetime
) -> dict[tuple[int, ...], int]:
    """The rows of each window of three, as places in `minutes`, of what was logged between two moments."""
    moments = [START + timedelta(minutes=minute) for minute in minutes]
    rows = [(place, moment) for place, moment in enumerate(moments) if first <= moment <= last]
    times = pd.to_datetime([moment for _, moment in rows], utc=True)
    names = [place for place, _ in rows]
    memory.register("part", pd.DataFrame({"id": names, "time": times, "logged": times, "request": "a", "row": names}))
    windows.cut(memory, "part", 3, 1000, days)
    found: dict[int, list[int]] = {}
    for chunk, place in memory.execute("select chunk, id from cut order by chunk, logged, row").fetchall():
        found.setdefault(chunk, []).append(place)
    return {tuple(places): chunk for chunk, places in found.items()}


@settings(max_examples=20, deadline=None)
@given(minutes=MOMENTS, days=DAYS, nights=st.lists(st.integers(0, 45 * 24), min_size=2, max_size=2))
def test_a_window_keeps_its_rows_whatever_leaves_and_whatever_comes(
    minutes: list[int], days: int, nights: list[int], memory: duckdb.DuckDBPyConnection
) -> None:
    """A later night reads a suffix of what an earlier one read, and what came since."""
    earlier, later = (START + timedelta(hours=hour) for hour in sorted(nights))
    before = cut(memory, minutes, days, windows.begin(3, days, earlier), earlier)
    after = cut(memory, minutes, days, windows.begin(3, days, later), later)
    kept = windows.begin(3, days, later)
    held = {rows for rows in before if all(START + timedelta(minutes=minutes[row]) >= kept for row in rows)}
    assert held <= after.keys()
    assert sorted(held, key=after.__getitem__) == sorted(held, key=before.__getitem__)


@settings(max_examples=20, deadline=None)
@given(minutes=MOMENTS, days=DAYS, hour=st.integers(0, 40 * 24))
def test_any_part_of_the_log_gives_whole_blocks_the_same_windows(
    minutes: list[int], days: int, hour: int, memory: duckdb.DuckDBPyConnection
) -> None:
    first, last = START + timedelta(hours=hour), START + timedelta(days=50)
    whole = first + timedelta(days=days)  # the block that `first` cuts has ended by then
    every, part = (cut(memory, minutes, days, begin, last) for begin in (START, first))

    def late(found: dict[tuple[int, ...], int]) -> set[tuple[int, ...]]:
        return {rows for rows in found if all(START + timedelta(minutes=minutes[row]) >= whole for row in rows)}

    assert late(every) == late(part)


@pytest.mark.parametrize("days", [1, 2, 90])
def test_reading_begins_with_a_block_and_never_earlier_than_the_log_is_kept(days: int) -> None:
    for minute in range(0, days * 24 * 60, 7 * days):
        now = START + timedelta(minutes=minute)
        begin = windows.begin(100, days, now)
        assert timedelta(days=days) * 2 / 3 < now - begin <= timedelta(days=days)
        assert (begin - windows.EPOCH) % windows.block(days) == timedelta(0)
        assert begin.minute == begin.second == 0  # the log's folders are hours
    assert windows.begin("day", days, START) == START - timedelta(days=days)


def test_a_row_that_comes_after_the_next_period_is_in_no_window(memory: duckdb.DuckDBPyConnection) -> None:
    """Its caller says the time; the server's clock says when it came."""

    def settled(*rows: tuple[str, str]) -> list[int]:
        times, logged = (pd.to_datetime(list(part), utc=True) for part in zip(*rows, strict=True))
        frame = pd.DataFrame({"id": range(len(rows)), "time": times, "logged": logged})  # noqa: F841 - read below
        memory.execute("create or replace table answered as select * from frame")
        late = windows.settle(memory, "day")
        kept = [id_ for (id_,) in memory.execute("select id from answered order by id").fetchall()]
        assert late == len(rows) - len(kept)
        return kept

    monday, again = ("2026-01-05", "2026-01-06T09"), ("2026-01-05", "2026-01-07T11")
    tuesday, wednesday = ("2026-01-06", "2026-01-07T08"), ("2026-01-07", "2026-01-07T10")
    assert settled(monday, tuesday, again) == [0, 1, 2]
    assert settled(monday, tuesday, wednesday, again) == [0, 1, 2]
    assert settled(monday, wednesday, again) == [0, 1]


def shared(
    connection: duckdb.DuckDBPyConnection, times: list[str], known: Sequence[int], window: int | str, sample: int = 1000
) -> tuple[dict[int, float], pd.DataFrame]:
    """The share of rows with labels by window, and the rows without, if those at some places have one."""
    chunks(connection, times, 10, 1000)  # registers all rows
    connection.execute("create or replace table answered as select * from given")
    connection.register("told", pd.DataFrame({"id": known}))
    connection.execute("create or replace table labelled as select answered.* from answered semi join told using (id)")
    windows.cut(connection, "labelled", window, sample)
    shares = windows.rest(connection, window, sample)
    return shares, connection.execute("select * from cut order by id").df()


def test_rows_without_a_label_lie_between_those_of_a_window_with(connection: duckdb.DuckDBPyConnection) -> None:
    known = [*range(5, 25, 2), *range(25, 35), *range(40, 45)]
    shares, rest = shared(connection, hourly(60), known, 10)
    assert shares == {0: 10 / 19, 1: 1.0}
    assert rest["id"].tolist() == list(range(6, 24, 2))
    assert set(rest["chunk"]) == {0}
    assert shared(connection, hourly(60), range(60), 10)[0] == dict.fromkeys(range(6), 1.0)
    assert shared(connection, hourly(60), [], 10)[0] == {}


def test_rows_without_a_label_are_those_of_the_period_also_after_the_last_label(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    """Labels come late: the end of the newest period has none yet."""
    minutes = pd.date_range("2020-01-01", periods=4 * 200, freq="432s", tz="UTC")
    times = [moment.isoformat() for moment in minutes]
    known = [*range(200), *range(200, 320), *range(400, 800)]
    shares, rest = shared(connection, times, known, "day")
    assert shares == {0: 120 / 200, 1: 1.0}
    assert rest["id"].tolist() == list(range(320, 400))
    sampled = shared(connection, times, known, "day", 50)
    assert sampled[0] == shares
    assert len(sampled[1]) == 50
