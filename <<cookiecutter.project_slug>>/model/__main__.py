"""The command line: `python -m model STEP`; `make STEP` runs it in the step's own environment."""

import argparse
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from model import InputError, config

if TYPE_CHECKING:
    from model.release import Change

CONFIG = Path("config.yaml")
LOCK = Path("locks/train.txt")

# Each step imports its own module, because an environment holds only what its steps need.


def _data(options: argparse.Namespace) -> str:
    from model import data

    return data.run(config.load(options.config), options.build)


def _train(options: argparse.Namespace) -> str:
    from model import train

    return train.run(config.load(options.config), options.build, LOCK)


def _evaluate(options: argparse.Namespace) -> str:
    from model import evaluate

    return evaluate.run(config.load(options.config), options.build, options.champion)


def _gate(options: argparse.Namespace) -> str:
    from model import gate

    return gate.run(config.load(options.config), options.build)


def _report(options: argparse.Namespace) -> str:
    from model import report

    return report.run(options.build)


def _register(options: argparse.Namespace) -> str:
    from model import register

    return register.run(options.build)


def _champion(options: argparse.Namespace) -> str:
    from model import champion

    return champion.run(config.load(options.config).promote, options.build)


def _reproduce(options: argparse.Namespace) -> str:
    from model import reproduce

    return reproduce.run(config.load(options.config).reproduce.tolerance, options.build)


def _release(options: argparse.Namespace) -> str:
    from model import record, release

    images = {"serve": options.serve, "monitor": options.monitor}
    settings = config.load(options.config).promote
    decision = record.decision(options.build / "decision.json")
    return _changed(release.run(decision, images, options.environment, settings), options.build)


def _promote(options: argparse.Namespace) -> str:
    from model import promote

    settings, today = config.load(options.config).promote, datetime.now(UTC).date()
    share = _percent(options.share) if options.share else None
    verified = options.verified or (promote.changed(options.since, settings) if options.since else "")
    if verified:
        return _changed(promote.after(verified, options.digest, settings, today, share), options.build)
    if options.since:
        return _changed("no environment has a new release that could be promoted", options.build)
    return _changed(promote.run(options.environment, settings, today, share or 100), options.build)


def _percent(share: str) -> int:
    if not (share.isascii() and share.isdecimal()) or not 1 <= int(share) <= 100:
        raise InputError(f"SHARE is a whole number of percent from 1 to 100, not {share!r}.")
    return int(share)


def _rollback(options: argparse.Namespace) -> str:
    from model import rollback

    settings = config.load(options.config).promote
    if options.digest or options.revision:
        failed = rollback.failed(options.environment, options.digest, options.revision, settings)
        return _changed(failed, options.build)
    return _changed(rollback.run(options.environment, settings), options.build)


def _pin(options: argparse.Namespace) -> str:
    from model import pin

    return _changed(pin.run(config.load(options.config), options.config), options.build)


def _changed(change: "Change | str", build: Path) -> str:
    if isinstance(change, str):  # there is nothing to do, and no earlier change to be taken for this one
        for name in ("change.json", "pull-request.md", "diff.json"):
            (build / name).unlink(missing_ok=True)
        return change
    return f"{change.title}; the pull request's text is in {change.write(build)}"


def _releases(options: argparse.Namespace) -> str:
    from model import releases

    return releases.run(config.load(options.config).promote, options.base, datetime.now(UTC).date())


def _render(options: argparse.Namespace) -> str:
    from model import render

    return render.run(options.environment)


def _diff(options: argparse.Namespace) -> str:
    from model import diff

    return diff.run(config.load(options.config).promote.order, options.base, options.build)


def _serve(options: argparse.Namespace) -> str:
    settings = config.load(options.config)
    # Read when scikit-learn is imported. With more, one row on a busy machine takes many times as long.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if settings.serve.server == "seldon-core":
        from model import seldon

        return seldon.run(settings, options.model, options.predictions)
    from model import serve

    return serve.run(settings, options.model, options.predictions)


def _smoke(options: argparse.Namespace) -> str:
    from model import smoke

    return smoke.run(options.url.rstrip("/"), options.image, options.model, options.seconds)


def _monitor(options: argparse.Namespace) -> str:
    from model import monitor

    settings, now, log = config.load(options.config), datetime.now(UTC), options.predictions or ["predictions"]
    return monitor.run(settings, options.build, options.model, log, options.labels, now, options.push)


def _doctor(options: argparse.Namespace) -> str:
    from model import doctor

    return doctor.run(options.config)


STEPS: dict[str, tuple[Callable[[argparse.Namespace], str], str]] = {
    "champion": (_champion, "take the model that production runs out of its image"),
    "data": (_data, "check the data file and split it by time"),
    "train": (_train, "fit the estimator, save it as ONNX or with skops, compare both answers"),
    "evaluate": (_evaluate, "measure the model on the test rows, beside baseline and champion"),
    "gate": (_gate, "decide; exit 1 when a blocking gate fails"),
    "report": (_report, "render the decision for people"),
    "register": (_register, "log the decision to MLflow; an accepted model becomes a version in its registry"),
    "reproduce": (_reproduce, "compare with the metrics that were reviewed"),
    "release": (_release, "write an accepted model to an environment"),
    "promote": (_promote, "copy the release of one environment to the next"),
    "rollback": (_rollback, "restore an environment's earlier release"),
    "releases": (_releases, "check how every release came to be"),
    "render": (_render, "print what the cluster would get"),
    "diff": (_diff, "write how that differs from another commit"),
    "pin": (_pin, "move the data pin and the periods to the newest snapshot"),
    "serve": (_serve, "answer HTTP requests and log each prediction"),
    "smoke": (_smoke, "prove that a service answers as at training"),
    "monitor": (_monitor, "estimate the performance of the served model"),
    "doctor": (_doctor, "say what this machine and this repository lack"),
}


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(prog="python -m model", description="The steps of a model service.")
    root.add_argument("--config", type=Path, default=CONFIG, help="default: %(default)s")
    root.add_argument(
        "--build", type=Path, default=Path("build"), help="folder of what the steps write; default: %(default)s"
    )
    steps = root.add_subparsers(dest="step", required=True, metavar="STEP")
    own = {name: steps.add_parser(name, help=text, description=text) for name, (_, text) in STEPS.items()}
    own["evaluate"].add_argument("--champion", type=Path, help="model directory of the model in production")
    for name in ("release", "promote", "rollback", "render"):
        own[name].add_argument("--environment", required=True)
    for name in ("promote", "rollback"):
        own[name].add_argument("--digest", default="", help="nothing is done unless an image with this digest runs")
    own["rollback"].add_argument(
        "--revision", default="", help="nothing is done unless it runs what it ran at this commit"
    )
    own["promote"].add_argument("--verified", default="", help="promote from this environment, where it is due")
    own["promote"].add_argument("--since", default="", help="promote what was released since this commit")
    own["promote"].add_argument("--share", default="", help="percent of the requests; default: all")
    own["releases"].add_argument("--base", default="", help="also check what changed since this commit")
    own["diff"].add_argument("--base", required=True, help="the commit to compare with")
    own["release"].add_argument("--serve", required=True, help="image as registry/name@sha256:<digest>")
    own["release"].add_argument("--monitor", required=True, help="image as registry/name@sha256:<digest>")
    for name in ("serve", "smoke", "monitor"):
        own[name].add_argument("--model", type=Path, default=Path("build/model"), help="default: %(default)s")
    own["serve"].add_argument("--predictions", type=Path, default=Path("predictions"), help="default: %(default)s")
    own["smoke"].add_argument("--url", required=True, help="address of the service")
    own["smoke"].add_argument("--image", default="", help="the image that must have answered")
    own["smoke"].add_argument("--seconds", type=float, default=120, help="default: %(default)s")
    own["monitor"].add_argument(
        "--predictions", nargs="+", action="extend", help="folders or fsspec URIs of the log; default: predictions"
    )
    own["monitor"].add_argument("--labels", help="folder or fsspec URI of what came true, as JSON lines")
    own["monitor"].add_argument(
        "--push", default=os.environ.get("PUSHGATEWAY"), help="address of a Pushgateway; default: $PUSHGATEWAY"
    )
    return root


def main(arguments: list[str] | None = None) -> int:
    """Run one step; what a person has to put right is one sentence on stderr and exit code 1."""
    options = parser().parse_args(arguments)
    try:
        if said := STEPS[options.step][0](options):
            print(f"{options.step}: {said}")
    except InputError as error:
        print(f"{options.step}: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{options.step}: {error.filename}: {error.strerror}; free it or make it accessible.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{options.step}: interrupted; earlier outputs are as they were.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
