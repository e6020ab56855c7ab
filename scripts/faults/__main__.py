"""The command line: `python -m faults [--page FOLDER] [FAULT ...]` tries the named faults, by default all."""

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from faults import ROOT, Failed, dashboard, life, page
from faults.cluster import Cluster
from faults.fault import Fault, Outcome
from faults.repository import Repository
from faults.stage import Stage
from faults.table import FAULTS
from faults.trial import tried

REGISTRY = "localhost:5001"  # that of scripts/cluster


def say(text: str) -> None:
    print(f"e2e: {text}", flush=True)


def line(one: Outcome) -> str:
    """What a person reads of an outcome meanwhile."""
    if one.untried:
        return f"{one.fault.name}: not tried. {one.untried}"
    seen = f"{one.seconds:.0f} s, {one.failed} of {one.requests} requests failed, {one.lost} rows lost"
    return f"{one.fault.name}: {' '.join(one.wrong()) or 'as expected'} ({seen})"


def trials(stage: Stage, faults: Sequence[Fault]) -> list[Outcome]:
    """Try each fault; one that breaks the cluster leaves the others untried, and red."""
    found: list[Outcome] = []
    for fault in faults:
        say(f"{fault.name}: {fault.done}")
        try:
            found.append(tried(fault, stage))
        except Failed as failure:
            found.append(Outcome(fault, problem=str(failure)))
        except Exception as failure:  # ours; what was seen of the others is on the page all the same
            traceback.print_exc()
            found.append(Outcome(fault, problem=repr(failure)))
        say(line(found[-1]))
    return found


def run(stage: Stage, faults: Sequence[Fault], folder: Path) -> int:
    """Play the life and try the faults; the exit code is 0 if all came as expected."""
    try:
        stage.check()
        say("the life of a model, up to production")
        life.play(stage)
    except Failed as failure:
        found = page.document(page.untried(faults, "No fault was tried."), {}, problem=str(failure))
        print(f"e2e: {failure}", file=sys.stderr)
    else:
        versions = stage.versions()
        tries = trials(stage, faults)
        grafana = dashboard.seen(stage.cluster)
        say(f"Grafana's dashboard: {grafana.said}")
        found = page.document(tries, versions, grafana)
    page.write(folder, found)
    say(f"{folder / 'index.html'} says what was seen.")
    return 0 if found["good"] else 1


def main(arguments: list[str]) -> int:
    names = [fault.name for fault in FAULTS]
    parser = argparse.ArgumentParser(
        prog="scripts/e2e", description="Plays the life of a model and faults on a cluster."
    )
    parser.add_argument("--page", type=Path, default=ROOT / "e2e", help="the folder for index.html and e2e.json")
    parser.add_argument("faults", nargs="*", metavar="FAULT", help=f"one of: {', '.join(names)}; none tries all")
    given = parser.parse_args(arguments)
    if unknown := set(given.faults) - set(names):
        print(f"e2e: unknown faults: {', '.join(sorted(unknown))}; known: {', '.join(names)}.", file=sys.stderr)
        return 2
    cluster = Cluster()
    repository = Repository(cluster, ROOT / ".tools/e2e", os.environ.get("REGISTRY", REGISTRY))
    chosen = [fault for fault in FAULTS if fault.name in given.faults or not given.faults]
    return run(Stage(cluster, repository), chosen, given.page)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
