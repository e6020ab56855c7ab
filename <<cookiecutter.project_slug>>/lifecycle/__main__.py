"""The command line: `python -m lifecycle VERB`; `make VERB` runs it in the verb's own environment."""

import argparse
import gc
import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from lifecycle import InputError, config, failures, progress
from lifecycle.verbs import LOCKS, STEPS, VERBS

if TYPE_CHECKING:
    from lifecycle.documents.change import Change

# Libraries create a million objects that live until the end; Python would look through them again and again.
SELDOM = (100_000, 50, 50)

# Each verb imports its own modules, because an environment holds only what its verbs need.


def _adopt(options: argparse.Namespace) -> str:
    from lifecycle.adopting import adopt

    names = {name: os.environ.get(name, "") for name in ("TARGET", "TIME", "KEY", "POSITIVE")}
    return adopt.run(options.config, options.build, os.environ.get("FILE", ""), names)


def _champion(options: argparse.Namespace) -> str:
    from lifecycle.training import champion

    return champion.run(config.load(options.config).promote, options.build)


def _data(options: argparse.Namespace) -> str:
    from lifecycle.rows import data

    settings = config.load(options.config)
    return data.run(settings, options.build, [part.column for part in settings.evaluate.slices])


def threaded() -> str:
    """Choose how many threads fit, as scikit-learn reads it at its import; a number that is set stays."""
    from lifecycle.training import threads

    return os.environ.get("OMP_NUM_THREADS") or os.environ.setdefault("OMP_NUM_THREADS", str(threads.free()))


def _train(options: argparse.Namespace) -> str:
    many = threaded()
    from lifecycle.training import train

    return f"{train.run(config.load(options.config), options.build, *LOCKS)}; {many} thread{'s' * (many != '1')}"


def _evaluate(options: argparse.Namespace) -> str:
    from lifecycle.evaluation import evaluate

    return evaluate.run(config.load(options.config), options.build, options.champion)


def _gate(options: argparse.Namespace) -> str:
    from lifecycle.evaluation import gate

    return gate.run(config.load(options.config), options.build)


def _power(options: argparse.Namespace) -> str:
    from lifecycle.reporting import power

    return power.run(config.load(options.config), options.build, os.environ.get("ROWS", ""))


def _report(options: argparse.Namespace) -> str:
    from lifecycle.github import api
    from lifecycle.reporting import report

    said = report.run(options.build)
    api.say("GITHUB_STEP_SUMMARY", (options.build / "report.md").read_text())
    return said


def _register(options: argparse.Namespace) -> str:
    from lifecycle.training import register

    return register.run(options.build)


def _reproduce(options: argparse.Namespace) -> str:
    from lifecycle.evaluation import reproduce

    return reproduce.run(config.load(options.config).reproduce.tolerance, options.build)


def _pin(options: argparse.Namespace) -> str:
    from lifecycle.rows import pin

    return _prepared(pin.run(config.load(options.config), options.config), options.build)


def _release(options: argparse.Namespace) -> str:
    from lifecycle.documents import environments, record
    from lifecycle.github import api
    from lifecycle.papers import write
    from lifecycle.releasing import release

    _begun(options.build)
    images, settings = {"serve": options.serve, "monitor": options.monitor}, config.load(options.config)
    decision = record.decision(options.build / "decision.json")
    built = "\n".join(f"- {name}: `{image}`" for name, image in images.items())
    api.say("GITHUB_STEP_SUMMARY", f"Built from {decision.version}:\n\n{built}\n")
    change = release.run(decision, images, options.environment, settings.promote)
    released = environments.current(environments.folder(options.environment, settings.promote.order))
    write.run(released or decision, settings.card, options.build)
    return _prepared(change, options.build)


def _images(options: argparse.Namespace) -> str:
    from lifecycle.releasing import images

    return images.run(options.serving)


def _rebuild(options: argparse.Namespace) -> str:
    from lifecycle.training import champion

    return champion.rebuild(config.load(options.config).promote, options.build)


def _promote(options: argparse.Namespace) -> str:
    from lifecycle.releasing import promote

    _begun(options.build)
    promotion, today = config.load(options.config).promote, datetime.now(UTC).date()
    share = _percent(options.share) if options.share else 100
    return _prepared(promote.run(options.environment, promotion, today, share), options.build)


def _percent(share: str) -> int:
    if not (share.isascii() and share.isdecimal()) or not 1 <= int(share) <= 100:
        raise InputError(f"SHARE is a whole number of percent from 1 to 100, not {share!r}.")
    return int(share)


def _rollback(options: argparse.Namespace) -> str:
    from lifecycle.releasing import rollback

    _begun(options.build)
    promotion = config.load(options.config).promote
    if options.digest or options.revision:
        failed = rollback.failed(options.environment, options.digest, options.revision, promotion, options.said)
        return _prepared(failed, options.build)
    return _prepared(rollback.run(options.environment, promotion), options.build)


def _retire(options: argparse.Namespace) -> str:
    from lifecycle.releasing import retire

    _begun(options.build)
    return _prepared(retire.run(config.load(options.config).promote), options.build)


def _audit(options: argparse.Namespace) -> str:
    from lifecycle.releasing import audit

    return audit.run(config.load(options.config).promote, options.base, datetime.now(UTC).date())


def _verify(options: argparse.Namespace) -> str:
    from lifecycle.documents import change
    from lifecycle.releasing import verify

    prepared = change.read(options.build)
    environment = options.environment or (prepared.environment if prepared else "")
    if not environment:
        return "no environment is to change; name one with ENV="
    return verify.run(environment, config.load(options.config).promote)


def _trace(options: argparse.Namespace) -> str:
    from lifecycle.tracing import trace

    return trace.run(os.environ.get("REQUEST", ""), options.predictions or ["predictions"])


def _render(options: argparse.Namespace) -> str:
    from lifecycle.releasing import render

    return render.run(options.environment)


def _diff(options: argparse.Namespace) -> str:
    from lifecycle.releasing import diff

    return diff.run(options.base, options.build)


def _serve(options: argparse.Namespace) -> str:
    settings, often = config.load(options.config), (700, 10, 10)  # Python's own: a service runs for months
    # Read when scikit-learn is imported. With more, one row on a busy machine takes many times as long.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if settings.serve.server == "seldon-core":
        from lifecycle.serving import seldon

        gc.set_threshold(*often)
        return seldon.run(settings, options.model, options.predictions)
    from lifecycle.serving import serve

    gc.set_threshold(*often)
    return serve.run(settings, options.model, options.predictions)


def _smoke(options: argparse.Namespace) -> str:
    from lifecycle.serving import smoke

    return smoke.run(options.url.rstrip("/"), options.image, options.model, options.seconds)


def _monitor(options: argparse.Namespace) -> str:
    from lifecycle.reporting import watch

    settings, now, log = config.load(options.config), datetime.now(UTC), options.predictions or ["predictions"]
    server = os.environ.get("MLFLOW_TRACKING_URI", "") if options.keep else None
    labels = options.labels
    if options.environment:
        from lifecycle.artifact import directory
        from lifecycle.releasing import shipped

        log, given = shipped.log(options.environment, directory.load(options.model).version, settings.promote)
        came = given.pop("LABELS", None)
        labels = labels or came
        for name, value in given.items():
            os.environ.setdefault(name, value)  # the store's region and address
    if absent := [one for one in log if "://" not in one and not Path(one).is_dir()]:
        raise InputError(f"The folder {absent[0]} is not there; name the log's, or send the service a request first.")
    return watch.run(settings, options.build, options.model, log, labels, now, options.push, server)


def _erase(options: argparse.Namespace) -> str:
    from lifecycle.privacy import erase

    log = options.predictions or ["predictions"]
    return erase.run(config.load(options.config), options.key, log, options.labels, options.apply)


def _changes(options: argparse.Namespace) -> str:
    from lifecycle.github import changes

    return changes.run(config.load(options.config).promote, options.config, options.base)


def _due(options: argparse.Namespace) -> str:
    from lifecycle.github import due

    _begun(options.build)
    promotion, today = config.load(options.config).promote, datetime.now(UTC).date()
    share = _percent(options.share) if options.share else None
    return due.run(options.build, promotion, today, options.verified, options.digest, share, _waits())


def _waits() -> bool:
    """Whether a pull request would be GITHUB_TOKEN's, whose checks wait for a person."""
    return bool(os.environ.get("GITHUB_ACTIONS")) and not os.environ.get("APP")


def _offer(options: argparse.Namespace) -> str:
    from lifecycle.github import offer, upgrade

    upgrade.unpack(options.build, os.environ.get("TEMPLATE", ""))
    return offer.run(options.build, _waits())


def _comment(options: argparse.Namespace) -> str:
    from lifecycle.github import comment

    return comment.run(options.build)


def _reviewed(options: argparse.Namespace) -> str:
    from lifecycle.github import reviewed

    return reviewed.run(options.build)


def _publish(options: argparse.Namespace) -> str:
    from lifecycle.github import publish

    return publish.run(options.build)


def _issue(_: argparse.Namespace) -> str:
    from lifecycle.github import issue

    return issue.run()


def _degraded(options: argparse.Namespace) -> str:
    from lifecycle.github import degraded

    return degraded.run(options.build, options.environment)


def _vulnerabilities(options: argparse.Namespace) -> str:
    from lifecycle.releasing import vulnerabilities

    return vulnerabilities.run(options.build, datetime.now(UTC).date())


def _warn(options: argparse.Namespace) -> str:
    from lifecycle.github import warn

    return warn.run(options.build)


def _upgrade(options: argparse.Namespace) -> str:
    from lifecycle.github import upgrade

    return upgrade.run(options.build, options.template, options.commit)


def _setup_github(options: argparse.Namespace) -> str:
    from lifecycle.github import setup

    return setup.run(config.load(options.config).promote, options.apply)


def _doctor(options: argparse.Namespace) -> str:
    from lifecycle import doctor
    from lifecycle.cluster import needs
    from lifecycle.github import missing

    doctor.run(options.config)
    settings = config.load(options.config)
    said = missing.run(settings.promote)
    if not options.cluster:
        return said
    print(f"doctor: {said}")
    return needs.run(options.cluster, settings)


def _begun(build: Path) -> None:
    """Forget the change of an earlier verb, so that `offer` does not take it for this one's if this one is killed."""
    from lifecycle.documents import change as kept

    kept.forget(build)


def _prepared(change: "Change | str", build: Path) -> str:
    """Keep the change for `offer`, or forget an earlier one when there is nothing to do."""
    from lifecycle.documents import change as kept

    if isinstance(change, str):
        kept.forget(build)
        return change
    return f"{change.title}; the pull request's text is in {change.write(build)}"


def _fresh(step: Callable[[argparse.Namespace], str], options: argparse.Namespace) -> str:
    from lifecycle import fresh

    champion = getattr(options, "champion", None)
    return fresh.run(options.verb, options.config, options.build, LOCKS, champion, lambda: step(options))


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(prog="python -m lifecycle", description="The life of a model service.")
    root.add_argument("--config", type=Path, default=Path("config.yaml"), help="default: %(default)s")
    root.add_argument(
        "--build", type=Path, default=Path("build"), help="folder of what the verbs write; default: %(default)s"
    )
    verbs = root.add_subparsers(dest="verb", required=True, metavar="VERB")
    own = {name: verbs.add_parser(name, help=text, description=text) for name, text in VERBS.items()}
    own["evaluate"].add_argument("--champion", type=Path, help="model directory of the model in production")
    for name in ("release", "promote", "rollback", "verify", "render", "degraded"):
        own[name].add_argument("--environment", required=True)
    for name in ("due", "rollback"):
        own[name].add_argument("--digest", default="", help="nothing is done unless an image with this digest runs")
    own["rollback"].add_argument(
        "--revision", default="", help="nothing is done unless it runs what it ran at this commit"
    )
    own["rollback"].add_argument("--said", default="", help="why it failed, in the cluster's words")
    own["due"].add_argument("--verified", required=True, help="promote from this environment; from each with *")
    for name in ("promote", "due"):
        own[name].add_argument("--share", default="", help="percent of the requests; default: all")
    own["audit"].add_argument("--base", default="", help="also check what changed since this commit")
    for name in ("diff", "changes"):
        own[name].add_argument("--base", required=True, help="the commit to compare with")
    own["images"].add_argument("--serving", required=True, help="the lock file of the environment that serves")
    own["release"].add_argument("--serve", required=True, help="image as registry/name@sha256:<digest>")
    own["release"].add_argument("--monitor", required=True, help="image as registry/name@sha256:<digest>")
    for name in ("serve", "smoke", "monitor"):
        own[name].add_argument("--model", type=Path, default=Path("build/model"), help="default: %(default)s")
    own["serve"].add_argument("--predictions", type=Path, default=Path("predictions"), help="default: %(default)s")
    own["smoke"].add_argument("--url", required=True, help="address of the service")
    own["smoke"].add_argument("--image", default="", help="the image that must have answered")
    own["smoke"].add_argument("--seconds", type=float, default=120, help="default: %(default)s")
    for name in ("monitor", "erase", "trace"):
        own[name].add_argument(
            "--predictions", nargs="+", action="extend", help="folders or fsspec URIs of the log; default: predictions"
        )
    for name in ("monitor", "erase"):
        own[name].add_argument(
            "--labels",
            default=os.environ.get("LABELS") or None,
            help="folder or fsspec URI of what came true, as JSON lines",
        )
    own["erase"].add_argument("--key", default="", help="a column and its value, such as customer=4711")
    own["erase"].add_argument("--apply", action="store_true", help="remove the rows, not only count them")
    own["monitor"].add_argument(
        "--push", default=os.environ.get("PUSHGATEWAY"), help="address of a Pushgateway; default: $PUSHGATEWAY"
    )
    own["monitor"].add_argument("--environment", default="", help="read the log that this environment ships")
    own["monitor"].add_argument(
        "--keep", action="store_true", help="keep the report beside a log in a store, and in MLFLOW_TRACKING_URI"
    )
    own["upgrade"].add_argument("--template", default="", help="default: the one that made this repository")
    own["upgrade"].add_argument("--commit", default="", help="the template's commit, which you have read")
    own["doctor"].add_argument("--cluster", default="", help="a context of kubectl, whose cluster is asked too")
    own["setup-github"].add_argument("--apply", action="store_true", help="make the calls, not only show them")
    return root


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; what a person has to put right is one sentence on stderr and exit code 1."""
    options = parser().parse_args(arguments)
    # The function above with the verb's name.
    run: Callable[[argparse.Namespace], str] = globals()[f"_{options.verb.replace('-', '_')}"]
    with failures.told(options.verb, options.build) as outcome:
        with nullcontext() if options.verb == "serve" else progress.shown(options.verb, options.build):
            said = _fresh(run, options) if options.verb in STEPS else run(options)
        if said:
            print(f"{options.verb}: {said}")
    return outcome.code


if __name__ == "__main__":
    gc.set_threshold(*SELDOM)
    code = main()
    if "duckdb" not in sys.modules:  # which would call its own functions leaked
        gc.freeze()  # at the end nothing has to be looked through either
    sys.exit(code)
