"""Prints in how many of 20 seeds of its traffic the demo's story holds; both models are trained once.

The drops, and what must come true of them, are those of `scripts/life/story.py`.
"""

import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import days
import story
import traffic
from lifecycle import config
from lifecycle.documents.summary import Summary
from lifecycle.monitoring import monitor
from lifecycle.reporting import track
from lifecycle.rows import data
from lifecycle.serving import service
from lifecycle.tasks import label
from lifecycle.training import train

PROJECT = Path(__file__).resolve().parents[1] / "<<cookiecutter.project_slug>>"
SEEDS = 20


def settings(folder: Path, changes: dict[str, str]) -> config.Config:
    """The example's configuration with the demo's changes."""
    text = (PROJECT / "config.yaml").read_text()
    for old, new in changes.items():
        text = text.replace(old, new)
    (folder / "config.yaml").write_text(text)
    return config.load(folder / "config.yaml")


def watched(own: config.Config, model: Path, rows: list[days.Row]) -> Summary:
    """What the monitor says of the traffic once all labels are there."""
    with tempfile.TemporaryDirectory() as folder:
        log, labels = Path(folder) / "predictions", Path(folder) / "labels"
        answering = service.Service(model, log, own, {})
        traffic.send(lambda body: answering.predict(body, None).content, rows, labels)
        answering.close()
        return monitor.run(own, model, [str(log)], str(labels), datetime.now(UTC))


def warned(found: Summary, metric: str) -> str:
    """What the record at training warned of."""
    known = found.track and found.track.model_copy(update={"since": ()})
    return story.warning("\n".join(track.warnings(known)), label(metric))


def main() -> int:
    os.chdir(PROJECT)  # which the paths of its configuration begin at
    leads, shown = list[int | None](), list[str | None]()
    print("| seed | the estimate saw, before the labels | only labels showed, on |\n| --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        changes = ({**story.WATCH}, {**story.WATCH, **story.RETRAIN})
        models = []
        for number, (own, period) in enumerate(zip(changes, story.PERIODS, strict=True)):
            build = Path(folder) / str(number)
            build.mkdir()
            known = settings(build, own)
            data.run(known, build)
            train.run(known, build, Path("locks/train.txt"))
            models.append((known, build / "model", days.flights(PROJECT / known.data.path, *period)))
        for seed in range(SEEDS):
            first, second = (watched(known, model, story.requests(rows, seed)) for known, model, rows in models)
            leads.append(story.ahead(first.model_dump(), warned(first, story.SEEN)))
            shown.append(story.unseen(second.model_dump(), warned(second, story.UNSEEN)))
            print(f"| {seed} | {f'{leads[-1]} days' if leads[-1] else 'no'} | {shown[-1] or 'no'} |", flush=True)
    held = [lead for lead, day in zip(leads, shown, strict=True) if lead and day]
    print(f"\nThe story holds in {len(held)} of {SEEDS} seeds; the estimate is {min(held)} to {max(held)} days ahead.")
    return 0 if len(held) >= 0.9 * SEEDS else 1


if __name__ == "__main__":
    sys.exit(main())
