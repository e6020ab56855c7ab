"""The example data contain only what was known at departure."""

from conftest import PROJECT, ROOT, run, unrendered

CODE = """
import sys
sys.path.insert(0, "scripts")
import flights, pandas as pd

def utc(text):
    return pd.Timestamp(text, tz="UTC")

observed = pd.DataFrame({"origin": "JFK", "time_hour": ["2013-01-01T09:00:00Z", "2013-01-01T10:00:00Z"]})
for name in flights.WEATHER:
    observed[name] = [9.0, 10.0]
left = ["2013-01-01 09:59", "2013-01-01 10:00", "2013-01-01 10:59", "2013-01-01 11:00", "2013-01-01 15:00"]
table = pd.DataFrame({"departed_at": [utc(text) for text in left], "carrier": "UA", "flight": 1, "origin": "JFK"})
print(flights.with_weather(table, observed)["temperature"].tolist())

raw = pd.DataFrame({
    "time_hour": ["2013-07-01T23:00:00Z"] * 2, "minute": [30, 45], "dep_delay": [45.0, None], "arr_delay": [60.0, None],
    "sched_arr_time": [2215, 2215], "carrier": "UA", "flight": 7, "origin": "JFK", "dest": "BOS", "hour": 19,
    "distance": 200, "tailnum": ["N1", "N2"],
})
made = flights.flights({"flights": raw})
print(len(made), made["departed_at"].iloc[0], made["weekday"].iloc[0], made["scheduled_arrival"].iloc[0])
print(sorted(made))
"""


def test_weather_is_that_of_the_last_full_hour_and_only_flights_that_arrived_are_there() -> None:
    python = str(unrendered("train") / ".venv/train/bin/python")
    weather, flight, columns = run([python, "-c", CODE], ROOT).splitlines()
    assert weather == "[nan, 9.0, 9.0, 10.0, nan]"
    assert flight == "1 2013-07-02 00:15:00+00:00 Monday 22.25"
    assert columns == (
        "['arrival_delay', 'carrier', 'departed_at', 'departure_delay', 'destination', 'distance', 'flight', 'origin', "
        "'scheduled_arrival', 'scheduled_departure', 'tailnum', 'weekday']"
    )


def test_what_is_known_only_after_landing_is_no_feature() -> None:
    import yaml

    for path in [ROOT / PROJECT / "config.yaml", *sorted((ROOT / PROJECT / "tasks").glob("*.yaml"))]:
        section = yaml.safe_load(path.read_text())["data"]
        assert section["target"]["column"] == "arrival_delay"
        assert "arrival_delay" not in section["features"]
