"""The command line: `python -m github VERB`; `make VERB` runs it."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from model import InputError, config


def _offer(options: argparse.Namespace) -> str:
    from github import offer, upgrade

    upgrade.unpack(options.build)
    return offer.run(options.build, bool(os.environ.get("GITHUB_ACTIONS")) and not os.environ.get("BOT"))


def _comment(options: argparse.Namespace) -> str:
    from github import comment

    return comment.run(options.build)


def _reviewed(options: argparse.Namespace) -> str:
    from github import reviewed

    return reviewed.run(options.build)


def _publish(options: argparse.Namespace) -> str:
    from github import publish

    return publish.run(options.build)


def _changes(options: argparse.Namespace) -> str:
    from github import changes

    return changes.run(options.base)


def _issue(options: argparse.Namespace) -> str:
    from github import issue

    return issue.run()


def _degraded(options: argparse.Namespace) -> str:
    from github import degraded

    return degraded.run(options.build, options.environment, options.seconds)


def _upgrade(options: argparse.Namespace) -> str:
    from github import upgrade

    return upgrade.run(options.build, options.template)


def _setup(options: argparse.Namespace) -> str:
    from github import setup

    return setup.run(config.load(Path("config.yaml")).promote, options.apply)


def _doctor(options: argparse.Namespace) -> str:
    from github import doctor

    return doctor.run(config.load(Path("config.yaml")).promote)


VERBS: dict[str, tuple[Callable[[argparse.Namespace], str], str]] = {
    "offer": (_offer, "open or refresh the pull request that a step prepared"),
    "comment": (_comment, "post the report of a finished run on its pull request"),
    "reviewed": (_reviewed, "find the metrics that were shown on the pull request of this commit"),
    "publish": (_publish, "make the GitHub release"),
    "changes": (_changes, "say whether the model changed since a commit"),
    "issue": (_issue, "open or update the issue about a model that degrades"),
    "degraded": (_degraded, "tell GitHub, from a cluster, that the monitor raised an alert"),
    "upgrade": (_upgrade, "prepare the pull request that merges a newer template"),
    "setup-github": (_setup, "set the repository up on GitHub"),
    "doctor": (_doctor, "say what the repository lacks on GitHub"),
}


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(prog="python -m github", description="What the workflows do on GitHub.")
    root.add_argument("--build", type=Path, default=Path("build"), help="folder of what the steps write")
    verbs = root.add_subparsers(dest="verb", required=True, metavar="VERB")
    own = {name: verbs.add_parser(name, help=text, description=text) for name, (_, text) in VERBS.items()}
    own["changes"].add_argument("--base", required=True)
    own["degraded"].add_argument("--environment", required=True)
    own["degraded"].add_argument("--seconds", type=float, default=0, help="how long to wait for the monitor")
    own["upgrade"].add_argument("--template", default="", help="default: the one that made this repository")
    own["setup-github"].add_argument("--apply", action="store_true", help="make the calls, not only show them")
    return root


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; what a person has to put right is one sentence on stderr and exit code 1."""
    options = parser().parse_args(arguments)
    try:
        print(f"{options.verb}: {VERBS[options.verb][0](options)}")
    except InputError as error:
        print(f"{options.verb}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{options.verb}: interrupted; run it again, what is done stays done.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
