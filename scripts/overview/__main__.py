"""`python -m overview OWNER FOLDER` writes FOLDER/index.html and FOLDER/fleet.json."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path

from overview import ask, clone, page, rows

AT_ONCE = 8  # repositories


def _rows(known: ask.Known, folder: Path, today: date) -> list[rows.Row]:
    place = folder / "clones" / known.name
    try:
        return rows.of(known, clone.read(f"{known.address}.git", place, today), today)
    except clone.UnreadableError as error:
        return [rows.unreadable(known, str(error))]


def run(owner: str, folder: Path, today: date) -> str:
    """Write the page and its data; returns what was read."""
    known = sorted(ask.repositories(owner), key=lambda one: one.name)
    if not known:
        raise ask.FleetError(f"{owner} has no repository with the topic {ask.TOPIC}; `make setup-github` sets it.")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = [row for part in pool.map(lambda one: _rows(one, folder, today), known) for row in part]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.html").write_text(page.html(owner, today.isoformat(), found))
    (folder / "fleet.json").write_text(json.dumps(rows.document(found), indent=1) + "\n")
    return f"{len(known)} repositories, {len(found)} rows in {folder / 'index.html'}"


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        print("fleet: name the owner and a folder, such as `scripts/fleet acme fleet`.", file=sys.stderr)
        return 1
    folder = Path(arguments[1])
    try:
        print(f"fleet: {run(arguments[0], folder, datetime.now(UTC).date())}")
    except ask.FleetError as error:
        print(f"fleet: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
