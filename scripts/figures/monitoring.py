"""The monitor on growing numbers of logged rows: read, CBPE on three metrics, drift of twelve features, report."""

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import yaml

from figures import PROJECT, Row

ROWS = (100_000, 1_000_000, 5_000_000)
SAMPLED = {"window": 50_000, "sample": 5_000}


def _settings(**changes: Any) -> dict[str, Any]:
    """The template's configuration with twelve of its features and some of its monitor's values changed."""
    document: dict[str, Any] = yaml.safe_load((PROJECT / "config.yaml").read_text())
    features = document["data"]["features"]
    kept = [*list(features)[:9], "carrier", "origin", "weekday"]
    document["data"]["features"] = {name: features[name] for name in kept}
    document["monitor"] |= changes
    return document


def _step(environment: str, config: Path, build: Path, *words: str) -> tuple[float, float]:
    """Run a step of the model repository; returns its seconds and peak resident MiB."""
    command = [str(PROJECT / f".venv/{environment}/bin/python"), "-m", "lifecycle", "--config", str(config)]
    own = {"OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryFile("w+") as said:
        begin = time.monotonic()
        process = subprocess.Popen(
            [*command, "--build", str(build), *words], cwd=PROJECT, env={**os.environ, **own}, stdout=said, stderr=said
        )
        _, status, usage = os.wait4(process.pid, 0)
        spent, process.returncode = time.monotonic() - begin, os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise SystemExit(f"bench: {' '.join(words)} failed:\n{said.read()}")
    return spent, usage.ru_maxrss / 1024


def _log(rows: int, model: Path, folder: Path) -> None:
    """Write a log in the service's format: resampled test rows, spread over three months of event time."""
    reference = f"read_parquet('{model}/reference.parquet')"
    with duckdb.connect() as connection:
        described = connection.execute(f"describe select * from {reference}").fetchall()  # noqa: S608 - our path
        names = [name for name, *_ in described if name not in ("time", "label", "prediction")]
        features = [name for name in names if not name.startswith("probability_")]
        classes = [name.removeprefix("probability_") for name in names if name.startswith("probability_")]
        version = next(line for line in (model / "MLmodel").read_text().splitlines() if line.startswith("  version: "))
        version = version.split(": ")[1]
        hour = time.strftime("%Y-%m-%dT%H", time.gmtime(time.time() - 3600))
        place = folder / f"version={version}" / f"hour={hour}"
        place.mkdir(parents=True)
        packed = ", ".join(f'"{name}" := "{name}"' for name in features)
        shares = ", ".join(f'"{name}" := "probability_{name}"' for name in classes)
        connection.execute(
            f"""
            copy (
                select md5((i // 100)::varchar) as request, i % 100 as row, '{hour}:00:00+00:00' as logged,
                '{version}' as version, struct_pack(departed_at := strftime(
                    timestamp '2013-07-01' + interval (i * 7776000.0 / {rows}) second, '%Y-%m-%dT%H:%M:%SZ'
                )) as context, struct_pack({packed}) as features,
                struct_pack(prediction := ['{classes[0]}', '{classes[1]}'][prediction + 1],
                            probabilities := struct_pack({shares})) as answer
                from (select range as i, (hash(range) % (select count(*) from {reference}))::bigint as place
                      from range({rows}))
                join (select *, row_number() over () - 1 as place from {reference}) using (place)
            ) to '{place}/1-a.jsonl' (format json)
            """  # noqa: S608 - our own names
        )


def rows(runs: int) -> Iterator[Row]:
    least = 0.0
    subprocess.run(["make", "--silent", "-C", str(PROJECT), ".venv/train", ".venv/monitor"], check=True)
    with tempfile.TemporaryDirectory() as name:
        folder, config = Path(name), Path(name) / "config.yaml"
        config.write_text(yaml.safe_dump(_settings()))
        for verb in ("data", "train"):
            _step("train", config, folder, verb)
        cells: list[tuple[int, dict[str, Any], str]] = [(count, {}, "") for count in ROWS]
        cells += [(ROWS[-1], {"estimator": "own"}, ", our own estimator"), (ROWS[-1], SAMPLED, ", a tenth sampled")]
        for count, changes, note in cells:
            place = folder / str(count)
            if not place.exists():
                _log(count, folder / "model", place)
            config.write_text(yaml.safe_dump(_settings(**changes)))
            words = ("monitor", "--model", str(folder / "model"), "--predictions", str(place))
            measured = [_step("monitor", config, folder, *words) for _ in range(runs)]
            seconds, memory = (statistics.median(values) for values in zip(*measured, strict=True))
            ratio = f", {seconds / least:.1f} times as long as {ROWS[0]:,}" if least else ""
            least = least or seconds
            yield f"monitor, {count:,} logged rows{note}", seconds, "s", f"{memory / 1024:.2f} GiB{ratio}"
